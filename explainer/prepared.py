"""What an explainer makes once and uses many times: plans, runners and scorers."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from .batches import Batches, Run
from .composites import Composite
from .gates import check_passable
from .graph import Graph
from .inputs import Given
from .methods import Method, Progress, Walk
from .plan import Plan
from .planning import plan_of, require_walk
from .question import Scorer, ask
from .runner import Runner
from .targets import Start, Target, conditioned_tensors


class Prepared:
    """Plans, runners and scorers of one model, each made when it is first asked for. Thread-safe.

    Parameters
    ----------
    graph : Graph
    composite : Composite
    keep : collection of str, or "all"
    method : Method
    dtype : numpy dtype
    engine : str
        See `Runner`.
    """

    def __init__(
        self,
        graph: Graph,
        composite: Composite,
        keep: Collection[str] | str,
        method: Method,
        dtype: np.dtype[Any],
        engine: str,
    ) -> None:
        self.graph, self.composite, self.keep = graph, composite, keep
        self.method, self.dtype, self.engine = method, dtype, engine
        self._plans: dict[tuple[Start, tuple[str, ...]], Plan] = {}
        self._runners: dict[Plan, Runner] = {}
        self._scorers: dict[Start, Scorer] = {}
        self._lock = threading.Lock()
        self._batches = Batches(graph)

    def plan(self, start: Start, conditioned: tuple[str, ...] = ()) -> Plan:
        """The plan from a start; `conditioned` tensors stay visible in it.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError
        """
        with self._lock:
            if (start, conditioned) not in self._plans:
                made = plan_of(self.graph, self.composite, start, self.keep, self.method, conditioned)
                self._plans[start, conditioned] = made
            return self._plans[start, conditioned]

    def runners(self, targets: Collection[Target]) -> dict[Start, Runner | None]:
        """A runner for every start, None where the method does not walk.

        All targets have the conditioned tensors of all in their plans: so they can share one.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError, ModelError
        """
        conditioned = conditioned_tensors(condition for target in targets for condition in target.conditions)
        if conditioned:
            require_walk("conditions", self.method)
        if not self.method.walks:
            return {target.where: None for target in targets}
        for target in targets:
            check_passable(self.plan(target.where, conditioned), target.conditions)
        return {target.where: self._runner(self.plan(target.where, conditioned)) for target in targets}

    def _runner(self, plan: Plan) -> Runner:
        with self._lock:
            if plan not in self._runners:
                self._runners[plan] = Runner(plan, self.dtype, self.engine)
            return self._runners[plan]

    def runs(
        self,
        runner: Runner | None,
        start: Start,
        given: Given,
        targets: Sequence[Target],
        progress: Progress | None,
    ) -> list[Run]:
        """What one batch gives for targets that have a start in common."""
        if runner is not None and isinstance(self.method, Walk):
            return self._batches.run(runner.run, given.feeds, targets)
        parts = (self.method, self._scorer(start), runner, self._batches, given)
        return [ask(*parts, target, progress) for target in targets]

    def _scorer(self, start: Start) -> Scorer:
        with self._lock:
            if start not in self._scorers:
                self._scorers[start] = Scorer(self.graph, start)
            return self._scorers[start]
