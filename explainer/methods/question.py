"""A question to a model: one batch and one target, asked at the batch itself or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, TargetError
from ..inputs.feeds import Batch
from ..results.explanation import Explanation
from ..targets import Anchor, Target, choose
from ..tensor import Array, total
from ..walk.batches import Batches, Run, RunTargets
from ..walk.runner import Runner, scored
from . import Method, Progress, Walk

if TYPE_CHECKING:
    from ..model.graph import Graph
    from ..plan import Plan


class Scorer:
    """What a model says of a target, without a walk: any model that onnxruntime runs will do.

    Parameters
    ----------
    graph : Graph
    where : Anchor
    """

    def __init__(self, graph: Graph, where: Anchor) -> None:
        given = {value.name for value in graph.inputs}
        names = dict.fromkeys([where.tensor, where.output, *where.moved, *graph.outputs])
        self.graph = graph
        self.session = graph.session([name for name in names if name not in given])

    def run(self, feeds: Mapping[str, Array], targets: Sequence[Target]) -> list[Run]:
        """The outputs, the chosen index and the score of one batch; no relevance.

        Raises
        ------
        ModelError, TargetError
        """
        values = {**self.session.run(self.graph.typed(feeds)), **feeds}
        samples = len(next(iter(feeds.values())))
        outputs = {name: values[name] for name in self.graph.outputs}
        return [
            scored(target, choose(target, values, samples), values, outputs, samples) for target in targets
        ]


class Question:
    """One batch and what is explained of it: the `Problem` that methods are given.

    Parameters
    ----------
    scorer : Scorer
    runner : Runner or None
        Walks; None for methods that do not.
    batches : Batches
    feeds : dict of input name -> array (N, ...)
    target : Target
        With the index that was found at the batch itself: elsewhere the same one is asked for.
    layout : str

    Attributes
    ----------
    feeds : dict of input name -> array (N, ...)
        Those that the target depends on, in the type of the walk; methods may ask elsewhere.
    held : dict of input name -> array (N, ...)
        The others, which stay as they are.
    """

    def __init__(
        self,
        scorer: Scorer,
        runner: Runner | None,
        batches: Batches,
        feeds: Mapping[str, Array],
        target: Target,
        layout: str,
    ) -> None:
        self.scorer, self.runner, self.batches = scorer, runner, batches
        self.target, self.layout = target, layout
        self.samples = len(next(iter(feeds.values())))
        names = feeds if runner is None else runner.plan.sources
        self.held = {name: x for name, x in feeds.items() if name not in names}
        self.feeds = {name: self._cast(feeds[name]) for name in names}

    def _cast(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return x
        kind = np.result_type(x, np.float32) if self.runner is None else self.runner.dtype
        return x.astype(kind, copy=False)

    def at(self, feeds: Mapping[str, Array]) -> Question:
        """The same question about another batch of as many samples."""
        whole = {**self.held, **feeds}
        return Question(self.scorer, self.runner, self.batches, whole, self.target, self.layout)

    def score(self, feeds: Mapping[str, Array], rows: Array) -> Array:
        """What is explained, (M,), at M points; `rows` (M,) says for which sample each is asked."""
        return self._ask(scorer_of(self.scorer, self.runner), feeds, rows).score

    def attribute(
        self,
        feeds: Mapping[str, Array],
        rows: Array,
        *,
        references: Mapping[str, Array] | None = None,
        points: int = 0,
    ) -> dict[str, Array]:
        """What one walk from each of M points hands to the inputs."""
        if references is not None:
            return self._compare(feeds, references, rows)
        return self._ask(self._walker.many(points), feeds, rows).relevance

    def _compare(
        self, feeds: Mapping[str, Array], references: Mapping[str, Array], rows: Array
    ) -> dict[str, Array]:
        # Side by side, so that both are cut alike where the model takes batches of its own.
        both = {**feeds, **{f"reference of {name}": x for name, x in references.items()}}

        def run(part: Mapping[str, Array], targets: Sequence[Target]) -> list[Run]:
            points = {name: part[name] for name in (*feeds, *self.held)}
            others = {**points, **{name: part[f"reference of {name}"] for name in references}}
            return self._walker.run(points, targets, others)

        return self._ask(run, both, rows).relevance

    def inner(self, tensor: str) -> tuple[Array, Array]:
        """An inner tensor's values for the batch itself, and what the walk hands to it."""
        run = self._ask(self._walker.run, self.feeds, np.arange(self.samples))
        name = self._walker.plan.keep[tensor]
        return run.values[name], run.relevance[name]

    @property
    def _walker(self) -> Runner:
        assert self.runner is not None, "this method does not walk"
        return self.runner

    def _ask(self, run: RunTargets, feeds: Mapping[str, Array], rows: Array) -> Run:
        held = {name: x[rows] for name, x in self.held.items()}
        return self.batches.run(run, {**held, **feeds}, [self.target.taking(rows, self.samples)])[0]


def scorer_of(scorer: Scorer, runner: Runner | None) -> RunTargets:
    """What asks for scores: onnxruntime, or in the reference mode the walk's own forward pass."""
    return runner.score if runner is not None and runner.reference else scorer.run


def fixed(target: Target, run: Run) -> Target:
    """The target with the index that was found, so that it is the same at other points."""
    index = target.index if run.target is None else run.target
    against = target.against if run.against is None else run.against
    return replace(target, index=index, against=against)


def ask(
    method: Method,
    scorer: Scorer,
    runner: Runner | None,
    batches: Batches,
    given: Batch,
    target: Target,
    progress: Progress | None,
) -> Run:
    """What a method makes of one batch and target.

    Raises
    ------
    InputError, TargetError, ModelError, NumericalError
    """
    if not method.walks and target.start in ("clrp", "sglrp"):
        raise TargetError(
            f"start: {target.start!r} contrasts walks, and this method has none; take 'probability' or "
            "'margin'"
        )
    run = batches.run(scorer_of(scorer, runner), given.feeds, [target])[0]
    # Several indices of one sample: each is a sample of its own.
    copies = len(run.start) // given.samples
    feeds = {name: np.repeat(x, copies, axis=0) for name, x in given.feeds.items()}
    question = Question(scorer, runner, batches, feeds, fixed(target, run), given.layout)
    if method.elsewhere:
        refuse_whole_numbers(question.feeds)
    found = method(question, progress)
    return replace(run, relevance=found, delta=method.delta(question, found))


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


def explanation_of(
    run: Run, target: Target, given: Batch, plan: Plan | None, method: Method, labels: Mapping[int, str]
) -> Explanation:
    """A run as what the user gets."""
    samples = len(run.start)
    sources = given.feeds if plan is None else plan.sources
    # The map of an inner tensor is that of the inputs which have its axes.
    relevance = {name: run.relevance[name] for name in sources if name in run.relevance}
    arrived = np.sum([total(R, samples) for R in relevance.values()], axis=0)
    is_lrp = isinstance(method, Walk) and plan is not None and not plan.gradient
    with np.errstate(divide="ignore", invalid="ignore"):
        conserved = np.where((run.start == 0) | (not is_lrp), np.nan, arrived / run.start)
    keep = {} if plan is None or not isinstance(method, Walk) else plan.keep
    return Explanation(
        relevance=next(iter(relevance.values())) if len(given.feeds) == 1 else relevance,
        relevances={name: run.relevance[tensor] for name, tensor in keep.items()},
        outputs=run.outputs,
        target=run.target,
        target_name=target.anchor.output,
        start=run.start,
        conserved=conserved,
        audit=run.audit,
        kind=target.start,
        score=run.score,
        delta=run.delta,
        against=run.against,
        region=str(target) if run.is_region else "",
        conditions=tuple(map(str, target.conditions)),
        labels=labels,
        photos=given.photos * samples,
        layout=given.layout,
        repeats=method.core.repeats(next(iter(given.feeds.values()))),
    )
