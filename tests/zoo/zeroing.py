"""A copy of a model without the constants that its plan books as biases, whatever they stand in."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from explainer.model.graph import Graph, Node
from explainer.plan import Plan

# Operator -> the inputs that are added to what flows through.
ADDED = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "LayerNormalization", "InstanceNormalization"), (2,)),
    **dict.fromkeys(("GroupNormalization", "com.microsoft.LayerNormalization"), (2,)),
    "BatchNormalization": (2, 3),
    **dict.fromkeys(("Add", "Sub", "Sum", "Concat", "Where"), tuple(range(64))),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (3, 5, 6)),
}
LINEAR = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Mul", *ADDED}
BIASED = {"convolution", "dense", "scale", "sum", "normalization"}


def zeroed(model: onnx.ModelProto, plan: Plan) -> onnx.ModelProto:
    """The copy; a group that is no sum of products, a GELU, keeps its constants: they make its shape."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = plan.graph
    for rows in plan.tables.values():
        _zero(copy.graph, graph, rows)
    for step in plan.steps:
        if step.layer.kind.name in BIASED and graph.is_constant(bias := step.layer.operands.get("b", "")):
            _zero(copy.graph, graph, bias)
        members = step.node.members or (step.node,)
        if all(member.operator in LINEAR for member in members):
            for member in members:
                for name in _added(member):
                    if name and name not in graph.carrying and graph.is_constant(name):
                        _zero(copy.graph, graph, name)
    for node in copy.graph.node:
        for attribute in node.attribute if node.domain == "ai.onnx.ml" else ():
            if attribute.name in ("offset", "intercepts"):
                attribute.floats[:] = [0.0] * len(attribute.floats)
    return copy


def _added(node: Node) -> list[str]:
    return [node.operand(index) for index in ADDED.get(node.operator, ())]


def _zero(copy: onnx.GraphProto, graph: Graph, name: str) -> None:
    """Set a constant to zero: itself, or what is computed of constants, whatever by."""
    for stored in copy.initializer:
        if stored.name == name:
            _clear(stored)
            return
    if name not in graph.initializers and not graph.is_constant(name):
        for node in copy.node:
            if name in node.output:  # rows that words choose: of a table
                _zero(copy, graph, node.input[0])
        return
    value = graph.constant(name)
    if value.dtype.kind != "f" or _is_mask(value):
        return
    for node in copy.node:
        node.output[:] = [f"{name}/before" if one == name else one for one in node.output]
    copy.initializer.append(numpy_helper.from_array(np.zeros_like(value), name))


def _clear(tensor: onnx.TensorProto) -> None:
    array = numpy_helper.to_array(tensor)
    if array.dtype.kind == "f" and not _is_mask(array):
        tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(array), tensor.name))


def _is_mask(array: np.ndarray) -> bool:
    """One of −∞ is no summand: without it another model would be meant."""
    return bool((array < -1e30).any())
