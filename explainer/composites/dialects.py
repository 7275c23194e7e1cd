"""Dialects: what each tool means by a rule's name, so that its numbers can be had from an ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..canonizers import DEFAULT_CANONIZERS, FORMS, CanonizerLike
from ..errors import CompositeError, folded, no_such
from ..rules import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    Held,
    Linearised,
    Norm,
    Pass,
    PlainGamma,
    PlainZPlus,
    Route,
    Rule,
    SignalTakesAll,
    Winner,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
)

# iNNvestigate's SafeDivide adds to a denominator that is exactly 0, and to no other: so does an ε
# far below rounding.
BELOW_ROUNDING = 1e-30


@dataclass(frozen=True)
class Dialect:
    """How one tool has the rules.

    Each method makes a rule; where `eps` is None its stabiliser is the tool's own.

    Attributes
    ----------
    eps : float
        The ε rule's stabiliser where none is asked for.
    other_eps : float
        The same for all other rules.
    signed : bool
        Whether the stabiliser has the sign of z.
    canonizers : tuple of str or Canonizer
        What its composites name; none where a BatchNormalization is a layer of its own.
    passes_scales : bool
        Whether one that is not merged, and products with constants, hand relevance on unchanged.
    wins : bool
        Whether max pooling hands all to the winner, or follows the ε rule.
    relus_only : bool
        Whether guided backprop and its like change Relu alone, and no other activation.
    splits : bool
        Whether γ and z⁺ treat an input's positive and negative part apart.
    full_bias : bool
        Whether αβ has the whole bias in both denominators; z⁺ and w² then have none of it.
    holds : bool
        Whether gates, the weights of an attention and what a signal is divided by are held constant: all
        relevance goes to the signal. Else a product's factors share it, and a Softmax and a quotient of two
        activations follow their tangent.
    """

    name: str
    eps: float = 1e-6
    other_eps: float = 1e-6
    signed: bool = True
    canonizers: tuple[CanonizerLike, ...] = DEFAULT_CANONIZERS
    passes_scales: bool = False
    wins: bool = True
    relus_only: bool = False
    splits: bool = True
    full_bias: bool = False
    holds: bool = True

    @property
    def views(self) -> tuple[CanonizerLike, ...]:
        """The canonizers of its composites, with that of gates where they are held."""
        return (*self.canonizers, "gates") if self.holds else self.canonizers

    def other(self, eps: float | None) -> float:
        """The stabiliser of all rules but ε's: as asked for, or the tool's own."""
        return self.other_eps if eps is None else eps

    def epsilon(self, eps: float | None = None) -> Rule:
        """The ε rule."""
        return Epsilon(self.eps if eps is None else eps, signed=self.signed)

    def zero(self) -> Rule:
        """The ε rule without ε."""
        return Epsilon(BELOW_ROUNDING) if self.other_eps == BELOW_ROUNDING else Zero()

    def gamma(self, gamma: float, eps: float | None = None) -> Rule:
        """The γ rule."""
        return (Gamma if self.splits else PlainGamma)(gamma, eps=self.other(eps))

    def alpha_beta(self, alpha: float, beta: float, eps: float | None = None) -> Rule:
        """The αβ rule."""
        if not self.splits and (alpha, beta) != (1, 0):
            raise CompositeError(
                f"dialect {self.name!r} has alpha_beta with alpha 1 and beta 0 alone: take that, or another "
                "dialect"
            )
        if self.full_bias:
            return AlphaBeta(alpha, beta, eps=self.other(eps), full_bias=True)
        return AlphaBeta(alpha, beta, eps=self.other(eps)) if beta else self.zplus(eps)

    def zplus(self, eps: float | None = None) -> Rule:
        """The z⁺ rule."""
        return self._unbiased(ZPlus, eps) if self.splits else PlainZPlus(eps=self.other(eps))

    def wsquare(self, eps: float | None = None) -> Rule:
        """The w² rule."""
        return self._unbiased(WSquare, eps)

    def _unbiased(self, rule: type[ZPlus] | type[WSquare], eps: float | None) -> Rule:
        return rule(eps=self.other(eps), zero_params="bias" if self.full_bias else ())

    def flat(self, eps: float | None = None) -> Rule:
        """The flat rule."""
        return Flat(eps=self.other(eps))

    def box(self, low: Any, high: Any, eps: float | None = None) -> Rule:
        """The z^B rule."""
        return ZBox(low, high, eps=self.other(eps))

    def norm(self, eps: float | None = None) -> Rule:
        """The rule of sums and average pooling."""
        return Norm(self.other(eps), signed=self.signed)

    def scale(self, eps: float | None = None) -> Rule:
        """The rule of a BatchNormalization that is not merged, and of products with constants."""
        return Pass() if self.passes_scales else self.epsilon(eps)

    def winner(self, eps: float | None = None) -> Rule:
        """The rule of max pooling."""
        return Winner() if self.wins else self.epsilon(eps)

    def product(self, eps: float | None = None) -> Rule:
        """The rule of products of activations: AttnLRP's uniform one, by ε and the product's degree."""
        return Epsilon(self.other(eps), signed=self.signed)

    def recurrent(self, eps: float | None = None) -> Rule:
        """The rule of recurrent nets."""
        return SignalTakesAll(self.other(eps), signed=self.signed)

    def normalization(self, eps: float | None = None) -> Rule:
        """The rule of what x's own statistics normalise: their deviation is held constant."""
        return Held(self.eps if eps is None else eps, signed=self.signed)

    def quotient(self, eps: float | None = None) -> Rule:
        """The rule of quotients of two activations: the divisor is held, or has its part of the tangent."""
        return self.normalization(eps) if self.holds else Linearised()

    def curved(self, eps: float | None = None) -> Rule:
        """The rule of a Softmax that is not a gate."""
        return Linearised()


# Roles whose rule no preset chooses: what makes it, from a dialect and a stabiliser (None its own). A
# kind of one's own gets its rule in all presets by an entry here.
ROLES: dict[str, Callable[[Dialect, float | None], Rule]] = {
    "scale": Dialect.scale,
    "sum": Dialect.norm,
    "product": Dialect.product,
    "normalization": Dialect.normalization,
    "quotient": Dialect.quotient,
    "curved": Dialect.curved,
    "winner": Dialect.winner,
    "recurrent": Dialect.recurrent,
    "activation": lambda dialect, eps: Pass(),
    "movement": lambda dialect, eps: Route(),
}

OURS = Dialect("ours")
DIALECTS = {
    entry.name: entry
    for entry in (
        Dialect("zennit", passes_scales=True, relus_only=True),
        Dialect(
            "captum",
            eps=1e-9,
            other_eps=1e-9,
            canonizers=(*FORMS, "linear"),
            wins=False,
            relus_only=True,
            splits=False,
        ),
        Dialect(
            "innvestigate", eps=1e-7, other_eps=BELOW_ROUNDING, canonizers=(*FORMS, "linear"), full_bias=True
        ),
        Dialect("attnlrp", other_eps=1e-8, signed=False, passes_scales=True, holds=False),
        Dialect("cp_lrp", eps=BELOW_ROUNDING, other_eps=BELOW_ROUNDING, passes_scales=True),
    )
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
    known = {folded(entry): entry for entry in DIALECTS}
    if not isinstance(name, str) or folded(name) not in known:
        raise CompositeError(no_such("dialect", name, DIALECTS))
    return DIALECTS[known[folded(name)]]
