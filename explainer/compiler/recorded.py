"""NumPy's walk on what a file computed itself: no forward pass of its own can differ, the walk alone can.

Two forward passes in float32 that are fused differently disagree about the sign of a few values next to 0,
and relevance follows signs: how far two end-to-end maps are apart says more about the example than about
the graph (seen: 0.1 of a map of SqueezeNet in float16, 2e-3 in float32). On the same values only rounding is
left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ModelError
from ..targets import Target
from ..tensor import Array
from ..walk.chunks import Batches, samples_of
from ..walk.forward import SessionForward
from ..walk.passes import Forward, ForwardPass
from ..walk.runs import Run
from ..walk.walker import NumpyWalker

# How far a point may be from where the file asked, relative to its largest value: rounding of a few steps.
NEAR = 1e-4


@dataclass(frozen=True, eq=False)
class Record:
    """One run of a model inside a file: where, (N, ...) by input name, and what the walk read of it."""

    feeds: dict[str, Array]
    values: dict[str, Array]

    def is_at(self, feeds: Mapping[str, Array]) -> bool:
        """Whether it was run on this very batch."""
        return all(np.array_equal(self.feeds[name], x) for name, x in feeds.items())

    def is_near(self, feeds: Mapping[str, Array]) -> bool:
        """Whether every sample was run where this batch has it, up to rounding."""
        rows = range(samples_of(feeds))
        return all(bool(self.distances(feeds, row)[row] <= NEAR) for row in rows)

    def distances(self, feeds: Mapping[str, Array], row: int) -> Array:
        """How far each of its samples, (N,), is from sample `row`, relative to the largest value there."""
        parts = []
        for name, x in feeds.items():
            gap = np.abs(self.feeds[name].astype(np.float64) - x[row])
            scale = float(np.max(np.abs(x[row]), initial=0)) or 1.0
            parts.append(gap.reshape(len(gap), -1).max(axis=1, initial=0) / scale)
        return np.asarray(np.max(parts, axis=0))


class RecordedForward(SessionForward):
    """What a file computed on a batch, in place of a forward pass.

    Parameters
    ----------
    forward : SessionForward
        Says in which type, and what the parameters are.
    records : Record
        Of the batch, and of what it is compared with.
    """

    def __init__(self, forward: SessionForward, *records: Record) -> None:
        self.plan, self.dtype, self.session = forward.plan, forward.dtype, forward.session
        self.wanted, self.producers, self.fixed = forward.wanted, forward.producers, forward.fixed
        self.carried = forward.carried
        self.records = records

    @property
    def precision(self) -> int:
        """Walks in a file read float32, of what was computed in float64 too."""
        return min(super().precision, 4)

    def __call__(self, feeds: Mapping[str, Array]) -> ForwardPass:
        """See `Forward`."""
        record = next((record for record in self.records if record.is_at(feeds)), self.records[-1])
        # An input too is as the model had it, where its samples need not be in front.
        activations = {**self.real(feeds), **self.numbers(record.values)}
        with np.errstate(all="ignore"):
            parameters = self.parameters(activations)
        anchor = self.plan.anchor
        seen = {name: activations[name] for name in (anchor.tensor, anchor.output, *anchor.moved)}
        return ForwardPass(activations, {}, seen, samples_of(feeds), parameters)


class OwnForward:
    """For scores: the file's own values on its own batch; elsewhere the model is run."""

    dtype = None

    def __init__(self, own: RecordedForward, elsewhere: Forward) -> None:
        self.own, self.elsewhere = own, elsewhere

    def __call__(self, feeds: Mapping[str, Array]) -> ForwardPass:
        """See `Forward`."""
        return (self.own if self.own.records[0].is_at(feeds) else self.elsewhere)(feeds)


class RecordedWalker:
    """NumPy's walks where a file has walked, from what it read there: a `Walker`.

    Parameters
    ----------
    forward : SessionForward
        Says in which type.
    own : Record
        The file's run on its own batch.
    beside : Record or None
        On what is compared with.
    rounds : sequence of Record
        In loops, one for every round.
    moved : float
        By how much of itself every number of an answer is moved, at random and seeded.
    """

    def __init__(
        self,
        forward: SessionForward,
        own: Record,
        beside: Record | None,
        rounds: Sequence[Record],
        moved: float = 0.0,
    ) -> None:
        self.plan, self.forward, self.moved = forward.plan, forward, moved
        self.own, self.beside, self.rounds = own, beside, rounds
        self._rng = np.random.default_rng(0)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The number type of the walk."""
        return self.forward.dtype

    def __call__(
        self,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        references: Mapping[str, Array] | None = None,
    ) -> list[Run]:
        """See `Walker`.

        Raises
        ------
        ModelError
            The file did not walk there.
        """
        if references is not None:
            if self.beside is None or not (self.own.is_at(feeds) and self.beside.is_near(references)):
                raise _elsewhere()
            runs = self._walk(self.own, targets, self.beside)
        elif self.own.is_at(feeds):
            runs = self._walk(self.own, targets)
        else:
            runs = [self._elsewhere(feeds, target) for target in targets]
        return [
            replace(run, relevance={k: self._rounded(R) for k, R in run.relevance.items()}) for run in runs
        ]

    def _rounded(self, R: Array) -> Array:
        return R * (1 + self.moved * self._rng.standard_normal(R.shape)) if self.moved else R

    def _walk(self, record: Record, targets: Sequence[Target], beside: Record | None = None) -> list[Run]:
        """The whole batch of a run, which no model is asked for and so need not be cut."""
        batches = Batches(self.plan.graph)
        batches.fixed = samples_of(record.feeds)
        if beside is None:
            return NumpyWalker(self.plan, RecordedForward(self.forward, record), batches)(
                record.feeds, targets
            )
        forward = RecordedForward(self.forward, record, beside)
        return NumpyWalker(self.plan, forward, batches)(record.feeds, targets, beside.feeds)

    def _elsewhere(self, feeds: Mapping[str, Array], target: Target) -> Run:
        """Samples that are in several rounds: each round is walked whole, and they are taken out of it."""
        count = samples_of(feeds)
        places = [self._nearest(feeds, row) for row in range(count)]
        run, maps = None, dict[str, Array]()
        for number in sorted({number for number, _ in places}):
            record = self.rounds[number]
            rows = np.array([row for row, place in enumerate(places) if place[0] == number])
            samples = np.array([places[row][1] for row in rows])
            take = np.zeros(samples_of(record.feeds), dtype=np.int64)
            take[samples] = rows
            run = self._walk(record, [target.taking(take, count)])[0]
            for name, R in run.relevance.items():
                maps.setdefault(name, np.empty((count, *R.shape[1:]), R.dtype))[rows] = R[samples]
        assert run is not None
        return replace(run, relevance=maps)

    def _nearest(self, feeds: Mapping[str, Array], row: int) -> tuple[int, int]:
        """The round, and the sample in it, that was asked at this point."""
        gaps = np.array([record.distances(feeds, row) for record in self.rounds])
        if not gaps.size or not gaps.min() <= NEAR:
            raise _elsewhere()
        number, sample = np.unravel_index(gaps.argmin(), gaps.shape)
        return int(number), int(sample)


def _elsewhere() -> ModelError:
    return ModelError("the compiled model does not ask where the method asks; please report this model")
