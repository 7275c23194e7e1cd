"""Rounding to the whole numbers of a quantised file, and back."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..model.rounded import numbers_of
from ..model.units import along
from ..tensor import FLOAT32, Cast, Max, Min, Round, Value
from .activations import Activation, inside
from .base import Bound
from .movement import Movement
from .parameters import Parameters
from .registry import register


@register("QuantizeLinear")
class QuantizeLinear(Activation):
    """(q − zero)·scale with q = clip(round(x / scale) + zero): x, as closely as whole numbers say it.

    Its slope is 1 where q is inside of its ends, and 0 at them, where a Relu may be hidden.
    """

    # The slope is that of no point, but of what lies between them: Bengio et al. 2013's straight-through one.

    facts = Facts(sign=as_first)
    normalises = True
    measures = frozenset({"scale", "zero"})
    transpose_reads = frozenset({"z"})

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.inputs = node.inputs[:1]
        self.take_operand(graph, "scale", 1, "scale")
        self.take_operand(graph, "zero", 2, "zero point")
        self.numbers = numbers_of(node, graph)

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        found = super().prepare(values)
        return found | ({"zero": Cast(found["zero"], to=FLOAT32)} if "zero" in found else {})

    def _scales(self, x: Value, p: Parameters) -> tuple[Value, Value]:
        axis = self.node.attributes.get("axis", 1)
        zero = p.get("zero")
        scale = along(p["scale"], axis, x)
        return scale, 0 * scale if zero is None else along(zero, axis, x)

    def _bounds(self, x: Value, p: Parameters) -> tuple[Value, Value, Value]:
        scale, zero = self._scales(x, p)
        low, high = self.numbers.ends
        return scale, (low - zero) * scale, (high - zero) * scale

    def forward(self, x: Value, p: Parameters) -> Value:
        scale, low, high = self._bounds(x, p)
        q = x / scale
        step = self.numbers.step(q)
        return Min(Max(Round(q / step) * step * scale, low), high)

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * self._inside(at(at.x), at.p)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return self._inside(x, p)

    def _inside(self, x: Value, p: Parameters) -> Value:
        scale, low, high = self._bounds(x, p)
        half = self.numbers.last / 2 * scale
        return inside(x, low + half, high - half)


@register("DynamicQuantizeLinear")
class DynamicQuantizeLinear(QuantizeLinear):
    """The same, in a unit that it chooses by the least and the largest x, and that is held."""

    facts = Facts()


@register("DequantizeLinear")
class DequantizeLinear(Movement):
    """Real numbers again: what is read is real already."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.inputs = node.inputs[:1]

    def forward(self, x: Value, p: Parameters) -> Value:
        return x + 0

    def transpose(self, s: Value, at: Bound) -> Value:
        return s
