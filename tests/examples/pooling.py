"""Pooling and reductions."""

import numpy as np

from .example import X1, X2, X3, F, I, W, add

add("MaxPool", X1, kernel_shape=[3], strides=[2], pads=[1, 1])
add("MaxPool", X2, kernel_shape=[3, 2], strides=[1, 1], opset=7)
add("MaxPool", X2, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], dilations=[1, 2])
add("MaxPool", X3, kernel_shape=[2, 3, 2], strides=[2, 1, 2])
for ceil_mode in (0, 1):
    add("MaxPool", X2, kernel_shape=[2, 2], strides=[2, 3], ceil_mode=ceil_mode)
    add("MaxPool", X2, kernel_shape=[3, 3], strides=[3, 2], ceil_mode=ceil_mode, pads=[1, 0, 1, 1])
    for inside in (0, 1):
        more = {"ceil_mode": ceil_mode, "count_include_pad": inside}
        add("AveragePool", X2, kernel_shape=[2, 2], strides=[2, 3], **more)
        add("AveragePool", X2, kernel_shape=[3, 3], strides=[3, 2], pads=[1, 0, 1, 1], **more)
        add("AveragePool", X1, kernel_shape=[3], strides=[2], pads=[1, 1], **more)
for inside in (0, 1):
    # A window that is larger than all it stands on.
    more = {"ceil_mode": 1, "count_include_pad": inside}
    add("AveragePool", X2, kernel_shape=[9, 3], strides=[9, 2], **more)
    add("AveragePool", X2, kernel_shape=[90, 90], strides=[90, 90], pads=[1, 2, 0, 1], **more)
    add("AveragePool", X2, kernel_shape=[9, 9], strides=[9, 30], dilations=[1, 3], pads=[0, 1, 0, 1], **more)
add("AveragePool", X2, kernel_shape=[3, 2], opset=7)
add("AveragePool", X2, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER", count_include_pad=1)
add("AveragePool", X2, kernel_shape=[2, 2], dilations=[2, 3], pads=[1, 1, 1, 1])
add("AveragePool", X3, kernel_shape=[2, 3, 2], strides=[2, 1, 2], pads=[0, 1, 0, 1, 0, 1])
for shape in (X1, X2, X3):
    add("GlobalAveragePool", shape)
    add("GlobalMaxPool", shape)

for exclusive in (0, 1):
    add("CumSum", X2, I(2), exclusive=exclusive)
    add("CumSum", X2, np.array(-1, dtype=np.int32), exclusive=exclusive, reverse=1)
add("CumSum", X2, np.array(1), opset=11)
add("CumSum", X1, np.array(0), batch=False)

for operator in ("ReduceMean", "ReduceSum"):
    old = 11 if operator == "ReduceSum" else 13
    add(operator, X2, axes=[2, 3], opset=old)
    add(operator, X2, axes=[-1, 1], keepdims=0, opset=old)
    add(operator, X2, I(2, -1))
    add(operator, X2, I(1), keepdims=0)
    add(operator, X2, keepdims=0, batch=False)
    add(operator, X2, I(), noop_with_empty_axes=1)

for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    add("MaxPool", X2, auto_pad=auto_pad, kernel_shape=[2, 3], strides=[2, 1])
    add("AveragePool", X2, auto_pad=auto_pad, kernel_shape=[3, 2], strides=[2, 1])

POSITIVE = ("Softsign", "Exp")
REDUCED = ("ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare")
for operator in REDUCED:
    add(operator, X2, axes=[2, 3], opset=13)
    add(operator, X2, I(-1, 1), keepdims=0)
    add(operator, X2, I(-1))
    add(operator, X2, keepdims=0, batch=False)
add("ReduceProd", (2, 3, 2, 2), axes=[2, 3], opset=13, through=POSITIVE)
add("ReduceProd", (2, 2, 3, 2), I(-1, 1), keepdims=0)
add("ReduceProd", (2, 3, 4), I(-1))
add("ReduceProd", (2, 1, 3), I(1))  # of one value each
add("ReduceProd", (2, 5, 3), keepdims=0, batch=False)
for operator in ("ReduceMax", "ReduceMin"):
    add(operator, X2, I(), noop_with_empty_axes=1)
add("ReduceLogSum", X2, I(1), through=POSITIVE)
add("ReduceLogSum", X2, axes=[2, 3], keepdims=0, opset=13, through=POSITIVE)
for p in (1, 2, 3):
    add("LpPool", X2, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], p=p, through=POSITIVE)
    add("GlobalLpPool", X2, p=p)
add("LpPool", X1, kernel_shape=[2], opset=11, p=1)
add("LpPool", X2, kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2], through=POSITIVE)
for operator in ("Max", "Min"):
    add(operator, X2, X2)
    add(operator, X2, (2, 1, 7, 1), X2, opset=12)
    add(operator, X2, F(0.25))
    add(operator, W(4, 1, 1), X2, F(-0.1))
    add(operator, X2)
