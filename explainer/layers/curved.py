"""Maps of several values along a curve: relevance follows the tangent at x, z = Jx + b̃."""

from __future__ import annotations

import numpy as np

from .. import tensor
from ..model.graph import Graph, Node
from ..model.operators import Facts, never_negative
from ..tensor import Array, Exp, ReduceSum, Reshape, Shape, Value, added, finite, summed, summed_products
from .base import Bound, Layer, attribute
from .kinds import CURVED
from .multipliers import log_softmax_multipliers, softmax_multipliers
from .parameters import Parameters
from .registry import register


class Curved(Layer):
    """z = f(x), its Jacobian J at x full. What z − Jx is belongs to no input: the intercept."""

    kind = CURVED
    transpose_reads = frozenset({"x", "z"})

    def intercept_share(self, s: Value, at: Bound) -> Value:
        return intercept_of(self, s, at)


def intercept_of(layer: Layer, s: Value, at: Bound) -> Value:
    """Σ s·(z − Jx − b): what a tangent at x does not explain."""
    rest = added(summed_products(s, at(at.x)), -summed_products(finite(at.x), layer.transpose(s, at)))
    bias = layer.bias_share(s, at)
    return rest if bias is None else added(rest, -summed(bias))


@register("Softmax")
class SoftmaxLayer(Curved):
    """e^x / Σ e^x along an axis; before opset 13 over all axes from `axis` on."""

    facts = Facts(sign=never_negative, cut="probability")
    takes_minus_infinity = True
    function = staticmethod(tensor.Softmax)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.axis = attribute(node, "axis")
        self.flattens = node.opset < 13

    def lines(self, x: Value) -> tuple[Value, int]:
        """x with what is summed over in one axis, and that axis."""
        if not self.flattens:
            return x, self.axis
        axis = self.axis % x.ndim if x.ndim else 0
        return Reshape(x, np.array([*[0] * axis, int(np.prod(x.shape[axis:])) if axis else -1])), -1

    def shaped(self, lines: Value, x: Value) -> Value:
        """Lines as x is shaped."""
        return Reshape(lines, Shape(x)) if self.flattens else lines

    def forward(self, x: Value, p: Parameters) -> Value:
        lines, axis = self.lines(x)
        return self.shaped(self.function(lines, axis=axis), x)

    def transpose(self, s: Value, at: Bound) -> Value:
        (z, axis), (lines, _) = self.lines(at(at.x)), self.lines(s)
        return self.shaped(self.jacobian(z, lines, np.array([axis])), at.x)

    def intercept(self, at: Bound) -> Value:
        (z, axis), (lines, _) = self.lines(at(at.x)), self.lines(finite(at.x))
        return self.shaped(z - self.tangent(z, lines, np.array([axis])), at.x)

    chained = staticmethod(softmax_multipliers)

    def multipliers(self, s: Value, at: Bound) -> Value:
        other = at.reference
        assert other is not None
        (x, axis), (x0, _), (z, _), (z0, _), (lines, _) = map(
            self.lines, (finite(at.x), finite(other.x), self.odds(at), self.odds(other), s)
        )
        found = type(self).chained(x, x0, z, z0, np.array([axis]), lambda v: v * lines)
        return self.shaped(found, at.x)

    def odds(self, at: Bound) -> Value:
        """Its Softmax."""
        return at(at.x)

    def jacobian(self, z: Value, s: Value, axis: Array) -> Value:
        """Jᵀs, line by line: J = diag(z) − z zᵀ."""
        return z * (s - ReduceSum(s * z, axis))

    def tangent(self, z: Value, x: Value, axis: Array) -> Value:
        """Jx, line by line."""
        return self.jacobian(z, x, axis)


@register("LogSoftmax")
class LogSoftmax(SoftmaxLayer):
    """x − log Σ e^x along an axis."""

    facts = Facts(cut="log-probability")
    takes_minus_infinity = False
    function = staticmethod(tensor.LogSoftmax)
    chained = staticmethod(log_softmax_multipliers)

    def odds(self, at: Bound) -> Value:
        return Exp(at(at.x))

    def jacobian(self, z: Value, s: Value, axis: Array) -> Value:
        """Jᵀs, line by line: J = 1 − 1 e^zᵀ."""
        return s - Exp(z) * ReduceSum(s, axis)

    def tangent(self, z: Value, x: Value, axis: Array) -> Value:
        return x - ReduceSum(Exp(z) * x, axis)
