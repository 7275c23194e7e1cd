"""What one batch gave: relevance, outputs, target and audit, cut and joined along the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..targets import Chosen, Target, finish, indices_of, score
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
    placeless : array (N,) or None
        The sum of those of them that lie on no place of an input, and are in no map.
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
    placeless: Array | None = None

    @classmethod
    def scored(
        cls,
        target: Target,
        chosen: Chosen,
        values: Mapping[str, Array],
        outputs: Mapping[str, Any],
        samples: int,
    ) -> Run:
        """What was asked and what the model says of it, without relevance."""
        explained = score(target, chosen, values, samples)
        return cls(
            relevance={},
            outputs=dict(outputs),
            target=indices_of(chosen, samples),
            against=indices_of(chosen.rival, samples),
            start=explained,
            score=explained,
            audit=Audit(),
            is_region=any(side.is_region for side in (chosen, chosen.rival) if side is not None),
        )

    def walked(self, target: Target, relevance: Mapping[str, Array], audit: Audit) -> Run:
        """With what a walk handed back."""
        maps = {name: finish(target, value) for name, value in relevance.items()}
        return replace(self, relevance=maps, audit=audit)

    def first(self, count: int) -> Run:
        """Without the samples that padded the batch."""
        size = len(self.start)
        if count == size:
            return self
        return Run(
            {name: value[:count] if value.ndim else value for name, value in self.relevance.items()},
            {name: _rows(value, count, size) for name, value in self.outputs.items()},
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
        maps = runs[0].relevance
        return cls(
            # One number alone, which was kept, is a row of every part of the batch.
            {name: np.concatenate([np.atleast_1d(run.relevance[name]) for run in runs]) for name in maps},
            {name: _join([run.outputs[name] for run in runs]) for name in runs[0].outputs},
            _join_known([run.target for run in runs]),
            _join_known([run.against for run in runs]),
            np.concatenate([run.start for run in runs]),
            np.concatenate([run.score for run in runs]),
            Audit.join([run.audit for run in runs]),
            any(run.is_region for run in runs),
            {name: np.concatenate([run.values[name] for run in runs]) for name in runs[0].values},
        )


def _join_known(parts: Sequence[Array | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    # An element of one sample is an index in its own part of the batch, but a region of the whole.
    return np.concatenate(known) if len(known) == len(parts) else None


def _rows(output: Any, count: int, size: int) -> Any:
    """The first of as many rows as there are samples; what has none of them whole."""
    return output[:count] if np.ndim(output) and len(output) == size else output


def _join(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray) and parts[0].ndim:
        return np.concatenate(parts)
    return [item for part in parts for item in part] if isinstance(parts[0], list) else parts[0]
