"""What occlusion and RISE share: they change the input and ask the model again, without a walk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from ..tensor import Array
from .base import Baseline, Method, Problem, Progress, baseline_for

MEAN = "mean"


@dataclass(frozen=True)
class Perturbing(Method):
    """A method that changes parts of the input and asks the model again.

    Parameters
    ----------
    baseline : float, tuple, array, dict or "mean"
        What a hidden pixel becomes, in the numbers that the model takes: a number, one per channel, a
        sample or a batch; "mean" is each channel's mean in the sample itself; a dict has one per input.
        Behind a preprocessing that subtracts the mean colour, 0 is that colour, not black.
    batch_size : int
        How many changed samples the model is given at once: this bounds the memory.

    Raises
    ------
    InputError
        An option is out of range.
    """

    composite: ClassVar[str] = ""
    walks: ClassVar[bool] = False

    baseline: Baseline | str = field(default=0.0, kw_only=True, hash=False)
    batch_size: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, list):
                object.__setattr__(self, option.name, tuple(value))
        values = self.baseline.values() if isinstance(self.baseline, Mapping) else [self.baseline]
        self.require(
            all(map(_is_baseline, values)),
            f"baseline can be a finite number, one per channel, an array or 'mean'; not {self.baseline!r}",
        )
        self.require_whole("batch_size", self.batch_size)

    def require_whole(self, option: str, value: Any, least: int = 1) -> None:
        """Refuse what is not a whole number from `least` on."""
        self.require(
            is_whole(value) and value >= least,
            f"{option} must be a whole number from {least} on, not {value!r}",
        )

    def channel_axis(self, problem: Problem, name: str) -> int:
        """Where an input has its channels, the sample axis counted.

        Raises
        ------
        InputError
            The input has no spatial axes.
        """
        shape = problem.feeds[name].shape
        self.require(
            len(shape) >= 3,
            f"input {name!r} has shape {shape} and so no spatial axes, only samples and channels; take a "
            "method that needs no image, such as 'gradient'",
        )
        return len(shape) - 1 if problem.layout == "NHWC" else 1

    def origin(self, problem: Problem, name: str) -> Array:
        """The baseline of every sample of an input, in its shape.

        Raises
        ------
        InputError
            It does not fit the input, or its type.
        """
        x, channel = problem.feeds[name], self.channel_axis(problem, name)
        value: Any = self.baseline.get(name, 0.0) if isinstance(self.baseline, Mapping) else self.baseline
        if isinstance(value, str):
            spatial = tuple(axis for axis in range(1, x.ndim) if axis != channel)
            value = x.mean(spatial, dtype=np.float64, keepdims=True)
        elif np.ndim(value) == 1:
            self.require(
                len(value) == x.shape[channel],
                f"baseline has {len(value)} numbers, input {name!r} has {x.shape[channel]} channels",
            )
            value = np.expand_dims(value, [axis for axis in range(x.ndim) if axis != channel])
        with np.errstate(over="ignore"):
            found = np.broadcast_to(baseline_for(value, name, x), x.shape)
        self.require(bool(np.isfinite(found).all()), f"baseline {self.baseline} is beyond {x.dtype}")
        return found

    def pairs(self, samples: int, changes: int, progress: Progress | None) -> Iterator[tuple[Array, Array]]:
        """Every sample with every change to it, in batches: (rows, changes), sample after sample.

        A batch may reach from one sample into the next, so that only the last one is not full.
        `progress(done, total)` is called when a batch has been dealt with.
        """
        total = samples * changes
        for first in range(0, total, self.batch_size):
            last = min(first + self.batch_size, total)
            rows, which = np.divmod(np.arange(first, last), changes)
            yield rows, which
            if progress is not None:
                progress(last, total)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of Python or of NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return is_whole(value) or (isinstance(value, float | np.floating) and math.isfinite(value))


def _is_baseline(value: Any) -> bool:
    if isinstance(value, str):
        return value == MEAN
    numbers = np.asarray(value)
    return numbers.size > 0 and numbers.dtype.kind in "fiu" and bool(np.isfinite(numbers).all())
