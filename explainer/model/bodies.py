"""The functions that nodes call: a model's own, and those that ONNX defines."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import onnx

from ..errors import UnsupportedError
from . import learned
from .fused import body_of, is_fused
from .scopes import has_graphs
from .signature import complaints, opsets_of, signature_of
from .tensors import FLOATS
from .types import Types

# What may be done in a body of ONNX's own to what it reads, beside operators that have a layer: types, and
# truth values and masks. What is done to sizes and constants does not count.
BESIDE = frozenset(
    {
        *("And", "Cast", "CastLike", "Equal", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual"),
        *("Not", "Or", "ReduceMax", "Trilu"),
    }
)
# Whose name says more than their bodies do: what is wanted of a model is no loss, and labels are data there.
NAMED = frozenset({"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"})
# Domains whose operators onnxruntime may have itself: then it runs those, whatever a file's function says.
RUNTIMES = ("ai.onnx", "com.microsoft", "com.ms")
# A function's domain, name and overload.
Key = tuple[str, str, str]


def may_be_inlined(proto: onnx.ModelProto, has_layer: Callable[[str], bool]) -> bool:
    """Whether there is anything that may be a call, told without a look at any body."""
    opset = opsets_of(proto.opset_import).get("", 0)
    return bool(proto.functions) or any(
        is_fused(node)
        or (is_learned(node) and not has_layer(operator_of(node)))
        or (node.domain in ("", "ai.onnx") and not has_layer(node.op_type) and has_body(node.op_type, opset))
        for node in proto.graph.node
    )


class Bodies:
    """The functions that nodes call.

    Parameters
    ----------
    proto : onnx.ModelProto
    has_layer : callable
        Of an operator's name: whether a layer explains it.
    kept : dict of str -> str
        Where it is noted down which calls stay calls, and why.
    """

    def __init__(
        self, proto: onnx.ModelProto, has_layer: Callable[[str], bool], kept: dict[str, str]
    ) -> None:
        self.own = {key(f.domain, f.name, f.overload): f for f in proto.functions}
        self.proto, self.has_layer, self.kept = proto, has_layer, kept
        self.types = Types(proto)
        self.opset = opsets_of(proto.opset_import).get("", 0)

    def of(self, node: onnx.NodeProto) -> onnx.FunctionProto | None:
        """The function that a node calls; None where it calls none, has a layer, or stays a call."""
        if self.has_layer(operator_of(node)):
            return None
        if is_fused(node):
            return self._of_fused(node)
        if node.domain in ("", "ai.onnx"):
            return self._of_onnx(node)
        if is_learned(node):
            return self._of_learned(node)
        found = self.own.get(key_of(node))
        if found is None or not f"{node.domain}.".startswith(tuple(f"{domain}." for domain in RUNTIMES)):
            return found
        self.kept[operator_of(node)] = (
            "onnxruntime may have an operator of this name, and runs that in place of the file's function: "
            "give the function a domain of its own"
        )
        return None

    def _of_onnx(self, node: onnx.NodeProto) -> onnx.FunctionProto | None:
        """What ONNX itself says an operator is, where that can be explained."""
        if node.op_type in NAMED or not has_body(node.op_type, self.opset):
            return None
        found = _body_of_onnx(node, self.opset, self.types)
        if found is None or any(has_graphs(one) for one in found.node):
            return None  # some with branches are no files that onnxruntime runs, and the operator itself is
        does = _done_to_inputs(found)
        explained = {name for name in does if self.has_layer(name)}
        # CastLike is a Cast whose type is known here: so what it is like is read no more.
        if node.op_type == "CastLike" or (explained and does <= explained | BESIDE):
            return found
        missing = ", ".join(sorted(does - explained - BESIDE) or sorted(does))
        self.kept[node.op_type] = f"this operator has no layer, and its body has {missing} without one"
        return None

    def _of_learned(self, node: onnx.NodeProto) -> onnx.FunctionProto | None:
        """What an operator of ai.onnx.ml is in operators of ONNX's own."""
        try:
            found = learned.body_of(node, self.opset, self.types)
        except UnsupportedError as reason:
            self.kept[operator_of(node)] = str(reason)
            return None
        absent = [one.op_type for one in found.node if not _fits(one, self.opset or learned.OPSET)]
        if absent:
            self.kept[operator_of(node)] = f"opset {self.opset} has no {absent[0]} for its body"
        return None if absent else found

    def _of_fused(self, node: onnx.NodeProto) -> onnx.FunctionProto | None:
        """What one of onnxruntime's own operators is."""
        kinds = [self.types.kind(name) for name in node.input if name]
        kind = next((kind for kind in kinds if kind in FLOATS), onnx.TensorProto.FLOAT)
        try:
            return body_of(node, self.opset, self.types, kind)
        except UnsupportedError as error:
            self.kept[operator_of(node)] = str(error)
            return None


def is_learned(node: onnx.NodeProto) -> bool:
    """Whether a node is one of ai.onnx.ml that has a body here."""
    return node.domain == learned.DOMAIN and node.op_type in learned.BODIES


def _done_to_inputs(function: onnx.FunctionProto) -> set[str]:
    """The operators of a body whose outputs depend on values that it reads."""
    reached, found = set(function.input), set[str]()
    for node in function.node:
        if node.op_type not in ("Shape", "Size") and not reached.isdisjoint(node.input):
            reached.update(filter(None, node.output))
            found.add(node.op_type)
    return found


@functools.lru_cache(maxsize=1024)  # a file may name what it likes
def has_body(operator: str, opset: int) -> bool:
    """Whether ONNX defines an operator of its own by others, in some cases at least."""
    try:
        schema: Any = onnx.defs.get_schema(operator, opset, "")
    except onnx.defs.SchemaError:
        return False
    if schema.has_function:
        body = _same_for_all(schema, opset)
        return body is not None and not any(map(has_graphs, body.node))
    return bool(schema.has_context_dependent_function)


def _same_for_all(schema: Any, opset: int) -> onnx.FunctionProto | None:
    """The body that an operator has, whatever the types of its operands."""
    since = [version for version in schema.function_opset_versions if version <= opset]
    body = schema.get_function_with_opset_version(max(since)) if since else None
    return onnx.FunctionProto.FromString(body) if isinstance(body, bytes) else body


def _body_of_onnx(node: onnx.NodeProto, opset: int, told: Types) -> onnx.FunctionProto | None:
    schema: Any = onnx.defs.get_schema(node.op_type, opset, "")
    is_same = schema.has_function
    versions = schema.function_opset_versions if is_same else schema.context_dependent_function_opset_versions
    since = [version for version in versions if version <= opset]
    if is_same:
        found = _same_for_all(schema, opset)
    else:
        read = [name for name in node.input if name]
        types = told.of if since else {}  # inferred for the whole file, where a body depends on them
        if not since or not all(name in types for name in read):
            return None
        kinds = [(types[name] if name else onnx.TypeProto()).SerializeToString() for name in node.input]
        try:
            body = schema.get_context_dependent_function_with_opset_version(
                max(since), node.SerializeToString(), kinds
            )
        except Exception:  # the types are others than it takes
            return None
        found = onnx.FunctionProto.FromString(body) if body else None
    if found is None or not all(_fits(one, opset) for one in found.node):
        return None
    made = onnx.FunctionProto()
    made.CopyFrom(found)
    # A schema's defaults are those of its body.
    there = {attribute.name for attribute in made.attribute_proto}
    defaults = (one.default_value for one in schema.attributes.values() if one.default_value.type)
    made.attribute_proto.extend(value for value in defaults if value.name not in there)
    if not made.opset_import:
        made.opset_import.add(domain="", version=max(since))
    return made


def _fits(node: onnx.NodeProto, opset: int) -> bool:
    """Whether a node of a body, which may be written in an older opset, is one of the model's too."""
    signature = signature_of(node.op_type, node.domain, opset)
    return signature is not None and not any(complaints(node, signature))


def key(domain: str, name: str, overload: str) -> Key:
    return "" if domain == "ai.onnx" else domain, name, overload


def key_of(node: onnx.NodeProto) -> Key:
    return key(node.domain, node.op_type, node.overload)


def operator_of(node: onnx.NodeProto) -> str:
    domain = "" if node.domain in ("", "ai.onnx") else node.domain
    return f"{domain}.{node.op_type}" if domain else node.op_type


def name_of_call(node: onnx.NodeProto) -> str:
    return node.name or next(filter(None, node.output), node.op_type)
