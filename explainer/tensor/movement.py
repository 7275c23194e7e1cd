"""Primitives that move values and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .symbol import Array, Value, primitive


@primitive
def Shape(x: Value) -> Value:
    """ONNX Shape: an int64 vector. On a symbol it is computed when the file runs: the batch stays free."""
    return np.array(x.shape, dtype=np.int64)


# The walk's own type, ONNX's TensorProto.FLOAT, and those that a model may take; and that of places.
FLOAT32 = 1
TYPES: dict[int, np.dtype[Any]] = {
    FLOAT32: np.dtype(np.float32),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    7: np.dtype(np.int64),
}


@primitive
def Cast(x: Value, *, to: int) -> Value:
    """ONNX Cast, to a type of floating point or of places."""
    if to not in TYPES:
        raise NotImplementedError("Cast: to floating point and int64 only")
    return np.asarray(x, dtype=TYPES[to])


def cast_to(dtype: np.dtype[Any], x: Value) -> Value:
    """`x` in another of these types, or as it is where it has that type."""
    return x if x.dtype == dtype else Cast(x, to=next(to for to, kind in TYPES.items() if kind == dtype))


@primitive
def Reshape(x: Value, shape: Value) -> Value:
    """ONNX Reshape: 0 copies a size, -1 is computed."""
    sizes = [x.shape[axis] if size == 0 else int(size) for axis, size in enumerate(shape)]
    return np.asarray(x.reshape(sizes))


@primitive
def Transpose(x: Value, *, perm: Sequence[int]) -> Value:
    """ONNX Transpose."""
    return np.transpose(x, perm)


@primitive
def Trilu(x: Value, k: Value, *, upper: int = 1) -> Value:
    """ONNX Trilu: what lies on and above the k-th diagonal of the last two axes, or on and below it."""
    return (np.triu if upper else np.tril)(x, int(k))


@primitive
def Gather(x: Value, indices: Value, *, axis: int) -> Value:
    """ONNX Gather along one axis; an index out of range is an error."""
    return np.take(x, indices, axis=axis)


@primitive
def Expand(x: Value, shape: Value) -> Value:
    """ONNX Expand: broadcast both ways; onnxruntime takes a shape of any rank."""
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(int(size) for size in np.ravel(shape))))


@primitive
def Concat(*values: Value, axis: int) -> Value:
    """ONNX Concat."""
    return np.concatenate(values, axis=axis)


@primitive
def Slice(x: Value, starts: Value, ends: Value, axes: Value, steps: Value) -> Value:
    """ONNX Slice; out-of-range bounds are clamped, as Python's are."""
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # A reversed slice that includes position 0 has no finite end in Python.
        stop = None if step < 0 and end <= -x.shape[axis] - 1 else int(end)
        index[int(axis)] = slice(int(start), stop, int(step))
    return np.asarray(x[tuple(index)])


@primitive
def Pad(x: Value, pads: Value, value: Value = None, *, mode: str = "constant") -> Value:
    """ONNX Pad: `pads` are all begins, then all ends; negative ones crop."""
    half = len(pads) // 2
    widths = [(max(int(a), 0), max(int(b), 0)) for a, b in zip(pads[:half], pads[half:], strict=True)]
    if mode == "constant":
        x = np.pad(x, widths, constant_values=0 if value is None else np.asarray(value).item())
    else:
        # ONNX and NumPy call reflect, edge and wrap alike; NumPy's annotation wants them spelt out.
        x = np.pad(x, widths, mode=mode)  # type: ignore[call-overload]
    crop = tuple(
        slice(max(-int(a), 0), size - max(-int(b), 0))
        for a, b, size in zip(pads[:half], pads[half:], x.shape, strict=True)
    )
    return np.asarray(x[crop])


@primitive
def GatherElements(x: Value, indices: Value, *, axis: int) -> Value:
    """ONNX GatherElements: one value for each index, along an axis."""
    return np.asarray(x[_elements(indices, axis, x.shape)])


@primitive
def GatherND(x: Value, indices: Value) -> Value:
    """ONNX GatherND: one value, or slice, for each vector of indices."""
    return np.asarray(x[tuple(np.moveaxis(indices, -1, 0))])


@primitive
def ScatterElements(data: Value, indices: Value, updates: Value, *, axis: int, reduction: str) -> Value:
    """ONNX ScatterElements, with reduction "none" or "add"."""
    if data.ndim == 1 and reduction == "add" and indices.min(initial=0) >= 0:  # ten times as fast
        sums = np.bincount(indices, weights=updates, minlength=data.size)
        return data + sums.astype(data.dtype)
    return _scattered(data, _elements(indices, axis, data.shape), updates, reduction)


@primitive
def ScatterND(data: Value, indices: Value, updates: Value, *, reduction: str) -> Value:
    """ONNX ScatterND, with reduction "none" or "add"."""
    return _scattered(data, tuple(np.moveaxis(indices, -1, 0)), updates, reduction)


def _elements(indices: Array, axis: int, shape: Sequence[int]) -> tuple[Array, ...]:
    """The index of every value that an index along an axis stands for."""
    if not indices.ndim:
        return ()
    grid = [np.asarray(one) for one in np.ogrid[tuple(map(slice, indices.shape))]]
    grid[axis] = indices % shape[axis]
    return tuple(grid)


def _scattered(data: Array, places: tuple[Array, ...], updates: Array, reduction: str) -> Array:
    """The data with updates put, or added, at places."""
    made = np.array(data)
    if reduction == "add":
        np.add.at(made, places, updates)
    elif reduction == "none":
        made[places] = updates
    else:
        raise NotImplementedError(f"scattering with reduction {reduction!r}: 'none' and 'add' only")
    return made


@primitive
def ReverseSequence(x: Value, lengths: Value, *, batch_axis: int, time_axis: int) -> Value:
    """ONNX ReverseSequence: the first steps of every sample, as many as its length, the last one first."""
    moved = np.moveaxis(np.array(x), (batch_axis, time_axis), (0, 1))
    for sample, length in zip(moved, lengths, strict=True):
        sample[:length] = sample[:length][::-1].copy()
    return np.moveaxis(moved, (0, 1), (batch_axis, time_axis))


@primitive
def ConstantOfShape(shape: Value, *, value: Array) -> Value:
    """ONNX ConstantOfShape; `value` is a one-element array."""
    return np.full(tuple(int(size) for size in shape), value.item(), dtype=value.dtype)


@primitive
def Unsqueeze(x: Value, axes: Value) -> Value:
    """ONNX Unsqueeze; axes count in the result."""
    return np.expand_dims(x, tuple(int(axis) for axis in np.ravel(axes)))


@primitive
def Squeeze(x: Value, axes: Value) -> Value:
    """ONNX Squeeze."""
    return np.squeeze(x, tuple(int(axis) for axis in axes))
