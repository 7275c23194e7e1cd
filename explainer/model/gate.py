"""The one gate for model files: what is behind it is doubted no more.

Unique names, nodes that can be put in order, operands and attributes as ONNX's schema has them, whole
tensors, external data inside the model's folder; in the graph, in subgraphs and in functions alike.
Weights are not copied, and no step is a recursion: a file nests as deep as it likes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import onnx
from onnx.external_data_helper import uses_external_data

from ..errors import ModelError
from .order import CycleError, NodeNames, in_order, run_order
from .scopes import Scope, called, scopes_of
from .signature import (
    OLDEST,
    attribute_complaints,
    complaints,
    opset_complaints,
    opsets_of,
    signature_of,
    too_new,
)
from .tensors import complaints as tensor_complaints
from .tensors import external_of, parts_of

SHOWN = 5


class FileGate:
    """Checks one model, all of it, when it is made.

    Parameters
    ----------
    proto : onnx.ModelProto
    title : str
        What to call the model in messages.
    folder : Path or None
        Where its external data lies, links resolved; None for a model that is no file.

    Attributes
    ----------
    order : list of int
        The places of the graph's nodes in the order that they run.
    files : set of Path
        All the files that its tensors lie in.

    Raises
    ------
    ModelError
        Of the first fault: what is wrong, and where.
    """

    def __init__(self, proto: onnx.ModelProto, title: str, folder: Path | None) -> None:
        self.title, self.folder = title, folder
        self.files: set[Path] = set()
        if not proto.graph.node or not proto.ir_version:
            self._refuse("not an ONNX model: it has no nodes")
        if not proto.graph.output:
            self._refuse("the model has no outputs")
        scopes = scopes_of(proto)
        texts = (*_texts(proto), *(text for scope in scopes for text in _texts_in(scope)))
        if not all(isinstance(text, str) for text in texts):
            self._refuse("damaged: a name in it is no text")
        self._check_functions(scopes)
        for scope in scopes:
            self._check_names(scope)
            self._check_nodes(scope, proto)
            self._check_tensors(scope)
        self.order, *_ = [self._ordered(scope) for scope in scopes]

    def _refuse(self, what: str) -> NoReturn:
        raise ModelError(f"{self.title}: {what}")

    def _check_functions(self, scopes: Sequence[Scope]) -> None:
        """Refuse functions of one name, and those that call each other in a circle."""
        calls: dict[Scope, list[str]] = {scope: [] for scope in scopes if scope.is_function}
        for scope in scopes:
            calls.get(scope.outermost, []).extend(
                _function(node.domain, node.op_type, node.overload) for node in scope.body.node
            )
        names = [_function(one.body.domain, one.body.name, one.body.overload) for one in calls]
        if twice := _twice(names):
            self._refuse(f"two functions are called {twice}")
        nodes = [
            NodeNames(tuple(called), (name,)) for name, called in zip(names, calls.values(), strict=True)
        ]
        try:
            run_order(nodes, names)
        except CycleError as error:
            ring = ", ".join(names[place] for place in error.places[:SHOWN])
            self._refuse(f"functions of it call themselves: {ring}")

    def _check_names(self, scope: Scope) -> None:
        """Refuse a name that two things have, or none; an input and its default have one."""
        makers: dict[str, str] = {}
        for name, maker in (
            *((name, "an input") for name in scope.inputs),
            *((name, "an initializer") for name in scope.initializers),
            *((name, called(node)) for node in scope.body.node for name in node.output if name),
        ):
            if not name:
                self._refuse(f"{maker}{scope.where} has no name")
            if name in makers and (makers[name], maker) != ("an input", "an initializer"):
                self._refuse(f"tensor {name!r}{scope.where} is made twice: by {makers[name]} and {maker}")
            makers[name] = maker
        for name in scope.outputs:
            if name not in makers:
                self._refuse(f"nothing makes the output {name!r}{scope.where}")
        if twice := _twice(scope.outputs):
            self._refuse(f"two outputs{scope.where} are called {twice!r}")
        # Constants are weights to onnxruntime, which do not have a node's name.
        named = (node.name for node in scope.body.node if node.name and node.op_type != "Constant")
        if twice := _twice(named):
            self._refuse(f"two nodes{scope.where} are called {twice!r}")
        unmade = scope.captured() if scope.outer is None else {}
        for place, node in enumerate(scope.body.node if unmade else ()):
            if missing := [name for name in scope.nodes[place].reads if name in unmade]:
                self._refuse(f"{called(node)}{scope.where} reads {missing[0]!r}, which nothing makes")

    def _check_nodes(self, scope: Scope, proto: onnx.ModelProto) -> None:
        """Refuse versions that ONNX has not, and nodes that are not as its schema has them."""
        home = scope.outermost
        imports = home.body.opset_import if home.is_function else proto.opset_import
        oldest = 1 if home.is_function else OLDEST  # no function is walked
        if scope is home and (wrong := next(opset_complaints(imports, oldest), "")):
            self._refuse(wrong + scope.where)
        opsets = opsets_of(imports)
        functions = {function.name for function in proto.functions if function.domain in ("", "ai.onnx")}
        for node in scope.body.node:
            domain = "" if node.domain == "ai.onnx" else node.domain
            if not domain and domain not in opsets:
                self._refuse(
                    f"{called(node)}{scope.where}: the opset of ONNX's own operators is not declared"
                )
            signature = signature_of(node.op_type, domain, opsets[domain]) if domain in opsets else None
            wrong = next(attribute_complaints(node, home.is_function), "")
            if not wrong and signature is not None:
                wrong = next(complaints(node, signature), "")
            elif not wrong and not domain and node.op_type not in functions:
                wrong = too_new(node.op_type, opsets[domain])
            if wrong:
                self._refuse(f"{called(node)}{scope.where}: {wrong}")

    def _check_tensors(self, scope: Scope) -> None:
        """Refuse tensors that are damaged, and data outside the model's folder."""
        for what, tensor in scope.tensors():
            if wrong := next(tensor_complaints(tensor), ""):
                self._refuse(f"{what}: {wrong}")
            for part in filter(uses_external_data, parts_of(tensor)):
                try:
                    self.files.add(external_of(part, self.folder).file)
                except ValueError as error:
                    self._refuse(f"{what}: {error}")

    def _ordered(self, scope: Scope) -> list[int]:
        """The order that the nodes run in; onnxruntime sorts those of the graph, and no others."""
        nodes = scope.nodes
        try:
            order = run_order(nodes, scope.outputs)
        except CycleError as error:
            ring = [called(scope.body.node[place]) for place in error.places]
            more = f" and {len(ring) - SHOWN} more" if len(ring) > SHOWN else ""
            wait = "waits for its own output" if len(ring) == 1 else "wait for each other's outputs"
            self._refuse(f"{', '.join(ring[:SHOWN])}{more}{scope.where} {wait}: a model has no cycles")
        if (scope.outer is not None or scope.is_function) and not in_order(nodes):
            self._refuse(f"the nodes{scope.where} are not in the order that they run")
        return order


def _twice(names: Iterable[str]) -> str:
    """A name that is there more than once; "" where none is."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def _function(domain: str, name: str, overload: str) -> str:
    return ".".join(filter(None, ("" if domain == "ai.onnx" else domain, name, overload)))


def _texts(proto: onnx.ModelProto) -> Iterator[str]:
    """What a model says of itself; protobuf hands out bytes where a text is no UTF-8."""
    for entry in proto.metadata_props:
        yield from (entry.key, entry.value)
    for function in proto.functions:
        yield from (function.name, function.domain, function.overload)
    for imports in (proto.opset_import, *(function.opset_import for function in proto.functions)):
        yield from (entry.domain for entry in imports)


def _texts_in(scope: Scope) -> Iterator[str]:
    yield from (*scope.inputs, *scope.outputs, *scope.initializers)
    if not scope.is_function:
        kinds = (value.type.tensor_type for value in (*scope.body.input, *scope.body.output))
        yield from (dim.dim_param for kind in kinds for dim in kind.shape.dim)
    for node in scope.body.node:
        yield from (node.op_type, node.domain, node.name, node.overload, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
    for _, tensor in scope.tensors():
        for part in parts_of(tensor):
            yield from (text for entry in part.external_data for text in (entry.key, entry.value))
