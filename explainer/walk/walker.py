"""Walkers: a batch and targets in, relevance out, by whatever library and in whatever number type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ..errors import NumericalError
from ..model.axes import by_sample, followed_samples
from ..model.graph import Graph
from ..plan import Gathering, Plan
from ..targets import Target, is_balanced, put_relevance, seed
from ..tensor import Array, total
from .audit import Audit
from .auditor import Auditor, check_whole, remedy
from .backward import backward
from .chunks import Batches
from .forward import SessionForward
from .gates import gates_of
from .measuring import Measuring
from .passes import Forward, ForwardPass
from .runs import Run


class Walker(Protocol):
    """Explains a whole batch: a forward pass for every chunk of it, and a walk back for each target.

    Attributes
    ----------
    plan : Plan
    dtype : numpy dtype
        The number type of the walk.
    """

    plan: Plan

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __call__(
        self,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        references: Mapping[str, Array] | None = None,
    ) -> list[Run]:
        """Walk.

        Parameters
        ----------
        feeds : dict of input name -> array
        targets : sequence of Target
            All at the plan's own anchor.
        references : dict of input name -> array, optional
            Another batch, which rules compare this one with.

        Returns
        -------
        list of Run, one per target

        Raises
        ------
        ModelError, NumericalError, TargetError
        """


class NumpyWalker:
    """The walk on arrays, audited step by step; the one that knows conditions and references.

    Parameters
    ----------
    plan : Plan
    forward : SessionForward
        Runs the model, in whatever way, and decides the number type.
    batches : Batches
    audit : bool or "numerics"
        Whether every step is checked, and its shares are noted; or measured too.
    """

    def __init__(
        self, plan: Plan, forward: SessionForward, batches: Batches, audit: bool | str = True
    ) -> None:
        self.plan, self.forward, self.batches, self.audit = plan, forward, batches, audit

    @property
    def dtype(self) -> np.dtype[Any]:
        """The number type of the walk."""
        return self.forward.dtype

    def __call__(
        self,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        references: Mapping[str, Array] | None = None,
    ) -> list[Run]:
        """See `Walker`."""
        chunks = self.batches.cut(feeds, targets, references)
        for chunk in chunks:
            with chunk, np.errstate(all="ignore"):  # the auditor says which node, NumPy only that
                passed = self.forward(chunk.feeds)
                beside = None if chunk.references is None else self.forward(chunk.references).activations
                begun = [begin(self.plan, target, passed, beside) for target in chunk.targets]
                with self.forward.multiplying(passed.size):
                    for place, (target, (run, R)) in enumerate(zip(chunk.targets, begun, strict=True), 1):
                        auditor = self._auditor(passed.samples)
                        last = place == len(begun)  # the last walk may let go of what it has read
                        relevance = backward(
                            self.plan,
                            passed.activations if last else dict(passed.activations),
                            R,
                            passed.parameters.__getitem__,
                            watch=auditor,
                            gates=gates_of(self.plan, target.conditions, passed.samples, auditor),
                            references=beside if last or beside is None else dict(beside),
                            gathering=self._gathering(passed),
                        )
                        if auditor is None:
                            check_whole(relevance)
                        audit = Audit() if auditor is None else auditor.result()
                        relevance = by_sample(self.plan.graph, relevance)
                        chunk.runs.append(run.walked(target, relevance, audit))
        return chunks.runs()

    def _gathering(self, passed: ForwardPass) -> Gathering | None:
        gathers = self.plan.gathers
        if gathers is None:
            return None
        return gathers(self.plan, passed.parameters.__getitem__, passed.samples)

    def _auditor(self, samples: int) -> Auditor | None:
        if not self.audit:
            return None
        followed = followed_samples(self.plan.graph).items()
        axes = {name: labels.index(0) for name, labels in followed if 0 in labels}
        auditor = Measuring if self.audit == "numerics" else Auditor
        return auditor(samples, not self.plan.gradient, self.forward.precision, axes)


def begin(
    plan: Plan, target: Target, passed: ForwardPass, references: Mapping[str, Array] | None = None
) -> tuple[Run, Array]:
    """What is asked of a forward pass, relevance still missing, and what a walk starts from.

    `references` are the activations of another pass, which rules compare this one with.

    Raises
    ------
    TargetError
    """
    chosen, values, samples = passed.choose(target), passed.activations, passed.samples
    if plan.gradient:
        R = seed(target, chosen, values, samples, references)
    else:
        R = put_relevance(target, chosen, values, samples)
    run = Run.scored(target, chosen, values, passed.outputs, samples)
    # A sum that is 0 by definition is not left to rounding: it would be divided by.
    start = np.zeros(samples) if is_balanced(target) else total(R, samples)
    return replace(run, start=start, values={name: values[name] for name in plan.shows}), R


class Scorer:
    """What a model says of a target, without a walk.

    Parameters
    ----------
    forward : Forward
    batches : Batches
    """

    def __init__(self, forward: Forward, batches: Batches) -> None:
        self.forward, self.batches = forward, batches

    def __call__(self, feeds: Mapping[str, Array], targets: Sequence[Target]) -> list[Run]:
        """The outputs, the chosen index and the score of a whole batch; no relevance.

        Raises
        ------
        ModelError, NumericalError, TargetError
        """
        chunks = self.batches.cut(feeds, targets)
        for chunk in chunks:
            with chunk, np.errstate(all="ignore"):  # what is not finite is reported
                passed = self.forward(chunk.feeds)
                chunk.runs = [self._scored(target, passed) for target in chunk.targets]
        return chunks.runs()

    def _scored(self, target: Target, passed: ForwardPass) -> Run:
        chosen = passed.choose(target)
        run = Run.scored(target, chosen, passed.activations, passed.outputs, passed.samples)
        if not np.isfinite(run.score).all():
            raise NumericalError(
                f"what the model says of {target.anchor.tensor!r} has NaN or infinity in it; "
                f"{remedy(self.batches.graph.precision)}"
            )
        return run


class Walkers:
    """All that answers questions about a model from one anchor; a method takes what it needs.

    Parameters
    ----------
    score : callable
        Makes the `Scorer`, when it is first asked for.
    one : Walker, optional
        Knows conditions and references, and is audited. None where the method does not walk.
    many : callable, optional
        Makes the walker for many points, likewise; `one` by default.
    least : float
        How many points are many.
    graph : Graph, optional
        The model, where the method does not walk.
    dtype : numpy dtype, optional
        Of its attributions then; float32 by default.
    apart : Batches, optional
        Those that keep samples apart: they know whether samples would change each other's numbers.
    """

    def __init__(
        self,
        score: Callable[[], Scorer],
        one: Walker | None = None,
        many: Callable[[], Walker] | None = None,
        least: float = np.inf,
        *,
        graph: Graph | None = None,
        dtype: np.dtype[Any] | None = None,
        apart: Batches | None = None,
    ) -> None:
        self._make_scorer, self._one, self._make_many, self._least = score, one, many, least
        self._graph, self._dtype, self._apart = graph, dtype, apart

    @property
    def graph(self) -> Graph:
        """The model."""
        if self._graph is not None:
            return self._graph
        return self.one.plan.graph

    @property
    def mixes(self) -> bool:
        """Whether the samples of a batch change each other's numbers, for sure."""
        mixing = None if self._apart is None else self._apart.mixing
        return mixing is not None and mixing.is_sure

    def remarks(self, samples: int) -> tuple[str, ...]:
        """What is said of how a batch was asked."""
        return () if self._apart is None else self._apart.remarks(samples)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The number type of attributions."""
        if self._one is not None:
            return self._one.dtype
        return np.dtype(np.float32) if self._dtype is None else self._dtype

    @property
    def plan(self) -> Plan | None:
        """The plan of the walks; None where there are none."""
        return None if self._one is None else self._one.plan

    @property
    def one(self) -> Walker:
        """The walker that knows conditions and references."""
        assert self._one is not None, "this method does not walk"
        return self._one

    @cached_property
    def score(self) -> Scorer:
        """What is asked for scores alone."""
        return self._make_scorer()

    @cached_property
    def _many(self) -> Walker:
        return self.one if self._make_many is None else self._make_many()

    def many(self, points: int) -> Walker:
        """The walker for so many points."""
        return self._many if points >= self._least else self.one
