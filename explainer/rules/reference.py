"""Rules that compare with a reference: the batch holds the samples, then as many references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import CompositeError
from ..tensor import Abs, Max, Value, Where, halves, joined
from .base import Rule

if TYPE_CHECKING:
    from ..layers import Layer


@dataclass(frozen=True)
class Rescale(Rule):
    """R_in = R · Δz/Δx, Δ = sample − reference; the gradient where |Δx| < ε. Both halves are handed it.

    DeepLIFT's rescale rule (Shrikumar et al. 2017, sec. 3.5.2) for activations. A max pool of
    p (samples) and q (references) with m = max(p, q) hands R·(m − q) to the sample's winner and
    R·(p − m) to the reference's, each divided by its own Δx: together Δz, whoever wins.

    Parameters
    ----------
    eps : float
        Below which Δx counts as 0.
    """

    eps: float = 1e-10
    kinds: ClassVar[frozenset[str]] = frozenset({"activation", "winner"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})

    def __post_init__(self) -> None:
        if not self.eps > 0:
            raise CompositeError(f"rescale: eps must be positive, not {self.eps}")

    def __call__(self, layer: Layer, x: Value, R: Value) -> Value:
        x_a, x_b = halves(x)
        p, q = halves(layer(x))
        change = x_a - x_b
        R_a, _ = halves(R)
        slope, _ = halves(layer.transpose(R))
        if layer.kind == "winner":
            m = Max(p, q)
            to_a, to_b = halves(layer.transpose(joined(R_a * (m - q), R_a * (p - m))))
            handed = to_a + to_b
        else:
            handed = R_a * (p - q)
        still = Abs(change) < self.eps
        R_in = Where(still, slope, handed / Where(still, change * 0 + 1, change))
        return joined(R_in, R_in)
