"""A Softmax that is written out: e^(x − m) / Σ e^(x − m), m the largest x or nothing.

Read node by node each e^x would have a tangent of its own, and next to all relevance would be intercepts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..model.graph import Graph, Node
from .base import register
from .matching import Match
from .pattern import Pattern
from .reader import Reader, Unread, axes_of, spread_of


@dataclass(frozen=True, eq=False)
class Written(Match):
    """A Softmax of x that makes y, and its axis."""

    axis: int = -1


@register("softmax")
class WrittenSoftmax(Pattern):
    """e^x over its sum along an axis, as JAX and TensorFlow's exporters write it."""

    quiet = True

    def _candidates(self, graph: Graph) -> Iterator[list[Match]]:
        if graph.by_operator.get("Exp"):
            for node in graph.nodes:
                if (found := read(graph, node)) is not None:
                    yield [found]

    def group(self, match: Match) -> Node:
        assert isinstance(match, Written)
        # The operator has an axis of its own, and no other, since opset 13.
        return replace(match.becomes("Softmax", [match["x"]], attributes={"axis": match.axis}), opset=13)


def read(graph: Graph, node: Node) -> Written | None:
    """The Softmax that ends at a quotient, or at a product with 1/Σ; None where none does."""
    if node.members or node.operator not in ("Div", "Mul"):
        return None
    for order in ((0, 1),) if node.operator == "Div" else ((0, 1), (1, 0)):
        reader = Reader(graph, [node])
        try:
            return _read(reader, node.inputs[order[0]], node.inputs[order[1]])
        except Unread:
            continue
    return None


def _read(reader: Reader, powers: str, divisor: str) -> Written:
    last = reader.nodes[0]
    exp = reader.take(powers, "Exp")
    if last.operator == "Mul":
        divisor, _ = spread_of(reader, divisor)
        divisor = reader.take(divisor, "Reciprocal").inputs[0]
    divisor, added = spread_of(reader, divisor)
    total = reader.take(divisor, "ReduceSum")
    axes = axes_of(reader, total, added)
    if total.inputs[0] != exp.outputs[0] or len(axes) != 1:
        raise Unread
    x = _without_largest(reader, exp.inputs[0], axes)
    nodes = tuple(sorted(set(reader.nodes), key=reader.graph.places.__getitem__))
    return Written({"x": x, "y": last.outputs[0]}, {}, nodes, axes[0])


def _without_largest(reader: Reader, name: str, axes: list[int]) -> str:
    """x of x − m, m of x over the same axes; what is there where it is written otherwise.

    A Softmax takes no notice of an m that is one number along its axis: JAX limits the largest x at −∞ first.
    """
    difference = reader.maker(name, "Sub")
    if difference is None:
        return name
    tried, added = Reader(reader.graph), list[Node]()
    m, limits = difference.inputs[1], ("Max", "Min", "Clip", "Identity", "Cast")
    try:
        while True:
            m, put_back = spread_of(tried, m)
            added += put_back
            if (limit := tried.maker(m, *limits)) is None:
                break
            # A limit that differs along the axis is no single number, and one of the input's two signals.
            (m,) = (operand for operand in limit.inputs if operand and tried.number(operand) is None)
            tried.nodes.append(limit)
        largest = tried.take(m, "ReduceMax")
        if largest.inputs[0] != difference.inputs[0] or axes_of(tried, largest, added) != axes:
            return name
    except (Unread, ValueError):
        return name
    reader.nodes += [difference, *tried.nodes]
    return difference.inputs[0]
