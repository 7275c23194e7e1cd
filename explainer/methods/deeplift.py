"""DeepLIFT: differences from a reference, handed back as multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..tensor import Array, Value, halves, joined
from .base import Baseline, Method, Problem, Progress, baseline_for, missed


@dataclass(frozen=True)
class DeepLift(Method):
    """(x − x')·m, m the product of the layers' Δout/Δin. Shrikumar et al. 2017, rescale rule.

    The sums are complete: they add up to f(x) − f(x').

    Parameters
    ----------
    baseline : float, tuple, array or dict
        x': a number, one per channel, a sample or a batch; a dict has one per input.
    """

    composite: ClassVar[str] = "deeplift"
    baseline: Baseline = field(default=0.0, hash=False)

    @property
    def origin(self) -> Baseline:
        """The baseline."""
        return self.baseline

    def __call__(self, problem: Problem, progress: Progress | None = None) -> dict[str, Array]:
        origins = {name: baseline_for(self.baseline, name, x) for name, x in problem.feeds.items()}
        feeds = {
            name: self.pair(x, np.broadcast_to(origins[name], x.shape)) for name, x in problem.feeds.items()
        }
        answers = problem.attribute(feeds, np.tile(np.arange(problem.samples), 2))
        return {name: self.read_pair(x, origins[name], answers[name]) for name, x in problem.feeds.items()}

    def delta(self, problem: Problem, found: Mapping[str, Array]) -> Array | None:
        return missed(problem, self.baseline, found)

    def pair(self, x: Value, origin: Value) -> Value:
        """The samples, and their references behind them: what the rescale rule walks on."""
        return joined(x, origin)

    def read_pair(self, x: Value, origin: Value, answer: Value) -> Value:
        """The attribution, from what the walk handed to the pair."""
        multiplier, _ = halves(answer)
        return (x - origin) * multiplier
