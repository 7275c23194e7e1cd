"""Presets that hand back a gradient, or what is made of one at activations."""

from __future__ import annotations

from dataclasses import replace

from ..layers import Layer
from ..rules import BetaSmooth, Deconvnet, Gradient, GuidedBackprop, Rescale, Rule
from .base import Composite, Match, of_kind, preset
from .dialects import Dialect


def _gradients(activation: Rule, at: Match) -> Composite:
    return Composite("", ((at, activation), (lambda layer: True, Gradient())), gradient=True)


def _activations(dialect: Dialect) -> Match:
    return _is_relu if dialect.relus_only else of_kind("activation")


def _is_relu(layer: Layer) -> bool:
    return layer.node.operator == "Relu"


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


def deeplift(dialect: Dialect) -> Composite:
    """DeepLIFT's multipliers by the rescale rule. Shrikumar et al. 2017."""
    return replace(_gradients(Rescale(), of_kind("activation", "winner")), name="deeplift")
