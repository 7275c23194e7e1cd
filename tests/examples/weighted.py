"""Convolutions, matrices and BatchNormalization."""

from building import NEWEST

from .example import X1, X2, X3, F, V, W, add

add("Conv", X1, W(4, 3, 3), W(4), strides=[2], pads=[1, 0])
add("Conv", X1, W(4, 3, 3), W(4), opset=7)
add("Conv", X2, W(3, 4, 3, 2), W(3), strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2])
add("Conv", X2, W(3, 4, 2, 2), W(3), strides=[3, 4])  # rows that no window reaches
add("Conv", X2, W(6, 2, 3, 3), None, group=2, pads=[1, 1, 1, 1])
add("Conv", X2, W(4, 1, 3, 3), W(4), group=4, strides=[2, 2], pads=[0, 1, 1, 0])
add("Conv", X2, W(8, 1, 2, 2), W(8), group=4)
add("Conv", X2, W(3, 4, 1, 1), W(3), strides=[2, 2])
for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    add("Conv", X2, W(3, 4, 2, 3), W(3), auto_pad=auto_pad, strides=[2, 3])
    add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 2), W(3), auto_pad=auto_pad, strides=[2, 3])
add("Conv", X3, W(3, 2, 2, 2, 3), W(3), strides=[1, 2, 1], pads=[0, 1, 0, 1, 0, 0])

add("ConvTranspose", (2, 3, 5), W(3, 2, 3), W(2), strides=[2], pads=[1, 0], output_padding=[1])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 2), W(3))
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 2), None, strides=[2, 3], dilations=[2, 1], pads=[1, 0, 2, 1])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 3), W(6), group=2, strides=[2, 2])
add("ConvTranspose", (2, 4, 3, 4), W(4, 1, 3, 3), W(4), group=4, strides=[2, 1], output_padding=[1, 0])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 3), W(3), strides=[2, 2], output_shape=[6, 8])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 3), W(3), strides=[2, 2], output_shape=[8, 9])
add("ConvTranspose", (2, 2, 2, 3, 2), W(2, 2, 2, 3, 2), W(2), strides=[1, 2, 2], pads=[0, 1, 0, 1, 0, 1])

add("Gemm", (3, 4), W(4, 5), W(5))
add("Gemm", (3, 4), W(5, 4), W(5), transB=1, alpha=0.5, beta=-2.0)
add("Gemm", (3, 4), W(4, 5))
add("Gemm", (3, 4), W(4, 5), W(1, 5), alpha=2.0, opset=7)
add("Gemm", (3, 4), W(4, 5), W(3, 1), beta=3.0, batch=False)
add("Gemm", (4, 3), W(4, 5), W(3, 5), transA=1, batch=False)
add("Gemm", (4, 3), W(5, 4), F(0.7), transA=1, transB=1, batch=False)

add("MatMul", (3, 4), W(4, 5))
add("MatMul", (2, 3, 4), W(4, 5))
add("MatMul", (2, 1, 3, 4), W(5, 4, 2))
add("MatMul", W(5, 4), (2, 4, 3))
add("MatMul", W(3, 5, 4), (2, 1, 4, 3))
add("MatMul", (2, 3, 4), W(4))
add("MatMul", W(4), (2, 4, 3))
add("MatMul", (2, 3, 4), (2, 4, 3))
add("MatMul", (2, 3, 2, 4), (2, 3, 4, 2))
add("MatMul", (2, 1, 3, 4), (5, 4, 2))
add("MatMul", (3, 4), (3, 4, 2), batch=False)
add("MatMul", (4,), (4, 4, 3), batch=False)
add("MatMul", (4, 3, 4), (4,), batch=False)
add("MatMul", (4,), (4, 3), batch=False)
add("MatMul", (4,), (4,), batch=False)

for opset in (7, 9, 14, NEWEST):
    add("BatchNormalization", X2, W(4), W(4), W(4), V(4), epsilon=1e-3, opset=opset)
add("BatchNormalization", (3, 4), W(4), W(4), W(4), V(4))
add("BatchNormalization", X1, W(3), W(3), W(3), V(3))
