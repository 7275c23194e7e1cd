"""A question to a model: one batch and one target, asked at the batch itself or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..inputs.feeds import Batch
from ..targets import Target
from ..tensor import Array
from ..walk.runs import Run
from ..walk.walker import Walkers


class Question:
    """One batch, and what is explained of it; asked at the batch itself or elsewhere.

    Parameters
    ----------
    walkers : Walkers
        Answer it.
    feeds : dict of input name -> array (N, ...)
    target : Target
        With the index that was found at the batch itself: elsewhere the same one is asked for.
    layout : str
        "NCHW" or "NHWC".

    Attributes
    ----------
    feeds : dict of input name -> array (N, ...)
        The inputs that are explained, in the type that attributions are computed in.
    held : dict of input name -> array (N, ...)
        The others, which stay as they are.
    samples : int
        N.
    """

    def __init__(self, walkers: Walkers, feeds: Mapping[str, Array], target: Target, layout: str) -> None:
        self.walkers, self.target, self.layout = walkers, target, layout
        self.samples = len(next(iter(feeds.values())))
        names = feeds if walkers.plan is None else walkers.plan.sources
        self.held = {name: x for name, x in feeds.items() if name not in names}
        self.feeds = {name: self._cast(feeds[name]) for name in names}

    @classmethod
    def of(cls, walkers: Walkers, given: Batch, target: Target) -> tuple[Question, Run]:
        """The question that a batch and a target make, and what the model itself says of them.

        Raises
        ------
        TargetError, ModelError, NumericalError
        """
        run = walkers.score(given.feeds, [target])[0]
        # Several indices of one sample: each is a sample of its own.
        copies = len(run.start) // given.samples
        feeds = {name: np.repeat(x, copies, axis=0) for name, x in given.feeds.items()}
        index = target.index if run.target is None else run.target
        against = target.against if run.against is None else run.against
        return cls(walkers, feeds, replace(target, index=index, against=against), given.layout), run

    def _cast(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return x
        kind = np.result_type(x, np.float32) if self.walkers.plan is None else self.walkers.one.dtype
        return x.astype(kind, copy=False)

    def at(self, feeds: Mapping[str, Array]) -> Question:
        """The same question about another batch of as many samples."""
        return Question(self.walkers, {**self.held, **feeds}, self.target, self.layout)

    def score(self, feeds: Mapping[str, Array], rows: Array) -> Array:
        """What is explained, (M,), at M points; `rows` (M,) says for which sample each is asked."""
        target = self.target.taking(rows, self.samples)
        return self.walkers.score(self._whole(feeds, rows), [target])[0].score

    def attribute(
        self,
        feeds: Mapping[str, Array],
        rows: Array,
        *,
        references: Mapping[str, Array] | None = None,
        points: int = 0,
    ) -> dict[str, Array]:
        """What one walk from each of M points hands to the inputs: the gradient, as a rule.

        `references` are M points that rules compare with. `points` says how many there will be in
        all, if more than these.
        """
        target = self.target.taking(rows, self.samples)
        if references is None:
            return self.walkers.many(points)(self._whole(feeds, rows), [target])[0].relevance
        whole, beside = self._whole(feeds, rows), self._whole({**feeds, **references}, rows)
        return self.walkers.one(whole, [target], beside)[0].relevance

    def of_tensor(self, name: str) -> tuple[Array, Array]:
        """A kept tensor's values for the batch itself, and what the walk hands to it."""
        rows = np.arange(self.samples)
        walker = self.walkers.one
        run = walker(self._whole(self.feeds, rows), [self.target.taking(rows, self.samples)])[0]
        tensor = walker.plan.keep[name]
        return run.values[tensor], run.relevance[tensor]

    def _whole(self, feeds: Mapping[str, Array], rows: Array) -> dict[str, Array]:
        """All inputs of the model, those that are not explained too."""
        return {**{name: x[rows] for name, x in self.held.items()}, **feeds}


def refuse_whole_numbers(feeds: Mapping[str, Array]) -> None:
    """Say that there is nothing between two of them.

    Raises
    ------
    InputError
    """
    whole = [name for name, x in feeds.items() if x.dtype.kind != "f"]
    if whole:
        raise InputError(
            f"input {whole[0]!r} holds whole numbers: this method asks at points between them, which the "
            "model does not take; 'lrp', 'gradient' and 'grad_cam' ask at the input alone"
        )
