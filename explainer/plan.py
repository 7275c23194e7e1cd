"""The plan: which layer and which rule at every node between target and input."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from .canonizers import canonize
from .composites import Composite
from .errors import TargetError, UnsupportedError
from .graph import Graph, Node
from .layers import REGISTRY, Layer
from .places import place
from .rules import Rule
from .shortcuts import behind_relu
from .targets import Start


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the walk.

    Attributes
    ----------
    layer : Layer, unbound
    rule : Rule
    record : str
        The tensor that holds the layer's output: its own, or the Relu's behind it.
    frees : tuple of str
        Tensors that no later step reads.
    """

    layer: Layer
    rule: Rule
    record: str
    frees: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        return self.layer.node

    @property
    def reads(self) -> frozenset[str]:
        """The inner tensors that the forward pass must hand to this step."""
        reads = self.layer.transpose_reads if self.rule.reads is None else self.rule.reads
        names = set(self.layer.inputs) if "x" in reads else set()
        return frozenset(names | ({self.record} if "z" in reads else set()))


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps from target to input, and the tensors they read; printing it shows a table.

    Attributes
    ----------
    graph : Graph, canonized
    start : Start
    steps : tuple of Step, in the order of the walk
    sources : tuple of str
        The model inputs that relevance reaches.
    keep : dict of str -> str
        Tensors whose relevance is returned: the user's name -> the view's.
    shows : tuple of str
        Tensors whose values are returned too.
    gradient : bool
        Whether a gradient is handed back, which is not conserved.
    """

    graph: Graph
    start: Start
    steps: tuple[Step, ...]
    sources: tuple[str, ...]
    keep: dict[str, str] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    gradient: bool = False

    @property
    def reads(self) -> list[str]:
        """What the walk reads of the forward pass, in a fixed order."""
        names: dict[str, None] = dict.fromkeys((self.start.tensor, self.start.output, *self.start.moved))
        for step in self.steps:
            names.update(dict.fromkeys(sorted(step.reads)))
            names.update(dict.fromkeys(self.unfixed(step)))
        names.update(dict.fromkeys(self.shows))
        return list(names)

    def unfixed(self, step: Step) -> list[str]:
        """The step's parameters that are computed from shapes, so known only when the model runs."""
        return [name for name in step.layer.operands.values() if not self.graph.is_constant(name)]

    @property
    def tensors(self) -> list[str]:
        """Every tensor that has a relevance, from the target to the input."""
        return list(dict.fromkeys([step.layer.output for step in self.steps] + list(self.sources)))

    def __str__(self) -> str:
        rows = [("node", "operator", "layer", "rule")]
        for step in self.steps:
            operator = "+".join(m.operator for m in step.node.members) or step.node.operator
            rows.append((step.node.name, operator, type(step.layer).__name__, str(step.rule)))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        header = f"relevance starts at {self.start} and ends at {', '.join(map(repr, self.sources))}"
        return "\n".join([header, *self.graph.notes, *(line.rstrip() for line in lines)])


def make_plan(
    graph: Graph,
    composite: Composite,
    start: Start,
    keep: Collection[str] | str = (),
    conditioned: Collection[str] = (),
) -> Plan:
    """Choose a layer and a rule for every node between target and input.

    Parameters
    ----------
    graph : Graph
        As it was read.
    composite : Composite
    start : Start
        Where the relevance starts.
    keep : collection of str, or "all"
        Tensors whose relevance is to be returned.
    conditioned : collection of str
        Tensors whose channels are chosen from; they are kept too.

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
    view = canonize(graph, {start.tensor, *names}, composite.merge_batchnorm)
    if start.tensor not in view.carrying:
        raise TargetError(f"{start.tensor!r} does not depend on the values of the model's input")
    steps, reached = _steps(view, composite, start)
    sources = tuple(value.name for value in view.inputs if value.name in reached)
    steps = list(_with_frees(behind_relu(view, steps, start)))
    plan = Plan(view, start, tuple(steps), sources, gradient=composite.gradient)
    everything = {name: name for name in plan.tensors} if keep == "all" else {}
    return replace(plan, keep=everything | _kept(plan, graph, names, conditioned))


def _names(keep: Collection[str] | str) -> list[str]:
    if isinstance(keep, str):
        return [keep]
    if not isinstance(keep, Collection) or not all(isinstance(name, str) for name in keep):
        raise TargetError(f"keep: tensor names or 'all', not {keep!r}")
    return list(keep)


def _steps(graph: Graph, composite: Composite, start: Start) -> tuple[list[Step], set[str]]:
    """The steps, and every tensor on the path; complaints are gathered and raised together."""
    layers, reached, complaints = _layers(graph, start)
    place(graph, layers, start.tensor)
    rules = [composite.rule_for(layer) for layer in layers]
    complaints += [
        (layer.node, f"composite {composite.name!r} has no rule for it")
        for layer, rule in zip(layers, rules, strict=True)
        if rule is None
    ]
    if complaints:
        raise UnsupportedError(_complaint(graph, start, complaints))
    composite.check(layers, rules)
    return [
        Step(layer, rule, layer.output) for layer, rule in zip(layers, rules, strict=True) if rule
    ], reached


def _layers(graph: Graph, start: Start) -> tuple[list[Layer], set[str], list[tuple[Node, str]]]:
    """The layers between target and input in the order of the walk, the tensors, and complaints."""
    reached = {start.tensor}
    layers: list[Layer] = []
    complaints: list[tuple[Node, str]] = []
    for node in reversed(graph.nodes):
        for index, output in enumerate(node.outputs):
            if not output or output not in reached:
                continue
            try:
                layer = _layer(node, graph, index)
            except UnsupportedError as error:
                complaints.append((node, str(error)))
                reached.update(name for name in (*node.inputs, *node.captures) if name in graph.carrying)
            else:
                layers.append(layer)
                reached.update(layer.inputs)
    return layers, reached, complaints


def _layer(node: Node, graph: Graph, output: int) -> Layer:
    if node.operator not in REGISTRY:
        raise UnsupportedError("this operator has no layer")
    return REGISTRY[node.operator](node, graph, output)


def _complaint(graph: Graph, start: Start, complaints: list[tuple[Node, str]]) -> str:
    groups: dict[tuple[str, str], list[str]] = {}
    for node, reason in complaints:
        groups.setdefault((node.operator, reason), []).append(node.name)
    lines = [
        f"{graph.title}: {len(complaints)} node(s) on the way from {start} to the input cannot be explained:"
    ]
    for (operator, reason), names in groups.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        lines.append(f"  {operator} x{len(names)} ({reason}): {', '.join(map(repr, names[:3]))}{more}")
    lines.append(
        "`onnx-lrp operators` lists what is supported. A tensor between the input and the first of them "
        "can be explained: target=NAME, or --target NAME. The methods occlusion and rise explain any model."
    )
    return "\n".join(lines)


def _with_frees(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Mark, for every step, the tensors that it is the last to read."""
    seen: set[str] = set()
    marked = []
    for step in reversed(list(steps)):
        marked.append(replace(step, frees=tuple(sorted(step.reads - seen))))
        seen.update(step.reads)
    return tuple(reversed(marked))


def _kept(plan: Plan, graph: Graph, names: Iterable[str], conditioned: Collection[str]) -> dict[str, str]:
    tensors = set(plan.tensors)
    kept, wrong = {}, []
    for name in names:
        if plan.graph.resolve(name) in tensors:
            kept[name] = plan.graph.resolve(name)
        else:
            known = any(name in node.outputs for node in graph.nodes)
            near = get_close_matches(name, sorted(tensors), n=3, cutoff=0.3)
            what = "is not on the path from target to input" if known else "is no tensor of this model"
            hint = f"; near: {', '.join(map(repr, near))}" if near else "; keep='all' shows what there is"
            wrong.append(f"{'condition' if name in conditioned else 'keep'}: {name!r} {what}{hint}")
    if wrong:
        raise TargetError("\n".join(wrong))
    return kept
