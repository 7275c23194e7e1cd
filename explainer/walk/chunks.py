"""A batch as an iterator of chunks, each what the model takes at once."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import FrameType, TracebackType

import numpy as np

from ..errors import ExplainerError, InputError, ModelError, TargetError
from ..model.axes import is_of_one, sample_axes
from ..model.graph import Graph
from ..model.mixing import Mixing, mixing
from ..model.roles import RECURRENT
from ..targets import Target
from ..tensor import Array
from ..text import LINE, printable
from .runs import Run

# A fixed batch is filled up with copies of its last sample to no more than so many bytes.
LARGEST = 1 << 30


class Chunk:
    """A part of a batch that a model takes at once; a context in which it is run.

    Parameters
    ----------
    feeds : dict of input name -> array
    targets : list of Target
    references : dict of input name -> array, or None
        Another batch, which rules compare this one with.
    count : int
        How many of its samples are asked for; those behind them only fill it up.
    can_be_cut : bool
        Whether a failure of the model inside the context is kept in `error` instead of raised: the
        same samples then come again, one by one.
    place : int, optional
        Where its only sample is in a batch of which each is asked alone.
    before : ExplainerError, optional
        Why it comes again: what is wrong with the target, where it fails this time too.

    Attributes
    ----------
    runs : list of Run
        One per target: whoever runs the chunk puts them here.
    """

    def __init__(
        self,
        feeds: dict[str, Array],
        targets: list[Target],
        references: dict[str, Array] | None,
        count: int,
        can_be_cut: bool = False,
        place: int | None = None,
        before: ExplainerError | None = None,
    ) -> None:
        self.feeds, self.targets, self.references = feeds, targets, references
        self.count, self.can_be_cut, self.place, self.before = count, can_be_cut, place, before
        self.runs: list[Run] = []
        self.error: ExplainerError | None = None

    @property
    def samples(self) -> int:
        """How many it holds."""
        return samples_of(self.feeds)

    def __enter__(self) -> Chunk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        if isinstance(error, TargetError) and self.place is not None:
            error.args = (
                f"{error.args[0]}, in sample {self.place} of the batch, of which each is asked alone: give "
                "each a target of its own, or explain them one by one",
                *error.args[1:],
            )
        if self.can_be_cut and isinstance(error, ModelError | TargetError):
            self.error = error
        elif isinstance(error, TargetError) and isinstance(self.before, TargetError):
            raise self.before from None
        return self.error is not None


class Chunks:
    """One batch and its targets, cut; `runs` are its answers, when all chunks have theirs, `done` these.

    Several indices of one sample count as a batch: one walk each, behind one forward pass. Walks one
    after the other hold one sample's values at a time, and are faster than one walk on copies of
    them: eight targets on ResNet-18 in 460 ms instead of 550 (measured).

    Parameters
    ----------
    batches : Batches
    feeds : dict of input name -> array
    targets : sequence of Target
    references : dict of input name -> array, optional
        Another batch of as many samples, cut alike.
    """

    def __init__(
        self,
        batches: Batches,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        references: Mapping[str, Array] | None = None,
    ) -> None:
        self.batches, self.feeds, self.references = batches, feeds, references
        self.samples = samples_of(feeds)
        self.groups = [target.each(self.samples) for target in targets]
        self.done: list[Chunk] = []

    def __iter__(self) -> Iterator[Chunk]:
        size = self._alike(self.batches.size(self.samples))
        self._check_filled(size)
        tries = self.batches.fixed is None and (size > 1 or (self.batches.tries and self.samples > 1))
        whole = self._chunk(0, size, can_be_cut=tries)
        yield whole
        if whole.error is None:
            yield from (self._chunk(begin, size) for begin in range(size, self.samples, size))
            return
        if size == 1:  # what begins the inputs are no samples: the nodes of a graph
            self.done.clear()
            yield self._chunk(0, self.samples, before=whole.error)
            return
        # Some files declare a dynamic batch that they do not have: does one sample pass?
        self.done.clear()
        yield from (self._chunk(begin, 1) for begin in range(self.samples))
        self.batches.one_by_one = True
        what = (
            f"{self.batches.graph.title} declares a dynamic batch but fails on {self.samples} samples "
            f"({whole.error}); they are fed one by one"
        )
        warnings.warn(printable(what, LINE), stacklevel=callers_level())

    def _alike(self, size: int) -> int:
        """So many at once, or one where samples have different values in an input that the file has once."""
        fed = [
            feeds[name]
            for feeds in (self.feeds, self.references or {})
            for name in self.batches.shared
            if name in feeds
        ]
        if size == 1 or all((x == x[:1]).all() for x in fed):
            return size
        if self.batches.fixed is not None:
            raise InputError(
                f"{self.batches.graph.title} takes {size} samples at once and one "
                f"{self.batches.shared[0]!r} for all of them: hold it, or export the model with a batch of 1"
            )
        return 1

    def _check_filled(self, size: int) -> None:
        """Refuse a batch that the file declares as if there were no limits: it is filled up with copies."""
        takes = size * sum(x[:1].nbytes for x in self.feeds.values())
        if size > self.samples and takes > LARGEST:
            raise InputError(
                f"{self.batches.graph.title} takes batches of {size:,} samples and no others, which are "
                f"{takes / 1e9:.3g} GB; declare a dynamic batch, or give so many samples"
            )

    def _chunk(
        self, begin: int, size: int, can_be_cut: bool = False, before: ExplainerError | None = None
    ) -> Chunk:
        """So many samples; the last chunk is filled up with its last sample."""
        count = min(size, self.samples - begin)
        targets = [single for group in self.groups for single in group]
        if size == self.samples:
            parts = [None if feeds is None else dict(feeds) for feeds in (self.feeds, self.references)]
        else:
            take = np.minimum(np.arange(begin, begin + size), self.samples - 1)
            parts = [
                None if feeds is None else {name: x[take] for name, x in feeds.items()}
                for feeds in (self.feeds, self.references)
            ]
            targets = [target.taking(take, self.samples) for target in targets]
        assert parts[0] is not None
        place = begin if size == 1 < self.samples else None
        self.done.append(Chunk(parts[0], targets, parts[1], count, can_be_cut, place, before))
        return self.done[-1]

    def runs(self) -> list[Run]:
        """What the whole batch gave, for each target."""
        parts = [[run.first(chunk.count) for run in chunk.runs] for chunk in self.done]
        singles = iter([Run.join(runs) for runs in zip(*parts, strict=True)])
        return [Run.join([next(singles) for _ in group]) for group in self.groups]


class Batches:
    """What one model takes at once, which some files only tell by failing.

    Parameters
    ----------
    graph : Graph
    apart : sequence of str, optional
        Tensors that samples are asked for as if each were alone: where they change each other's numbers, or
        might, they are fed one by one. None is the batch as it is.

    Attributes
    ----------
    fixed : int or None
        The only size that the file takes.
    one_by_one : bool
        Whether more than one sample cannot be fed, or was seen to fail.
    tries : bool
        Whether one by one is only tried, and the batch fed whole where no sample passes alone.
    """

    def __init__(self, graph: Graph, apart: Sequence[str] | None = None) -> None:
        self.graph, self.apart = graph, apart
        axes = sample_axes(graph)
        declared = [(value.shape, axes[value.name][1]) for value in graph.inputs if value.shape is not None]
        sizes = {shape[axis] for shape, axis in declared if axis is not None} - {None}
        self.fixed = sizes.pop() if len(sizes) == 1 else None
        self.one_by_one = is_of_one(graph) or (apart is not None and any(axis for _, axis in declared))
        self.tries = False
        self.shared = [name for name, (_, axis) in axes.items() if axis is None]

    def walked(self, sources: Collection[str]) -> Batches:
        """How walks to some inputs are fed: one by one, where samples would change each other's relevance.

        They do where these keep them apart and they meet for sure; and in an input that all of them share,
        which is handed what each has for it. A file that takes several at once, or whose inputs have a
        batch that does not come apart, is walked as it is.
        """
        found = Batches(self.graph)
        if self.fixed is None:
            found.tries = self.mixing is not None and self.mixing.is_sure
            found.one_by_one = found.tries or not set(sources).isdisjoint(self.shared)
        return found

    @cached_property
    def mixing(self) -> Mixing | None:
        """Where samples that are to be apart meet."""
        return None if self.apart is None else mixing(self.graph, self.apart)

    @property
    def is_stuck(self) -> bool:
        """Whether no sample can be asked alone: the file takes several at once, and they meet."""
        return (self.fixed or 1) > 1 and self.mixing is not None and self.mixing.is_sure

    def remarks(self, samples: int) -> tuple[str, ...]:
        """That several samples which surely meet were each asked alone, so that answers are another than
        the file's on all of them: what begins the inputs may be the steps of one sequence."""
        if samples == 1 or self.fixed is not None or self.mixing is None or not self.mixing.is_sure:
            return ()
        told = f"each of the {samples} samples was asked alone, for {self.mixing}"
        first = self.graph.inputs[0]
        if first.shape and first.shape[0] is None and first.open:
            size = f"fix={{{first.open[0]!r}: {samples}}} (--fix {first.open[0]}={samples})"
            by = "" if self.mixing.node.operator in RECURRENT else " by lrp and gradient,"
            told += f"; one sequence is explained whole,{by} where its size is said: {size}"
        return (told,)

    def size(self, samples: int) -> int:
        """How many of so many samples are fed at once."""
        if self.fixed is not None:
            if self.is_stuck:
                raise InputError(
                    f"{self.graph.title}: {self.mixing}, and the file takes {self.fixed} samples at once: "
                    "none of them can be asked alone; export it for evaluation, or with a batch of 1"
                )
            return self.fixed
        return 1 if self.one_by_one or (samples > 1 and self.mixing is not None) else samples

    def cut(
        self,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        references: Mapping[str, Array] | None = None,
    ) -> Chunks:
        """A batch as chunks.

        Raises
        ------
        TargetError
            As many indices as neither samples nor one sample can use.
        """
        return Chunks(self, feeds, targets, references)


def samples_of(feeds: Mapping[str, Array]) -> int:
    """The size of a batch, which a number that is the same for all does not tell."""
    return next((len(x) for x in feeds.values() if x.ndim), 1)


def callers_level() -> int:
    """How far up the stack whoever called this package is: a warning is about their line."""
    package, level = str(Path(__file__).parents[1]), 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((package, contextlib.__file__)):
        frame, level = frame.f_back, level + 1
    return level + 1
