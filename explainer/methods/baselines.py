"""Baselines: what stands for "nothing was there"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError
from ..model.told import Axes
from ..tensor import Array

# A number, one per channel, a sample or a batch, or "mean"; a dict has one per input, else 0.
Baseline: TypeAlias = "float | tuple[float, ...] | Array | str | Mapping[str, Any]"
MEAN = "mean"


def is_baseline(value: Any) -> bool:
    """Whether something is a baseline of some input: finite numbers, "mean", or a dict of them."""
    if isinstance(value, Mapping):
        return all(map(is_baseline, value.values()))
    if isinstance(value, str):
        return value == MEAN
    try:
        numbers = np.asarray(value)
    except ValueError:  # lists of different lengths
        return False
    return numbers.size > 0 and numbers.dtype.kind in "fiub" and bool(np.isfinite(numbers).all())


def channel_axis(name: str, x: Array, axes: Axes) -> int:
    """Where the batch `x` of input `name` has its channels, the samples in front.

    Raises
    ------
    InputError
        Nothing tells, or it has no channels beside places.
    """
    if axes.is_open:
        raise InputError(f"baseline: {untold(name, x.shape)}{f': {LAYOUT}' if x.ndim > 3 else ''}")
    if axes.channel is None or not axes.places:
        raise InputError(
            f"input {name!r} has shape {x.shape} and so no channels beside places; give one number for all"
        )
    return axes.channel


LAYOUT = "preprocess=Preprocess(layout='NHWC') or 'NCHW' (--layout) says it"


def untold(name: str, shape: Sequence[int | None]) -> str:
    """What is said of an input whose axes might be anything."""
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"input {name!r} has shape ({sizes}), and nothing tells which axis holds its channels"


def open_axes(name: str, shape: Sequence[int | None], option: str) -> str:
    """The same, and what to do where parts of it are to be hidden: an option that takes a number per axis."""
    said = f"{LAYOUT}; or " if len(shape) > 3 else ""
    axes = f"{option}= with a number for each of its {len(shape) - 1} axes, or " if option else ""
    return f"{untold(name, shape)}: {said}{axes}groups="


def origin_of(baseline: Baseline, name: str, x: Array, axes: Axes) -> Array:
    """A baseline as an array (1 or N, ...) in the shape of the samples of `x`, the batch of input `name`.

    Raises
    ------
    InputError
        It fits neither a sample, nor the batch, nor the channels, or is no value of the input's type.
    """
    value: Any = baseline.get(name, 0.0) if isinstance(baseline, Mapping) else baseline
    if isinstance(value, str):
        value = means(name, x, axes)
    elif np.ndim(value) == 1 and x.ndim > 2:
        # As NumPy broadcasts it, it would be one number per column.
        channel = channel_axis(name, x, axes)
        if len(value) != x.shape[channel]:
            raise InputError(
                f"baseline has {len(value)} numbers, input {name!r} has {x.shape[channel]} channels"
            )
        value = np.expand_dims(value, [axis for axis in range(x.ndim) if axis != channel])
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.asarray(value).astype(x.dtype)
    if x.dtype.kind in "iub" and (array != np.asarray(value)).any():
        raise InputError(f"baseline {baseline}: input {name!r} holds {x.dtype}, and none that is this")
    if axes.tokens and axes.table > 1 and not (np.abs(array + 0.5) < axes.table).all():
        raise InputError(f"baseline {baseline}: input {name!r} is looked up in a table of {axes.table} rows")
    samples = len(array) if array.ndim == x.ndim else 1
    try:
        if samples not in (1, len(x)):
            raise ValueError
        found = np.broadcast_to(array, (samples, *x.shape[1:]))
    except ValueError:
        raise InputError(
            f"baseline: shape {array.shape} is neither a number, nor one per channel, nor a sample or the "
            f"batch of input {name!r}, {x.shape}"
        ) from None
    if not np.isfinite(found).all():
        raise InputError(f"baseline {baseline} is beyond {x.dtype}")
    return found


def means(name: str, x: Array, axes: Axes) -> Array:
    """Each channel's mean over all places, in each sample itself; whole where the input is.

    Raises
    ------
    InputError
        It has no places, or its values are indices.
    """
    if axes.is_open:
        raise InputError(f"baseline: {untold(name, x.shape)}{f': {LAYOUT}' if x.ndim > 3 else ''}")
    if not axes.places or axes.tokens:
        what = "holds indices, which" if axes.tokens else "has no places that"
        raise InputError(
            f"baseline 'mean': input {name!r}, {x.shape}, {what} could be averaged; give a number"
        )
    mean: Array = x.mean(axes.places, dtype=np.float64, keepdims=True)
    return np.rint(mean) if x.dtype.kind in "iub" else mean


def origins_of(baseline: Baseline, feeds: Mapping[str, Array], axes: Mapping[str, Axes]) -> dict[str, Array]:
    """The baseline of every input of a batch, (1 or N, ...).

    Raises
    ------
    InputError
        See `origin_of`; or a dict names what is no input.
    """
    check_names(baseline, feeds)
    return {name: origin_of(baseline, name, x, axes[name]) for name, x in feeds.items()}


def check_names(baseline: Baseline, feeds: Mapping[str, Array]) -> None:
    """Refuse a dict that names what is no input.

    Raises
    ------
    InputError
    """
    if isinstance(baseline, Mapping) and (unknown := baseline.keys() - feeds.keys()):
        raise InputError(
            f"baseline: {', '.join(map(repr, sorted(unknown)))} is none of the inputs that are explained, "
            f"{', '.join(map(repr, feeds))}"
        )
