"""Methods that ask at many points: one loop, shared by all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..model.told import Axes
from ..tensor import Array, Value
from .base import Progress
from .baselines import origins_of
from .holding import Holding
from .question import Question, axes_of_feeds
from .trace import Asked, Trace, Values


class Moments:
    """The mean of values, and the mean of their squares if that is wanted, in float64.

    Parameters
    ----------
    samples : int
    count : int
        How many values each sample will have.
    squares : bool
    """

    def __init__(self, samples: int, count: int, squares: bool) -> None:
        self.samples, self.count, self.squares = samples, count, squares
        self.mean: dict[str, Array] = {}
        self.square: dict[str, Array] = {}

    def add(self, name: str, value: Array, rows: Array) -> None:
        """Add values (M, ...) of input `name`; `rows` (M,), ascending, says of which sample each is."""
        value = value.astype(np.float64)
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        terms = [(self.mean, value), *([(self.square, value * value)] if self.squares else [])]
        for sums, term in terms:
            if name not in sums:
                sums[name] = np.zeros((self.samples, *value.shape[1:]))
            sums[name][rows[begins]] += np.add.reduceat(term, begins, axis=0) / self.count


@dataclass(frozen=True)
class Sampling(Holding):
    """The mean over K points of what `value` makes of the walk's answer at `point`.

    `table` gives the constants of each point, in arrays with one row per point. The rest is written
    in primitives, so that the loop can also be compiled into a model file.

    Parameters
    ----------
    batch_size : int
        How many points are asked at once: this bounds the memory, whatever the number of points.
    hold
        See `Holding`.
    """

    elsewhere: ClassVar[bool] = True

    batch_size: int = field(default=8, kw_only=True)

    @property
    def squares(self) -> bool:
        """Whether the mean of the squares is looked at."""
        return False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("batch_size")

    def origins(self, feeds: Mapping[str, Array], axes: Mapping[str, Axes]) -> dict[str, Array]:
        """The baseline x' of every input, (1 or N, ...); 0 where the method has none."""
        return origins_of(0.0, feeds, axes)

    @property
    def count(self) -> int:
        """K."""
        raise self.wrong("has no count, how many points there are")

    def briefly(self) -> Sampling:
        """The same method with few points, to try out what is made of it."""
        raise self.wrong("has no briefly(self), the same with few points")

    def table(self, name: str, x: Array, axes: Axes) -> dict[str, Array]:
        """The constants of every point for input `name`, whose batch is `x`: arrays (K, ...)."""
        raise self.wrong("has no table(self, name, x, axes), the constants of every point")

    def point(self, x: Value, origin: Value, row: Mapping[str, Value]) -> Value:
        """Where the model is asked."""
        raise self.wrong("has no point(self, x, origin, row), where the model is asked")

    def value(self, x: Value, origin: Value, row: Mapping[str, Value], point: Value, answer: Value) -> Value:
        """What a point adds to the mean; `answer` is what the walk handed to the point."""
        return answer

    def finish(self, x: Value, origin: Value, mean: Value, square: Value) -> Value:
        """The attribution, from the mean of the values and, if there are `squares`, that of theirs."""
        return mean

    def shifts(self, trace: Trace) -> Values:
        """What is added to the values in a file, by input name, where `finish` does not change by it.

        A file sums in float32: the variance of values that hardly differ would be lost in their squares.
        """
        return {}

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        feeds = question.feeds
        tables = {name: self.table(name, x, question.axes[name]) for name, x in feeds.items()}
        origins = self.origins(feeds, question.axes)
        sums = Moments(question.samples, self.count, self.squares)
        total = question.samples * self.count
        for begin in range(0, total, self.batch_size):
            rows, places = np.divmod(np.arange(begin, min(begin + self.batch_size, total)), self.count)
            cut = {name: {key: values[places] for key, values in tables[name].items()} for name in feeds}
            ends = {name: origin[rows] if len(origin) > 1 else origin for name, origin in origins.items()}
            points = {name: self.point(x[rows], ends[name], cut[name]) for name, x in feeds.items()}
            answers = question.attribute(points, rows, points=total)
            for name, x in feeds.items():
                value = self.value(x[rows], ends[name], cut[name], points[name], answers[name])
                sums.add(name, value, rows)
            if progress is not None:
                progress(begin + len(rows), total)
        return self.finished(feeds, origins, sums)

    def emit(self, trace: Trace) -> dict[str, Value]:
        inputs, held = self.parted(trace.inputs)
        examples = {name: trace.examples[name] for name in inputs}
        axes = axes_of_feeds(trace.plan.graph, examples, trace.layout)
        tables = {name: self.table(name, x, axes[name]) for name, x in examples.items()}
        origins = trace.constants(self.origins(examples, axes))
        shifts = self.shifts(trace)

        def terms(rows: Mapping[str, Values], ask: Asked) -> dict[str, dict[str, Value]]:
            points = {name: self.point(x, origins[name], rows[name]) for name, x in inputs.items()}
            answers, found = ask({**held, **points}), {}
            for name, x in inputs.items():
                value = self.value(x, origins[name], rows[name], points[name], answers[name])
                value = value + shifts[name] if name in shifts else value
                found[name] = {"mean": value} | ({"square": value * value} if self.squares else {})
            return found

        means = trace.mean(self.count, tables, terms)
        return {name: x * 0 for name, x in held.items()} | {
            name: self.finish(x, origins[name], means[name]["mean"], means[name].get("square"))
            for name, x in inputs.items()
        }

    def finished(
        self, feeds: Mapping[str, Array], origins: Mapping[str, Array], sums: Moments
    ) -> dict[str, Array]:
        """The attributions of all inputs, in the type of each."""
        return {
            name: self.finish(x, origins[name], sums.mean[name], sums.square.get(name)).astype(x.dtype)
            for name, x in feeds.items()
        }
