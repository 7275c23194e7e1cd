"""From what a batch gave to the explanation that the user gets."""

from __future__ import annotations

import numpy as np

from ..inputs.feeds import Batch
from ..model.axes import as_model_has_them, sample_axes
from ..model.graph import Graph
from ..plan import Plan
from ..results.explanation import Explanation
from ..targets import Names, Target, refuse_itself
from ..tensor import Array, total
from ..walk.runs import Run
from .base import Method
from .question import axes_of_feeds

# How far a score may be from the fused file's, in its largest output, before that is said.
UNLIKE = 1e-3


def explanation_of(
    run: Run, target: Target, given: Batch, graph: Graph, plan: Plan | None, method: Method, labels: Names
) -> Explanation:
    """The explanation of one batch for one target.

    Parameters
    ----------
    run : Run
    target : Target
    given : Batch
    graph : Graph
    plan : Plan or None
        None where the method does not walk.
    method : Method
        Says whether inner tensors have a relevance, and whether the map's sum means something.
    labels : Names

    Raises
    ------
    InputError
        They are another number than there are classes.
    TargetError
        A margin's sides turn out to be the same.
    """
    refuse_itself(run.target, run.against, labels)
    if run.target is not None:
        labels.check(target.anchor.output, run.outputs)
    samples = len(run.start)
    sources = [name for name in given.feeds if name not in graph.held] if plan is None else plan.sources
    # The map of an inner tensor is that of the inputs which have its axes.
    relevance = {name: run.relevance[name] for name in sources if name in run.relevance}
    first = given.pictured if given.pictured in relevance else next(iter(relevance))
    axes = axes_of_feeds(graph, {first: given.feeds[first]}, given.layout)[first]
    conserves = plan is not None and method.conserves(plan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        arrived = np.sum([total(R, samples) for R in relevance.values()], axis=0)
        conserved = np.where((run.start == 0) | (not conserves), np.nan, arrived / run.start)
    # What samples share has a map for each of them, in front; an input without any has the one of its shape.
    turned = sample_axes(graph)
    without = {name for name, (_, axis) in turned.items() if axis is None}
    beside = without if set(given.feeds) - without else set()
    shaped = {
        name: R
        if graph.stops
        or name in beside
        or (plan is not None and name not in without)
        or (name in without and samples > 1)  # several targets of the one sample
        else as_model_has_them(graph, {name: R})[name]
        for name, R in relevance.items()
    }
    keep = {**plan.tables, **plan.keep} if plan is not None and method.keeps else {}
    amounts = {
        name: _amount(R, method.repeats(given.feeds[name]), name, given, graph)
        for name, R in (relevance.items() if len(relevance) > 1 else ())
    }
    return Explanation(
        relevance=shaped if graph.stops or len(given.feeds) > 1 else next(iter(shaped.values())),
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
        placeless=run.placeless,
        against=run.against,
        region=str(target) if run.is_region else "",
        conditions=tuple(map(str, target.conditions)),
        labels=labels,
        photos=given.photos * samples,
        pictured=given.pictured,
        stopped="" if graph.source.cut is None else graph.source.cut.told,
        given=(
            *given.remarks,
            *_held(run, plan, given, graph),
            *(() if plan is None else plan.ending),
            *_fused(run, target, plan),
        ),
        amounts=amounts,
        layout=axes.layout,
        axis=turned[first][1]
        if first in turned
        and first not in beside
        and not graph.stops
        and not (first in without and samples > 1)
        else 0,
        repeats=axes.channel is not None and bool(axes.places) and method.repeats(given.feeds[first]),
    )


def _held(run: Run, plan: Plan | None, given: Batch, graph: Graph) -> tuple[str, ...]:
    """What is said of inputs without a map: of text, and where inputs are changed of all that are not."""
    names = [name for name in given.feeds if name not in run.relevance and not graph.stops]
    names = [name for name in names if plan is None or name in graph.held]
    listed = " and ".join(filter(None, (", ".join(map(repr, names[:-1])), *map(repr, names[-1:]))))
    return (f"{listed} {'is' if len(names) == 1 else 'are'} held as given",) if names else ()


def _fused(run: Run, target: Target, plan: Plan | None) -> tuple[str, ...]:
    """What is said where a quantised file, fused, says something else than its nodes one by one."""
    name = target.anchor.tensor
    if plan is None or not plan.graph.units or run.target is None or target.start != "output":
        return ()
    deployed = run.outputs.get(name)
    if not isinstance(deployed, np.ndarray) or deployed.ndim != 2 or deployed.dtype.kind != "f":
        return ()
    said = deployed[np.arange(len(run.target)), run.target].astype(np.float64)
    worst = int(np.argmax(np.abs(said - run.score)))
    if abs(said[worst] - run.score[worst]) <= UNLIKE * float(np.max(np.abs(deployed[worst]))):
        return ()
    return (
        f"onnxruntime fuses this file's nodes, and gives {said[worst]:.4g} then; one by one, as they are "
        f"explained, {run.score[worst]:.4g}: they round to whole numbers at other places",
    )


def _amount(R: Array, repeats: bool, name: str, given: Batch, graph: Graph) -> Array:
    """Σ|R| of one input, by sample; of a map that every channel holds whole, once."""
    channel = axes_of_feeds(graph, {name: given.feeds[name]}, given.layout)[name].channel if repeats else None
    if channel is not None:
        R = np.take(R, [0], axis=channel)
    return np.asarray(np.abs(R).reshape(len(R), -1).sum(axis=1, dtype=np.float64))
