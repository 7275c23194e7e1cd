"""What gathers, scatters, lays back and samples values at places."""

import numpy as np

from .example import X2, I, W, add

add("GatherElements", (3, 4), np.array([[0, -1, 0], [3, 1, 1]]), axis=1, batch=False)
add("GatherElements", (3, 4, 2), np.array([[[0, 2], [1, 1]]]), batch=False)
add("GatherND", X2, np.array([[0, 1], [1, -1], [0, 1]]), batch=False)
add("GatherND", X2, np.array([[[2], [0]], [[3], [3]]]), batch_dims=1, batch=False)
add("Compress", X2, np.array([True, False, True]), axis=1)
add("Compress", X2, W(7) > 0, axis=-2)
add("Compress", (2, 3, 4), W(20) > 0, batch=False)
add("ReverseSequence", (5, 2, 3), I(5, 3), batch=False)
add("ReverseSequence", (2, 4, 3), I(1, 3), batch_axis=0, time_axis=1, batch=False)
ROWS = np.array([[2, -1], [0, 1], [1, 0]])
add("ScatterND", (3, 2, 5), ROWS, (3, 5), batch=False)
add("ScatterND", (3, 2, 5), ROWS, W(3, 5), batch=False)
add("ScatterND", W(3, 2, 5), ROWS, (3, 5), batch=False)
TWICE = np.array([[2, 1], [0, 1], [2, 1]])
add("ScatterND", (3, 2, 5), TWICE, (3, 5), reduction="add", batch=False)
add("ScatterND", (3, 2, 5), ROWS, W(3, 5), reduction="add", batch=False)
add("ScatterND", W(3, 2, 5), TWICE, (3, 5), reduction="add", batch=False)
ALONG = np.array([[0, -1], [3, 1], [1, 2]])
add("ScatterElements", (3, 4), ALONG, (3, 2), axis=1, batch=False)
add("ScatterElements", (3, 4), ALONG, W(3, 2), axis=1, batch=False)
add("ScatterElements", W(3, 4), ALONG, (3, 2), axis=-1, batch=False)
MEET = np.array([[0, 0], [3, 1], [2, 2]])
add("ScatterElements", (3, 4), MEET, (3, 2), axis=1, reduction="add", batch=False)
add("ScatterElements", (3, 4), ALONG, W(3, 2), axis=1, reduction="add", batch=False)
add("ScatterElements", W(3, 4), MEET, (3, 2), axis=1, reduction="add", batch=False)
add("Scatter", (3, 4), np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]]), (3, 3), opset=10, batch=False)
add("MaxUnpool", (2, 1, 2, 2), np.array([[[[0, 7], [12, 15]]], [[[18, 18], [25, 30]]]]), kernel_shape=[2, 2],
    strides=[2, 2], batch=False)  # fmt: skip
add("MaxUnpool", (1, 1, 3, 3), np.arange(9).reshape(1, 1, 3, 3) * 2 + 1, I(1, 1, 5, 4), kernel_shape=[2, 2],
    batch=False)  # fmt: skip
add("Col2Im", (2, 8, 12), I(4, 5), I(2, 2))
add("Col2Im", (2, 12, 9), I(5, 6), I(2, 3), strides=[2, 1], pads=[1, 0, 0, 1], dilations=[1, 2])
add("Col2Im", (2, 6, 4), I(6), I(3))
add("CenterCropPad", X2, I(4, 9), axes=[2, 3])
add("CenterCropPad", X2, I(9, 3), axes=[-2, -1])
add("CenterCropPad", (2, 5, 4), I(2, 2, 7), batch=False)


def grid(*sizes: int, span: float = 1.2) -> np.ndarray:
    return np.tanh(W(2, *sizes, len(sizes))) * np.float32(span)


for padding in ("zeros", "border", "reflection"):
    for corners in (0, 1):
        given = {"padding_mode": padding, "align_corners": corners, "batch": False}
        add("GridSample", (2, 3, 5, 4), grid(4, 5), mode="linear", **given)
        add("GridSample", (2, 3, 5, 4), grid(4, 5), mode="cubic", **given)
        add("GridSample", (2, 3, 5, 4), grid(4, 5), mode="nearest", **given)
add("GridSample", (2, 3, 5, 4), grid(4, 5), mode="bicubic", opset=16, batch=False)
add("GridSample", (2, 2, 3, 4, 2), grid(2, 3, 4), mode="linear", batch=False)
