"""Old models raised to an opset that can express the walk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import ModelError
from .contributed import CONTRIBUTED
from .graph import Graph
from .scopes import graphs_of, scopes_of
from .signature import opsets_of
from .tensors import take_in

# ScatterElements adds up, as the transpose of overlapping max pooling must, since opset 16.
OPSET = 16
IR_VERSION = 8
# Since 11 a Resize says how it counts coordinates; the converter lets one of before count as is usual since.
CHOOSING = 11
# The domain of what the onnx package would refuse.
APART = "onnxruntime.apart"


def raised(graph: Graph) -> onnx.ModelProto:
    """The model with its weights inside, in an opset that can express the walk.

    What it says of the shapes of its inner tensors is left out: nothing needs it, and in a file that was
    changed by hand it is not true.

    Raises
    ------
    ModelError
        The converter fails.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.source.proto)
    for tensor in proto.graph.initializer:
        if tensor.name in graph.source.places:
            tensor.CopyFrom(numpy_helper.from_array(graph.constant(tensor.name), tensor.name))
    for scope in scopes_of(proto):
        del scope.body.value_info[:]
        for what, tensor in scope.tensors():
            try:
                take_in(tensor, graph.source.folder)
            except (OSError, ValueError) as error:
                raise ModelError(f"{graph.title}: {what}: {error}") from error
    for sparse in proto.graph.sparse_initializer:  # the converter and other runtimes take dense ones alone
        name = sparse.values.name
        proto.graph.initializer.append(numpy_helper.from_array(graph.constant(name), name))
    del proto.graph.sparse_initializer[:]
    if graph.opset < OPSET:
        proto = _in_opset(proto, OPSET, graph)
    # Before IR 4 every initializer was an input too: a constant could not be told from a default.
    proto.ir_version = max(proto.ir_version, IR_VERSION)
    inputs = [value for value in proto.graph.input if value.name not in graph.initializers]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    return proto


def _in_opset(proto: onnx.ModelProto, opset: int, graph: Graph) -> onnx.ModelProto:
    from onnx import version_converter

    # It infers shapes, and would take a wrong one of an output for true.
    bare = onnx.ModelProto()
    bare.CopyFrom(set_apart(proto))
    for value in bare.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    # Before IR 4 it knows no initializer that is not an input too; onnxruntime takes such a file.
    bare.ir_version = max(bare.ir_version, 4)
    try:
        made = version_converter.convert_version(bare, opset)
    except Exception as error:  # the converter raises whatever its C++ side does
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{graph.title}: compiling needs opset {opset}, and onnx.version_converter cannot raise "
            f"this model from {graph.opset}: {reason[:300]}"
        ) from error
    put_back(made)
    if graph.opset < CHOOSING:
        for inner in graphs_of(made.graph):
            _as_before(inner)
    del made.graph.value_info[:]
    del made.graph.output[:]
    made.graph.output.extend(proto.graph.output)
    return made


def _as_before(graph: onnx.GraphProto) -> None:
    """Let every Resize count as it did when it had no choice: from the first corner, rounded by its scale."""
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].HasField("t")]
    known |= {node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in made}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "Resize" or node.domain not in ("", "ai.onnx"):
            nodes.append(node)
            continue
        scales = known.get(node.input[2] if len(node.input) > 2 else "")
        if scales is None or not (scales < 1).any() or not _rounds(node):
            nodes.append(_counting(node, "floor"))
        elif not (scales > 1).any():
            nodes.append(_counting(node, "ceil"))
        else:  # first what grows, then what shrinks: each axis is by itself
            between, smaller = f"{node.output[0]}/grown", f"{node.output[0]}/shrinking"
            larger = f"{node.output[0]}/growing"
            for name, part in ((larger, np.maximum(scales, 1)), (smaller, np.minimum(scales, 1))):
                graph.initializer.append(numpy_helper.from_array(part.astype(np.float32), name))
            first, second = _counting(node, "floor"), _counting(node, "ceil")
            first.input[2], first.output[0], first.name = larger, between, f"{node.name}/grown"
            second.input[0], second.input[2] = between, smaller
            nodes += [first, second]
    del graph.node[:]
    graph.node.extend(nodes)


def _rounds(node: onnx.NodeProto) -> bool:
    """Whether a Resize takes the nearest value, as it does where it says nothing."""
    return all(attribute.s == b"nearest" for attribute in node.attribute if attribute.name == "mode")


def _counting(node: onnx.NodeProto, nearest: str) -> onnx.NodeProto:
    """A Resize of old with what it did said, in a copy."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    said = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": nearest}
    others = [attribute for attribute in node.attribute if attribute.name not in said]
    del copy.attribute[:]
    copy.attribute.extend(others)
    copy.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in said.items())
    return copy


def set_apart(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model for tools of the onnx package, which let operators of domains that they do not know pass.

    Those of ONNX's own domain that onnxruntime runs, and that the package has not or calls deprecated, are
    of another one, in a copy; the model itself where there are none.
    """
    if next(_refused(proto), None) is None:
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for node in list(_refused(copy)):
        node.domain = APART
    copy.opset_import.add(domain=APART, version=1)
    return copy


def _refused(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    opset = opsets_of(proto.opset_import).get("", 0)
    for scope in scopes_of(proto):
        for node in scope.body.node:
            if node.domain in ("", "ai.onnx") and _is_refused(node.op_type, opset):
                yield node


def _is_refused(operator: str, opset: int) -> bool:
    if not onnx.defs.has(operator, max_inclusive_version=opset):
        return ("", operator) in CONTRIBUTED
    return bool(onnx.defs.get_schema(operator, opset).deprecated)


def put_back(proto: onnx.ModelProto) -> None:
    """Undo `set_apart`, in place."""
    for scope in scopes_of(proto):
        for node in scope.body.node:
            if node.domain == APART:
                node.domain = ""
    imports = [entry for entry in proto.opset_import if entry.domain != APART]
    del proto.opset_import[:]
    proto.opset_import.extend(imports)
