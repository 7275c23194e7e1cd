"""What an explainer makes once and uses many times: plans, runners and scorers."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from .composites import Composite
from .inputs.feeds import Batch
from .methods import Method, Progress, Walk
from .methods.planning import plan_of, require_walk
from .methods.question import Scorer, ask
from .model.graph import Graph
from .plan import Plan
from .targets import Anchor, Target, conditioned_tensors
from .walk.batches import Batches, Run, RunTargets
from .walk.gates import check_passable
from .walk.runner import Runner


def _by_onnxruntime(runner: Runner, must: bool) -> RunTargets:
    """The same with the walk in onnxruntime; what it needs is loaded when it is first asked for."""
    from .compiler.engine import Engine

    return Engine(runner, must).run


class Prepared:
    """Plans, runners and scorers of one model, each made when it is first asked for. Thread-safe.

    Parameters
    ----------
    graph : Graph
    composite : Composite
    keep : collection of str, or "all"
    method : Method
    dtype : numpy dtype
    engine, audit
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
        audit: bool = True,
    ) -> None:
        self.graph, self.composite, self.keep = graph, composite, keep
        self.method, self.dtype, self.engine, self.audit = method, dtype, engine, audit
        self._plans: dict[tuple[Anchor, tuple[str, ...]], Plan] = {}
        self._runners: dict[Plan, Runner] = {}
        self._scorers: dict[Anchor, Scorer] = {}
        self._lock = threading.Lock()
        self._batches = Batches(graph)

    def plan(self, anchor: Anchor, conditioned: tuple[str, ...] = ()) -> Plan:
        """The plan from a anchor; `conditioned` tensors stay visible in it.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError
        """
        with self._lock:
            if (anchor, conditioned) not in self._plans:
                made = plan_of(self.graph, self.composite, anchor, self.keep, self.method, conditioned)
                self._plans[anchor, conditioned] = made
            return self._plans[anchor, conditioned]

    def runners(self, targets: Collection[Target]) -> dict[Anchor, Runner | None]:
        """A runner for every anchor, None where the method does not walk.

        All targets have the conditioned tensors of all in their plans: so they can share one.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError, ModelError
        """
        conditioned = conditioned_tensors(condition for target in targets for condition in target.conditions)
        if conditioned:
            require_walk("conditions", self.method)
        if not self.method.walks:
            return {target.anchor: None for target in targets}
        for target in targets:
            check_passable(self.plan(target.anchor, conditioned), target.conditions)
        return {target.anchor: self._runner(self.plan(target.anchor, conditioned)) for target in targets}

    def _runner(self, plan: Plan) -> Runner:
        with self._lock:
            if plan not in self._runners:
                self._runners[plan] = Runner(plan, self.dtype, self.engine, _by_onnxruntime, self.audit)
            return self._runners[plan]

    def runs(
        self,
        runner: Runner | None,
        anchor: Anchor,
        given: Batch,
        targets: Sequence[Target],
        progress: Progress | None,
    ) -> list[Run]:
        """What one batch gives for targets that have a anchor in common."""
        if runner is not None and isinstance(self.method, Walk):
            return self._batches.run(runner.run, given.feeds, targets)
        parts = (self.method, self._scorer(anchor), runner, self._batches, given)
        return [ask(*parts, target, progress) for target in targets]

    def _scorer(self, anchor: Anchor) -> Scorer:
        with self._lock:
            if anchor not in self._scorers:
                self._scorers[anchor] = Scorer(self.graph, anchor)
            return self._scorers[anchor]
