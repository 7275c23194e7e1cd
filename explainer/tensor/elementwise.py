"""Elementwise primitives, reductions and the stabiliser."""

from __future__ import annotations

import functools
import math

import numpy as np

from .convolution import MaxPool
from .curves import Abs, Sqrt
from .movement import FLOAT32, Cast, Concat, Reshape, Slice, Transpose
from .symbol import Array, Bundle, Value, primitive, with_fast_body


@primitive
def Where(condition: Value, a: Value, b: Value) -> Value:
    """ONNX Where: `a` where the condition holds, else `b`."""
    return np.asarray(np.where(condition, a, b))


@primitive
def Softmax(x: Value, *, axis: int) -> Value:
    """ONNX Softmax along one axis."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@primitive
def LogSoftmax(x: Value, *, axis: int) -> Value:
    """ONNX LogSoftmax along one axis."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@primitive
def Relu(x: Value) -> Value:
    """ONNX Relu: max(x, 0)."""
    return np.maximum(x, 0)


@primitive
def Max(a: Value, b: Value) -> Value:
    """ONNX Max of two."""
    return np.maximum(a, b)


@primitive
def Min(a: Value, b: Value) -> Value:
    """ONNX Min of two."""
    return np.minimum(a, b)


@primitive
def ReduceSum(x: Value, axes: Value, *, keepdims: int = 1) -> Value:
    """ONNX ReduceSum over `axes`."""
    return np.asarray(np.sum(x, axis=tuple(int(axis) for axis in axes), keepdims=bool(keepdims)))


@primitive
def Einsum(*operands: Value, equation: str) -> Value:
    """ONNX Einsum: products, summed along the axes whose letters the output lacks."""
    # Matrix products, in place of loops: a fifth of the time for the scores of an attention (measured).
    return np.asarray(np.einsum(equation, *operands, optimize=True))


@primitive
def CumSum(x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Value:
    """ONNX CumSum: of all before and with each, or after and with it."""
    x = np.moveaxis(x, int(axis), -1)
    x = x[..., ::-1] if reverse else x
    z = np.cumsum(x, axis=-1, dtype=x.dtype)
    z = np.concatenate([np.zeros_like(z[..., :1]), z[..., :-1]], axis=-1) if exclusive else z
    return np.moveaxis(z[..., ::-1] if reverse else z, -1, int(axis))


@primitive
def ArgMax(x: Value, *, axis: int = 0, keepdims: int = 1) -> Value:
    """ONNX ArgMax; the first of equal maxima."""
    return np.argmax(x, axis=axis, keepdims=bool(keepdims)).astype(np.int64)


def total(x: Value, samples: int) -> Array:
    """Σ over everything but the batch, in float64: an array (N,).

    A tensor whose leading axis is not a multiple of the batch cannot be told apart by sample:
    its sum is not a number.
    """
    if x.ndim == 0 or x.shape[0] % samples:
        return np.full(samples, np.sum(x, dtype=np.float64) if samples == 1 else np.nan)
    # NumPy sums pairwise: float32 partial sums cost half of float64 ones and lose no digit that counts.
    return np.asarray(np.sum(x.reshape(samples, -1), axis=1), dtype=np.float64)


def total_of_products(a: Array, b: Array, samples: int) -> Array:
    """Σ a·b over everything but the batch, without an array of products: (N,), in float64; see `total`."""
    if a.ndim == 0 or a.shape[0] % samples:
        return total(a * b, samples)
    pairs = zip(a.reshape(samples, -1), b.reshape(samples, -1), strict=True)
    return np.array([np.dot(x, y) for x, y in pairs], dtype=np.float64)


def dot(a: Array, b: Array) -> Array:
    """Σ a·b over everything but the first two axes, of which one holds the samples: (N, C)."""
    lead = _lead(a)
    rows = math.prod(lead)
    return np.asarray(np.einsum("ni,ni->n", a.reshape(rows, -1), b.reshape(rows, -1))).reshape(lead)


def _lead(x: Array) -> tuple[int, int]:
    return (x.shape[0] if x.ndim else 1), (x.shape[1] if x.ndim > 1 else 1)


def summed_products(a: Value, b: Value) -> Array:
    """Σ a·b over everything but the first two axes, (N, C), or but the first, (N, 1), of unlike Bundles."""
    if isinstance(a, Bundle):
        return functools.reduce(added, map(summed_products, a, b))
    return dot(a, b)


def added(a: Array, b: Array) -> Array:
    """a + b, each (N, C); summed over C where they have other numbers of them."""
    return a + b if a.shape == b.shape else a.sum(axis=1, keepdims=True) + b.sum(axis=1, keepdims=True)


def finite(x: Value) -> Value:
    """x, and 0 where it is infinite: what a mask of −∞ is to a sum; of a Bundle, each member's."""
    if isinstance(x, Bundle):
        return Bundle(map(finite, x))
    if x.dtype.kind != "f":
        return x
    return Where(Abs(x) > x.dtype.type(np.finfo(x.dtype).max), x.dtype.type(0), x)


def ordinary(x: Value) -> Value:
    """x, and 0 where it is infinite or no number."""
    return Where(Abs(x) < np.inf, x, x.dtype.type(0))


def summed(x: Array) -> Array:
    """Σ over everything but the first two axes: (N, C)."""
    return np.asarray(np.sum(x.reshape(*_lead(x), -1), axis=2))


def sum_to(x: Value, shape: tuple[int, ...]) -> Value:
    """The transpose of broadcasting to `x`'s shape: sum over the axes that were spread."""
    lead = x.ndim - len(shape)
    spread = [axis + lead for axis, size in enumerate(shape) if size == 1 and x.shape[axis + lead] != 1]
    if spread:
        x = ReduceSum(x, np.array(spread, dtype=np.int64), keepdims=1)
    if lead:
        x = ReduceSum(x, np.arange(lead, dtype=np.int64), keepdims=0)
    return x


def positive(x: Value) -> Value:
    """x⁺ = max(x, 0); of a Bundle, each member's."""
    return Bundle(map(positive, x)) if isinstance(x, Bundle) else Relu(x)


def negative(x: Value) -> Value:
    """x⁻ = min(x, 0); of a Bundle, each member's."""
    return Bundle(map(negative, x)) if isinstance(x, Bundle) else Min(x, 0)


def ones_like(x: Value) -> Value:
    """1 in the shape of x; of a Bundle, each member's."""
    return Bundle(map(ones_like, x)) if isinstance(x, Bundle) else x * 0 + 1


def by_sign(x: Value, a: Value, b: Value) -> Value:
    """`b` where x is negative, else `a`; of a Bundle, each member's."""
    if isinstance(x, Bundle):
        return Bundle(map(by_sign, x, a, b))
    return Where(x < 0, b, a)


def per_channel(values: float | tuple[float, ...], x: Value) -> Value:
    """A number as it is; one per channel as they broadcast to x, channels on axis 1."""
    if not isinstance(values, tuple):
        return values
    return np.array(values, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 2))


def _maximum(x: Array, axes: Array) -> Array:
    return np.asarray(x.max(axis=tuple(int(axis) for axis in axes), keepdims=True))


@with_fast_body(_maximum)
def maximum(x: Value, axes: Array) -> Value:
    """The largest along some axes, counted from the front, as it broadcasts to x."""
    # ReduceMax takes its axes as an attribute in some opsets and as an input in others; a pool does not.
    kept, size = [axis for axis in range(x.ndim) if axis not in axes], math.prod(x.shape[a] for a in axes)
    flat = Reshape(Transpose(x, perm=[*kept, *map(int, axes)]), np.array([-1, 1, size]))
    top, _ = MaxPool(flat, kernel_shape=[size], strides=[1], pads=[0, 0], dilations=[1])
    sizes = [-1 if axis == 0 else x.shape[axis] for axis in range(x.ndim)]
    return Reshape(top, np.array([sizes[axis] if axis in kept else 1 for axis in range(x.ndim)]))


def _multiplied(x: Array, axes: Array) -> Array:
    return np.asarray(x.prod(axis=tuple(int(axis) for axis in axes), keepdims=True))


@with_fast_body(_multiplied)
def multiplied(x: Value, axes: Array) -> Value:
    """The product along some axes, counted from the front, as it broadcasts to x."""
    # ReduceProd takes its axes in either way too; halves are multiplied until one value is left.
    kept, size = [axis for axis in range(x.ndim) if axis not in axes], math.prod(x.shape[a] for a in axes)
    left = Reshape(Transpose(x, perm=[*kept, *map(int, axes)]), np.array([-1, size]))
    one = np.array([1])
    while size > 1:
        half = size // 2
        parts = [Slice(left, one * at, one * (at + half), one, one) for at in (0, half)]
        odd = [Slice(left, one * (2 * half), one * size, one, one)] if size % 2 else []
        left = Concat(parts[0] * parts[1], *odd, axis=1) if odd else parts[0] * parts[1]
        size = half + len(odd)
    sizes = [-1 if axis == 0 else x.shape[axis] for axis in range(x.ndim)]
    return Reshape(left, np.array([sizes[axis] if axis in kept else 1 for axis in range(x.ndim)]))


def gauss_legendre(n: int) -> list[tuple[float, float]]:
    """n places on [0, 1] and their weights, exact for polynomials of degree 2n − 1."""
    places, weights = np.polynomial.legendre.leggauss(n)
    return [(float(at + 1) / 2, float(w) / 2) for at, w in zip(places, weights, strict=True)]


def largest(x: Value) -> Value:
    """The largest value of each sample, as it broadcasts to x."""
    return maximum(x, np.arange(1, x.ndim))


def smallest(x: Value) -> Value:
    """The smallest value of each sample, as it broadcasts to x."""
    return -largest(-x)


def root_mean_square(z: Value) -> Value:
    """√(mean z²) of each sample, as it broadcasts to z."""
    axes = np.arange(1, z.ndim)
    return Sqrt(ReduceSum(z * z, axes, keepdims=1) / math.prod(z.shape[1:]))


def _above(x: Array, at: Value) -> Array:
    # where() takes ten times as long (measured).
    return np.asarray(x > at).astype(x.dtype)


@with_fast_body(_above)
def above(x: Value, at: Value) -> Value:
    """1 where x exceeds `at`, else 0, in the type of x: the derivative of max(x, at)."""
    return Cast(x > at, to=FLOAT32)  # two thirds of the time of Where in onnxruntime (measured)


def _signed_epsilon(z: Array, eps: float) -> Array:
    # where() takes ten times as long, copysign() twice, and it takes -0 for negative (measured).
    sign = np.asarray((z >= 0) * z.dtype.type(2 * eps))
    sign -= z.dtype.type(eps)
    return sign


@with_fast_body(_signed_epsilon)
def signed_epsilon(z: Value, eps: float) -> Value:
    """sign(z)·ε with sign(0) = +1."""
    eps = z.dtype.type(eps)
    return Where(z < z.dtype.type(0), -eps, eps)


def _stabilize(z: Array, eps: float, *, signed: bool = True) -> Array:
    if not signed:
        return np.asarray(z + z.dtype.type(eps))
    stabilized = _signed_epsilon(z, eps)
    stabilized += z
    return stabilized


@with_fast_body(_stabilize)
def stabilize(z: Value, eps: float, *, signed: bool = True) -> Value:
    """st(z) = z + sign(z)·ε with sign(0) = +1 (Bach et al. 2015, eq. 58).

    `signed=False` is for values that are known not to be negative: z + ε is the same with less work.
    """
    return z + (signed_epsilon(z, eps) if signed else z.dtype.type(eps))


def _share(z: Array, eps: float, *, signed: bool = True) -> Array:
    size = np.abs(z) if signed else z
    below = np.asarray(size + z.dtype.type(eps))
    return np.asarray(np.divide(size, below, out=below))


@with_fast_body(_share)
def share(z: Value, eps: float, *, signed: bool = True) -> Value:
    """z / st(z) = |z| / (|z| + ε), from 0 to 1; `signed=False` is z / (z + ε)."""
    size = Abs(z) if signed else z
    return size / (size + z.dtype.type(eps))
