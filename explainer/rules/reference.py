"""Rules that compare with a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import CompositeError, shown
from ..tensor import Abs, Bundle, Max, Value, Where, gauss_legendre
from .base import Rule, is_finite
from .handed import Handed
from .relevance import Relevance

if TYPE_CHECKING:
    from ..layers import Bound


@dataclass(frozen=True)
class Rescale(Rule):
    """R_in = R · Δz/Δx, Δ = sample − reference; the gradient where |Δx| < ε.

    DeepLIFT's rescale rule (Shrikumar et al. 2017, sec. 3.5.2) for activations. A max pool of
    p (sample) and q (reference) with m = max(p, q) hands R·(m − q) to the sample's winner and
    R·(p − m) to the reference's, each divided by its own Δx: together Δz, whoever wins.

    Parameters
    ----------
    eps : float
        Below which Δx counts as 0.
    """

    eps: float = 1e-10
    kinds: ClassVar[frozenset[str] | None] = frozenset({"activation", "winner"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})
    conserving: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (is_finite(self.eps) and self.eps > 0):
            raise CompositeError(f"rescale: eps must be positive, not {shown(self.eps)}")

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        other = layer.reference
        if other is None:
            raise CompositeError("rescale compares with a reference: it belongs to method 'deeplift'")
        p, q, change, m = layer(x), other(other.x), x - other.x, R.whole
        if layer.kind == "winner":
            larger = Max(p, q)
            handed = layer.transpose(m * (larger - q)) + other.transpose(m * (p - larger))
        else:
            handed = m * (p - q)
        return Handed(None, self._slope(handed, change, layer.transpose(m)))

    def _slope(self, handed: Value, change: Value, gradient: Value) -> Value:
        if isinstance(change, Bundle):
            return Bundle(map(self._slope, handed, change, gradient))
        still = Abs(change) < self.eps
        return Where(still, gradient, handed / Where(still, change.dtype.type(1), change))


@dataclass(frozen=True)
class Halved(Rule):
    """R_in = ½(J(x) + J(x'))ᵀR: what each factor of a product adds, in the mean over which changes first.

    ab − a'b' = (a − a')·(b + b')/2 + (b − b')·(a + a')/2, so that the sums stay complete: the factors'
    Shapley values (Lundberg & Lee 2017). Of n factors they are the mean of Jᵀ along the line from x' to x
    (Owen 1972), which ⌈n/2⌉ points of Gauss and Legendre's give without an error.
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"product"})
    conserving: ClassVar[bool] = False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        other = layer.reference
        if other is None:
            raise CompositeError("halved compares with a reference: it belongs to method 'deeplift'")
        if layer.degree == 2:
            return Handed(None, (layer.transpose(R.whole) + other.transpose(R.whole)) * 0.5)
        change, factor = x - other.x, None
        for place, weight in gauss_legendre((layer.degree + 1) // 2):
            part = layer.at(other.x + change * place).transpose(R.whole) * weight
            factor = part if factor is None else factor + part
        return Handed(None, factor)


@dataclass(frozen=True)
class Chained(Rule):
    """R_in = m with Σ m·Δx = ΣR·Δz: the rescale rule on what a layer is made of, function by function.

    DeepLIFT's chain rule (Shrikumar et al. 2017, sec. 3.2) for a Softmax, a quotient, a normalisation, a
    recurrent net step by step: e^x, log, 1/d, roots and what squashes gates by Δout/Δin, their products by
    halves as in `Halved`.
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"curved", "normalization", "quotient", "recurrent"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})
    conserving: ClassVar[bool] = False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        if layer.reference is None:
            raise CompositeError("chained compares with a reference: it belongs to method 'deeplift'")
        return Handed(None, layer.multipliers(R.whole))
