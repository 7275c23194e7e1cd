"""What answers an explainer's questions: the one place that chooses forward, walk and number type."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from .composites import Composite
from .errors import InputError
from .inputs.feeds import dtype_of
from .methods import Method
from .model.graph import Graph
from .plan import Plan
from .targets import Anchor, Target, conditioned_tensors
from .walk.chunks import Batches
from .walk.forward import LayersForward, OutputForward, SessionForward
from .walk.gates import check_passable
from .walk.walker import NumpyWalker, Scorer, Walker, Walkers

# What runs the model: onnxruntime, or the layers' own NumPy bodies; "auto" is by the number type.
FORWARDS = ("auto", "onnxruntime", "numpy")
# What walks from many points: whichever is faster, NumPy alone, or onnxruntime alone.
ENGINES = ("auto", "numpy", "onnxruntime")
# From how many points on a walk in onnxruntime pays: it is made once for some 1.1 s, and a point takes
# 0.08 s instead of 0.11 s (ResNet-18, of one core's time, measured).
MANY = 40


@dataclass(frozen=True)
class Backends:
    """What runs the model, what walks, and in which number type: three choices.

    Attributes
    ----------
    dtype : numpy dtype
    engine : str
        What walks from many points, a name of `ENGINES`; one walk is NumPy's, which is audited.
    forward : str
        What runs the model, "onnxruntime" or "numpy".
    audit : bool
        Whether NumPy's walk is checked at every step.
    """

    dtype: np.dtype[Any]
    engine: str = "auto"
    forward: str = "onnxruntime"
    audit: bool = True

    @classmethod
    def of(
        cls, dtype: Any = "float32", engine: str = "auto", forward: str = "auto", audit: bool = True
    ) -> Backends:
        """The choices as a user makes them.

        Raises
        ------
        InputError
            No such type or backend, or two that do not go together.
        """
        kind = dtype_of(dtype)
        for what, name, known in (("engine", engine, ENGINES), ("forward", forward, FORWARDS)):
            if name not in known:
                raise InputError(f"{what} is {name!r}; there is: {', '.join(known)}")
        if engine == "onnxruntime" and kind == np.float64:
            raise InputError("engine 'onnxruntime' walks in float32; for dtype 'float64' leave it out")
        if forward == "auto":  # onnxruntime has no double convolution on the CPU
            forward = "numpy" if kind == np.float64 else "onnxruntime"
        return cls(kind, engine, forward, bool(audit))

    @property
    def least(self) -> float:
        """From how many points on onnxruntime walks."""
        if self.engine == "numpy" or self.dtype == np.float64:
            return np.inf
        return 0 if self.engine == "onnxruntime" else MANY

    def walker(self, plan: Plan, batches: Batches) -> NumpyWalker:
        """The walker of a plan, audited unless that was declined.

        Raises
        ------
        ModelError, NumericalError
        """
        forward = LayersForward if self.forward == "numpy" else SessionForward
        return NumpyWalker(plan, forward(plan, self.dtype), batches, self.audit)

    def walker_of_many(self, one: NumpyWalker) -> Walker:
        """The same, walking in onnxruntime; what that needs is loaded when it is first asked for."""
        from .compiler.walker import OnnxWalker

        return OnnxWalker(one, must=self.engine == "onnxruntime")


class Prepared:
    """Plans and walkers of one model and method, each made when it is first asked for. Thread-safe.

    Parameters
    ----------
    graph : Graph
    composite : Composite
    keep : collection of str, or "all"
    method : Method
    backends : Backends
    """

    def __init__(
        self,
        graph: Graph,
        composite: Composite,
        keep: Collection[str] | str,
        method: Method,
        backends: Backends,
    ) -> None:
        self.graph, self.composite, self.keep = graph, composite, keep
        self.method, self.backends = method, backends
        self._plans: dict[tuple[Anchor, tuple[str, ...]], Plan] = {}
        self._walkers: dict[tuple[Anchor, Plan | None], Walkers] = {}
        self._lock = threading.Lock()
        self._batches = Batches(graph)

    def plan(self, anchor: Anchor, conditioned: tuple[str, ...] = ()) -> Plan:
        """The plan from an anchor; `conditioned` tensors stay visible in it.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError
        """
        with self._lock:
            if (anchor, conditioned) not in self._plans:
                made = self.method.plan(self.graph, self.composite, anchor, self.keep, conditioned)
                self._plans[anchor, conditioned] = made
            return self._plans[anchor, conditioned]

    def walkers(self, targets: Collection[Target]) -> dict[Anchor, Walkers]:
        """What answers for every anchor.

        All targets have the conditioned tensors of all in their plans: so they can share a walker.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError, ModelError
        """
        conditioned = conditioned_tensors(condition for target in targets for condition in target.conditions)
        if conditioned:
            self.method.require_keeping("conditions")
        plans: dict[Anchor, Plan | None] = {}
        for target in targets:
            plans[target.anchor] = plan = None
            if self.method.walks:
                plans[target.anchor] = plan = self.plan(target.anchor, conditioned)
                check_passable(plan, target.conditions)
        return {anchor: self._made(anchor, plan) for anchor, plan in plans.items()}

    def _made(self, anchor: Anchor, plan: Plan | None) -> Walkers:
        with self._lock:
            if (anchor, plan) not in self._walkers:
                self._walkers[anchor, plan] = self._make(anchor, plan)
            return self._walkers[anchor, plan]

    def _make(self, anchor: Anchor, plan: Plan | None) -> Walkers:
        by, batches = self.backends, self._batches
        if plan is None:
            return Walkers(lambda: Scorer(OutputForward(self.graph, anchor), batches))
        one = by.walker(plan, batches)
        return Walkers(
            # Scores are those of the same forward pass, where that is not the file's own.
            lambda: Scorer(
                one.forward if by.forward == "numpy" else OutputForward(self.graph, anchor), batches
            ),
            one,
            lambda: by.walker_of_many(one),
            by.least,
        )
