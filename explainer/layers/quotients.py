"""Quotients with an activation below: of two activations, or of a constant and one."""

from __future__ import annotations

from ..model.graph import Graph, Node
from ..tensor import Bundle, Value, sum_to
from .base import Bound, Layer
from .curved import Curved
from .divided import DEVIATION, Divided
from .kinds import QUOTIENT
from .parameters import Parameters


class Ratio(Divided):
    """z = a/b, both of them computed from the input: b says how much of a goes on, and may be held constant.

    a·∂z/∂a + b·∂z/∂b = z − z: of degree 0 (Euler), so that by its tangent inputs get nothing in sum, and
    the intercept takes all.
    """

    kind = QUOTIENT
    by_place = True

    def deviation(self, x: Value) -> Value:
        return x[1]

    def forward(self, x: Value, p: Parameters) -> Value:
        return x[0] / self.divisor(x, p)

    def transpose(self, s: Value, at: Bound) -> Value:
        a, b = at.x
        c = s / self.divisor(at.x, at.p)
        below = b * 0 if DEVIATION in at.p else sum_to(-c * a / b, b.shape)
        return Bundle((sum_to(c, a.shape), below))

    def intercept(self, at: Bound) -> Value:
        return None if DEVIATION in at.p else at(at.x)

    def multipliers(self, s: Value, at: Bound) -> Value:
        """Of a·(1/b): half of each factor's change by the other's old value and half by its new one."""
        assert at.reference is not None
        (a, b), (a0, b0) = at.x, at.reference.x
        above, below = s * (1 / b + 1 / b0) * 0.5, -s * (a + a0) * 0.5 / (b * b0)
        return Bundle((sum_to(above, a.shape), sum_to(below, b.shape)))


class HeldRatio(Layer):
    """z = x/d: x carries the signal, and what divides it is a parameter of this call."""

    kind = QUOTIENT
    keeps_maps = True
    by_place = True  # what divides is a parameter of the call

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.operands["d"] = node.inputs[1]

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        return self.node.inputs[:1]

    def forward(self, x: Value, p: Parameters) -> Value:
        return x / p["d"]

    def transpose(self, s: Value, at: Bound) -> Value:
        return sum_to(s / at.p["d"], at.x.shape)


class Inverse(Curved):
    """z = w/x: of degree −1, so that by its tangent −R is x's, and 2R the intercept's."""

    by_place = True
    rises_from = 0

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "w", 0, "dividend")

    def forward(self, x: Value, p: Parameters) -> Value:
        return p["w"] / x

    def transpose(self, s: Value, at: Bound) -> Value:
        return sum_to(s * at.p["w"] / (-at.x * at.x), at.x.shape)

    def intercept(self, at: Bound) -> Value:
        return 2 * at(at.x)

    def multipliers(self, s: Value, at: Bound) -> Value:
        assert at.reference is not None
        return sum_to(-s * at.p["w"] / (at.x * at.reference.x), at.x.shape)
