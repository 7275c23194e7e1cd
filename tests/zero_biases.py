"""A copy of a model that adds nothing of its own: whatever relevance starts must arrive at the input."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

# Operator -> the inputs that are added to, or subtracted from, what flows through.
BIASES = {
    "Conv": (2,),
    "ConvTranspose": (2,),
    "Gemm": (2,),
    "BatchNormalization": (2, 3),
    "Add": (0, 1),
    "Sub": (0, 1),
}


def zero_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    """Set to zero: B of Conv and Gemm, B and mean of BatchNormalization, constants of Add and Sub."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    stored = {tensor.name: tensor for tensor in copy.graph.initializer}
    for node in copy.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored[node.output[0]] = node.attribute[0].t
    biases, others = set(), set()
    for node in copy.graph.node:
        for index, name in enumerate(node.input):
            if name in stored:
                (biases if index in BIASES.get(node.op_type, ()) else others).add(name)
    assert not biases & others, f"used as bias and as something else: {biases & others}"
    for name in biases:
        zeros = np.zeros_like(numpy_helper.to_array(stored[name]))
        stored[name].CopyFrom(numpy_helper.from_array(zeros, name))
    return copy
