"""Activations and Softmax."""

import numpy as np
from versions import before

from .example import X2, F, I, W, add

add("Relu", X2)
add("LeakyRelu", X2)
add("LeakyRelu", X2, alpha=0.3)
add("PRelu", X2, W(4, 1, 1))
add("PRelu", X2, W(1), opset=9)
add("Clip", X2, opset=7, min=-0.5, max=0.6)
add("Clip", X2, opset=7, min=0.1)
add("Clip", X2, F(-0.5), F(0.6), opset=11)
add("Clip", X2, F(-0.5))
add("Clip", X2, None, F(0.4))
add("Clip", X2)
for operator in ("Elu", "Celu", "Selu", "ThresholdedRelu"):
    add(operator, X2)
    add(operator, X2, alpha=0.4)
add("Selu", X2, gamma=1.5)
add("HardSigmoid", X2)
add("HardSigmoid", X2, alpha=0.5, beta=0.3)
for operator in ("Softmax", "LogSoftmax"):
    add(operator, X2)
    add(operator, X2, axis=1)
    add(operator, X2, axis=2, opset=11)
if not before("onnx", "1.19"):
    add("Swish", X2, opset=24)
    add("Swish", X2, alpha=1.702, opset=24)
for operator in ("Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Mish", "Gelu"):
    add(operator, X2)
add("Gelu", X2, approximate="tanh")

for operator in ("Abs", "Erf", "Sin", "Atan", "Sinh", "Asinh", "Exp", "Cos", "Cosh"):
    add(operator, X2)
for operator in ("Sign", "Round", "Floor", "Ceil"):
    add(operator, X2)
for operator in ("Sqrt", "Log", "Reciprocal"):
    add(operator, X2, through=("Softsign", "Exp"))
for operator in ("Tan", "Asin", "Acos", "Atanh"):
    add(operator, X2, through=("Softsign",))
add("Acosh", X2, through=("Softsign", "Exp", "Exp"))
add("Shrink", X2, lambd=0.5, bias=0.2)
add("Shrink", X2)
add("Pow", X2, F(2))
add("Pow", X2, I(3), opset=13)
add("Pow", X2, F(1), opset=7)
for exponent in (0.5, 2.5, -1, -0.5):
    add("Pow", X2, F(exponent), through=("Softsign", "Exp"))
add(
    "Pow",
    X2,
    np.array([[2.0], [0.5], [-1], [1]], dtype=np.float32).reshape(4, 1, 1),
    through=("Softsign", "Exp"),
)
