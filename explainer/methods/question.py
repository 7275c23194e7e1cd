"""A question to a model: one batch and one target, asked at the batch itself or elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..inputs.feeds import Batch
from ..model.axes import as_model_has_them, axes_of
from ..model.graph import Graph, Input
from ..model.told import Axes
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
        "NCHW" or "NHWC", where the preprocessing says it; else "".
    hold : collection of str
        Inputs that stay as they are.

    Attributes
    ----------
    feeds : dict of input name -> array (N, ...)
        The inputs that are explained, in the type that attributions are computed in.
    held : dict of input name -> array (N, ...)
        The others, which stay as they are.
    axes : dict of input name -> Axes
        What the axes of every input are.
    samples : int
        N.
    dtype : numpy dtype
        Of the attributions of inputs that hold whole numbers.
    """

    def __init__(
        self,
        walkers: Walkers,
        feeds: Mapping[str, Array],
        target: Target,
        layout: str,
        hold: Collection[str] = (),
    ) -> None:
        self.walkers, self.target, self._layout, self.hold = walkers, target, layout, tuple(hold)
        self.samples = len(next(iter(feeds.values())))
        free = [name for name in feeds if name not in walkers.graph.held]
        sources = free if walkers.plan is None else walkers.plan.sources
        names = [name for name in sources if name not in hold]
        self.held = {name: x for name, x in feeds.items() if name not in names}
        self.dtype = walkers.dtype
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

    @cached_property
    def axes(self) -> dict[str, Axes]:
        """What the axes of every input are, the samples in front."""
        return axes_of_feeds(self.walkers.graph, {**self.held, **self.feeds}, self._layout)

    @property
    def layout(self) -> str:
        """ "NCHW" or "NHWC", of the first input that is explained."""
        return self.axes[next(iter(self.feeds))].layout

    def _cast(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return x
        kind = np.result_type(x, self.dtype) if self.walkers.plan is None else self.dtype
        return x.astype(kind, copy=False)

    def at(self, feeds: Mapping[str, Array]) -> Question:
        """The same question about another batch of as many samples."""
        return Question(self.walkers, {**self.held, **feeds}, self.target, self._layout, self.hold)

    def holding(self, names: Collection[str]) -> Question:
        """The same question, with these inputs as they are.

        Raises
        ------
        InputError
            No such input, or none is left to explain.
        """
        there = {**self.held, **self.feeds}
        check_hold(names, there, self.feeds)
        if not names:
            return self
        return Question(self.walkers, there, self.target, self._layout, names)

    def check_steady(self, scores: Array) -> None:
        """Refuse a model whose answer is another one each time: no difference would mean anything.

        Raises
        ------
        InputError
        """
        again = self.score(self.feeds, np.arange(self.samples))
        if not np.allclose(scores, again, rtol=1e-3, atol=1e-6, equal_nan=True):
            raise InputError(
                f"asked again about the same input, the model answers {again.ravel()[0]:.6g} and not "
                f"{scores.ravel()[0]:.6g}: it has something random in it, or is in training mode; export it "
                "for evaluation"
            )

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
        if len(rows) > 1 and self.walkers.mixes:  # what a sample is handed must not depend on the others
            parts = [
                self.attribute(
                    {name: x[place : place + 1] for name, x in feeds.items()},
                    rows[place : place + 1],
                    references=None
                    if references is None
                    else {name: x[place : place + 1] for name, x in references.items()},
                    points=points,
                )
                for place in range(len(rows))
            ]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        target = self.target.taking(rows, self.samples)
        if references is None:
            return self.walkers.many(points)(self._whole(feeds, rows), [target])[0].relevance
        whole, beside = self._whole(feeds, rows), self._whole({**feeds, **references}, rows)
        return self.walkers.one(whole, [target], beside)[0].relevance

    def walked(self) -> Run:
        """One walk from the batch itself, with all that it hands back."""
        rows = np.arange(self.samples)
        return self.walkers.one(self.whole, [self.target.taking(rows, self.samples)])[0]

    @property
    def whole(self) -> dict[str, Array]:
        """All inputs of the model at the batch itself."""
        return self._whole(self.feeds, np.arange(self.samples))

    @property
    def told(self) -> str:
        """ "NCHW" or "NHWC" where the preprocessing says it; else ""."""
        return self._layout

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


def axes_of_feeds(graph: Graph, feeds: Mapping[str, Array], layout: str) -> dict[str, Axes]:
    """What the axes of every input are, of arrays with the samples in front."""
    shapes = {name: x.shape for name, x in as_model_has_them(graph, feeds).items()}
    return {name: axes_of(graph, name, shape, layout).in_front() for name, shape in shapes.items()}


def check_hold(names: Collection[str], inputs: Collection[str], explained: Collection[str]) -> None:
    """Refuse to hold what is no input, or all that is explained.

    Raises
    ------
    InputError
    """
    if unknown := [name for name in names if name not in inputs]:
        raise InputError(
            f"hold: {', '.join(map(repr, unknown))} is no input; the inputs are "
            f"{', '.join(map(repr, inputs))}"
        )
    if names and all(name in names for name in explained):
        raise InputError(f"{', '.join(map(repr, explained))} is held, and nothing is left to explain")


def refuse_whole_numbers(feeds: Mapping[str, Array | Input]) -> None:
    """Say that there is nothing between two of them.

    Raises
    ------
    InputError
    """
    whole = [name for name, x in feeds.items() if x.dtype.kind != "f"]
    if whole:
        raise InputError(
            f"input {whole[0]!r} holds whole numbers: this method asks at points between them, which the "
            "model does not take"
        ).looking("methods")
