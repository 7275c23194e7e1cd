"""What occlusion and RISE share: they change the input and ask the model again, without a walk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np

from ..errors import InputError
from ..tensor import Array

Progress = Callable[[int, int], None]


class Scored(Protocol):
    """What these methods need of a problem: a batch, and the number that is explained."""

    @property
    def feeds(self) -> Mapping[str, Array]:
        """The batch, by input name; the first axis counts samples."""

    @property
    def layout(self) -> str:
        """Where the inputs have their channels: "NCHW" or "NHWC"."""

    def score(self, feeds: dict[str, Array], rows: Array) -> Array:
        """The explained value (M,) of M changed samples; `rows` (M,) says which sample each was."""


@dataclass(frozen=True)
class Perturbing:
    """A method that changes parts of the input and asks the model again.

    Parameters
    ----------
    baseline : float, tuple of float or "mean"
        What a hidden pixel becomes, in the numbers that the model takes: one for all channels, one per
        channel, or the mean of each channel of the sample itself. Behind a preprocessing that
        subtracts the mean colour, 0 is that colour, not black.
    batch_size : int
        How many changed samples the model is given at once. Memory grows with it and with nothing else.

    Raises
    ------
    InputError
        An option is out of range.
    """

    baseline: float | tuple[float, ...] | str = field(default=0.0, kw_only=True)
    batch_size: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, list):
                object.__setattr__(self, option.name, tuple(value))
        numbers = self.baseline if isinstance(self.baseline, tuple) else (self.baseline,)
        self.require(
            numbers == ("mean",) or (len(numbers) > 0 and all(map(is_number, numbers))),
            f"baseline can be a finite number, one per channel, or 'mean'; not {self.baseline!r}",
        )
        self.require_whole("batch_size", self.batch_size)

    @classmethod
    def require(cls, condition: bool, reason: str) -> None:
        """Refuse an option or an input, with the reason."""
        if not condition:
            raise InputError(f"{cls.__name__.lower()}: {reason}")

    @classmethod
    def require_whole(cls, option: str, value: Any, least: int = 1) -> None:
        """Refuse what is not a whole number from `least` on."""
        cls.require(
            is_whole(value) and value >= least,
            f"{option} must be a whole number from {least} on, not {value!r}",
        )

    def channel_axis(self, problem: Scored, name: str) -> int:
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

    def baselines(self, problem: Scored, name: str) -> Array:
        """The baseline of every sample, shaped like the input (a view).

        Raises
        ------
        InputError
            There is not one number per channel, or one that the input's type cannot hold.
        """
        x, channel = problem.feeds[name], self.channel_axis(problem, name)
        if self.baseline == "mean":
            spatial = tuple(axis for axis in range(1, x.ndim) if axis != channel)
            return np.broadcast_to(x.mean(spatial, dtype=np.float64, keepdims=True).astype(x.dtype), x.shape)
        with np.errstate(over="ignore"):
            values = np.atleast_1d(np.asarray(self.baseline, dtype=np.float64)).astype(x.dtype)
        self.require(bool(np.isfinite(values).all()), f"baseline {self.baseline} is beyond {x.dtype}")
        self.require(
            len(values) in (1, x.shape[channel]),
            f"baseline has {len(values)} numbers, input {name!r} has {x.shape[channel]} channels",
        )
        shape = [1] * x.ndim
        shape[channel] = len(values)
        return np.broadcast_to(values.reshape(shape), x.shape)

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
