"""Models as other frameworks' converters write them, node by node: no framework is needed here.

Each is a small classifier. What is named `b...` is a bias, `s...` a scale that is drawn around 1; whole
numbers and what makes a function's shape, a LayerNormalization's ε, stand beside the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from building import parse, rng

ONE = np.array([1])


@dataclass(frozen=True)
class Form:
    """A model as text.

    Parameters
    ----------
    framework, name : str
    text : str
    shapes : dict of name -> shape
        Of the weights, which are drawn.
    given : dict of name -> array
        The constants that are what they are.
    inputs : dict of name -> shape or (shape, low, high)
        The latter of whole numbers.
    refused : str
        A part of what is said where it is no function with gradients; "" where it is explained.
    awaited : bool
        Whether an operator of it is not there yet: nothing is asserted while it is refused.
    """

    framework: str
    name: str
    text: str
    shapes: Mapping[str, tuple[int, ...]]
    given: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=lambda: {"x": (2, 3, 8, 8)})
    refused: str = ""
    awaited: bool = False

    def __str__(self) -> str:
        return f"{self.framework}, {self.name}"

    @property
    def model(self) -> onnx.ModelProto:
        return parse(self.text, **self.weights, **{name: np.asarray(one) for name, one in self.given.items()})

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Weights that keep the size of what flows through, small biases, scales around 1."""
        random, found = rng(len(self.name), 41), {}
        for name, shape in self.shapes.items():
            if name.startswith("s"):
                found[name] = random.uniform(0.5, 1.5, shape)
            else:
                fan = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
                size = 0.3 if name.startswith("b") else 1.4 / np.sqrt(fan)
                found[name] = random.standard_normal(shape) * size
        return found

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        random = rng(len(self.name), 42)
        return {
            name: random.integers(how[1], how[2], how[0])
            if isinstance(how[0], tuple)
            else random.standard_normal(how).astype(np.float32)
            for name, how in self.inputs.items()
        }


# Keras by tf2onnx: channels last outside, Transposes around, dense layers as MatMul and Add, a
# BatchNormalization behind a depthwise convolution as Mul and Add, ReLU6 as Relu and Min, means over axes.
KERAS_CNN = Form(
    "Keras",
    "MobileNet with a gate",
    """g (float[N,8,8,3] x) => (float[N,5] y) {
        t = Transpose <perm = [0, 3, 1, 2]> (x)
        c0 = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (t, w0, b0)
        r0 = Relu (c0) m0 = Min (r0, six)
        c1 = Conv <auto_pad = "SAME_UPPER", group = 8> (m0, w1)
        n1 = Mul (c1, s1) a1 = Add (n1, b1) r1 = Relu (a1) m1 = Min (r1, six)
        p = ReduceMean <keepdims = 1> (m1, places)
        q0 = Conv (p, w2, b2) g0 = Sigmoid (q0) h0 = Mul (q0, g0)
        q1 = Conv (h0, w3, b3) g1 = Sigmoid (q1) e = Mul (m1, g1)
        c2 = Conv (e, w4, b4) v = Sigmoid (c2) k = Mul (c2, v)
        u = Transpose <perm = [0, 2, 3, 1]> (k)
        f = ReduceMean <keepdims = 0> (u, inner)
        d = MatMul (f, w5) z = Add (d, b5) y = Softmax <axis = 1> (z)
    }""",
    {
        **{"w0": (8, 3, 3, 3), "b0": (8,), "w1": (8, 1, 3, 3), "s1": (1, 8, 1, 1), "b1": (1, 8, 1, 1)},
        **{"w2": (4, 8, 1, 1), "b2": (4,), "w3": (8, 4, 1, 1), "b3": (8,), "w4": (10, 8, 1, 1), "b4": (10,)},
        **{"w5": (10, 5), "b5": (5,)},
    },
    {"six": np.float32(6), "places": [2, 3], "inner": [1, 2]},
    {"x": (2, 8, 8, 3)},
)
KERAS_TRANSFORMER = Form(
    "Keras",
    "attention over words",
    """g (int64[N,6] ids) => (float[N,3] y) {
        e = Gather (wt, ids) h = Add (e, b0)
        q0 = MatMul (h, wq) q = Add (q0, bq) k0 = MatMul (h, wk) k = Add (k0, bk)
        v0 = MatMul (h, wv) v = Add (v0, bv)
        qh0 = Reshape (q, heads) kh0 = Reshape (k, heads) vh0 = Reshape (v, heads)
        qs = Mul (qh0, scale)
        qh = Transpose <perm = [0, 2, 1, 3]> (qs) kh = Transpose <perm = [0, 2, 3, 1]> (kh0)
        vh = Transpose <perm = [0, 2, 1, 3]> (vh0)
        l = MatMul (qh, kh) a = Softmax <axis = -1> (l) o = MatMul (a, vh)
        o0 = Transpose <perm = [0, 2, 1, 3]> (o) o1 = Reshape (o0, joined)
        o2 = MatMul (o1, wo) o3 = Add (o2, bo) r = Add (o3, h)
        m = ReduceMean <keepdims = 1> (r, last) d = Sub (r, m) sq = Mul (d, d)
        va = ReduceMean <keepdims = 1> (sq, last) ve = Add (va, eps) sd = Sqrt (ve) rs = Reciprocal (sd)
        g1 = Mul (rs, s1) n0 = Mul (r, g1) mg = Mul (m, g1) nb = Sub (b1, mg) n = Add (n0, nb)
        f0 = MatMul (n, w2) f1 = Add (f0, b2) f = Relu (f1)
        p = ReduceMean <keepdims = 0> (f, middle) z0 = MatMul (p, w3) y = Add (z0, b3)
    }""",
    {
        **{"wt": (20, 8), "b0": (6, 8), "wq": (8, 8), "wk": (8, 8), "wv": (8, 8), "wo": (8, 8)},
        **{"bq": (8,), "bk": (8,), "bv": (8,), "bo": (8,), "s1": (8,), "b1": (8,)},
        **{"w2": (8, 12), "b2": (12,), "w3": (12, 3), "b3": (3,)},
    },
    {
        **{"heads": [0, 0, 2, 4], "joined": [0, 0, 8], "scale": np.float32(0.5), "eps": np.float32(1e-3)},
        **{"last": [-1], "middle": [1]},
    },
    {"ids": ((2, 6), 0, 20)},
)
KERAS_LSTM = Form(
    "Keras",
    "LSTM of words",
    """g (int64[N,6] ids) => (float[N,3] y) {
        e = Gather (wt, ids) t = Transpose <perm = [1, 0, 2]> (e)
        s, h, c = LSTM <hidden_size = 5> (t, wx, wh, bx)
        q = Squeeze (h, zero) z0 = MatMul (q, w3) z = Add (z0, b3) y = Softmax (z)
    }""",
    {"wt": (20, 8), "wx": (1, 20, 8), "wh": (1, 20, 5), "bx": (1, 40), "w3": (5, 3), "b3": (3,)},
    {"zero": [0]},
    {"ids": ((2, 6), 0, 20)},
)
# JAX: words as one-hot rows, a variance as E[x²] − E[x]² that is kept from being negative, the tanh form of
# GELU, products as Einsum, a Softmax by hand.
JAX_MLP = Form(
    "JAX",
    "one-hot words, LayerNorm of E[x²] − E[x]², GELU by tanh",
    """g (int64[N,6] ids) => (float[N,3] y) {
        o = OneHot (ids, depth, off_on) e = MatMul (o, wt) h0 = Add (e, b0)
        m = ReduceMean <keepdims = 1> (h0, last) q = Mul (h0, h0) mq = ReduceMean <keepdims = 1> (q, last)
        mm = Mul (m, m) v0 = Sub (mq, mm) v = Max (v0, nil)
        ve = Add (v, eps) sd = Sqrt (ve) rs = Reciprocal (sd)
        d = Sub (h0, m) g1 = Mul (rs, s1) n0 = Mul (d, g1) n = Add (n0, b1)
        f0 = MatMul (n, w2) f = Add (f0, b2)
        c2 = Mul (f, f) c3 = Mul (c2, f) c4 = Mul (c3, c) c5 = Add (f, c4) c6 = Mul (c5, k) t = Tanh (c6)
        t1 = Add (t, one) t2 = Mul (t1, half) ge = Mul (f, t2)
        p = ReduceMean <keepdims = 0> (ge, middle) z0 = MatMul (p, w3) y = Add (z0, b3)
    }""",
    {
        **{"wt": (20, 8), "b0": (6, 8), "s1": (8,), "b1": (8,)},
        **{"w2": (8, 12), "b2": (12,), "w3": (12, 3), "b3": (3,)},
    },
    {
        **{"depth": [20], "off_on": np.array([0, 1], np.float32), "last": [-1], "middle": [1]},
        **{"nil": np.float32(0), "eps": np.float32(1e-6), "c": np.float32(0.044715)},
        **{"k": np.float32(0.7978846), "one": np.float32(1), "half": np.float32(0.5)},
    },
    {"ids": ((2, 6), 0, 20)},
)
JAX_ATTENTION = Form(
    "JAX",
    "attention by Einsum, Softmax by hand",
    """g (float[N,6,8] x) => (float[N,3] y) {
        q0 = Einsum <equation = "btd,dhk->bthk"> (x, wq) q = Mul (q0, scale)
        k = Einsum <equation = "btd,dhk->bthk"> (x, wk) v = Einsum <equation = "btd,dhk->bthk"> (x, wv)
        l = Einsum <equation = "bthk,bshk->bhts"> (q, k)
        m = ReduceMax <keepdims = 1> (l, last) d = Sub (l, m) e = Exp (d)
        s = ReduceSum <keepdims = 1> (e, last) a = Div (e, s)
        o = Einsum <equation = "bhts,bshk->bthk"> (a, v) u = Einsum <equation = "bthk,hkd->btd"> (o, wo)
        r = Add (u, x) p = ReduceMean <keepdims = 0> (r, middle) z0 = MatMul (p, w3) y = Add (z0, b3)
    }""",
    {
        **{"wq": (8, 2, 4), "wk": (8, 2, 4), "wv": (8, 2, 4), "wo": (2, 4, 8), "w3": (8, 3), "b3": (3,)},
    },
    {"scale": np.float32(0.5), "last": [-1], "middle": [1]},
    {"x": (2, 6, 8)},
)
# PaddlePaddle: BatchNormalizations kept, hard-swish by hand, gates of convolutions, a scale as Mul and Add,
# dense layers as MatMul and Add.
PADDLE = Form(
    "PaddlePaddle",
    "MobileNetV3 with a gate",
    """g (float[N,3,8,8] x) => (float[N,5] y) {
        c0 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w0)
        n0 = BatchNormalization <epsilon = 0.00001> (c0, s0, b0, bm0, sv0)
        h0 = Add (n0, three) h1 = Clip (h0, nil, six) h2 = Mul (n0, h1) h3 = Div (h2, six)
        c1 = Conv <pads = [1, 1, 1, 1], group = 8> (h3, w1)
        n1 = BatchNormalization <epsilon = 0.00001> (c1, s1, b1, bm1, sv1) r1 = Relu (n1)
        p = GlobalAveragePool (r1) q0 = Conv (p, w2, b2) q1 = Relu (q0) q2 = Conv (q1, w3, b3)
        g1 = HardSigmoid <alpha = 0.2, beta = 0.5> (q2) e = Mul (r1, g1)
        c2 = Conv (e, w4) n2 = BatchNormalization (c2, s2, b4, bm2, sv2) a = Add (n2, h3)
        v = GlobalAveragePool (a) f = Flatten (v) d = MatMul (f, w5) d1 = Add (d, b5)
        o = Mul (d1, two) z = Add (o, b6) y = Softmax <axis = 1> (z)
    }""",
    {
        **{"w0": (8, 3, 3, 3), "s0": (8,), "b0": (8,), "bm0": (8,), "sv0": (8,)},
        **{"w1": (8, 1, 3, 3), "s1": (8,), "b1": (8,), "bm1": (8,), "sv1": (8,)},
        **{"w2": (4, 8, 1, 1), "b2": (4,), "w3": (8, 4, 1, 1), "b3": (8,)},
        **{"w4": (8, 8, 1, 1), "s2": (8,), "b4": (8,), "bm2": (8,), "sv2": (8,)},
        **{"w5": (8, 5), "b5": (5,), "b6": (5,)},
    },
    {"three": np.float32(3), "nil": np.float32(0), "six": np.float32(6), "two": np.float32(2)},
)
# MATLAB: an old opset, the picture's mean taken off inside, responses normalised over channels, a dense layer
# as a convolution over all that is left.
MATLAB = Form(
    "MATLAB",
    "AlexNet's kind",
    """<ir_version: 6, opset_import: ["": 9]> g (float[N,3,8,8] x) => (float[N,5] y) {
        i = Sub (x, bmean)
        c0 = Conv <pads = [1, 1, 1, 1]> (i, w0, b0)
        n0 = BatchNormalization <epsilon = 0.00001> (c0, s0, b1, bm0, sv0) r0 = Relu (n0)
        l0 = LRN <size = 5, alpha = 0.0001, beta = 0.75, bias = 1.0> (r0)
        p0 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (l0)
        c1 = Conv <pads = [1, 1, 1, 1], group = 2> (p0, w1, b2) r1 = LeakyRelu <alpha = 0.1> (c1)
        d0 = Dropout (r1)
        c2 = Conv (d0, w2, b3) r2 = Relu (c2) c3 = Conv (r2, w3, b4)
        f = Flatten (c3) y = Softmax <axis = 1> (f)
    }""",
    {
        **{"bmean": (1, 3, 1, 1), "w0": (8, 3, 3, 3), "b0": (8,), "s0": (8,), "b1": (8,), "bm0": (8,)},
        **{"sv0": (8,), "w1": (8, 4, 3, 3), "b2": (8,), "w2": (12, 8, 4, 4), "b3": (12,)},
        **{"w3": (5, 12, 1, 1), "b4": (5,)},
    },
)
# scikit-learn by skl2onnx: the label beside the probabilities.
SKLEARN_MLP = Form(
    "scikit-learn",
    "MLPClassifier behind a StandardScaler",
    """<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>
    g (float[N,4] x) => (int64[N] label, float[N,3] probabilities) {
        i = ai.onnx.ml.Scaler <offset = [0.1, -0.2, 0.3, 0.0], scale = [1.0, 2.0, 0.5, 1.5]> (x)
        c = Cast <to = 1> (i) d0 = MatMul (c, w0) a0 = Add (d0, b0) r0 = Relu (a0)
        d1 = MatMul (r0, w1) a1 = Add (d1, b1) r1 = Tanh (a1)
        d2 = MatMul (r1, w2) a2 = Add (d2, b2) probabilities = Softmax <axis = 1> (a2)
        best = ArgMax <axis = 1> (probabilities) l0 = ai.onnx.ml.ArrayFeatureExtractor (classes, best)
        l1 = Reshape (l0, flat) label = Cast <to = 7> (l1)
    }""",
    {"w0": (4, 8), "b0": (1, 8), "w1": (8, 6), "b1": (1, 6), "w2": (6, 3), "b2": (1, 3)},
    {"classes": np.array([0, 1, 2]), "flat": [-1]},
    {"x": (2, 4)},
)
SKLEARN_TREE = Form(
    "scikit-learn",
    "DecisionTreeClassifier",
    """<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>
    g (float[N,4] x) => (int64[N] label, float[N,2] probabilities) {
        label, probabilities = ai.onnx.ml.TreeEnsembleClassifier <
            class_ids = [0, 1, 0, 1], class_nodeids = [1, 1, 2, 2], class_treeids = [0, 0, 0, 0],
            class_weights = [0.9, 0.1, 0.2, 0.8], classlabels_int64s = [0, 1], nodes_falsenodeids = [2, 0, 0],
            nodes_featureids = [2, 0, 0], nodes_hitrates = [1.0, 1.0, 1.0],
            nodes_missing_value_tracks_true = [0, 0, 0], nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_nodeids = [0, 1, 2], nodes_treeids = [0, 0, 0], nodes_truenodeids = [1, 0, 0],
            nodes_values = [0.1, 0.0, 0.0], post_transform = "NONE"> (x)
    }""",
    {},
    {},
    {"x": (2, 4)},
    refused="TreeEnsembleClassifier",
)
FORMS = [
    *(KERAS_CNN, KERAS_TRANSFORMER, KERAS_LSTM, JAX_MLP, JAX_ATTENTION),
    *(PADDLE, MATLAB, SKLEARN_MLP, SKLEARN_TREE),
]
