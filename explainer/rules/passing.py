"""Rules of layers that have no weights: activations, movements, max pooling; and plain gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import CompositeError, shown
from ..tensor import Bundle, Relu, Sigmoid, Value, sum_to
from .base import Rule, is_finite
from .handed import Handed, Moved, Sloped
from .linear import Norm
from .relevance import Relevance

if TYPE_CHECKING:
    from ..layers import Bound, Layer


@dataclass(frozen=True)
class Pass(Rule):
    """R_in = R: an activation passes its relevance unchanged. Montavon et al. 2019, sec. 10.3.

    Where a layer spread its input, an input gets the sum over all places it was spread to. Of several inputs
    each gets an equal part.
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"one_to_one"})
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def reads_at(self, layer: Layer) -> frozenset[str]:
        # A product with a constant may have spread its input, whose shape then says so.
        return frozenset() if layer.kind == "activation" else frozenset({"x"})

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        if isinstance(x, Bundle):
            part = R.whole * (1 / len(x))
            return Handed(None, Bundle(sum_to(part, each.shape) for each in x))
        if x is None or x.shape == R.factor.shape:
            return Handed(R.value, R.factor)
        return Handed(None, sum_to(R.whole, x.shape))


@dataclass(frozen=True)
class Route(Rule):
    """R_in = Aᵀ R, where A moves values: relevance goes where the value came from."""

    kinds: ClassVar[frozenset[str] | None] = frozenset({"routes"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        moved = (Moved(layer, R),)
        # z is x in other places: so Aᵀ(z·c) = x·Aᵀc.
        if R.value is not None and R.value is layer.z:
            return Handed(x, layer.transpose(R.factor), moved)
        return Handed(None, layer.transpose(R.whole), moved)


@dataclass(frozen=True)
class Winner(Route):
    """R_in = Aᵀ R, where A picks each window's first maximum: the winner takes all.

    Max pooling; Bach et al. 2015, sec. "Pooling".
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"winner"})


@dataclass(frozen=True)
class Average(Norm):
    """R_in = x · Aᵀ(R / st(A x)), A the average over the same windows: max pooling shared by amounts.

    Montavon et al. 2019, sec. 10.3: max pooling treated as average pooling.
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"winner"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x"})

    @property
    def takes_relu(self) -> bool:
        return False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return super().__call__(layer.averaged(), x, R)


@dataclass(frozen=True)
class Gradient(Rule):
    """R_in = Jᵀ R, J the layer's Jacobian at x: the gradient of the explained value."""

    conserving: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return Handed(None, layer.transpose(R.whole), (Sloped(layer, R.whole, layer.degree),))


@dataclass(frozen=True)
class GuidedBackprop(Gradient):
    """R_in = f'(x) · R⁺: a gradient that activations hand on only where it is positive.

    Springenberg et al. 2015.
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"activation"})

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return Handed(None, layer.transpose(Relu(R.whole)))


@dataclass(frozen=True)
class Deconvnet(Rule):
    """R_in = R⁺: activations rectify what comes back instead of what went in. Zeiler & Fergus 2014."""

    kinds: ClassVar[frozenset[str] | None] = frozenset({"activation"})
    reads: ClassVar[frozenset[str] | None] = frozenset()
    conserving: ClassVar[bool] = False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return Handed(None, Relu(R.whole))


@dataclass(frozen=True)
class BetaSmooth(Rule):
    """R_in = σ(βx) · R: the gradient of a Relu smoothed into a softplus.

    Dombrowski et al. 2019; the softplus is log(1 + e^(βx)) / β.

    Parameters
    ----------
    beta : float
        β > 0; infinity would be the Relu itself.
    """

    beta: float = 10.0
    kinds: ClassVar[frozenset[str] | None] = frozenset({"activation"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x"})
    conserving: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (is_finite(self.beta) and self.beta > 0):
            raise CompositeError(f"beta_smooth: beta must be positive, not {shown(self.beta)}")
        object.__setattr__(self, "beta", float(self.beta))

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return Handed(None, R.whole * Sigmoid(x * self.beta))
