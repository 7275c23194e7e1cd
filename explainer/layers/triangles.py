"""Triangular maps: running sums along an axis, and matrices of which one side of a diagonal is kept."""

from __future__ import annotations

import numpy as np

from .. import tensor
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..tensor import Value
from .base import Bound, Layer, attribute
from .kinds import SUM
from .movement import Movement
from .parameters import Parameters
from .registry import register


@register("CumSum")
class CumSum(Layer):
    """z_k = Σ_{j ≤ k} x_j along an axis; j < k if exclusive, from the end if reverse."""

    kind = SUM
    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "axis", 1, "axis")

    def summed(self, x: Value, p: Parameters, turned: bool) -> Value:
        """The running sum, from the other end if turned."""
        reverse = bool(attribute(self.node, "reverse")) != turned
        axis = np.array(int(np.ravel(p["axis"])[0]))
        z = tensor.CumSum(x, axis, exclusive=attribute(self.node, "exclusive"), reverse=int(reverse))
        return z if p.change is None else z * p.implied(z.dtype.type(1))

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.summed(x, p, turned=False)

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.summed(s, at.p, turned=True)


@register("Trilu")
class Trilu(Movement):
    """The upper or lower triangle of the last two axes; 0 elsewhere, a constant to relevance."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.has_constants = True
        self.take_operand(graph, "k", 1, "diagonal")

    def kept(self, x: Value, p: Parameters) -> Value:
        """x, and 0 outside of the triangle."""
        k = np.array(int(np.ravel(p["k"])[0]) if "k" in p else 0)
        return tensor.Trilu(x, k, upper=attribute(self.node, "upper"))

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.kept(x, p)

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.kept(s, at.p)

    def bias_share(self, s: Value, at: Bound) -> Value:
        return s - self.kept(s, at.p)
