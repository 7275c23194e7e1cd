"""What ONNX says of an operator: how many tensors it takes and makes, and its attributes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto

from .contributed import CONTRIBUTED
from .tensors import array_of

# Attributes that are no numbers but yes or no: of another one onnxruntime makes now this, now that.
FLAGS = frozenset(
    {
        *("align_corners", "allowzero", "antialias", "ceil_mode", "count_include_pad", "exclude_outside"),
        *("exclusive", "fmod", "is_causal", "is_test", "keepdims", "largest", "linear_before_reset"),
        *("noop_with_empty_axes", "reverse", "saturate", "select_last_index", "sorted", "spatial"),
        *("storage_order", "training_mode", "transA", "transB"),
    }
)
# Those of which there is at least one.
COUNTS = frozenset({"blocksize", "dilations", "group", "kernel_shape", "strides"})
# The field of an AttributeProto that holds a value of a type.
FIELDS = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    AttributeProto.TYPE_PROTO: "tp",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSORS: "tensors",
    AttributeProto.GRAPHS: "graphs",
    AttributeProto.SPARSE_TENSORS: "sparse_tensors",
    AttributeProto.TYPE_PROTOS: "type_protos",
}
# The oldest version of ONNX's operators that is read.
OLDEST = 7
# What onnxruntime had before ONNX did, and takes in any opset.
EARLIER = frozenset({"MeanVarianceNormalization", "ThresholdedRelu"})
# Fields beside the value.
BESIDE = frozenset({"name", "type", "doc_string", "ref_attr_name"})


@dataclass(frozen=True)
class Signature:
    """What a version of an operator takes.

    Attributes
    ----------
    inputs, outputs : (int, int)
        The fewest and the most.
    needed : tuple of (str, bool)
        Of every input: its name, and whether it may not be absent.
    alike : bool
        Whether the last one stands for any number of its type, none of which may be absent.
    types : dict of attribute -> AttributeProto type
    required : tuple of attribute
    defaults : dict of attribute -> value
    """

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    needed: tuple[tuple[str, bool], ...]
    alike: bool
    types: Mapping[str, int]
    required: tuple[str, ...]
    defaults: Mapping[str, Any]


@functools.lru_cache(maxsize=1024)  # a file may name what it likes
def signature_of(operator: str, domain: str, opset: int) -> Signature | None:
    """An operator's, by ONNX's own schema, else as onnxruntime has it; None where neither is known."""
    try:
        schema = onnx.defs.get_schema(operator, opset, domain)
    except onnx.defs.SchemaError:
        return _contributed(operator, domain)
    single = onnx.defs.OpSchema.FormalParameterOption.Single
    variadic = onnx.defs.OpSchema.FormalParameterOption.Variadic
    last = schema.inputs[-1] if schema.inputs else None
    attributes = schema.attributes.items()
    return Signature(
        inputs=(schema.min_input, schema.max_input),
        outputs=(schema.min_output, schema.max_output),
        needed=tuple((value.name, value.option == single) for value in schema.inputs),
        alike=last is not None and last.option == variadic and last.is_homogeneous,
        types={name: one.type.value for name, one in attributes},  # type: ignore[attr-defined]
        required=tuple(name for name, attribute in attributes if attribute.required),
        defaults={name: _plain(one.default_value) for name, one in attributes if one.default_value.type},
    )


def _contributed(operator: str, domain: str) -> Signature | None:
    found = CONTRIBUTED.get((domain, operator))
    return None if found is None else Signature(**{"needed": (), "alike": False, "required": (), **found})


def opsets_of(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """Domain -> version; ONNX's own domain is ""."""
    return {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in imports}


def opset_complaints(imports: Iterable[onnx.OperatorSetIdProto], oldest: int = OLDEST) -> Iterator[str]:
    """What is wrong with the versions that a model or a function declares."""
    seen: dict[str, int] = {}
    for entry in imports:
        domain, version = next(iter(opsets_of([entry]).items()))
        if seen.setdefault(domain, version) != version:
            yield f"it declares two opsets of {domain or 'ai.onnx'}, {seen[domain]} and {version}"
        of = f" of {domain}" if domain else ""
        newest = _newest(domain)
        if not -(2**31) <= version < 2**31 or (newest and version < 1):
            yield f"there is no opset {version}{of}"
        elif newest and version > newest:
            yield (
                f"opset {version}{of} is newer than onnx {onnx.__version__} knows ({newest}); "
                "install a newer one, or lower the model with onnx.version_converter"
            )
        elif not domain and version < oldest:
            yield f"opset {version} is older than {oldest}; raise it with onnx.version_converter"


@functools.lru_cache(maxsize=64)
def _newest(domain: str) -> int:
    """The newest version of a domain that the onnx package knows; 0 where it knows none."""
    versions = (schema.since_version for schema in onnx.defs.get_all_schemas() if schema.domain == domain)
    return max(versions, default=0) if domain else int(onnx.defs.onnx_opset_version())


def too_new(operator: str, opset: int) -> str:
    """What is wrong with an operator of ONNX's own that a file's opset has not yet; "" where it has it."""
    if operator in EARLIER or not onnx.defs.has(operator) or signature_of(operator, "", opset) is not None:
        return ""
    versions = sorted(
        schema.since_version
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.name == operator and not schema.domain
    )
    return f"ONNX has {operator} from opset {versions[0]} on, and this is opset {opset}"


def complaints(node: onnx.NodeProto, signature: Signature) -> Iterator[str]:
    """What a node has that its operator does not take, or lacks."""
    yield from _miscounted("input", node.input, signature.inputs)
    yield from _miscounted("output", node.output, signature.outputs)
    for given, (name, needed) in zip(node.input, signature.needed, strict=False):
        if needed and not given:
            yield f"its input {name} is missing"
    if signature.alike and "" in node.input[len(signature.needed) - 1 :]:
        yield "one of its inputs is missing"
    given = {attribute.name: attribute for attribute in node.attribute}
    for name in signature.required:
        if name not in given:
            yield f"its attribute {name} is missing"
    for name, attribute in given.items():
        wanted = signature.types.get(name)
        if wanted is None and not name.startswith("__"):
            there = ", ".join(sorted(signature.types)) or "none"
            yield f"it has no attribute {name!r}; there is: {there}"
        elif wanted is not None and attribute.type != wanted:
            yield f"its attribute {name} is {_type(attribute.type)}, not {_type(wanted)}"
        else:
            yield from _worthless(attribute)


def _worthless(attribute: AttributeProto) -> Iterator[str]:
    """Why a value means nothing, whatever the shapes are."""
    name = attribute.name
    numbers = list(attribute.ints) if attribute.type == AttributeProto.INTS else [attribute.i]
    if name in FLAGS and attribute.i not in (0, 1):
        yield f"its attribute {name} is {attribute.i}; it is 0 or 1"
    elif name in COUNTS and min(numbers, default=1) < 1:
        yield f"its attribute {name} is {min(numbers)}; it is 1 or more"
    elif name == "perm" and sorted(numbers) != list(range(len(numbers))):
        yield f"its attribute perm is {numbers}, no order of {len(numbers)} axes"


def attribute_complaints(node: onnx.NodeProto, in_function: bool) -> Iterator[str]:
    """What is wrong with a node's attributes, whatever its operator."""
    seen: set[str] = set()
    for attribute in node.attribute:
        name = attribute.name
        if not name or name in seen:
            yield f"its attribute {name!r} is there twice" if name else "an attribute has no name"
        seen.add(name)
        if attribute.type not in FIELDS:
            yield f"its attribute {name!r} has no type"
        elif any(
            field.name not in BESIDE and field.name != FIELDS[attribute.type]
            for field, _ in attribute.ListFields()
        ):
            yield f"its attribute {name!r} says it is {_type(attribute.type)}, and holds something else"
        elif attribute.ref_attr_name and not in_function:
            yield f"its attribute {name!r} refers to an attribute of a function, and it is in none"


def _miscounted(what: str, names: Sequence[str], bounds: tuple[int, int]) -> Iterator[str]:
    fewest, most = bounds
    if not fewest <= len(names) <= most:
        wanted = (
            f"{fewest}" if fewest == most else f"{fewest} to {most}" if most < 1000 else f"{fewest} or more"
        )
        yield f"it has {len(names)} {what}{'' if len(names) == 1 else 's'}, and takes {wanted}"


def _type(number: int) -> str:
    return str(AttributeProto.AttributeType.Name(number))


def attributes_of(
    node: onnx.NodeProto, domain: str, opset: int, folder: Path | None = None
) -> dict[str, Any]:
    """A node's attributes as plain values, the absent ones filled in from the ONNX schema.

    Parameters
    ----------
    node : onnx.NodeProto
    domain : str
        "" for ONNX's own.
    opset : int
    folder : Path, optional
        Where external data lies.
    """
    signature = signature_of(node.op_type, domain, opset)
    defaults = signature.defaults if signature is not None else {}
    return {**defaults, **{attribute.name: _plain(attribute, folder) for attribute in node.attribute}}


def _plain(attribute: AttributeProto, folder: Path | None = None) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, onnx.TensorProto | onnx.SparseTensorProto):
        return array_of(value, folder)
    return value
