"""A copy of a model without the constants that its plan books as biases, whatever they stand in."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from explainer.model.graph import Node
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
COMPUTING = {"Add", "Concat", "Div", "MatMul", "Mul", "Sub", "Sum", "Where"}
BIASED = {"convolution", "dense", "scale", "sum", "normalization"}


def zeroed(model: onnx.ModelProto, plan: Plan) -> onnx.ModelProto:
    """The copy; a group that is no sum of products, a GELU, keeps its constants: they make its shape."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = plan.graph
    for rows in plan.tables.values():
        _zero(copy.graph, rows)
    for step in plan.steps:
        if step.layer.kind.name in BIASED and graph.is_constant(bias := step.layer.operands.get("b", "")):
            _zero(copy.graph, bias)
        members = step.node.members or (step.node,)
        if all(member.operator in LINEAR for member in members):
            for member in members:
                for name in _added(member):
                    if name and name not in graph.carrying and graph.is_constant(name):
                        _zero(copy.graph, name)
    for node in copy.graph.node:
        for attribute in node.attribute if node.domain == "ai.onnx.ml" else ():
            if attribute.name in ("offset", "intercepts"):
                attribute.floats[:] = [0.0] * len(attribute.floats)
    return copy


def _added(node: Node) -> list[str]:
    return [node.operand(index) for index in ADDED.get(node.operator, ())]


def _zero(graph: onnx.GraphProto, name: str) -> None:
    """Set a constant to zero: itself, or whatever of floating point it is computed from."""
    for stored in graph.initializer:
        if stored.name == name:
            _clear(stored)
            return
    for node in graph.node:
        if name in node.output:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                _clear(node.attribute[0].t)
            # Sizes and places that it takes are no summands.
            for before in node.input if node.op_type in COMPUTING else node.input[:1]:
                _zero(graph, before)


def _clear(tensor: onnx.TensorProto) -> None:
    array = numpy_helper.to_array(tensor)
    # A mask of −∞ is no summand: without it another model would be meant.
    if array.dtype.kind == "f" and not (array < -1e30).any():
        tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(array), tensor.name))
