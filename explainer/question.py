"""A question to a model: one batch and one target, asked at the batch itself or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .audit import Audit
from .batches import Batches, Run
from .errors import InputError
from .explanation import Explanation
from .inputs import Given
from .methods import Method, Progress, Walk
from .targets import Start, Target, choose, indices_of, score
from .tensor import Array, total

if TYPE_CHECKING:
    from .graph import Graph
    from .plan import Plan
    from .runner import Runner


class Scorer:
    """What a model says of a target, without a walk: any model that onnxruntime runs will do.

    Parameters
    ----------
    graph : Graph
    where : Start
    """

    def __init__(self, graph: Graph, where: Start) -> None:
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
        runs = []
        for target in targets:
            chosen = choose(target, values, samples)
            found = score(target, chosen, values, samples)
            index, against = (indices_of(side, samples) for side in (chosen, chosen.rival))
            is_region = chosen.is_region or (chosen.rival is not None and chosen.rival.is_region)
            runs.append(Run({}, outputs, index, against, found, found, Audit(), is_region))
        return runs


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
        whole = [name for name, x in feeds.items() if x.dtype.kind != "f"]
        if whole:
            raise InputError(
                f"input {whole[0]!r} holds whole numbers: this method asks at points between them, which the "
                "model does not take"
            )
        self.scorer, self.runner, self.batches = scorer, runner, batches
        self.feeds, self.target, self.layout = dict(feeds), target, layout
        self.samples = len(next(iter(feeds.values())))

    def at(self, feeds: Mapping[str, Array]) -> Question:
        """The same question about another batch of as many samples."""
        return Question(self.scorer, self.runner, self.batches, feeds, self.target, self.layout)

    def score(self, feeds: Mapping[str, Array], rows: Array) -> Array:
        """What is explained, (M,), at M points; `rows` (M,) says for which sample each is asked."""
        return self._ask(self.scorer, feeds, rows).score

    def attribute(self, feeds: Mapping[str, Array], rows: Array) -> dict[str, Array]:
        """What one walk from each of M points hands to the inputs."""
        relevance = self._ask(self._walker, feeds, rows).relevance
        # What the target does not depend on is handed nothing.
        return {name: relevance.get(name, np.zeros_like(x)) for name, x in feeds.items()}

    def inner(self, tensor: str) -> tuple[Array, Array]:
        """An inner tensor's values for the batch itself, and what the walk hands to it."""
        run = self._ask(self._walker, self.feeds, np.arange(self.samples))
        name = self._walker.plan.keep[tensor]
        return run.values[name], run.relevance[name]

    @property
    def _walker(self) -> Runner:
        assert self.runner is not None, "this method does not walk"
        return self.runner

    def _ask(self, whom: Scorer | Runner, feeds: Mapping[str, Array], rows: Array) -> Run:
        target = self.target.taking(rows, self.samples)
        cast = {name: x.astype(self.feeds[name].dtype, copy=False) for name, x in feeds.items()}
        return self.batches.run(whom.run, cast, [target])[0]


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
    given: Given,
    target: Target,
    progress: Progress | None,
) -> Run:
    """What a method makes of one batch and target.

    Raises
    ------
    InputError, TargetError, ModelError, NumericalError
    """
    run = batches.run(scorer.run, given.feeds, [target])[0]
    # Several indices of one sample: each is a sample of its own.
    copies = len(run.start) // given.samples
    feeds = {name: np.repeat(x, copies, axis=0) for name, x in given.feeds.items()}
    if runner is not None and runner.reference:  # points between are as precise as the walk
        feeds = {name: x.astype(runner.dtype) if x.dtype.kind == "f" else x for name, x in feeds.items()}
    question = Question(scorer, runner, batches, feeds, fixed(target, run), given.layout)
    found = method(question, progress)
    return replace(run, relevance=found, delta=method.delta(question, found))


def explanation_of(
    run: Run, target: Target, given: Given, plan: Plan | None, method: Method, labels: Mapping[int, str]
) -> Explanation:
    """A run as what the user gets."""
    samples = len(run.start)
    sources = given.feeds if plan is None else plan.sources
    relevance = {name: run.relevance[name] for name in sources}
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
        target_name=target.where.output,
        start=run.start,
        conserved=conserved,
        audit=run.audit,
        kind=target.how,
        score=run.score,
        delta=run.delta,
        against=run.against,
        region=str(target) if run.is_region else "",
        conditions=tuple(map(str, target.conditions)),
        labels=labels,
        photos=given.photos * samples,
        layout=given.layout,
    )
