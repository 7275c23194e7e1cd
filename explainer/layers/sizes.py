"""Sizes of several values together: sums of amounts, roots of sums of powers, logarithms of sums.

A length is of degree 1, λx is λ times as long, so that its tangent at x starts from 0: x·Jᵀ(R/z) is R. A
sum of squares is of degree 2, as the products are that it adds up. Of a logarithm the intercept has a share.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import NOTHING_KNOWN, Facts, as_first, never_negative
from ..tensor import (
    Abs,
    Array,
    Equal,
    Exp,
    Expand,
    Log,
    Pow,
    ReduceSum,
    Shape,
    Sign,
    Sqrt,
    Squeeze,
    Unsqueeze,
    Value,
    Where,
    above,
    cast_to,
    finite,
    maximum,
    multiplied,
)
from .base import Bound, attribute
from .curved import Curved
from .kinds import PRODUCT
from .largest import Reduced
from .multipliers import log_sum_multipliers, rescaled
from .parameters import Parameters
from .pooling import AveragePool, Pool
from .registry import register


class Size(Curved, Reduced):
    """z of all values along some axes.

    Raises
    ------
    UnsupportedError
        It names no axis, by which some runtimes mean none and some that each value is taken by itself.
    """

    facts = NOTHING_KNOWN
    # Whether the tangent at x starts from 0.
    is_length = True

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        name = self.operands.get("axes", "")
        named = attribute(node, "axes") or (graph.constant(name).size if graph.is_constant(name) else name)
        if attribute(node, "noop_with_empty_axes") and not named:
            raise UnsupportedError("it reduces no axis")

    def intercept(self, at: Bound) -> Value:
        if self.is_length:
            return None
        axes = self.axes(at.x, at.p)
        rest = self.along(at.x, axes) - ReduceSum(finite(at.x) * self.slope(at.x, axes), axes)
        return Squeeze(rest, axes) if attribute(self.node, "keepdims") == 0 else rest

    def intercept_share(self, s: Value, at: Bound) -> Value:
        rest = self.intercept(at)
        return None if rest is None else s * rest

    def multipliers(self, s: Value, at: Bound) -> Value:
        assert at.reference is not None
        axes = self.axes(at.x, at.p)
        if axes.size == 0:
            return s
        s = Unsqueeze(s, axes) if attribute(self.node, "keepdims") == 0 else s
        return s * self.slope_between(at.x, at.reference.x, axes)

    def slope_between(self, x: Value, x0: Value, axes: Array) -> Value:
        """m with Σ m·(x − x0) = Δz, as large as x."""
        raise NotImplementedError


def at_least(z: Value) -> Value:
    """z, which is never negative, and 1 in the place of 0: to be divided by."""
    return Where(z > 0, z, z * 0 + 1)


@register("ReduceL1")
class ReduceL1(Size):
    """Σ|x|."""

    facts = Facts(sign=never_negative)

    def along(self, x: Value, axes: Array) -> Value:
        return ReduceSum(Abs(x), axes)

    def slope(self, x: Value, axes: Array) -> Value:
        return Sign(x)

    def slope_between(self, x: Value, x0: Value, axes: Array) -> Value:
        return rescaled(Abs(x), Abs(x0), x, x0, Sign(x))


@register("ReduceL2")
class ReduceL2(Size):
    """√Σx²; where it is 0 its slope is taken to be 0."""

    facts = Facts(sign=never_negative)

    def along(self, x: Value, axes: Array) -> Value:
        return Sqrt(ReduceSum(x * x, axes))

    def slope(self, x: Value, axes: Array) -> Value:
        return x / at_least(self.along(x, axes))

    def slope_between(self, x: Value, x0: Value, axes: Array) -> Value:
        return (x + x0) / at_least(self.along(x, axes) + self.along(x0, axes))


@register("ReduceSumSquare")
class ReduceSumSquare(Size):
    """Σx²: of degree 2."""

    kind = PRODUCT
    degree = 2
    facts = Facts(sign=never_negative)

    def along(self, x: Value, axes: Array) -> Value:
        return ReduceSum(x * x, axes)

    def slope(self, x: Value, axes: Array) -> Value:
        return x * 2


@register("ReduceProd")
class ReduceProd(Size):
    """Πx: of as high a degree as it multiplies values, each of which gets an equal share."""

    kind = PRODUCT
    degree = 2  # or as many as there are: `degree_at`
    facts = Facts(sign=as_first)

    def degree_at(self, at: Bound) -> int:
        return math.prod(at.x.shape[axis] for axis in self.axes(at.x, at.p))

    def along(self, x: Value, axes: Array) -> Value:
        return multiplied(x, axes)

    def slope(self, x: Value, axes: Array) -> Value:
        """Π of the others: with one 0 among them it is that value's alone, with two nobody's."""
        is_zero = cast_to(x.dtype, Equal(x, 0))
        zeros, others = ReduceSum(is_zero, axes), x + is_zero
        whole = multiplied(others, axes)
        return Where(zeros < 0.5, whole / others, whole * is_zero * above(2 - zeros, 0.5))


@register("ReduceLogSum")
class ReduceLogSum(Size):
    """log Σx."""

    is_length = False

    def along(self, x: Value, axes: Array) -> Value:
        return Log(ReduceSum(x, axes))

    def slope(self, x: Value, axes: Array) -> Value:
        return Expand(1 / ReduceSum(x, axes), Shape(x))

    def slope_between(self, x: Value, x0: Value, axes: Array) -> Value:
        whole, whole0 = ReduceSum(x, axes), ReduceSum(x0, axes)
        return Expand(rescaled(Log(whole), Log(whole0), whole, whole0, 1 / whole), Shape(x))


@register("ReduceLogSumExp")
class ReduceLogSumExp(Size):
    """log Σe^x; its slope is the Softmax."""

    is_length = False
    takes_minus_infinity = True

    def along(self, x: Value, axes: Array) -> Value:
        top = maximum(x, axes)
        return Log(ReduceSum(Exp(x - top), axes)) + top

    def slope(self, x: Value, axes: Array) -> Value:
        return Exp(x - self.along(x, axes))

    def slope_between(self, x: Value, x0: Value, axes: Array) -> Value:
        p, p0 = self.slope(x, axes), self.slope(x0, axes)
        return log_sum_multipliers(finite(x), finite(x0), p, p0, axes)


class PNorm:
    """(Σ|x|^p)^(1/p) of windows or of all places."""

    node: Node

    @property
    def p(self) -> float:
        """The exponent."""
        return float(attribute(self.node, "p"))

    def amount(self, x: Value) -> Value:
        """|x|^p."""
        return x * x if self.p == 2 else Pow(Abs(x), x.dtype.type(self.p))

    def root(self, total: Value) -> Value:
        """Its p-th root."""
        return Sqrt(total) if self.p == 2 else Pow(total, total.dtype.type(1 / self.p))

    def amount_between(self, x: Value, x0: Value) -> Value:
        """Δ|x|^p/Δx."""
        return rescaled(self.amount(x), self.amount(x0), x, x0, self.push(x) * self.p)

    def root_between(self, total: Value, total0: Value) -> Value:
        """Of the p-th root, Δz/Δtotal."""
        z, z0 = self.root(total), self.root(total0)
        return rescaled(z, z0, total, total0, self.pull(z) / self.p)

    def pull(self, z: Value) -> Value:
        """z^(1−p), and 0 where z is."""
        return Where(z > 0, Pow(at_least(z), z.dtype.type(1 - self.p)), z * 0)

    def push(self, x: Value) -> Value:
        """sign(x)·|x|^(p−1)."""
        return x if self.p == 2 else Sign(x) * Pow(Abs(x), x.dtype.type(self.p - 1))


@register("LpPool")
class LpPool(PNorm, Curved, AveragePool):
    """The length of each window, by the p-norm."""

    def margins(self, x: Value) -> list[int]:
        return Pool.margins(self, x)

    def intercept_share(self, s: Value, at: Bound) -> Value:
        return None

    def weight(self, x: Value, p: Parameters) -> Value:
        return x.dtype.type(1)

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.root(AveragePool.forward(self, self.amount(x), p))

    def multipliers(self, s: Value, at: Bound) -> Value:
        assert at.reference is not None
        x, x0 = at.x, at.reference.x
        total, total0 = (AveragePool.forward(self, self.amount(one), at.p) for one in (x, x0))
        pooled = AveragePool.transpose(self, s * self.root_between(total, total0), at)
        return self.amount_between(x, x0) * pooled

    def transpose(self, s: Value, at: Bound) -> Value:
        z = self.forward(at.x, at.p)
        return self.push(at.x) * AveragePool.transpose(self, s * self.pull(z), at)


@register("GlobalLpPool")
class GlobalLpPool(PNorm, Size):
    """The length of all places of a channel, by the p-norm."""

    facts = Facts(sign=never_negative)

    def axes(self, x: Value, p: Parameters) -> Array:
        return np.arange(2, x.ndim)

    def along(self, x: Value, axes: Array) -> Value:
        return self.root(ReduceSum(self.amount(x), axes))

    def slope(self, x: Value, axes: Array) -> Value:
        return self.push(x) * self.pull(self.along(x, axes))

    def slope_between(self, x: Value, x0: Value, axes: Array) -> Value:
        total, total0 = (ReduceSum(self.amount(one), axes) for one in (x, x0))
        return self.amount_between(x, x0) * self.root_between(total, total0)
