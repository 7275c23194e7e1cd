"""Normalisations as exporters write them, and what they compute, for arrays of NumPy and PyTorch alike."""

import numpy as np
from building import parse, rng

W, B = (rng(7, seed).standard_normal(6).astype(np.float32) + 1 for seed in range(2))
CONSTANTS = {
    **{"two": np.float32(2), "half": np.float32(0.5), "less": np.float32(-0.5), "one": np.float32(1)},
    **{"c": np.float32(1e-2), "floor": np.float32(0.3), "sixth": np.float32(1 / 6), "five": np.float32(5)},
    **{"most": np.float32(4), "six": np.float32(6), "zero": np.float32(0), "w": W, "b": B},
    **{
        "last": np.array([-1]),
        "n1": np.array([0, 5, 1]),
        "places": np.array([1]),
        "third": np.array([2]),
        "fives": np.array([5]),
    },
}
MEAN = "m = ReduceMean (x, last) d = Sub (x, m)"
VAR = f"{MEAN} q = Mul (d, d) v = ReduceMean (q, last)"
STD = f"{VAR} e = Add (v, c) s = Sqrt (e)"
# n of the n/(n − 1) in a variance, of an axis that is open: as both of PyTorch's exporters write it.
COUNTED = (
    "z = Shape (x) h = Gather (z, last) p = ReduceProd <keepdims = 0> (h) n = Cast <to = 1> (p)"
    " a = Mul (v, n) l = Sub (n, one) e = Div (a, l)"
)
LAYER, RMS, LENGTH = "LayerNormalization", "RMSNormalization", "LpNormalization"
PLAIN = "MeanVarianceNormalization"


def of(x, values):
    """Constants as x is, an array or a tensor."""
    return values.astype(np.float64) if isinstance(x, np.ndarray) else x.new_tensor(values)


def mean(x, axis=-1):
    return x.mean(axis, keepdims=True)


def layer(x, eps=CONSTANTS["c"]):
    u = x - mean(x)
    return u / (mean(u * u) + float(eps)) ** 0.5


def rms(x):
    return x / (mean(x * x) + float(CONSTANTS["c"])) ** 0.5


def length(x):
    return (x * x).sum(-1, keepdims=True) ** 0.5


def larger(x, least=float(CONSTANTS["floor"])):
    return (x + least + abs(x - least)) / 2


def unbiased(x):
    u = x - mean(x)
    return u / ((u * u).sum(-1, keepdims=True) / 5) ** 0.5


# Name -> what it becomes, the nodes from x to y, what they compute.
FORMS = {
    "LayerNorm": (LAYER, f"{STD} y = Div (d, s)", layer),
    "PaddlePaddle's": (
        LAYER,
        f"{MEAN} q = Pow (d, two) v = ReduceMean (q, last) e = Add (v, c) s = Sqrt (e) o = Div (d, s)"
        " n = Mul (o, w) y = Add (n, b)",
        lambda x: layer(x) * of(x, W) + of(x, B),
    ),
    "LayerNorm, Sub twice": (
        LAYER,
        "m = ReduceMean (x, last) d = Sub (x, m) g = Sub (x, m) q = Mul (g, g) v = ReduceMean (q, last)"
        " e = Add (c, v) s = Sqrt (e) y = Div (d, s)",
        layer,
    ),
    "LayerNorm, Reciprocal": (LAYER, f"{STD} r = Reciprocal (s) y = Mul (r, d)", layer),
    "LayerNorm, 1/s": (LAYER, f"{STD} r = Div (one, s) y = Mul (d, r)", layer),
    "LayerNorm, Pow -0.5": (LAYER, f"{VAR} e = Add (v, c) r = Pow (e, less) y = Mul (d, r)", layer),
    "LayerNorm, Pow 0.5": (LAYER, f"{VAR} e = Add (v, c) s = Pow (e, half) y = Div (d, s)", layer),
    "LayerNorm, weight first": (
        LAYER,
        f"{STD} r = Reciprocal (s) k = Mul (r, w) n = Mul (d, k) y = Add (n, b)",
        lambda x: layer(x) * of(x, W) + of(x, B),
    ),
    "TensorFlow's": (
        LAYER,
        f"{STD} r = Reciprocal (s) k = Mul (r, w) a = Mul (x, k) l = Mul (m, k) t = Sub (b, l)"
        " y = Add (a, t)",
        lambda x: layer(x) * of(x, W) + of(x, B),
    ),
    "JAX's": (
        LAYER,
        "t = ReduceSum <keepdims=0> (x, last) q = Mul (x, x) u = ReduceSum <keepdims=0> (q, last)"
        " v = Mul (u, sixth) m = Mul (t, sixth) a = Mul (m, m) l = Sub (v, a) k = Max (zero, l)"
        " f = Reshape (k, n1) z = Shape (x) g = Expand (f, z) e = Add (g, c) s = Sqrt (e) r = Reciprocal (s)"
        " h = Reshape (m, n1) i = Expand (h, z) d = Sub (x, i) j = Mul (r, w) o = Mul (d, j) y = Add (o, b)",
        lambda x: layer(x) * of(x, W) + of(x, B),
    ),
    "LayerNorm over places": (
        LAYER,
        "m = ReduceMean (x, places) d = Sub (x, m) q = Mul (d, d) v = ReduceMean (q, places) e = Add (v, c)"
        " s = Sqrt (e) y = Div (d, s)",
        lambda x: (x - mean(x, 1)) / (mean((x - mean(x, 1)) ** 2, 1) + float(CONSTANTS["c"])) ** 0.5,
    ),
    "RMSNorm": (
        RMS,
        "q = Pow (x, two) v = ReduceMean (q, last) e = Add (v, c) s = Sqrt (e) y = Div (x, s)",
        rms,
    ),
    "T5's": (
        RMS,
        "q = Mul (x, x) v = ReduceMean (q, last) e = Add (v, c) s = Sqrt (e) r = Div (one, s)"
        " o = Mul (x, r) y = Mul (w, o)",
        lambda x: rms(x) * of(x, W),
    ),
    "L2": (LENGTH, "n = ReduceL2 (x, last) y = Div (x, n)", lambda x: x / length(x)),
    "F.normalize": (
        LENGTH,
        "n = ReduceL2 (x, last) k = Clip (n, floor) z = Shape (x) e = Expand (k, z) y = Div (x, e)",
        lambda x: x / larger(length(x)),
    ),
    "L2, Max": (
        LENGTH,
        "n = ReduceL2 (x, last) k = Max (n, floor) y = Div (x, k)",
        lambda x: x / larger(length(x)),
    ),
    "L2, Add": (
        LENGTH,
        "n = ReduceL2 (x, last) k = Add (n, c) y = Div (x, k)",
        lambda x: x / (length(x) + float(CONSTANTS["c"])),
    ),
    "TensorFlow's l2_normalize": (
        LENGTH,
        "q = Mul (x, x) v = ReduceSum (q, last) k = Max (v, floor) s = Sqrt (k) r = Reciprocal (s)"
        " y = Mul (x, r)",
        lambda x: x / larger(length(x) ** 2) ** 0.5,
    ),
    "Keras's UnitNormalization": (
        LENGTH,
        "q = Mul (x, x) v = ReduceSum (q, last) s = Sqrt (v) r = Reciprocal (s) k = Min (r, most)"
        " y = Mul (x, k)",
        lambda x: x / larger(length(x), 1 / float(CONSTANTS["most"])),
    ),
    "L2, ReduceSumSquare": (
        LENGTH,
        "v = ReduceSumSquare (x, last) s = Sqrt (v) y = Div (x, s)",
        lambda x: x / length(x),
    ),
    "standardised": (PLAIN, f"{VAR} s = Sqrt (v) y = Div (d, s)", lambda x: layer(x, 0)),
    "standardised, + outside": (
        PLAIN,
        f"{VAR} s = Sqrt (v) k = Add (s, c) y = Div (d, k)",
        lambda x: (x - mean(x)) / (mean((x - mean(x)) ** 2) ** 0.5 + float(CONSTANTS["c"])),
    ),
    "unbiased": (
        PLAIN,
        f"{MEAN} q = Mul (d, d) v = ReduceSum (q, last) e = Div (v, five) s = Sqrt (e) y = Div (d, s)",
        unbiased,
    ),
    "unbiased, n/(n-1)": (
        PLAIN,
        f"{VAR} k = Mul (v, six) e = Div (k, five) s = Sqrt (e) y = Div (d, s)",
        unbiased,
    ),
    "unbiased, n of the sizes": (PLAIN, f"{VAR} {COUNTED} s = Sqrt (e) y = Div (d, s)", unbiased),
    "torch.std at open sizes": (
        PLAIN,
        f"{MEAN} o = ReduceMean (x, last) g = Sub (x, o) q = Mul (g, g) v = ReduceMean (q, last) {COUNTED}"
        " s = Sqrt (e) y = Div (d, s)",
        unbiased,
    ),
    "put back by its own Shape": (
        LAYER,
        "m = ReduceMean (x, third) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <keepdims = 0> (q, third)"
        " z = Shape <start = 0, end = 1> (v) i = Concat <axis = 0> (z, fives, places) k = Reshape (v, i)"
        " e = Add (k, c) s = Sqrt (e) y = Div (d, s)",
        layer,
    ),
}
X = rng(3).standard_normal((2, 5, 6)).astype(np.float32)
X[:, 1] *= 0.05  # some are shorter than the least length


def net(body: str, **more: np.ndarray):
    """x, a dense layer's output, through the nodes to y, and a head."""
    nodes = f"x = MatMul (given, front) {body} out = MatMul (y, head)"
    text = f"g (float[N,5,6] given) => (float[N,5,3] out) {{ {nodes} }}"
    constants = {**CONSTANTS, **more}
    used = {name: value for name, value in constants.items() if f" {name}" in body or f"({name}" in body}
    return parse(text, front=rng(1).standard_normal((6, 6)), head=rng(2).standard_normal((6, 3)), **used)
