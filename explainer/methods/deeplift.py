"""DeepLIFT: differences from a reference, handed back as multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..model.told import Axes
from ..tensor import Array, Value
from .base import Progress, missed
from .baselines import Baseline, origins_of
from .holding import Holding
from .question import Question, axes_of_feeds
from .trace import Trace


@dataclass(frozen=True)
class DeepLift(Holding):
    """(x − x')·m, m the product of the layers' Δout/Δin. Shrikumar et al. 2017, rescale rule.

    The sums are complete: they add up to f(x) − f(x'), f a value, a margin or a probability. A last
    Softmax or Sigmoid is rescaled as every other nonlinearity is (`explainer.layers.multipliers`).

    Parameters
    ----------
    baseline : float, tuple, array, "mean" or dict
        x': a number, one per channel, a sample or a batch; "mean", each channel's in the sample itself;
        a dict has one per input.
    hold
        See `Holding`.
    """

    composite: ClassVar[str] = "deeplift"
    dialect: ClassVar[str] = "captum"
    elsewhere: ClassVar[bool] = True

    baseline: Baseline = field(default=0.0, hash=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_baseline("baseline")

    def origins(self, feeds: Mapping[str, Array], axes: Mapping[str, Axes]) -> dict[str, Array]:
        """The baseline x' of every input, (1 or N, ...)."""
        return origins_of(self.baseline, feeds, axes)

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        origins = self.origins(question.feeds, question.axes)
        references = {name: np.broadcast_to(origins[name], x.shape) for name, x in question.feeds.items()}
        answers = question.attribute(question.feeds, np.arange(question.samples), references=references)
        return {name: self.scaled(x, origins[name], answers[name]) for name, x in question.feeds.items()}

    def delta(self, question: Question, found: Mapping[str, Array]) -> Array | None:
        return missed(question, self.baseline, found)

    def emit(self, trace: Trace) -> dict[str, Value]:
        inputs, held = self.parted(trace.inputs)
        examples = {name: trace.examples[name] for name in inputs}
        axes = axes_of_feeds(trace.plan.graph, examples, trace.layout)
        origins = trace.constants(self.origins(examples, axes))
        references = {name: x * 0 + origins[name] for name, x in inputs.items()}
        answers = trace.walk(references={**held, **references})
        return {name: x * 0 for name, x in held.items()} | {
            name: self.scaled(x, origins[name], answers[name]) for name, x in inputs.items()
        }

    def scaled(self, x: Value, origin: Value, multiplier: Value) -> Value:
        """The attribution, from what the walk handed to the input."""
        return (x - origin) * multiplier
