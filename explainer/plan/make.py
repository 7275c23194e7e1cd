"""Making a plan: choosing a layer and a rule for every node, or saying all that stands against it."""

from __future__ import annotations

import copyreg
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..canonizers import canonize
from ..composites import Composite
from ..errors import TargetError, UnsupportedError
from ..layers import Layer
from ..model.graph import Graph, Node
from ..model.reading import Source
from ..model.runtime import Runtime
from ..targets import Anchor
from .complaints import layer_of, out_of_reach, refusal
from .keeping import biased, keeping, kept_in, looked_up
from .preprocessing import handing_on, in_their_units, preparing, taken_in
from .shortcuts import behind_relu
from .statistics import normalised
from .steps import Plan, Step
from .where import is_scale, placed


def make_plan(
    graph: Graph,
    composite: Composite,
    anchor: Anchor,
    keep: Collection[str] | str = (),
    conditioned: Collection[str] = (),
    called: str = "keep",
) -> Plan:
    """Choose a layer and a rule for every node between target and input.

    Parameters
    ----------
    graph : Graph
        As it was read.
    composite : Composite
    anchor : Anchor
        Where the relevance starts.
    keep : collection of str, or "all"
        Tensors whose relevance is to be returned, and constants that are added or put in a place; "all"
        is every tensor.
    conditioned : collection of str
        Tensors whose channels are chosen from; they are kept too.
    called : str
        What the caller calls `keep`, for messages.

    Raises
    ------
    UnsupportedError
        Lists every node that has no layer or no rule.
    CompositeError
        A rule cannot be put on a layer that was named for it, or names none.
    TargetError
        The target does not depend on the input, or a kept or conditioned tensor is not on the path.
    """
    names = list(dict.fromkeys([*([] if keep == "all" else _names(keep)), *conditioned]))
    names_apart = {anchor.tensor, *names, *biased(graph, names)}
    view = canonize(graph, names_apart, composite.canonizers)
    if anchor.tensor not in view.carrying:
        raise out_of_reach(view, anchor)
    steps, reached = _steps(view, composite, anchor)
    if apart := taken_in(steps):
        view = canonize(graph, {*names_apart, *apart}, composite.canonizers)
        steps, reached = _steps(view, composite, anchor)
    sources = tuple(value.name for value in view.inputs if value.name in reached)
    steps = list(with_frees(behind_relu(view, steps, anchor)))
    plan = Plan(view, anchor, tuple(steps), sources, composite, tuple(names), gradient=composite.gradient)
    everything = {name: name for name in plan.tensors} if keep == "all" else {}
    kept = everything | kept_in(plan, graph, names, conditioned, called)
    tables = looked_up(plan, graph, kept.values())
    return keeping(replace(plan, keep=kept, tables=tables))


def _names(keep: Collection[str] | str) -> list[str]:
    if isinstance(keep, str):
        return [keep]
    if not isinstance(keep, Collection) or not all(isinstance(name, str) for name in keep):
        raise TargetError(f"keep: tensor names or 'all', not {keep!r}")
    return list(keep)


def _steps(graph: Graph, composite: Composite, anchor: Anchor) -> tuple[list[Step], set[str]]:
    """The steps, and every tensor on the path; complaints are gathered and raised together."""
    apart = {} if composite.gradient else normalised(graph)
    weights: set[Node] = set()
    while True:
        layers, reached, complaints = _layers(graph, anchor, apart)
        layers = placed(graph, layers, anchor.tensor, weights)
        rules = [composite.rule_for(layer) for layer in layers]
        passing = preparing(
            composite, [(layer, rule) for layer, rule in zip(layers, rules, strict=True) if rule]
        )
        # By what is normalised for other rules too, relevance is shared, or cannot be.
        shared = {layer.node for layer in layers if layer.output not in passing}
        weighing = {layer.node for layer in layers if layer.node in shared and is_scale(layer)}
        if not weighing and shared.isdisjoint(apart):
            break
        weights |= weighing
        apart = {node: view for node, view in apart.items() if node not in shared}
    complaints += [
        (layer.node, f"composite {composite.name!r} has no rule for the role {layer.kind.name!r}")
        for layer, rule in zip(layers, rules, strict=True)
        if rule is None
    ]
    if complaints:
        raise refusal(graph, anchor, complaints, list(zip(layers, rules, strict=True)))
    composite.check(layers, rules)
    chosen = [rule for rule in rules if rule]
    return [
        Step(
            layer,
            handing_on(layer, rule) if layer.output in passing else rule,
            layer.output,
            prepares=layer.output in passing,
        )
        for layer, rule in zip(layers, in_their_units(graph, composite, layers, chosen), strict=True)
    ], reached


def _layers(
    graph: Graph, anchor: Anchor, apart: Mapping[Node, Graph]
) -> tuple[list[Layer], set[str], list[tuple[Node, str]]]:
    """The layers between target and input in the order of the walk, the tensors, and complaints."""
    reached = {anchor.tensor}
    layers: list[Layer] = []
    complaints: list[tuple[Node, str]] = []
    for node in reversed(graph.nodes):
        for index, output in enumerate(node.outputs):
            if not output or output not in reached:
                continue
            try:
                layer = layer_of(node, apart.get(node, graph), index)
            except UnsupportedError as error:
                complaints.append((node, str(error)))
                # A branch is chosen by a condition, and nothing goes back through that.
                read = node.captures if node.operator == "If" else (*node.inputs, *node.captures)
                reached.update(name for name in read if name in graph.carrying)
            else:
                layers.append(layer)
                reached.update(layer.inputs)
    return layers, reached, complaints


def with_frees(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Mark, for every step, the tensors that it is the last to read."""
    seen: set[str] = set()
    marked = []
    for step in reversed(list(steps)):
        marked.append(replace(step, frees=tuple(sorted(step.reads - seen))))
        seen.update(step.reads)
    return tuple(reversed(marked))


def _reduced(plan: Plan) -> tuple[Any, ...]:
    made_of = (plan.graph.source, plan.graph.runtime, plan.composite, plan.anchor, plan.visible)
    looks = {"keep": plan.keep, "shows": plan.shows, "gathers": plan.gathers}
    also = plan.steps[0].also if plan.steps else frozenset[str]()
    return _again, (*made_of, looks, also)


def _again(
    source: Source,
    runtime: Runtime,
    composite: Composite,
    anchor: Anchor,
    visible: tuple[str, ...],
    looks: dict[str, Any],
    also: frozenset[str],
) -> Plan:
    """A pickled plan made again, with what is looked at on the walk."""
    plan = make_plan(Graph.load(source, runtime), composite, anchor, visible)
    return looking(replace(plan, **looks), also) if also else replace(plan, **looks)


def looking(plan: Plan, also: frozenset[str]) -> Plan:
    """The plan whose steps all have these of their layers' values, whatever their rules read."""
    return replace(plan, steps=with_frees(replace(step, also=also) for step in plan.steps))


copyreg.pickle(Plan, _reduced)
