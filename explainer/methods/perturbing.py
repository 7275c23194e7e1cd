"""What occlusion and RISE share: they change the input and ask the model again, without a walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import ClassVar

import numpy as np

from ..tensor import Array
from .base import Method, Progress
from .baselines import Baseline, channel_axis, origins_of
from .question import Question


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
    elsewhere: ClassVar[bool] = True

    baseline: Baseline = field(default=0.0, kw_only=True, hash=False)
    batch_size: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, list):
                object.__setattr__(self, option.name, tuple(value))
        self.require_baseline("baseline")
        self.require_whole("batch_size")

    @property
    def walks(self) -> bool:
        return False

    def repeats(self, x: Array) -> bool:
        return True  # all channels of a place are hidden together

    def channel_axis(self, question: Question, name: str) -> int:
        """Where an input has its channels, the sample axis counted.

        Raises
        ------
        InputError
            The input has no spatial axes.
        """
        return channel_axis(name, question.feeds[name], question.layout)

    def origins(self, question: Question) -> dict[str, Array]:
        """The baseline of every sample of every input, in the input's shape.

        Raises
        ------
        InputError
            It does not fit an input, or its type.
        """
        found = origins_of(self.baseline, question.feeds, question.layout)
        return {name: np.broadcast_to(found[name], x.shape) for name, x in question.feeds.items()}

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
