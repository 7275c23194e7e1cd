"""Cutting a batch into what the model takes at once, and joining what comes back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ..errors import ModelError, TargetError
from ..model.graph import Graph
from ..targets import Target
from ..tensor import Array
from .audit import Audit


@dataclass(frozen=True, eq=False)
class Run:
    """What one batch gave.

    Attributes
    ----------
    relevance : dict of tensor name -> array
    outputs : dict of output name -> array
    target, against : array (N,) or None
        The explained index, and the other side of a margin.
    start : array (N,)
        The relevance put on the target.
    score : array (N,)
        What is explained: see `explainer.targets.score`.
    audit : Audit
    is_region : bool
        Whether one side of the target is a region.
    values : dict of tensor name -> array
        The activations that the plan shows.
    delta : array (N,) or None
        What a method's attributions miss of their sum.
    """

    relevance: dict[str, Array]
    outputs: dict[str, Any]
    target: Array | None
    against: Array | None
    start: Array
    score: Array
    audit: Audit
    is_region: bool = False
    values: dict[str, Array] = field(default_factory=dict)
    delta: Array | None = None

    def first(self, count: int) -> Run:
        """Without the samples that padded the batch."""
        size = len(self.start)
        if count == size:
            return self
        return Run(
            {name: value[:count] for name, value in self.relevance.items()},
            {name: value[:count] if len(value) == size else value for name, value in self.outputs.items()},
            None if self.target is None else self.target[:count],
            None if self.against is None else self.against[:count],
            self.start[:count],
            self.score[:count],
            self.audit.first(count),
            self.is_region,
            {name: value[:count] for name, value in self.values.items()},
        )

    @classmethod
    def join(cls, runs: Sequence[Run]) -> Run:
        """Several batches as one."""
        if len(runs) == 1:
            return runs[0]
        return cls(
            {name: np.concatenate([run.relevance[name] for run in runs]) for name in runs[0].relevance},
            {name: _join([run.outputs[name] for run in runs]) for name in runs[0].outputs},
            _join_known([run.target for run in runs]),
            _join_known([run.against for run in runs]),
            np.concatenate([run.start for run in runs]),
            np.concatenate([run.score for run in runs]),
            Audit.join([run.audit for run in runs]),
            any(run.is_region for run in runs),
            {name: np.concatenate([run.values[name] for run in runs]) for name in runs[0].values},
        )


RunTargets: TypeAlias = Callable[[Mapping[str, Array], Sequence[Target]], list[Run]]


class Batches:
    """Feeds a model what it takes at once, which some files only tell by failing.

    Parameters
    ----------
    graph : Graph
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._one_by_one = False

    def run(self, run: RunTargets, feeds: Mapping[str, Array], targets: Sequence[Target]) -> list[Run]:
        """Run a whole batch for each target.

        Several indices of one sample count as a batch: one walk each, behind one forward pass.
        Walks one after the other hold one sample's values at a time, and are faster than one walk
        on copies of them: eight targets on ResNet-18 in 460 ms instead of 550 (measured).

        Parameters
        ----------
        run : callable
            Runs one batch: (feeds, targets) -> a Run per target.
        feeds : dict of input name -> array
        targets : sequence of Target
        """
        samples = len(next(iter(feeds.values())))
        groups = [target.each(samples) for target in targets]
        runs = iter(self._run(run, feeds, [single for group in groups for single in group], samples))
        return [Run.join([next(runs) for _ in group]) for group in groups]

    def _run(
        self, run: RunTargets, feeds: Mapping[str, Array], targets: Sequence[Target], samples: int
    ) -> list[Run]:
        fixed = {value.shape[0] for value in self.graph.inputs if value.shape and value.shape[0] is not None}
        if len(fixed) == 1:
            return in_batches(run, feeds, targets, fixed.pop())
        if samples == 1 or self._one_by_one:
            return in_batches(run, feeds, targets, 1)
        try:
            return run(feeds, targets)
        except (ModelError, TargetError) as error:
            # Some files declare a dynamic batch that they do not have: does one sample pass?
            result = in_batches(run, feeds, targets, 1)
            self._one_by_one = True
            warnings.warn(
                f"{self.graph.title} declares a dynamic batch but fails on {samples} samples "
                f"({error}); they are fed one by one",
                stacklevel=6,
            )
            return result


def in_batches(
    run: RunTargets, feeds: Mapping[str, Array], targets: Sequence[Target], size: int
) -> list[Run]:
    """Run batches of a fixed size; the last one is padded with its last sample, and cut again."""
    samples = len(next(iter(feeds.values())))
    if size == samples:
        return run(feeds, targets)
    parts = []
    for begin in range(0, samples, size):
        take = np.minimum(np.arange(begin, begin + size), samples - 1)
        part = {name: array[take] for name, array in feeds.items()}
        runs = run(part, [target.taking(take, samples) for target in targets])
        parts.append([one.first(min(size, samples - begin)) for one in runs])
    return [Run.join(runs) for runs in zip(*parts, strict=True)]


def _join_known(parts: Sequence[Array | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    # An element of one sample is an index in its own part of the batch, but a region of the whole.
    return np.concatenate(known) if len(known) == len(parts) else None


def _join(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray) and parts[0].ndim:
        return np.concatenate(parts)
    return [item for part in parts for item in part] if isinstance(parts[0], list) else parts[0]
