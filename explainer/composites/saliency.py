"""Presets that hand back a gradient, or what is made of one at activations."""

from __future__ import annotations

from ..canonizers import DEFAULT_CANONIZERS
from ..rules import (
    BetaSmooth,
    Chained,
    Deconvnet,
    Gradient,
    GuidedBackprop,
    Halved,
    HeldGradient,
    Rescale,
    Rule,
)
from .base import Composite, preset
from .dialects import Dialect
from .matches import Chain, Match, Rectifying, of_kind


def _gradients(activation: Rule, at: Match) -> Composite:
    return Composite("", ((at, activation), (of_kind(), Gradient())), gradient=True)


def _activations(dialect: Dialect) -> Match:
    return Rectifying() if dialect.relus_only else of_kind("activation")


@preset
def gradient(dialect: Dialect) -> Composite:
    """The gradient itself. Simonyan et al. 2014."""
    return _gradients(Gradient(), _activations(dialect))


@preset
def guided_backprop(dialect: Dialect) -> Composite:
    """The gradient, cut off where it is negative at every activation. Springenberg et al. 2015."""
    return _gradients(GuidedBackprop(), _activations(dialect))


@preset
def deconvnet(dialect: Dialect) -> Composite:
    """The gradient, activations rectifying it in place of their input. Zeiler & Fergus 2014."""
    return _gradients(Deconvnet(), _activations(dialect))


@preset
def beta_smooth(dialect: Dialect, beta: float = 10.0) -> Composite:
    """The gradient with smoothed activations; zennit's `BetaSmooth`. Dombrowski et al. 2019."""
    return _gradients(BetaSmooth(beta), _activations(dialect))


@preset
def libragrad(dialect: Dialect) -> Composite:
    """The gradient with gates, attention and deviations held, y/x at activations. Mehri et al. 2025."""
    return Composite("", ((of_kind(), HeldGradient()),), (*DEFAULT_CANONIZERS, "gates"), gradient=True)


def deeplift(dialect: Dialect) -> Composite:
    """DeepLIFT's multipliers by the rescale rule. Shrikumar et al. 2017."""
    rules = (
        (of_kind("activation", "winner"), Rescale()),
        (of_kind("product"), Halved()),
        (Chain(), Chained()),
        # Their gradient is Δz/Δx; of a role that is not here it need not be.
        (of_kind("linear", "movement"), Gradient()),
    )
    return Composite("deeplift", rules, gradient=True)
