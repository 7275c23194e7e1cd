"""The rules of layers that are not linear: the tangent at x, or the linear map that is left of one held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ..tensor import Value, finite
from .handed import Handed, Sloped
from .linear import Epsilon, Zero
from .passing import Gradient
from .relevance import Relevance

if TYPE_CHECKING:
    from ..layers import Bound


@dataclass(frozen=True)
class Linearised(Zero):
    """R_in = x · Jᵀ(R / z), 0/0 := 0, J the Jacobian at x; for a Softmax x · (R − z ΣR).

    Achtibat et al. 2024 (AttnLRP), proposition 3.1: the Taylor expansion at x, without a stabiliser. What
    its intercept takes, z − Jx, is in the audit. An x of −∞, which a mask makes, counts as 0.
    """

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return replace(super().__call__(layer, x, R), value=finite(x))


@dataclass(frozen=True)
class Held(Epsilon):
    """R_in = x · Aᵀ(R / st(z)), A the layer with what scales its signal held constant: a deviation.

    Ali et al. 2022 (LN-rule), Achtibat et al. 2024, proposition 3.4; z includes the bias.
    """

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return super().__call__(layer.held(), x, R)


@dataclass(frozen=True)
class Taylor(Epsilon):
    """R_in = x · Aᵀ(R / st(A x)), A x_k the own value's part alone, and what the values around take of it.

    Binder et al. 2016 (arXiv 1604.00825), their second treatment of LRN, eqs. 8-9: z_k is expanded round
    the point that is 0 but for x_k. A normalisation by anything else than values around is held.
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"normalization"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x"})

    @property
    def takes_relu(self) -> bool:
        return False  # A x is not the recorded z

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        return super().__call__(layer.expanded(), x, R)


@dataclass(frozen=True)
class HeldGradient(Gradient):
    """R_in = Aᵀ R / n, A the layer with what scales its signal held constant: a deviation, Φ(x) of x·Φ(x).

    Mehri et al. 2025 (LibraGrad): x·R_in sums to z·R, less what constants take. n is how many activations
    the layer multiplies.
    """

    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})
    divides_by_degree: ClassVar[bool] = True

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        held, s = layer.held(), R.whole if layer.degree == 1 else R.whole * (1 / layer.degree)
        return Handed(None, held.transpose(s), (Sloped(held, s),))
