"""Files as older converters left them (opset 7 to 9), and more of what current ones write."""

from __future__ import annotations

import numpy as np
from forms import Form

OPSET = '<ir_version: 3, opset_import: ["": {}]>'


def old(framework: str, name: str, opset: int, text: str, shapes, given=None, inputs=None) -> Form:
    """A file of an old opset."""
    return Form(
        framework, name, f"{OPSET.format(opset)} {text}", shapes, given or {}, inputs or {"x": (2, 3, 8, 8)}
    )


NORM = {"s0": (8,), "b0": (8,), "bm0": (8,), "sv0": (8,)}
FORMS = [
    # The picture scaled inside, a product over all that is left as Reshape and MatMul, sums that broadcast.
    old(
        "CNTK",
        "convolutions and Times",
        7,
        """g (float[N,3,8,8] x) => (float[N,5] y) {
        i = Mul (x, scale)
        c0 = Conv <auto_pad = "SAME_UPPER", strides = [2, 2], kernel_shape = [3, 3]> (i, w0)
        a0 = Add (c0, b1) n0 = BatchNormalization <epsilon = 0.00001, spatial = 1> (a0, s0, b0, bm0, sv0)
        r0 = Relu (n0) p0 = MaxPool <kernel_shape = [2, 2], strides = [2, 2], auto_pad = "SAME_LOWER"> (r0)
        f = Reshape (p0, flat) d = MatMul (f, w1) y = Add (d, b2)
    }""",
        {**NORM, "w0": (8, 3, 3, 3), "b1": (8, 1, 1), "w1": (32, 5), "b2": (5,)},
        {"scale": np.float32(1 / 256), "flat": [-1, 32]},
    ),
    # Sums of several, a Dropout with its mask, a Gemm with its matrix turned.
    old(
        "Caffe2",
        "ResNet's and AlexNet's kind",
        9,
        """g (float[N,3,8,8] x) => (float[N,5] y) {
        c0 = Conv <pads = [1, 1, 1, 1], kernel_shape = [3, 3]> (x, w0, b1)
        n0 = BatchNormalization <epsilon = 0.00001> (c0, s0, b0, bm0, sv0) r0 = Relu (n0)
        c1 = Conv <pads = [1, 1, 1, 1], group = 2, kernel_shape = [3, 3]> (r0, w1, b2) u = Sum (c1, r0)
        l = LRN <size = 5, alpha = 0.0001, beta = 0.75> (u)
        p = AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 1, 1]> (l)
        f = Flatten <axis = 1> (p) d, mask = Dropout <ratio = 0.5> (f)
        z = Gemm <transB = 1> (d, w2, b3) y = Softmax (z)
    }""",
        {
            **{**NORM, "w0": (8, 3, 3, 3), "b1": (8,), "w1": (8, 4, 3, 3), "b2": (8,)},
            **{"w2": (5, 128), "b3": (5,)},
        },
    ),
    # Core ML's converter, as Windows ML and the first model zoo have it.
    old(
        "Windows ML",
        "tiny YOLO's kind",
        8,
        """g (float[N,3,8,8] image) => (float[N,5] y) {
        i0 = Mul (image, scale) i = Add (i0, b9)
        c0 = Conv <auto_pad = "SAME_UPPER", kernel_shape = [3, 3]> (i, w0)
        n0 = BatchNormalization <epsilon = 0.00001, spatial = 1> (c0, s0, b0, bm0, sv0)
        r0 = LeakyRelu <alpha = 0.1> (n0) p0 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r0)
        u = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (p0)
        g = Concat <axis = 1> (u, r0) c1 = Conv <kernel_shape = [1, 1]> (g, w1, b1)
        p = GlobalAveragePool (c1) y = Reshape (p, flat)
    }""",
        {**NORM, "w0": (8, 3, 3, 3), "b9": (3, 1, 1), "w1": (5, 16, 1, 1), "b1": (5,)},
        {"scale": np.float32([1 / 255]), "flat": [0, -1]},
        {"image": (2, 3, 8, 8)},
    ),
    # A normalisation of the data in front, whose scale is fixed at 1; LeakyRelu; a pooling over all.
    old(
        "MXNet",
        "ResNet's kind",
        8,
        """g (float[N,3,8,8] data) => (float[N,5] softmax) {
        n0 = BatchNormalization <epsilon = 0.00002> (data, one, b4, bm4, sv4)
        c0 = Conv <pads = [1, 1, 1, 1], strides = [2, 2], kernel_shape = [3, 3]> (n0, w0)
        n1 = BatchNormalization <epsilon = 0.00002> (c0, s0, b0, bm0, sv0) r0 = Relu (n1)
        c1 = Conv <kernel_shape = [1, 1]> (r0, w1) a = Add (c1, c0)
        r1 = LeakyRelu <alpha = 0.25> (a) p = GlobalAveragePool (r1) f = Flatten (p)
        z = Gemm <alpha = 1.0, beta = 1.0, transB = 1> (f, w2, b2) softmax = Softmax <axis = 1> (z)
    }""",
        {
            **{**NORM, "b4": (3,), "bm4": (3,), "sv4": (3,), "w0": (8, 3, 3, 3), "w1": (8, 8, 1, 1)},
            **{"w2": (5, 8), "b2": (5,)},
        },
        {"one": np.ones(3, np.float32)},
        {"data": (2, 3, 8, 8)},
    ),
    # An imageInputLayer with 'zscore': every pixel's own mean and deviation; a dense layer as a convolution.
    old(
        "MATLAB",
        "an image normalised by z-score",
        9,
        """g (float[N,3,8,8] data) => (float[N,5] prob) {
        u = Sub (data, bmean) i = Div (u, sdeviation)
        c0 = Conv <pads = [1, 1, 1, 1], kernel_shape = [3, 3], dilations = [1, 1], group = 1> (i, w0, b1)
        n0 = BatchNormalization <epsilon = 0.00001> (c0, s0, b0, bm0, sv0)
        r0 = Clip <min = 0.0, max = 6.0> (n0)
        p0 = AveragePool <kernel_shape = [2, 2], strides = [2, 2], pads = [0, 0, 0, 0]> (r0)
        c1 = Conv <kernel_shape = [4, 4]> (p0, w1, b2) f = Flatten <axis = 1> (c1)
        prob = Softmax <axis = 1> (f)
    }""",
        {
            **{**NORM, "bmean": (1, 3, 8, 8), "sdeviation": (1, 3, 8, 8), "w0": (8, 3, 3, 3), "b1": (8,)},
            **{"w1": (5, 8, 4, 4), "b2": (5,)},
        },
        {},
        {"data": (2, 3, 8, 8)},
    ),
    # Both directions and their states side by side; channels last around a depthwise and a pointwise kernel.
    Form(
        "Keras",
        "LSTM of both directions",
        """g (float[N,6,5] x) => (float[N,3] y) {
        t = Transpose <perm = [1, 0, 2]> (x)
        s, h, c = LSTM <hidden_size = 4, direction = "bidirectional"> (t, wx, wh, bx)
        f = Slice (h, nil, one, nil) b = Slice (h, one, two, nil) f0 = Squeeze (f, nil) r0 = Squeeze (b, nil)
        g = Concat <axis = 1> (f0, r0) z0 = MatMul (g, w3) z = Add (z0, b3) y = Softmax <axis = 1> (z)
    }""",
        {"wx": (2, 16, 5), "wh": (2, 16, 4), "bx": (2, 32), "w3": (8, 3), "b3": (3,)},
        {"nil": [0], "one": [1], "two": [2]},
        {"x": (2, 6, 5)},
    ),
    Form(
        "Keras",
        "SeparableConv2D and UnitNormalization",
        """g (float[N,8,8,3] x) => (float[N,5] y) {
        t = Transpose <perm = [0, 3, 1, 2]> (x)
        d = Conv <auto_pad = "SAME_UPPER", group = 3> (t, w0) c = Conv (d, w1, b1)
        a = Transpose <perm = [0, 2, 3, 1]> (c) q = Mul (a, a) v = ReduceSum <keepdims = 1> (q, last)
        r = Sqrt (v) k = Reciprocal (r) m = Min (k, most) n = Mul (a, m)
        p = ReduceMean <keepdims = 0> (n, inner) z0 = MatMul (p, w3) y = Add (z0, b3)
    }""",
        {"w0": (6, 1, 3, 3), "w1": (8, 6, 1, 1), "b1": (8,), "w3": (8, 5), "b3": (5,)},
        {"last": [-1], "inner": [1, 2], "most": np.float32(1e6)},
        {"x": (2, 8, 8, 3)},
    ),
    Form(
        "JAX",
        "a CNN of Flax, channels last, with a gate",
        """g (float[N,8,8,3] x) => (float[N,5] y) {
        t = Transpose <perm = [0, 3, 1, 2]> (x) c0 = Conv <pads = [1, 1, 1, 1]> (t, w0)
        l = Transpose <perm = [0, 2, 3, 1]> (c0) h = Add (l, b0) r = Relu (h)
        p = ReduceMean <keepdims = 1> (r, inner) q0 = MatMul (p, w1) q = Add (q0, b1) g = Sigmoid (q)
        e = Mul (r, g) f = ReduceMean <keepdims = 0> (e, inner) z0 = Gemm (f, w3, b3)
        m = ReduceMax <keepdims = 0> (z0, one) k = Max (lowest, m) n = Reshape (k, column) d = Sub (z0, n)
        x0 = Exp (d) s = ReduceSum <keepdims = 0> (x0, one) u = Reshape (s, column) y = Div (x0, u)
    }""",
        {"w0": (8, 3, 3, 3), "b0": (8,), "w1": (8, 8), "b1": (8,), "w3": (8, 5), "b3": (5,)},
        {"inner": [1, 2], "one": [1], "column": [-1, 1], "lowest": np.float32(-np.inf)},
        {"x": (2, 8, 8, 3)},
    ),
]
