"""What an explainer makes once and uses many times: plans, runners and scorers."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

import numpy as np

from .composites import Composite
from .errors import InputError
from .gates import check_passable
from .graph import Graph
from .methods import Method, Walk
from .plan import Plan
from .planning import plan_of
from .question import Scorer
from .runner import Runner
from .targets import Start, Target, names_of


class Prepared:
    """Plans, runners and scorers of one model, each made when it is first asked for. Thread-safe.

    Parameters
    ----------
    graph : Graph
    composite : Composite
    keep : collection of str, or "all"
    method : Method
    dtype : numpy dtype

    Raises
    ------
    InputError
        Something is kept, and the method hands nothing to inner tensors.
    """

    def __init__(
        self,
        graph: Graph,
        composite: Composite,
        keep: Collection[str] | str,
        method: Method,
        dtype: np.dtype[Any],
    ) -> None:
        self.graph, self.composite, self.keep = graph, composite, keep
        self.method, self.dtype = method, dtype
        if keep:
            self._require_inner("keep")
        self._plans: dict[tuple[Start, tuple[str, ...]], Plan] = {}
        self._runners: dict[Plan, Runner] = {}
        self._scorers: dict[Start, Scorer] = {}
        self._lock = threading.Lock()

    def _require_inner(self, what: str) -> None:
        if not isinstance(self.method, Walk):
            name = type(self.method).__name__
            raise InputError(f"{what}: {name} hands nothing to inner tensors; use a method of one walk")

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
        conditioned = names_of(condition for target in targets for condition in target.conditions)
        if conditioned:
            self._require_inner("conditions")
        if not self.method.walks:
            return {target.where: None for target in targets}
        for target in targets:
            check_passable(self.plan(target.where, conditioned), target.conditions)
        return {target.where: self._runner(self.plan(target.where, conditioned)) for target in targets}

    def _runner(self, plan: Plan) -> Runner:
        with self._lock:
            if plan not in self._runners:
                self._runners[plan] = Runner(plan, self.dtype)
            return self._runners[plan]

    def scorer(self, start: Start) -> Scorer:
        """What asks for scores at a start, without a walk."""
        with self._lock:
            if start not in self._scorers:
                self._scorers[start] = Scorer(self.graph, start)
            return self._scorers[start]
