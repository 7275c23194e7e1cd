"""A plugin for onnx-lrp: importing it registers a layer, a rule, a composite and a method."""

from __future__ import annotations

from dataclasses import dataclass

from explainer.composites import Composite, get, preset
from explainer.layers import Layer, register
from explainer.layers.base import attribute
from explainer.layers.kinds import SCALE
from explainer.methods import Single
from explainer.methods import register as register_method
from explainer.rules import Division, Handed, Stabilized
from explainer.rules import register as register_rule
from explainer.tensor import negative, positive


@register("com.example::MyScale")
class MyScale(Layer):
    """z = factor · x."""

    kind = SCALE

    def forward(self, x, p):
        return x * self.weight(x, p)

    def transpose(self, s, at):
        return s * self.weight(s, at.p)

    def weight(self, like, p):
        """The factor, as rules may have changed it: no file holds it as a tensor."""
        return p.implied(like.dtype.type(attribute(self.node, "factor")))


def size(x):
    """|x|."""
    return positive(x) - negative(x)


@register_rule
@dataclass(frozen=True)
class Magnitude(Stabilized):
    """z = |W||x| + |b|, s = R / st(z); R_in = |x| · |W|ᵀs."""

    def __call__(self, layer, x, R):
        sized = self.counted(layer).with_params(size)
        z = self.stabilize(sized(size(x)))
        s = R / z
        return Handed(None, size(x) * sized.transpose(s), (Division(sized, z, s),))


@preset
def by_magnitude(dialect, eps: float = 1e-6) -> Composite:
    """Relevance by the size of each contribution, at every layer with weights."""
    weighted = ("convolution", "dense", "scale")
    return get("epsilon", dialect=dialect, rules=dict.fromkeys(weighted, Magnitude(eps=eps)))


@register_method("squared_gradient")
@dataclass(frozen=True)
class SquaredGradient(Single):
    """(∂f/∂x)²: how much the score moves with each value, whichever way."""

    def read(self, x, answer):
        return answer * answer
