"""One plan, run: forward through onnxruntime, then the walk on arrays. Thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, NumericalError
from ..plan import Plan, Step
from ..targets import Chosen, Target, choose, finish, indices_of, is_balanced, put_relevance, score, seed
from ..tensor import Array, total
from .audit import Audit
from .auditor import Auditor, check_finite
from .backward import backward
from .batches import Run, RunTargets
from .gates import gates_of

# How far the layers' own float64 forward may be from onnxruntime's, relative to the largest value:
# rounding in the file's own type, through some hundred layers.
AGREEMENT = {2: 5e-2, 4: 1e-3, 8: 1e-9}

# What walks from many points: whichever is faster, NumPy alone, or onnxruntime alone.
ENGINES = ("auto", "numpy", "onnxruntime")
# From how many points on a walk in onnxruntime pays: it is made once for some 1.1 s, and a point takes
# 0.08 s instead of 0.11 s (ResNet-18, of one core's time, measured).
MANY = 40

HandBack: TypeAlias = Callable[[dict[str, Array], Array], dict[str, Array]]


@dataclass(frozen=True, eq=False)
class Forward:
    """One forward pass, and what walks need of it.

    Attributes
    ----------
    activations : dict of tensor name -> array
    outputs : dict of output name -> array
    chosen : list of Chosen
        The choice of every target.
    parameters : dict of Step -> dict
    samples : int
    """

    activations: dict[str, Array]
    outputs: dict[str, Any]
    chosen: list[Chosen]
    parameters: dict[Step, dict[str, Array]]
    samples: int


def scored(
    target: Target, chosen: Chosen, values: Mapping[str, Array], outputs: Mapping[str, Any], samples: int
) -> Run:
    """What was asked and what the model says of it, without relevance."""
    explained = score(target, chosen, values, samples)
    return Run(
        relevance={},
        outputs=dict(outputs),
        target=indices_of(chosen, samples),
        against=indices_of(chosen.rival, samples),
        start=explained,
        score=explained,
        audit=Audit(),
        is_region=any(side.is_region for side in (chosen, chosen.rival) if side is not None),
    )


class Runner:
    """A plan with its session and its parameters.

    Parameters
    ----------
    plan : Plan
    dtype : numpy dtype
        Of the walk: float32, or float64, where the forward pass runs in the layers' own bodies too.
    engine : str
        What walks from many points, a name of `ENGINES`.
    by_onnxruntime : callable, optional
        (runner, must) -> `run` with the walk in onnxruntime.
    audit : bool
        Whether every step of the walk is checked, and its shares noted.
    """

    def __init__(
        self,
        plan: Plan,
        dtype: np.dtype[Any],
        engine: str = "numpy",
        by_onnxruntime: Callable[[Runner, bool], RunTargets] | None = None,
        audit: bool = True,
    ) -> None:
        self.plan = plan
        self.audit = audit
        self.engine = engine
        self._by_onnxruntime = by_onnxruntime
        self.dtype = dtype
        self.reference = dtype == np.float64
        graph = plan.graph
        if self.reference:
            inner = [plan.anchor.tensor, plan.anchor.output, *plan.anchor.moved]
            inner += [name for step in plan.steps for name in plan.unfixed(step)]
        else:
            inner = plan.reads
        given = {value.name for value in graph.inputs}
        self.wanted = [name for name in dict.fromkeys(inner) if name not in given]
        names = list(dict.fromkeys([*self.wanted, *graph.outputs]))
        self.session = graph.session(names)
        self.producers = {name: str(node) for name, node in graph.producers.items()}
        with np.errstate(all="ignore"):  # what comes of it is reported below
            self.fixed = {
                id(step): step.layer.prepare(self._constants(step))
                for step in plan.steps
                if not plan.unfixed(step)
            }
        for step in plan.steps:
            for letter, value in self.fixed.get(id(step), {}).items():
                if value.dtype.kind == "f" and not np.isfinite(value).all():
                    raise NumericalError(
                        f"{graph.title}: the parameter {letter!r} of {step.node} has NaN or infinity in it"
                    )

    @property
    def precision(self) -> int:
        """The bytes of the coarsest number that a walk computes with."""
        return 8 if self.reference else min(self.plan.graph.precision, self.dtype.itemsize)

    def _constants(self, step: Step) -> dict[str, Array]:
        constants = filter(self.plan.graph.is_constant, step.layer.operands.values())
        return {name: self._cast(self.plan.graph.constant(name)) for name in constants}

    def _cast(self, value: Array) -> Array:
        return value.astype(self.dtype, copy=False) if value.dtype.kind == "f" else value

    def forward(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """One batch through onnxruntime: the activations for the walk, and the model's outputs."""
        values = self.session.run(self.plan.graph.typed(feeds))
        outputs = {name: values[name] for name in self.plan.graph.outputs}
        activations = {name: self._cast(values[name]) for name in self.wanted}
        activations.update({name: self._floating(value) for name, value in feeds.items()})
        return activations, outputs

    def _floating(self, value: Array) -> Array:
        """An input as the walk sees it: pixels of an integer type become numbers."""
        return value.astype(self.dtype, copy=False)

    def run(
        self,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        references: Mapping[str, Array] | None = None,
        walk: HandBack | None = None,
    ) -> list[Run]:
        """Explain one batch: one forward pass, and a walk for each target.

        Parameters
        ----------
        feeds : dict of input name -> array
        targets : sequence of Target
            All at the plan's own start.
        references : dict of input name -> array, optional
            Another batch, which rules compare this one with.
        walk : callable, optional
            (activations, R) -> relevance, in place of the walk here, which is audited and has gates.

        Raises
        ------
        ModelError, NumericalError, TargetError
        """
        passed = self._pass(feeds, targets)
        others = None if references is None else self._pass(references, ()).activations
        runs = []
        with np.errstate(all="ignore"):  # the auditor says which node, NumPy only that
            for place, target in enumerate(targets, start=1):
                auditor = Auditor(passed.samples, not self.plan.gradient, self.precision)
                here, there = passed, others
                if place < len(targets):  # the last walk may let go of what it has read
                    here = replace(passed, activations=dict(passed.activations))
                    there = None if others is None else dict(others)
                hand_back = walk or partial(
                    backward,
                    self.plan,
                    parameters=passed.parameters.__getitem__,
                    watch=auditor if self.audit else None,
                    gates=gates_of(
                        self.plan, target.conditions, passed.samples, auditor if self.audit else None
                    ),
                    references=there,
                )
                runs.append(self._walk(target, here, passed.chosen[place - 1], hand_back, auditor))
        return runs

    @cached_property
    def _emitted(self) -> RunTargets:
        assert self._by_onnxruntime is not None
        return self._by_onnxruntime(self, self.engine == "onnxruntime")

    def many(self, points: int) -> RunTargets:
        """`run`, or what is faster than it for so many points."""
        by_onnxruntime = self.engine == "onnxruntime" or (self.engine == "auto" and points >= MANY)
        return self._emitted if by_onnxruntime and not self.reference else self.run

    def score(self, feeds: Mapping[str, Array], targets: Sequence[Target]) -> list[Run]:
        """The outputs, the chosen index and the score of one batch, in the walk's own type; no relevance.

        Raises
        ------
        ModelError, NumericalError, TargetError
        """
        passed = self._pass(feeds, targets)
        return [
            scored(target, chosen, passed.activations, passed.outputs, passed.samples)
            for target, chosen in zip(targets, passed.chosen, strict=True)
        ]

    def _pass(self, feeds: Mapping[str, Array], targets: Sequence[Target]) -> Forward:
        activations, outputs = self.forward(feeds)
        samples = next(iter(feeds.values())).shape[0]
        check_finite({**activations, **_arrays(outputs)}, self.producers)
        # The index is chosen on what the model itself computed.
        chosen = [choose(target, activations, samples) for target in targets]
        with np.errstate(all="ignore"):
            parameters = self._parameters(activations)
            if self.reference:
                self._recompute(activations, parameters)
        return Forward(activations, outputs, chosen, parameters, samples)

    def _walk(
        self, target: Target, passed: Forward, chosen: Chosen, hand_back: HandBack, auditor: Auditor
    ) -> Run:
        activations, samples = passed.activations, passed.samples
        begin = seed if self.plan.gradient else put_relevance
        R = begin(target, chosen, activations, samples)
        run = scored(target, chosen, activations, passed.outputs, samples)
        shown = {name: activations[name] for name in self.plan.shows}
        # A sum that is 0 by definition is not left to rounding: it would be divided by.
        start = np.zeros(samples) if is_balanced(target) else total(R, samples)
        relevance = hand_back(activations, R)
        if not self.audit and not all(np.isfinite(np.sum(value)) for value in relevance.values()):
            raise NumericalError("the relevance is not finite; with audit=True the message names the node")
        return replace(
            run,
            relevance={name: finish(target, value) for name, value in relevance.items()},
            start=start,
            audit=auditor.result(),
            values=shown,
        )

    def _parameters(self, activations: dict[str, Array]) -> dict[Step, dict[str, Array]]:
        return {
            step: self.fixed[id(step)]
            if id(step) in self.fixed
            else step.layer.prepare({**self._constants(step), **activations})
            for step in self.plan.steps
        }

    def _recompute(self, activations: dict[str, Array], parameters: dict[Step, dict[str, Array]]) -> None:
        """The forward pass in the layers' own NumPy bodies, checked against onnxruntime's."""
        name = self.plan.anchor.tensor
        theirs = activations[name]
        for step in reversed(self.plan.steps):
            layer = step.layer.bind(step.layer.read(activations), None, parameters[step])
            activations[step.layer.output] = layer(layer.x)
        if self.plan.steps:
            self._compare(name, activations[name], theirs)

    def _compare(self, name: str, ours: Array, theirs: Array) -> None:
        allowed = AGREEMENT[self.plan.graph.precision]
        largest = float(np.max(np.abs(theirs), initial=0)) or 1.0
        error = float(np.max(np.abs(ours - theirs), initial=0)) / largest
        if not error <= allowed:
            raise NumericalError(
                f"float64 forward pass: {name!r} differs from onnxruntime's by {error:.2g} of its "
                f"largest value (allowed: {allowed:g}); please report this model"
            )


def _arrays(outputs: Mapping[str, Any]) -> dict[str, Array]:
    """The outputs that are tensors; a classifier of ai.onnx.ml may return lists."""
    return {name: value for name, value in outputs.items() if isinstance(value, np.ndarray)}


def engine_of(name: str, dtype: np.dtype[Any]) -> str:
    """The name of an engine that walks in this type.

    Raises
    ------
    InputError
    """
    if name not in ENGINES:
        raise InputError(f"engine is {name!r}; there is: {', '.join(ENGINES)}")
    if name == "onnxruntime" and dtype == np.float64:
        raise InputError("engine 'onnxruntime' walks in float32; for dtype 'float64' leave it out")
    return name
