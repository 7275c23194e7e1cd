"""Cutting a batch into what the model takes at once, and joining what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .audit import Audit
from .targets import Index
from .tensor import Array


@dataclass(frozen=True, eq=False)
class Run:
    """What one batch gave.

    Attributes
    ----------
    relevance : dict of tensor name -> array
    outputs : dict of output name -> array
    target : array (N,) or None
    start : array (N,)
    audit : Audit
    """

    relevance: dict[str, Array]
    outputs: dict[str, Any]
    target: Array | None
    start: Array
    audit: Audit

    def first(self, count: int) -> Run:
        """Without the samples that padded the batch."""
        size = len(self.start)
        if count == size:
            return self
        return Run(
            {name: value[:count] for name, value in self.relevance.items()},
            {name: value[:count] if len(value) == size else value for name, value in self.outputs.items()},
            None if self.target is None else self.target[:count],
            self.start[:count],
            self.audit.first(count),
        )

    @classmethod
    def join(cls, runs: Sequence[Run]) -> Run:
        """Several batches as one."""
        if len(runs) == 1:
            return runs[0]
        targets = [run.target for run in runs if run.target is not None]
        return cls(
            {name: np.concatenate([run.relevance[name] for run in runs]) for name in runs[0].relevance},
            {name: _join([run.outputs[name] for run in runs]) for name in runs[0].outputs},
            np.concatenate(targets) if targets else None,
            np.concatenate([run.start for run in runs]),
            Audit.join([run.audit for run in runs]),
        )


def in_batches(
    run: Callable[[Mapping[str, Array], Index], Run], feeds: Mapping[str, Array], index: Index, size: int
) -> Run:
    """Run batches of a fixed size; the last one is padded with its last sample, and cut again."""
    return Run.join(list(_runs(run, feeds, index, size)))


def _runs(
    run: Callable[[Mapping[str, Array], Index], Run], feeds: Mapping[str, Array], index: Index, size: int
) -> Iterator[Run]:
    samples = len(next(iter(feeds.values())))
    for begin in range(0, samples, size):
        take = np.minimum(np.arange(begin, begin + size), samples - 1)
        part = feeds if size == samples else {name: array[take] for name, array in feeds.items()}
        where = index[take] if isinstance(index, np.ndarray) else index
        yield run(part, where).first(min(size, samples - begin))


def _join(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray) and parts[0].ndim:
        return np.concatenate(parts)
    return [item for part in parts for item in part] if isinstance(parts[0], list) else parts[0]
