"""Small models with a layer of every kind, for rules to be put on."""

from __future__ import annotations

import functools

import onnx
from onnx import numpy_helper, parser

from .comparing import drawn

HEAD = '<ir_version: 10, opset_import: ["" : 17]> g'
TEXTS = (
    "(float[2,3,6,5] x) => (float[2,4,3,5] y) { y = Conv <strides=[2,1], pads=[1,1,1,1]> (x, w, b) }",
    "(float[3,4] x) => (float[3,5] y) { y = Gemm (x, v, u) }",
    "(float[2,4,5] x) => (float[2,4,3] y) { y = MatMul (x, m) }",
    "(float[2,4,3] x) => (float[2,4,3] y) { y = BatchNormalization (x, c, d, d, e) }",
    "(float[2,4,3] x) => (float[2,4,3] y) { y = LayerNormalization <axis=1> (x, n) }",
    "(float[2,4,2,2] x) => (float[2,4,2,2] y) { y = LRN <size=3, alpha=0.5> (x) }",
    "(float[2,4,3] x, float[2,4,3] k) => (float[2,4,3] y) { y = Add (x, k) }",
    "(float[2,4,3] x, float[2,4,3] k) => (float[2,4,3] y) { y = Mul (x, k) }",
    "(float[2,3,4] x, float[2,4,2] k) => (float[2,3,2] y) { y = MatMul (x, k) }",
    "(float[2,2,6,5] x) => (float[2,2,3,4] y) { y = AveragePool <kernel_shape=[2,2], strides=[2,1]> (x) }",
    "(float[2,2,6,5] x) => (float[2,2,3,4] y) { y = MaxPool <kernel_shape=[2,2], strides=[2,1]> (x) }",
    "(float[2,3,4] x) => (float[2,3,4] y) { y = Relu (x) }",
    "(float[2,3,4] x) => (float[2,3,4] y) { y = Sigmoid (x) }",
    "(float[2,3,4] x) => (float[2,4,3] y) { y = Transpose <perm=[0,2,1]> (x) }",
)
CONSTANTS = {
    "w": (4, 3, 3, 3),
    "b": (4,),
    "v": (4, 5),
    "u": (5,),
    "m": (5, 3),
    "c": (4,),
    "d": (4,),
    "e": (4,),
    "n": (4, 3),
}


@functools.cache
def models() -> tuple[onnx.ModelProto, ...]:
    """The models, each of one node, with weights of either sign."""
    return tuple(map(_model, TEXTS))


def _model(text: str) -> onnx.ModelProto:
    model: onnx.ModelProto = parser.parse_model(f"{HEAD} {text}")
    for name, shape in CONSTANTS.items():
        if any(name in node.input for node in model.graph.node):
            values = drawn(f"constant {name}").standard_normal(shape)
            values = abs(values) + 0.5 if name == "e" else values  # a variance
            model.graph.initializer.append(numpy_helper.from_array(values.astype("float32"), name))
    return model
