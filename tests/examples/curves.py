"""Activations and Softmax."""

from versions import before

from .example import X2, F, W, add

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
