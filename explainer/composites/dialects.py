"""Dialects: what each tool means by a rule's name, so that its numbers can be had from an ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import CompositeError
from ..rules import AlphaBeta, Epsilon, Gamma, Norm, Pass, PlainGamma, PlainZPlus, Rule, Winner, ZPlus


def _gamma(gamma: float, eps: float) -> Rule:
    return Gamma(gamma, eps=eps)


def _plain_gamma(gamma: float, eps: float) -> Rule:
    return PlainGamma(gamma, eps=eps)


def _alpha_beta(alpha: float, beta: float, eps: float) -> Rule:
    return AlphaBeta(alpha, beta, eps=eps) if beta else ZPlus(eps=eps)


def _full_alpha_beta(alpha: float, beta: float, eps: float) -> Rule:
    return AlphaBeta(alpha, beta, eps=eps, full_bias=True)


def _plain_alpha_beta(alpha: float, beta: float, eps: float) -> Rule:
    if (alpha, beta) != (1, 0):
        raise CompositeError("dialect 'captum' has alpha_beta with alpha 1 and beta 0 alone")
    return PlainZPlus(eps=eps)


@dataclass(frozen=True)
class Dialect:
    """How one tool has the rules.

    Attributes
    ----------
    eps : float
        The ε rule's stabiliser where none is asked for.
    other_eps : float
        The same for all other rules.
    signed : bool
        Whether the stabiliser has the sign of z.
    merge_batchnorm : bool
        Whether a BatchNormalization is merged into its linear neighbour.
    passes_scales : bool
        Whether one that is not merged, and products with constants, hand relevance on unchanged.
    wins : bool
        Whether max pooling hands all to the winner, or follows the ε rule.
    relus_only : bool
        Whether guided backprop and its like change Relu alone, and no other activation.
    gamma_form, alpha_beta_form : callable
        The tool's own form of these rules; the last argument is ε.
    """

    name: str
    eps: float = 1e-6
    other_eps: float = 1e-6
    signed: bool = True
    merge_batchnorm: bool = True
    passes_scales: bool = False
    wins: bool = True
    relus_only: bool = False
    gamma_form: Callable[[float, float], Rule] = _gamma
    alpha_beta_form: Callable[[float, float, float], Rule] = _alpha_beta

    def other(self, eps: float | None) -> float:
        """The stabiliser of all rules but ε's: as asked for, or the tool's own."""
        return self.other_eps if eps is None else eps

    def epsilon(self, eps: float | None = None) -> Rule:
        """The ε rule."""
        return Epsilon(self.eps if eps is None else eps, signed=self.signed)

    def gamma(self, gamma: float, eps: float | None = None) -> Rule:
        """The γ rule."""
        return self.gamma_form(gamma, self.other(eps))

    def alpha_beta(self, alpha: float, beta: float, eps: float | None = None) -> Rule:
        """The αβ rule."""
        return self.alpha_beta_form(alpha, beta, self.other(eps))

    def zplus(self, eps: float | None = None) -> Rule:
        """The z⁺ rule: αβ with α = 1 and β = 0."""
        return self.alpha_beta(1, 0, eps)

    def norm(self, eps: float | None = None) -> Rule:
        """The rule of sums and average pooling."""
        return Norm(self.other(eps), signed=self.signed)

    def scale(self, eps: float | None = None) -> Rule:
        """The rule of a BatchNormalization that is not merged, and of products with constants."""
        return Pass() if self.passes_scales else self.epsilon(eps)

    def winner(self, eps: float | None = None) -> Rule:
        """The rule of max pooling."""
        return Winner() if self.wins else self.epsilon(eps)


# iNNvestigate's SafeDivide adds to a denominator that is exactly 0, and to no other: so does an ε
# far below rounding.
BELOW_ROUNDING = 1e-30
OURS = Dialect("ours")
DIALECTS = {
    "zennit": Dialect("zennit", passes_scales=True, relus_only=True),
    "captum": Dialect(
        "captum",
        eps=1e-9,
        other_eps=1e-9,
        merge_batchnorm=False,
        wins=False,
        relus_only=True,
        gamma_form=_plain_gamma,
        alpha_beta_form=_plain_alpha_beta,
    ),
    "innvestigate": Dialect(
        "innvestigate",
        eps=1e-7,
        other_eps=BELOW_ROUNDING,
        merge_batchnorm=False,
        alpha_beta_form=_full_alpha_beta,
    ),
    "attnlrp": Dialect("attnlrp", other_eps=1e-8, signed=False),
}


def dialect(name: str | Dialect | None) -> Dialect:
    """A dialect by name; None is our own.

    Raises
    ------
    CompositeError
    """
    if isinstance(name, Dialect):
        return name
    if name is None:
        return OURS
    if name not in DIALECTS:
        raise CompositeError(f"no dialect {name!r}; there is: {', '.join(DIALECTS)}")
    return DIALECTS[name]
