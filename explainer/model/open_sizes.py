"""Numbers that a graph computes from the sizes of tensors, as far as the file tells those."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
from onnx import numpy_helper

from ..tensor import Array
from .constants import outline
from .scopes import captured_names

# A size of which the file says nothing: it goes where it is moved, and nothing is computed from it.
OPEN = None


def known_by_sizes(proto: onnx.ModelProto, names: Iterable[str]) -> dict[str, Array]:
    """What is known of the sizes that some tensors are computed from.

    Only what moves sizes about is followed here, to where none of those that are left is open; the rest can
    be computed then as from other constants.

    Parameters
    ----------
    proto : onnx.ModelProto
        The graph's nodes in the order that they run.
    names : iterable of str

    Returns
    -------
    dict of tensor name -> array
    """
    nodes = _before(proto.graph, names)
    if not any(node.op_type in ("Shape", "Size") for node in nodes):
        return {}
    shapes = _shapes(proto, nodes)
    small = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer if len(t.dims) < 2 and _few(t)}
    values: dict[str, Any] = {name: array.astype(object) for name, array in small.items()}
    sized: set[str] = set()
    for node in nodes:
        found = _value(node, shapes, values)
        if found is not None:
            values[node.output[0]] = found
            if node.op_type in ("Shape", "Size") or not sized.isdisjoint(node.input):
                sized.add(node.output[0])
    return {
        name: np.array(values[name].tolist(), np.int64).reshape(values[name].shape)
        for name in sized
        if all(size is not OPEN for size in values[name].flat)
    }


def _before(graph: onnx.GraphProto, names: Iterable[str]) -> list[onnx.NodeProto]:
    wanted, nodes = set(names), list[onnx.NodeProto]()
    for node in reversed(graph.node):
        if not wanted.isdisjoint(node.output):
            nodes.append(node)
            wanted.update(name for name in (*node.input, *captured_names(node)) if name)
    return nodes[::-1]


def _shapes(proto: onnx.ModelProto, nodes: Iterable[onnx.NodeProto]) -> Mapping[str, list[int | None]]:
    """The sizes of tensors, some of them open: those of the inputs, and what ONNX infers from them.

    What the file says of other tensors is left out: nobody holds it to that.
    """
    model = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    model.graph.name = "sizes"
    model.graph.node.extend(nodes)
    model.graph.input.extend(proto.graph.input)
    outline(model.graph, proto.graph.initializer)
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # of an odd file nothing is told
        return {}
    found: dict[str, list[int | None]] = {t.name: list(t.dims) for t in proto.graph.initializer}
    for value in (*graph.input, *graph.value_info):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            found.setdefault(value.name, [_size(dim) for dim in kind.shape.dim])
    return found


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | None:
    return int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else OPEN


def _few(tensor: onnx.TensorProto) -> bool:
    return (
        tensor.data_type == onnx.TensorProto.INT64
        and not tensor.external_data
        and all(size < 64 for size in tensor.dims)
    )


def _value(node: onnx.NodeProto, shapes: Mapping[str, list[int | None]], values: Mapping[str, Any]) -> Any:
    """What a node makes of sizes, an array of objects; None where that is not known."""
    if node.domain not in ("", "ai.onnx"):
        return None
    settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Constant":
        value = settings.get("value")
        if isinstance(value, onnx.TensorProto):
            return (
                numpy_helper.to_array(value).astype(object) if len(value.dims) < 2 and _few(value) else None
            )
        one = settings.get("value_int", settings.get("value_ints"))
        return None if one is None else np.array(one, dtype=object)
    if node.op_type in ("Shape", "Size"):
        sizes = shapes.get(node.input[0])
        if sizes is None:
            return None
        if node.op_type == "Size":
            told = [size for size in sizes if size is not OPEN]
            return np.array(math.prod(told) if len(told) == len(sizes) else OPEN, dtype=object)
        return np.array(sizes[settings.get("start", 0) : settings.get("end", len(sizes))], dtype=object)
    move = MOVES.get(node.op_type)
    if move is None or not all(name in values for name in node.input if name):
        return None
    operands = [values[name] if name else None for name in node.input]
    try:
        return move(operands, settings)
    except Exception:  # sizes that do not fit: onnxruntime says what is wrong with them
        return None


def _whole(operand: Any) -> list[int]:
    """Indices and axes, which are no open sizes themselves."""
    return [int(one) for one in np.asarray(operand, dtype=object).reshape(-1)]


def _gather(operands: list[Any], settings: Mapping[str, Any]) -> Any:
    x, index = operands
    return np.asarray(
        np.take(x, np.array(_whole(index), np.int64).reshape(index.shape), settings.get("axis", 0)), object
    )


def _slice(operands: list[Any], settings: Mapping[str, Any]) -> Any:
    x, starts, ends = operands[:3]
    steps = _whole(operands[4]) if len(operands) > 4 and operands[4] is not None else [1]
    if x.ndim != 1 or len(_whole(starts)) != 1:
        return None
    first, last, step = _whole(starts)[0], _whole(ends)[0], steps[0]
    return x[first:last:step] if step > 0 else None


def _reshape(operands: list[Any], settings: Mapping[str, Any]) -> Any:
    return operands[0].reshape(_whole(operands[1]))


def _squeeze(operands: list[Any], settings: Mapping[str, Any]) -> Any:
    axes = settings.get("axes") if len(operands) < 2 else _whole(operands[1])
    return np.squeeze(operands[0], None if axes is None else tuple(axes))


def _unsqueeze(operands: list[Any], settings: Mapping[str, Any]) -> Any:
    axes = settings.get("axes") if len(operands) < 2 else _whole(operands[1])
    return np.expand_dims(operands[0], tuple(axes or ()))


MOVES: dict[str, Callable[[list[Any], Mapping[str, Any]], Any]] = {
    "Cast": lambda operands, settings: operands[0] if settings.get("to") == onnx.TensorProto.INT64 else None,
    "Concat": lambda operands, settings: np.concatenate(operands, settings["axis"]),
    "Gather": _gather,
    "Identity": lambda operands, settings: operands[0],
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
}
