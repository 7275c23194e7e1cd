"""Methods that ask at many points: one loop, shared by all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..tensor import Array, Value
from .base import Baseline, Method, Problem, Progress, baseline_for


@dataclass(frozen=True)
class Sampling(Method):
    """The mean over K steps of what `value` makes of the walk's answer at `point`.

    `steps` gives the constants of each step, in arrays with one row per step. The rest is written
    in primitives, so that the loop can also be compiled into a model file.

    Parameters
    ----------
    batch_size : int
        How many points are asked at once: this bounds the memory, whatever the number of steps.
    """

    batch_size: int = field(default=8, kw_only=True)

    def __post_init__(self) -> None:
        self.require(self.batch_size >= 1, f"batch_size must be 1 or more, not {self.batch_size}")

    @property
    def origin(self) -> Baseline:
        """The baseline x', where the method has one."""
        return 0.0

    def steps(self, x: Array) -> dict[str, Array]:
        """The constants of every step for the input `x`: arrays (K, ...)."""
        raise NotImplementedError

    def point(self, x: Value, origin: Value, row: Mapping[str, Value]) -> Value:
        """Where the model is asked."""
        raise NotImplementedError

    def value(self, x: Value, origin: Value, row: Mapping[str, Value], point: Value, answer: Value) -> Value:
        """What a step adds to the mean; `answer` is what the walk handed to the point."""
        return answer

    def finish(self, x: Value, origin: Value, mean: Value, square: Value) -> Value:
        """The attribution, from the mean of the values and the mean of their squares."""
        return mean

    def __call__(self, problem: Problem, progress: Progress | None = None) -> dict[str, Array]:
        feeds = problem.feeds
        tables = {name: self.steps(x) for name, x in feeds.items()}
        origins = {name: baseline_for(self.origin, name, x) for name, x in feeds.items()}
        mean, square = ({name: np.zeros_like(x) for name, x in feeds.items()} for _ in range(2))
        count = _length(next(iter(tables.values())))
        total = problem.samples * count
        for begin in range(0, total, self.batch_size):
            asked = np.arange(begin, min(begin + self.batch_size, total))
            rows, steps = asked // count, asked % count
            cut = {name: {key: values[steps] for key, values in tables[name].items()} for name in feeds}
            ends = {name: origin[rows] if len(origin) > 1 else origin for name, origin in origins.items()}
            points = {name: self.point(x[rows], ends[name], cut[name]) for name, x in feeds.items()}
            answers = problem.attribute(points, rows)
            for name, x in feeds.items():
                value = self.value(x[rows], ends[name], cut[name], points[name], answers[name])
                np.add.at(mean[name], rows, value / count)
                np.add.at(square[name], rows, value * value / count)
            if progress is not None:
                progress(int(asked[-1]) + 1, total)
        return {name: self.finish(x, origins[name], mean[name], square[name]) for name, x in feeds.items()}


def _length(table: Mapping[str, Any]) -> int:
    return len(next(iter(table.values())))
