"""Normalisation by a length, or by the values around: x divided by what is never negative."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import tensor
from ..tensor import Abs, Exp, Log, ReduceSum, Reshape, Shape, Sqrt, Value, Where, above, by_sign
from .base import Bound, attribute
from .divided import DEVIATION, Divided
from .multipliers import rescaled
from .parameters import Parameters
from .registry import register

# The parameters of an expansion: the slope of a value alone, what the others take of it, and where.
ALONE, PULL, POINT = "alone", "pull", "point"


class ByLength(Divided):
    """z = x/d, by value."""

    def pulled(self, s: Value, x: Value) -> Value:
        """(∂d/∂x)ᵀ s, s as large as x."""
        raise NotImplementedError

    def followed(self, x: Value) -> Value:
        """∂d/∂x x."""
        raise NotImplementedError

    def intercept(self, at: Bound) -> Value:
        if DEVIATION in at.p:
            return None
        d = self.divisor(at.x, at.p)
        return at.x * self.followed(at.x) / (d * d)

    def multipliers(self, s: Value, at: Bound) -> Value:
        """Of x·(1/d) as of every quotient."""
        assert at.reference is not None
        x, x0 = at.x, at.reference.x
        d, d0 = self.deviation(x), self.deviation(x0)
        below = s * (x + x0) * 0.5 / (d * d0)
        return s * (1 / d + 1 / d0) * 0.5 - self.pulled_by_change(below, x, x0)

    def pulled_by_change(self, s: Value, x: Value, x0: Value) -> Value:
        """m with Σ m·(x − x0) = Σ s·(d − d0), s as large as x."""
        raise NotImplementedError

    def forward(self, x: Value, p: Parameters) -> Value:
        return x / self.divisor(x, p)

    def transpose(self, s: Value, at: Bound) -> Value:
        d = self.divisor(at.x, at.p)
        return s / d if DEVIATION in at.p else s / d - self.pulled(s * at.x / (d * d), at.x)


@register("LpNormalization")
class LpNormalization(ByLength):
    """x over the sum of its amounts along an axis, or over the root of that of its squares; 0 stays 0."""

    def deviation(self, x: Value) -> Value:
        length = self.length(x)
        return Where(length > 0, length, length * 0 + 1)

    def length(self, x: Value) -> Value:
        """‖x‖."""
        axes = np.array([attribute(self.node, "axis")])
        return ReduceSum(Abs(x), axes) if attribute(self.node, "p") == 1 else Sqrt(ReduceSum(x * x, axes))

    def pulled(self, s: Value, x: Value) -> Value:
        s = ReduceSum(s, np.array([attribute(self.node, "axis")]))
        if attribute(self.node, "p") == 1:
            return s * by_sign(x, above(x, 0), x * 0 - 1)
        return x * (s * above(self.length(x), 0) / self.deviation(x))

    def followed(self, x: Value) -> Value:
        return self.length(x)  # of degree 1 (Euler)

    def pulled_by_change(self, s: Value, x: Value, x0: Value) -> Value:
        length, length0 = self.length(x), self.length(x0)
        d, d0 = self.deviation(x), self.deviation(x0)
        s = ReduceSum(s, np.array([attribute(self.node, "axis")]))
        s = s * rescaled(d, d0, length, length0, above(length, 0))
        if attribute(self.node, "p") == 1:
            return s * rescaled(Abs(x), Abs(x0), x, x0, by_sign(x, above(x, 0), x * 0 - 1))
        both = length + length0
        return (x + x0) * (s / Where(both > 0, both, both * 0 + 1))


@register("LRN")
class LocalResponseNormalization(ByLength):
    """x/(k + α/n Σ x²)^β, the sum over n channels around. Krizhevsky et al. 2012.

    With d held relevance passes, the first treatment of Binder et al. 2016; `expanded` is their second.
    """

    def expanded(self, at: Bound) -> Bound:
        """z_k ≈ z_k(x⁽ᵏ⁾) + Σ_{j≠k} ∂z_k/∂x_j(x)·x_j, x⁽ᵏ⁾ being x_k with all values around 0.

        Binder et al. 2016, eqs. 8-9: x_k/(k + a·x_k²)^β − 2aβ Σ_{j≠k} x_k x_j²/(k + a Σ x_i²)^(β+1), a = α/n.
        At x⁽ᵏ⁾ itself the slopes towards the values around are 0, so they are taken at x.
        """
        x, beta = at.x, attribute(self.node, "beta")
        alone = Exp(Log(x * x * self.share + attribute(self.node, "bias")) * -beta)
        pull = x * self.raised(x, -beta - 1) * (2 * beta * self.share)
        expansion = {ALONE: alone, PULL: pull, POINT: x}
        return replace(at, z=None, p=Parameters({**at.p, **expansion}, at.p.change))

    def forward(self, x: Value, p: Parameters) -> Value:
        if ALONE not in p:
            return super().forward(x, p)
        inhibiting = p[POINT] * x
        return x * p[ALONE] - p[PULL] * (self.around(inhibiting) - inhibiting)

    def transpose(self, s: Value, at: Bound) -> Value:
        p = at.p
        if ALONE not in p:
            return super().transpose(s, at)
        pulled = s * p[PULL]
        return s * p[ALONE] - p[POINT] * (self.around(pulled, turned=True) - pulled)

    def intercept(self, at: Bound) -> Value:
        return None if ALONE in at.p else super().intercept(at)

    def intercept_share(self, s: Value, at: Bound) -> Value:
        return None if ALONE in at.p else super().intercept_share(s, at)

    def around(self, x: Value, turned: bool = False) -> Value:
        """Σ over the channels around, by a convolution along them; or its transpose."""
        size = attribute(self.node, "size")
        before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
        before, after = (after, before) if turned else (before, after)
        places = int(np.prod(x.shape[2:]))
        flat = Reshape(x, np.array([-1, 1, x.shape[1], places]))
        kernel = np.ones((1, 1, size, 1), x.dtype)
        pads = [before, 0, after, 0]
        return Reshape(
            tensor.Conv(flat, kernel, group=1, strides=[1, 1], dilations=[1, 1], pads=pads), Shape(x)
        )

    @property
    def share(self) -> float:
        """α/n."""
        return float(attribute(self.node, "alpha") / attribute(self.node, "size"))

    def base(self, x: Value) -> Value:
        """k + α/n Σ x²."""
        return self.around(x * x) * self.share + attribute(self.node, "bias")

    def deviation(self, x: Value) -> Value:
        return self.raised(x, attribute(self.node, "beta"))

    def raised(self, x: Value, exponent: float) -> Value:
        """The base to a power."""
        return Exp(Log(self.base(x)) * exponent)

    def slope(self, x: Value) -> Value:
        """∂d/∂x by x of the same place: 2·β·α/n·base^(β − 1)."""
        beta = attribute(self.node, "beta")
        return self.raised(x, beta - 1) * (2 * beta * self.share)

    def pulled(self, s: Value, x: Value) -> Value:
        return x * self.around(s * self.slope(x), turned=True)

    def followed(self, x: Value) -> Value:
        return self.around(x * x) * self.slope(x)

    def pulled_by_change(self, s: Value, x: Value, x0: Value) -> Value:
        beta = attribute(self.node, "beta")
        slope = self.raised(x, beta - 1) * beta
        by_base = rescaled(self.deviation(x), self.deviation(x0), self.base(x), self.base(x0), slope)
        return (x + x0) * self.around(s * by_base, turned=True) * self.share
