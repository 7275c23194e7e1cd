"""Elementwise primitives, reductions and the stabiliser."""

from __future__ import annotations

import numpy as np

from .symbol import Array, Value, primitive, with_fast_body


@primitive
def Where(condition: Value, a: Value, b: Value) -> Value:
    """ONNX Where: `a` where the condition holds, else `b`."""
    return np.asarray(np.where(condition, a, b))


@primitive
def Abs(x: Value) -> Value:
    """ONNX Abs."""
    return np.abs(x)


@primitive
def Sqrt(x: Value) -> Value:
    """ONNX Sqrt."""
    return np.sqrt(x)


@primitive
def Exp(x: Value) -> Value:
    """ONNX Exp."""
    return np.exp(x)


@primitive
def Log(x: Value) -> Value:
    """ONNX Log."""
    return np.log(x)


@primitive
def Tanh(x: Value) -> Value:
    """ONNX Tanh."""
    return np.tanh(x)


@primitive
def Sigmoid(x: Value) -> Value:
    """ONNX Sigmoid: 1 / (1 + exp(−x))."""
    e = np.exp(-np.abs(x))  # never overflows
    return np.asarray(np.where(x < 0, e, 1) / (1 + e), dtype=x.dtype)


@primitive
def Softmax(x: Value, *, axis: int) -> Value:
    """ONNX Softmax along one axis."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


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
def ArgMax(x: Value, *, axis: int = 0, keepdims: int = 1) -> Value:
    """ONNX ArgMax; the first of equal maxima."""
    return np.argmax(x, axis=axis, keepdims=bool(keepdims)).astype(np.int64)


def total(x: Value, samples: int) -> Value:
    """Σ over everything but the batch, in float64: an array (N,).

    A tensor whose leading axis is not a multiple of the batch cannot be told apart by sample:
    its sum is not a number.
    """
    if x.ndim == 0 or x.shape[0] % samples:
        return np.full(samples, np.sum(x, dtype=np.float64) if samples == 1 else np.nan)
    # NumPy sums pairwise: float32 partial sums cost half of float64 ones and lose no digit that counts.
    return np.sum(x.reshape(samples, -1), axis=1).astype(np.float64)


def inner(a: Array, b: Array) -> Array:
    """Σ a·b over everything but the first axis, without an array of products: (N, 1)."""
    rows = a.shape[0] if a.ndim else 1
    return np.asarray(np.einsum("ni,ni->n", a.reshape(rows, -1), b.reshape(rows, -1))[:, np.newaxis])


def sum_to(x: Value, shape: tuple[int, ...]) -> Value:
    """The transpose of broadcasting to `x`'s shape: sum over the axes that were spread."""
    lead = x.ndim - len(shape)
    spread = [axis + lead for axis, size in enumerate(shape) if size == 1 and x.shape[axis + lead] != 1]
    if spread:
        x = ReduceSum(x, np.array(spread, dtype=np.int64), keepdims=1)
    if lead:
        x = ReduceSum(x, np.arange(lead, dtype=np.int64), keepdims=0)
    return x


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
