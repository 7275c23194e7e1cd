"""Convolution, its transpose and max pooling on NumPy arrays of any spatial rank."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .movement import Reshape, Slice, Transpose
from .symbol import Array, Value, primitive, with_fast_body

# Columns of one block of samples, in elements (64 MB of float32): bounds memory at large batches.
# From 4 to 256 MB made no difference in time (measured on ResNet-18 and VGG-16 at batch 8).
BLOCK = 1 << 24
# On small planes wider rows cost the matrix product more than contiguous sums save.
WIDER = 1.1


def _blocks(samples: int, columns: int) -> Iterator[slice]:
    step = max(1, BLOCK // max(columns, 1))
    return (slice(start, start + step) for start in range(0, samples, step))


def _span(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """The extent of a dilated kernel."""
    return [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]


def _at(where: Iterable[Any]) -> tuple[Any, ...]:
    """An index of the last axes."""
    return (Ellipsis, *where)


def _per_channel(w: Array, position: tuple[int, ...]) -> Array:
    """One weight per channel of a depthwise kernel, as it broadcasts to (N, C, *spatial)."""
    where: tuple[Any, ...] = (slice(None), 0, *position)
    return np.asarray(w[where].reshape(-1, *[1] * len(position)))


def _windows(x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Array:
    """A view (N, C, *output, *kernel) of all windows of `x`."""
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, _span(kernel, dilations), axis=axes)
    steps = [slice(None, None, step) for step in (*strides, *dilations)]
    return np.asarray(view[_at(steps)])


def _pad(x: Array, pads: Sequence[int], value: float = 0.0) -> Array:
    rank = x.ndim - 2
    if not any(pads):
        return x
    widths = [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)]
    return np.pad(x, widths, constant_values=value)


def _shifts(
    kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], output: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Every kernel position with the slices of the input that it meets."""
    for position in itertools.product(*map(range, kernel)):
        yield (
            position,
            tuple(
                slice(k * d, k * d + (size - 1) * step + 1, step)
                for k, d, size, step in zip(position, dilations, output, strides, strict=True)
            ),
        )


@primitive
def Conv(
    x: Value,
    w: Value,
    b: Value = None,
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
) -> Value:
    """ONNX Conv: x (N, C, *in), w (O, C/group, *kernel), b (O,); `pads` are begins, then ends."""
    x = _pad(x, pads)
    samples, channels = x.shape[:2]
    outputs, depth, *kernel = w.shape
    view = _windows(x, kernel, strides, dilations)
    sizes = view.shape[2 : x.ndim]
    if depth == 1 and outputs == channels == group:
        z = np.zeros((samples, outputs, *sizes), dtype=x.dtype)
        for position, where in _shifts(kernel, strides, dilations, sizes):
            z += _per_channel(w, position) * x[_at(where)]
    else:
        z = np.empty((samples, group, outputs // group, math.prod(sizes)), dtype=x.dtype)
        weight = w.reshape(group, outputs // group, -1)
        rank = len(kernel)
        order = (0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank))
        for block in _blocks(samples, channels * math.prod(kernel) * z.shape[-1]):
            columns = view[block].transpose(order).reshape(-1, group, weight.shape[-1], z.shape[-1])
            np.matmul(weight, columns, out=z[block])
        z = z.reshape(samples, outputs, *sizes)
    if b is not None:
        z += b.reshape(-1, *[1] * len(kernel))
    return z


@primitive
def ConvTranspose(
    x: Value,
    w: Value,
    b: Value = None,
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    output_padding: Sequence[int],
) -> Value:
    """ONNX ConvTranspose, the transpose of Conv: x (N, O, *out), w (O, C/group, *kernel)."""
    samples, _, *sizes = x.shape
    outputs, depth, *kernel = w.shape
    rank, channels = len(kernel), depth * group
    full = [
        (size - 1) * step + span + extra
        for size, step, span, extra in zip(
            sizes, strides, _span(kernel, dilations), output_padding, strict=True
        )
    ]
    if depth == 1 and outputs == group:
        z = np.zeros((samples, channels, *full), dtype=x.dtype)
        for position, where in _shifts(kernel, strides, dilations, sizes):
            z[_at(where)] += _per_channel(w, position) * x
    elif all(size == 1 for size in kernel) and full == sizes:
        weight = w.reshape(group, outputs // group, depth)
        z = np.matmul(weight.swapaxes(1, 2), x.reshape(samples, group, outputs // group, -1))
        z = z.reshape(samples, channels, *full)
    else:
        z = _spread(x, w, strides, dilations, group, full)
    crop = tuple(
        slice(begin, size - end) for begin, end, size in zip(pads[:rank], pads[rank:], full, strict=True)
    )
    z = z[_at(crop)]
    return z if b is None else z + b.reshape(-1, *[1] * rank)


@with_fast_body(ConvTranspose)
def transposed(
    s: Value,
    w: Value,
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    output_padding: Sequence[int],
) -> Value:
    """The transpose of Conv, in its terms: s (N, O, *out), w (O, C/group, *kernel).

    On symbols, where every stride is 1, it is a Conv with its kernels turned around: onnxruntime has
    blocked kernels for Conv and none for ConvTranspose (measured on ResNet-18: a gradient in 0.92 of
    the time), and turns constant weights around once, when it loads the file.
    """
    rank = len(strides)
    reach = [span - 1 for span in _span(w.shape[2:], dilations)]
    begins = [size - pad for size, pad in zip(reach, pads[:rank], strict=True)]
    ends = [size - pad + extra for size, pad, extra in zip(reach, pads[rank:], output_padding, strict=True)]
    if max(strides) > 1 or min(begins + ends) < 0:
        where = {"strides": strides, "pads": pads, "dilations": dilations}
        return ConvTranspose(s, w, group=group, output_padding=output_padding, **where)
    turned = _turned(w, group)
    return Conv(s, turned, strides=strides, pads=begins + ends, dilations=dilations, group=group)


def _turned(w: Value, group: int) -> Value:
    """Kernels (O, C/group, *kernel) read backwards, from outputs to inputs: (C, O/group, *kernel)."""
    outputs, depth, *kernel = w.shape
    rank = len(kernel)
    before_first, backwards = [-size - 1 for size in kernel], np.full(rank, -1)
    w = Slice(w, np.full(rank, -1), np.array(before_first), np.arange(2, 2 + rank), backwards)
    w = Reshape(w, np.array([group, outputs // group, depth, *kernel]))
    w = Transpose(w, perm=[0, 2, 1, *range(3, 3 + rank)])
    return Reshape(w, np.array([group * depth, outputs // group, *kernel]))


def _spread(
    x: Array, w: Array, strides: Sequence[int], dilations: Sequence[int], group: int, full: list[int]
) -> Array:
    """All kernel positions by one matrix product, then summed where they overlap (col2im)."""
    samples, _, *sizes = x.shape
    outputs, depth, *kernel = w.shape
    channels = depth * group
    places: list[tuple[slice, ...]]
    if all(step == 1 for step in strides) and math.prod(full[1:]) <= WIDER * math.prod(sizes[1:]):
        # On rows as wide as the result, a kernel position is one shift of the flattened plane:
        # contiguous sums, up to 1.7 times as fast as strided ones on 224 x 224 (measured).
        wider = [(0, wide - size) for wide, size in zip(full[1:], sizes[1:], strict=True)]
        x = np.pad(x, [(0, 0), (0, 0), (0, 0), *wider])
        pitch = [math.prod(full[axis + 1 :]) for axis in range(len(full))]
        plane, length = [math.prod(full)], math.prod(x.shape[2:])
        starts = [
            sum(k * d * p for k, d, p in zip(position, dilations, pitch, strict=True))
            for position in itertools.product(*map(range, kernel))
        ]
        # The last shifts run over the end, with zeros; there must be room for them.
        canvas = [starts[-1] + length]
        places, sizes = [(slice(start, start + length),) for start in starts], [length]
    else:
        plane = canvas = full
        places = [where for _, where in _shifts(kernel, strides, dilations, sizes)]
    z = np.zeros((samples, channels, *canvas), dtype=x.dtype)
    weight = w.reshape(group, outputs // group, -1).swapaxes(1, 2)
    x = x.reshape(samples, group, outputs // group, -1)
    columns = None  # its memory serves every block: fresh memory costs as much as filling it
    for block in _blocks(samples, group * weight.shape[1] * x.shape[-1]):
        part = x[block]
        columns = np.matmul(weight, part, out=None if columns is None else columns[: len(part)])
        pieces = columns.reshape(-1, channels, len(places), *sizes)
        for index, where in enumerate(places):
            z[block][_at(where)] += pieces[:, :, index]
    return np.asarray(z[_at(map(slice, plane))].reshape(samples, channels, *full))


@primitive
def MaxPool(
    x: Value,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> tuple[Array, Array]:
    """ONNX MaxPool with its indices into the flattened `x`; the first of equal maxima wins."""
    rank = x.ndim - 2
    span = _span(kernel_shape, dilations)
    sizes = [
        (size + begin + end - extent) // step + 1
        for size, begin, end, extent, step in zip(
            x.shape[2:], pads[:rank], pads[rank:], span, strides, strict=True
        )
    ]
    shifts = list(_shifts(kernel_shape, strides, dilations, sizes))
    best = np.full((*x.shape[:2], *sizes), -np.inf, dtype=x.dtype)
    winner = np.zeros(best.shape, dtype=np.min_scalar_type(len(shifts)))
    # One sample at a time stays in the cache: half the time at batch 8 (measured on ResNet-18).
    for sample, z, number_of in zip(x, best, winner, strict=True):
        padded = _pad(sample[np.newaxis], pads, -np.inf)[0]
        for number, (_, where) in enumerate(shifts):
            candidate = padded[_at(where)]
            # A later position that is better has the larger number: a maximum keeps it, and is ten
            # times as fast as a masked copy (measured).
            np.maximum(number_of, (candidate > z) * winner.dtype.type(number), out=number_of)
            np.maximum(z, candidate, out=z)
    pitch = [math.prod(x.shape[axis + 1 :]) for axis in range(2, x.ndim)]
    flat = np.array([np.dot(np.multiply(place, dilations), pitch) for place, _ in shifts])[winner]
    planes = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * rank)
    flat += planes * math.prod(x.shape[2:])
    for axis, (size, step, begin) in enumerate(zip(sizes, strides, pads[:rank], strict=True)):
        flat += ((np.arange(size) * step - begin) * pitch[axis]).reshape(-1, *[1] * (rank - 1 - axis))
    return best, flat
