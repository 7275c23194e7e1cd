"""A small net with its normalisation inside the file, in many forms, and the same net without."""

import numpy as np
from building import parse, rng

from explainer import Preprocess

MEAN, STD = np.array([0.5, 0.25, 0.75]), np.array([0.25, 0.5, 0.125])  # exact in float32
COLUMN = (3, 1, 1)


def centred(values, height, width):
    """Kernels of which the centre alone is set: depthwise by a vector, else by a matrix."""
    kernels = np.zeros((3, np.size(values) // 3, height, width))
    kernels[:, :, height // 2, width // 2] = np.reshape(values, (3, -1))
    return kernels


BODY = """c = Conv<pads=[1,1,1,1]>(n, k)  r = Relu(c)  d = Conv<pads=[1,1,1,1]>(r, l, b)  s = Relu(d)
    p = GlobalAveragePool(s)  f = Flatten(p)  y = MatMul(f, w) }"""
# The first convolution without padding takes a BatchNormalization in.
UNPADDED = BODY.replace("<pads=[1,1,1,1]>(n, k)", "(n, k)")
WEIGHTS = {
    "k": rng(1).standard_normal((8, 3, 3, 3)),
    "l": rng(2).standard_normal((4, 8, 3, 3)),
    "b": rng(3).standard_normal(4),
    "w": rng(4).standard_normal((4, 3)),
}
# The input of each form: as it is, in 0…255, channels last, channels reversed.
AS_IS, BYTES, LAST, REVERSED = "as is", "bytes", "last", "reversed"
CONSTANTS = {
    "mean": MEAN.reshape(COLUMN),
    "std": STD.reshape(COLUMN),
    "minus": (-MEAN / STD).reshape(COLUMN),
    "inverse": (1 / STD).reshape(COLUMN),
    "last_mean": MEAN,
    "last_std": STD,
    "most": np.float32(255),
    "least": np.float32(0),
    "one": np.float32(1),
    "ones": np.ones(3),
    "zeros": np.zeros(3),
    "variance": STD**2,
    "backwards": np.array([2, 1, 0]),
    "minus_one": np.array([-1]),
    "before_all": np.array([-4]),
    "axis": np.array([1]),
    "thrice": np.array([1, 1, 1]),
    "sizes": np.array([0, 3, 12, 12]),
    "mean_of_places": np.broadcast_to(MEAN.reshape(COLUMN), (3, 12, 12)),
    "scales": (1 / STD).reshape(3, 1, 1, 1),
    "centred": centred(1 / STD, 3, 3),
    "centred_53": centred(1 / STD, 5, 3),
    "ones_of_53": centred(np.ones(3), 5, 3),
    "centred_diagonal": centred(np.diag(1 / STD), 3, 3),
    "ones_3111": np.ones((3, 1, 1, 1)),
    "shifts": -MEAN / STD,
    "minus_mean": -MEAN,
    "diagonal": np.diag(1 / STD),
    "diagonal_3311": np.diag(1 / STD).reshape(3, 3, 1, 1),
    "reversing": np.eye(3)[::-1].reshape(3, 3, 1, 1),
    "twice": 2 * np.eye(12),
    "half": np.float32(0.5),
    "rows": np.array([-1, 3]),
    "pictures": np.array([-1, 12, 12, 3]),
    "column": np.array([1, 3, 1, 1]),
    "a_border": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "inner_starts": np.array([1, 1]),
    "inner_ends": np.array([-1, -1]),
    "inner_axes": np.array([2, 3]),
    **{f"mean{i}": MEAN[i].reshape(1) for i in range(3)},
    **{f"std{i}": STD[i].reshape(1) for i in range(3)},
}
NORM = "BatchNormalization<epsilon=0.0>"
FORMS = {
    "Sub, Div": ("a = Sub(x, mean)  n = Div(a, std)", AS_IS),
    "Mul, Add": ("a = Mul(x, inverse)  n = Add(a, minus)", AS_IS),
    "Add, Mul": ("m = Neg(mean)  a = Add(m, x)  n = Mul(inverse, a)", AS_IS),
    "mean - x": ("a = Sub(mean, x)  h = Neg(a)  n = Div(h, std)", AS_IS),
    "BatchNormalization": (f"n = {NORM}(x, ones, zeros, last_mean, variance)", AS_IS),
    "Div, BatchNormalization": (f"a = Div(x, most)  n = {NORM}(a, ones, zeros, last_mean, variance)", BYTES),
    "Div, Sub, Div": ("h = Div(x, most)  a = Sub(h, mean)  n = Div(a, std)", BYTES),
    "Cast, Identity": (
        "i = Identity(x)  h = Div(i, most)  a = Sub(h, mean)  e = Cast<to=1>(a)  n = Div(e, std)",
        BYTES,
    ),
    "Clip": ("h = Clip(x, least, one)  a = Sub(h, mean)  n = Div(a, std)", AS_IS),
    "Max, Min": ("g = Max(least, x)  h = Min(g, one)  a = Sub(h, mean)  n = Div(a, std)", AS_IS),
    "Reshape": ("a = Sub(x, mean)  h = Reshape(a, sizes)  n = Div(h, std)", AS_IS),
    "mean of places": ("a = Sub(x, mean_of_places)  n = Div(a, std)", AS_IS),
    "Transpose first": ("t = Transpose<perm=[0,3,1,2]>(x)  a = Sub(t, mean)  n = Div(a, std)", LAST),
    "Transpose last": (
        "a = Sub(x, last_mean)  e = Div(a, last_std)  n = Transpose<perm=[0,3,1,2]>(e)",
        LAST,
    ),
    "Gather": ("g = Gather<axis=1>(x, backwards)  a = Sub(g, mean)  n = Div(a, std)", REVERSED),
    "Slice": (
        "g = Slice(x, minus_one, before_all, axis, minus_one)  a = Sub(g, mean)  n = Div(a, std)",
        REVERSED,
    ),
    "Split, Concat": (
        """u, v, z = Split<axis=1>(x, thrice)
        u0 = Sub(u, mean0) u1 = Div(u0, std0) v0 = Sub(v, mean1) v1 = Div(v0, std1)
        z0 = Sub(z, mean2) z1 = Div(z0, std2) n = Concat<axis=1>(u1, v1, z1)""",
        AS_IS,
    ),
    "depthwise": ("n = Conv<group=3>(x, scales, shifts)", AS_IS),
    "depthwise, the centre": ("n = Conv<group=3,pads=[1,1,1,1]>(x, centred, shifts)", AS_IS),
    "depthwise, the centre of 5 x 3": (
        """a = Conv<group=3,auto_pad="SAME_UPPER">(x, centred_53, shifts)
        n = Conv<group=3,pads=[4,1,4,1],dilations=[2,1]>(a, ones_of_53)""",
        AS_IS,
    ),
    "diagonal, the centre": ("a = Sub(x, mean) n = Conv<pads=[1,1,1,1]>(a, centred_diagonal)", AS_IS),
    "ConvTranspose, the centre": ("n = ConvTranspose<group=3,pads=[1,1,1,1]>(x, centred, shifts)", AS_IS),
    "depthwise twice": ("a = Conv<group=3>(x, ones_3111, minus_mean) n = Conv<group=3>(a, scales)", AS_IS),
    "depthwise, BatchNormalization": (
        f"a = Conv<group=3>(x, ones_3111) n = {NORM}(a, ones, zeros, last_mean, variance)",
        AS_IS,
    ),
    "BatchNormalization, depthwise": (
        f"a = {NORM}(x, ones, zeros, last_mean, variance) n = Conv<group=3>(a, ones_3111)",
        AS_IS,
    ),
    "Sub, diagonal Conv": ("a = Sub(x, mean) n = Conv<kernel_shape=[1,1]>(a, diagonal_3311)", AS_IS),
    "reversing Conv": ("g = Conv(x, reversing) a = Sub(g, mean) n = Div(a, std)", REVERSED),
    "ConvTranspose": ("n = ConvTranspose<group=3>(x, scales, shifts)", AS_IS),
    "diagonal MatMul": (
        "a = MatMul(x, diagonal) e = Add(a, shifts) n = Transpose<perm=[0,3,1,2]>(e)",
        LAST,
    ),
    "MatMul of places": ("a = Sub(x, mean) e = Div(a, std) h = MatMul(twice, e) n = Mul(h, half)", AS_IS),
    "diagonal Gemm": (
        """h = Reshape(x, rows) a = Gemm(h, diagonal, shifts) e = Reshape(a, pictures)
        n = Transpose<perm=[0,3,1,2]>(e)""",
        LAST,
    ),
    "made constants": (
        "m = Reshape(last_mean, column) v = Reshape(last_std, column) a = Sub(x, m) n = Div(a, v)",
        AS_IS,
    ),
    "Pad, Slice": (
        """a = Sub(x, mean) e = Pad(a, a_border) h = Slice(e, inner_starts, inner_ends, inner_axes)
        n = Div(h, std)""",
        AS_IS,
    ),
    "twice": (
        "e = Sub(x, one) h = Mul(e, half) i = Div(h, half) j = Add(i, one) a = Sub(j, mean) n = Div(a, std)",
        AS_IS,
    ),
    "Relu": ("h = Relu(x) a = Sub(h, mean) n = Div(a, std)", AS_IS),
}


def picture(samples: int = 2) -> np.ndarray:
    """Brighter from corner to corner, in sixty-fourths: normalised it is exact in float32."""
    rows, columns = np.mgrid[:12, :12]
    x = (rows + columns) / 24 + 0.2 * rng(5).random((samples, 3, 12, 12))
    return np.round(np.clip(x, 0, 1) * 64) / 64


def normal(x: np.ndarray) -> np.ndarray:
    return ((x - MEAN.reshape(COLUMN)) / STD.reshape(COLUMN)).astype(np.float32)


def given(x: np.ndarray, how: str) -> np.ndarray:
    """The picture as a form's model takes it."""
    if how == LAST:
        x = x.transpose(0, 2, 3, 1)
    x = x[:, ::-1] if how == REVERSED else x
    return np.ascontiguousarray(x * (255 if how == BYTES else 1), np.float32)


def back(relevance: np.ndarray, how: str) -> np.ndarray:
    """A form's map as (N, 3, 12, 12)."""
    if how == LAST:
        return relevance.transpose(0, 3, 1, 2)
    return relevance[:, ::-1] if how == REVERSED else relevance


def inside(form: str, body: str = BODY):
    front, how = FORMS[form]
    shape = "N,12,12,3" if how == LAST else "N,3,12,12"
    return parse(f"g (float[{shape}] x) => (float[N,3] y) {{ {front} {body}", **WEIGHTS, **CONSTANTS)


def outside(body: str = BODY):
    return parse(f"g (float[N,3,12,12] n) => (float[N,3] y) {{ {body}", **WEIGHTS)


def fed(how: str) -> Preprocess:
    """What bounds follow from: pixels of 0…1, or of 0…255."""
    layout = "NHWC" if how == LAST else "NCHW"
    return Preprocess(scale=1 if how == BYTES else 1 / 255, layout=layout)


def settings(composite: str, preprocess: Preprocess, **more) -> dict:
    return {"composite": composite, "preprocess": preprocess, "eps": 1e-4, **more}


OUTSIDE = Preprocess(scale=1 / 255, mean=tuple(MEAN), std=tuple(STD))
