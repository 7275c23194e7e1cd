"""Methods of one walk from the input itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..composites import Composite
from ..inputs.feeds import Batch
from ..model.graph import Graph
from ..plan import Plan, make_plan
from ..targets import Anchor, Target
from ..tensor import Array, Value
from ..walk.runs import Run
from ..walk.walker import Walkers
from .base import Method, Progress
from .question import Question
from .trace import Trace


@dataclass(frozen=True)
class Single(Method):
    """What `read` makes of one walk from the input itself."""

    single: ClassVar[bool] = True

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        answers = question.attribute(question.feeds, np.arange(question.samples))
        return {name: self.read(x, answers[name]) for name, x in question.feeds.items()}

    def emit(self, trace: Trace) -> dict[str, Value]:
        relevance = trace.walk()
        return relevance | {name: self.read(x, relevance[name]) for name, x in trace.inputs.items()}


@dataclass(frozen=True)
class Walk(Single):
    """One walk by a composite: LRP, or whatever the composite's rules make of it."""

    composite: ClassVar[str] = ""
    keeps: ClassVar[bool] = True

    def plan(
        self,
        graph: Graph,
        composite: Composite,
        anchor: Anchor,
        keep: Collection[str] | str = (),
        conditioned: Collection[str] = (),
    ) -> Plan:
        return make_plan(graph, composite, anchor, keep, conditioned)

    def answer(
        self, walkers: Walkers, given: Batch, targets: Sequence[Target], progress: Progress | None = None
    ) -> list[Run]:
        return walkers.one(given.feeds, targets)  # all behind one forward pass

    def conserves(self, plan: Plan) -> bool:
        return not plan.gradient


@dataclass(frozen=True)
class InputXGradient(Single):
    """x · ∂f/∂x. Shrikumar et al. 2016."""

    def read(self, x: Value, answer: Value) -> Value:
        return x * answer
