"""Sums, products and quotients."""

from .example import X2, F, V, W, add

add("Add", X2, X2)
add("Add", X2, (2, 4, 1, 1))
add("Add", X2, W(4, 1, 1))
add("Add", W(4, 1, 1), X2, opset=7)
add("Add", (2, 4, 1, 1), W(7, 6))
add("Add", X2, F(1.5))
add("Sum", X2)
add("Sum", X2, (2, 1, 7, 1), (2, 4, 1, 6))
add("Sum", X2, W(4, 1, 1), X2, W(1, 7, 6))
add("Sub", X2, X2)
add("Sub", X2, (2, 4, 1, 1))
add("Sub", X2, W(4, 1, 1))
add("Sub", W(4, 1, 1), X2)
add("Mul", X2, W(4, 1, 1))
add("Mul", W(1, 6), X2)
add("Mul", (2, 4, 1, 1), W(7, 6))
add("Mul", (2, 3, 4), (2, 3, 4))
add("Mul", (2, 3, 1, 1), (2, 3, 2, 4))  # a gate
add("Mul", (4, 1), (4, 3, 1, 5), batch=False)
add("Div", X2, V(4, 1, 1))
add("Div", (2, 4, 1), V(6))
add("Neg", X2)
add("ai.onnx.ml.Scaler", (2, 4), offset=[0.5, -1.0, 0.0, 2.0], scale=[2.0, 0.25, -1.0, 1.0])
add("ai.onnx.ml.Scaler", (3, 4), offset=[0.5], scale=[2.0])
