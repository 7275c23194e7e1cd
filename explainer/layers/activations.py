"""Elementwise activations: relevance passes them unchanged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph import Graph, Node
from ..tensor import Exp, Log, Max, Min, Tanh, Value, Where
from ..tensor import Relu as relu
from .base import Layer, attribute, register


class Activation(Layer):
    """z_i = f(x_i)."""

    kind = "activation"
    # It has none: relevance passes, and the walk needs no value of an activation.
    transpose_reads = frozenset()

    def get(self, name: str) -> Any:
        """An attribute, its default filled in."""
        return attribute(self.node, name)


@register("Relu")
class Relu(Activation):
    """max(x, 0)."""

    def forward(self, x: Value) -> Value:
        return relu(x)


@register("LeakyRelu")
class LeakyRelu(Activation):
    """x, or alpha·x where x is negative."""

    def forward(self, x: Value) -> Value:
        return Where(x < 0, x * self.get("alpha"), x)


@register("PRelu")
class PRelu(Activation):
    """x, or slope·x where x is negative."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "w", 1, "slope")

    def forward(self, x: Value) -> Value:
        return Where(x < 0, x * self.parameters["w"], x)


@register("Clip")
class Clip(Activation):
    """x limited to [min, max]; bounds are attributes before opset 11, inputs since."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "min", 1, "lower bound")
        self.take_operand(graph, "max", 2, "upper bound")

    def forward(self, x: Value) -> Value:
        low = self.parameters.get("min", self.get("min"))
        high = self.parameters.get("max", self.get("max"))
        x = x if low is None else Max(x, low)
        return x if high is None else Min(x, high)


@register("Elu")
class Elu(Activation):
    """x, or alpha·(eˣ − 1) where x is negative."""

    def forward(self, x: Value) -> Value:
        return Where(x < 0, (Exp(Min(x, 0)) - 1) * self.get("alpha"), x)


@register("Celu")
class Celu(Activation):
    """x, or alpha·(e^(x/alpha) − 1) where x is negative."""

    def forward(self, x: Value) -> Value:
        alpha = self.get("alpha")
        return Where(x < 0, (Exp(Min(x, 0) / alpha) - 1) * alpha, x)


@register("Selu")
class Selu(Activation):
    """gamma·x, or gamma·alpha·(eˣ − 1) where x is negative."""

    def forward(self, x: Value) -> Value:
        negative = (Exp(Min(x, 0)) - 1) * self.get("alpha")
        return Where(x < 0, negative, x) * self.get("gamma")


@register("ThresholdedRelu")
class ThresholdedRelu(Activation):
    """x where it exceeds alpha, else 0."""

    def forward(self, x: Value) -> Value:
        return Where(x > self.get("alpha"), x, x * 0)


@register("Tanh")
class TanhLayer(Activation):
    """tanh(x)."""

    def forward(self, x: Value) -> Value:
        return Tanh(x)


@register("Softplus")
class Softplus(Activation):
    """log(1 + eˣ)."""

    def forward(self, x: Value) -> Value:
        # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): no overflow
        return relu(x) + Log(Exp(Min(x, -x)) + 1)


@register("Softsign")
class Softsign(Activation):
    """x / (1 + |x|)."""

    def forward(self, x: Value) -> Value:
        return x / (Max(x, -x) + 1)


@register("HardSwish")
class HardSwish(Activation):
    """x·max(0, min(1, x/6 + 1/2))."""

    def forward(self, x: Value) -> Value:
        return x * Min(relu(x / 6 + 0.5), 1)


@register("Mish")
class Mish(Softplus):
    """x·tanh(log(1 + eˣ))."""

    def forward(self, x: Value) -> Value:
        return x * Tanh(super().forward(x))


@register("Gelu")
class Gelu(Activation):
    """x·Φ(x), or its tanh approximation."""

    def forward(self, x: Value) -> Value:
        if self.get("approximate") == "tanh":
            return x * 0.5 * (Tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)) + 1)
        # NumPy has no erf; the layer computes its output in the float64 reference mode alone.
        erf = np.frompyfunc(math.erf, 1, 1)
        return x * 0.5 * (1 + erf(x / math.sqrt(2)).astype(x.dtype))
