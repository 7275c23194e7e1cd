"""Elementwise activations and their derivatives.

At a kink the derivative is PyTorch's: the negative side's (Relu'(0) = 0, LeakyRelu'(0) = alpha) or, where
a function is flat beyond both ends, the flat side's. PyTorch has two answers for Clip: hardtanh's and
relu6's 0 at the bounds, which is taken here since a Clip at 0 is a Relu, and clamp's 1.
"""

from __future__ import annotations

import math
from typing import Any

from ..model.graph import Graph, Node
from ..model.operators import NOTHING_KNOWN, Facts, Signs, never_negative
from ..tensor import Erf, Exp, Log, Max, Min, Sigmoid, Tanh, Value, Where, above
from ..tensor import Relu as relu
from .base import Bound, Layer, attribute
from .chord import chord
from .kinds import ACTIVATION
from .parameters import Parameters
from .registry import register


class Activation(Layer):
    """z_i = f(x_i): a diagonal Jacobian, f'(x_i)."""

    kind = ACTIVATION

    def get(self, name: str) -> Any:
        """An attribute, its default filled in."""
        return attribute(self.node, name)

    def derivative(self, x: Value, p: Parameters) -> Value:
        """f'(x), shaped like x."""
        raise self.lacking("derivative(self, x, p)", "which gradients multiply by")

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * self.derivative(at.x, at.p)

    def intercept(self, at: Bound) -> Value:
        return at(at.x) - at.x * self.derivative(at.x, at.p)

    def held(self, at: Bound) -> Bound:
        return chord(at, self.derivative(at.x, at.p))


def inside(x: Value, low: Value, high: Value) -> Value:
    """1 where low < x < high, else 0."""
    return above(x, low) * above(-x, -high)


@register("Relu")
class Relu(Activation):
    """max(x, 0)."""

    facts = Facts(sign=never_negative, rectifies=True)
    rises_from = -math.inf

    def forward(self, x: Value, p: Parameters) -> Value:
        return relu(x)

    # z > 0 where x > 0: so x, as large, is not read; onnxruntime then makes conv and relu one kernel.
    transpose_reads = frozenset({"z"})

    def derivative(self, x: Value, p: Parameters) -> Value:
        return above(x, 0)

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * above(at(at.x), 0)

    def intercept(self, at: Bound) -> Value:
        return None

    def held(self, at: Bound) -> Bound:
        return at  # its slope is y/x


@register("LeakyRelu")
class LeakyRelu(Activation):
    """x, or alpha·x where x is negative."""

    def slope(self, p: Parameters) -> Value:
        """What negative values are multiplied by."""
        return self.get("alpha")

    def forward(self, x: Value, p: Parameters) -> Value:
        return Where(x < 0, x * self.slope(p), x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        positive = above(x, 0)
        return positive + (1 - positive) * self.slope(p)


@register("PRelu")
class PRelu(LeakyRelu):
    """x, or slope·x where x is negative."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "w", 1, "slope")

    def slope(self, p: Parameters) -> Value:
        return p["w"]


def _clipped(signs: Signs) -> bool:
    low, high = signs.setting("min", 1), signs.setting("max", 2)
    # Where the bounds are crossed the upper one wins.
    return (low or signs.first) and high is not False


@register("Clip")
class Clip(Activation):
    """x limited to [min, max]; bounds are attributes before opset 11, inputs since."""

    facts = Facts(sign=_clipped)
    rises_from = -math.inf

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "min", 1, "lower bound")
        self.take_operand(graph, "max", 2, "upper bound")

    def bounds(self, p: Parameters) -> tuple[Value, Value]:
        """The least and the largest value; None where there is no limit."""
        return p.get("min", self.get("min")), p.get("max", self.get("max"))

    def forward(self, x: Value, p: Parameters) -> Value:
        low, high = self.bounds(p)
        x = x if low is None else Max(x, low)
        return x if high is None else Min(x, high)

    def derivative(self, x: Value, p: Parameters) -> Value:
        low, high = self.bounds(p)
        return inside(x, -math.inf if low is None else low, math.inf if high is None else high)


@register("Elu")
class Elu(Activation):
    """x, or alpha·(eˣ − 1) where x is negative."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return Where(x < 0, (Exp(Min(x, 0)) - 1) * self.get("alpha"), x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        positive = above(x, 0)
        return positive + (1 - positive) * Exp(Min(x, 0)) * self.get("alpha")


@register("Celu")
class Celu(Activation):
    """x, or alpha·(e^(x/alpha) − 1) where x is negative."""

    def forward(self, x: Value, p: Parameters) -> Value:
        alpha = self.get("alpha")
        return Where(x < 0, (Exp(Min(x, 0) / alpha) - 1) * alpha, x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return Exp(Min(x, 0) / self.get("alpha"))


@register("Selu")
class Selu(Elu):
    """gamma·x, or gamma·alpha·(eˣ − 1) where x is negative."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return super().forward(x, p) * self.get("gamma")

    def derivative(self, x: Value, p: Parameters) -> Value:
        return super().derivative(x, p) * self.get("gamma")


@register("ThresholdedRelu")
class ThresholdedRelu(Activation):
    """x where it exceeds alpha, else 0."""

    @property
    def alpha(self) -> float:
        """ONNX has it from opset 10 on, onnxruntime before, where a file need not say it."""
        alpha = self.get("alpha")
        return 1.0 if alpha is None else float(alpha)

    def forward(self, x: Value, p: Parameters) -> Value:
        return Where(x > self.alpha, x, x * 0)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return above(x, self.alpha)


@register("Sigmoid")
class SigmoidLayer(Activation):
    """1 / (1 + e⁻ˣ)."""

    facts = Facts(sign=never_negative, cut="probability, each class on its own")
    rises_from = -math.inf

    def forward(self, x: Value, p: Parameters) -> Value:
        return Sigmoid(x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        # σ(−x) = 1 − σ(x), without the loss of digits
        return Sigmoid(x) * Sigmoid(-x)


@register("HardSigmoid")
class HardSigmoid(Activation):
    """max(0, min(1, alpha·x + beta))."""

    facts = Facts(sign=never_negative)

    def line(self, x: Value) -> Value:
        """alpha·x + beta."""
        return x * self.get("alpha") + self.get("beta")

    def forward(self, x: Value, p: Parameters) -> Value:
        return Min(relu(self.line(x)), 1)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return inside(self.line(x), 0, 1) * self.get("alpha")


@register("Tanh")
class TanhLayer(Activation):
    """tanh(x)."""

    rises_from = -math.inf

    def forward(self, x: Value, p: Parameters) -> Value:
        return Tanh(x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        t = Tanh(x)
        return 1 - t * t


@register("Softplus")
class Softplus(Activation):
    """log(1 + eˣ)."""

    facts = Facts(sign=never_negative)

    def forward(self, x: Value, p: Parameters) -> Value:
        # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): no overflow
        return relu(x) + Log(Exp(Min(x, -x)) + 1)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return Sigmoid(x)


@register("Softsign")
class Softsign(Activation):
    """x / (1 + |x|)."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return x / (Max(x, -x) + 1)

    def derivative(self, x: Value, p: Parameters) -> Value:
        size = Max(x, -x) + 1
        return 1 / (size * size)


@register("HardSwish")
class HardSwish(Activation):
    """x·max(0, min(1, x/6 + 1/2))."""

    def gate(self, x: Value) -> Value:
        """What x is multiplied by."""
        return Min(relu(x / 6 + 0.5), 1)

    def forward(self, x: Value, p: Parameters) -> Value:
        return x * self.gate(x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return self.gate(x) + x * inside(x, -3, 3) / 6


@register("Swish")
class Swish(Activation):
    """x·σ(alpha·x)."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return x * Sigmoid(x * self.get("alpha"))

    def derivative(self, x: Value, p: Parameters) -> Value:
        alpha = self.get("alpha")
        gate = Sigmoid(x * alpha)
        return gate + x * alpha * gate * Sigmoid(x * -alpha)


@register("Mish")
class Mish(Softplus):
    """x·tanh(log(1 + eˣ))."""

    facts = NOTHING_KNOWN  # not a Softplus's: it is negative where x is

    def forward(self, x: Value, p: Parameters) -> Value:
        return x * Tanh(super().forward(x, p))

    def derivative(self, x: Value, p: Parameters) -> Value:
        t = Tanh(super().forward(x, p))
        return t + x * (1 - t * t) * super().derivative(x, p)


@register("Gelu")
class Gelu(Activation):
    """x·Φ(x), or its tanh approximation."""

    def gate(self, x: Value) -> Value:
        """Φ(x): what x is multiplied by."""
        if self.get("approximate") == "tanh":
            return (Tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)) + 1) * 0.5
        return (Erf(x / math.sqrt(2)) + 1) * 0.5

    def forward(self, x: Value, p: Parameters) -> Value:
        return x * self.gate(x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        gate = self.gate(x)
        if self.get("approximate") == "tanh":
            # (1 + t)/2 = g, so t' / 2 = 2g(1 − g)·u'
            density = gate * (1 - gate) * (x * x * (3 * 0.044715) + 1) * (2 * math.sqrt(2 / math.pi))
        else:
            density = Exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return gate + x * density
