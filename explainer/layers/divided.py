"""What is divided by something made of itself: relevance may hold the divisor, gradients are true."""

from __future__ import annotations

from dataclasses import replace

from ..tensor import Value
from .base import Bound, Layer
from .curved import intercept_of
from .kinds import NORMALIZATION
from .parameters import Parameters

# The parameter that holds the deviation, once it is held constant.
DEVIATION = "deviation"


class Divided(Layer):
    """z = x/d(x) and its like. Held constant, at this x, d leaves a linear map."""

    kind = NORMALIZATION

    @property
    def keeps_maps(self) -> bool:
        return True

    def deviation(self, x: Value) -> Value:
        """d of x, as it broadcasts to x."""
        raise NotImplementedError

    def divisor(self, x: Value, p: Parameters) -> Value:
        """d: that of x, or the one that is held."""
        return p[DEVIATION] if DEVIATION in p else self.deviation(x)

    def held(self, at: Bound) -> Bound:
        d = self.divisor(at.x, at.p)
        return replace(at, p=Parameters({**at.p, DEVIATION: d}, at.p.change))

    def intercept_share(self, s: Value, at: Bound) -> Value:
        return None if DEVIATION in at.p else intercept_of(self, s, at)
