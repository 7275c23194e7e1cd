"""Normalisation by x's own statistics: (x − mean) / deviation, by sample or by place.

Relevance takes the deviation for a constant of this call (`held`), which leaves a linear map; gradients
are true.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import ReduceSum, Reshape, Sqrt, Value
from .base import Bound, Layer, attribute
from .curved import intercept_of
from .kinds import NORMALIZATION
from .parameters import Parameters
from .registry import register

# The parameter that holds the deviation, once it is held constant.
DEVIATION = "deviation"


class Normalization(Layer):
    """z = w·(x − m)/d + b: m the mean where there is one, d what x is divided by.

    A subclass says over which `axes` the statistics are, and may say its own `deviation`.
    """

    kind = NORMALIZATION
    centred = True

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "w", 1, "scale")
        self.take_operand(graph, "b", 2, "bias")

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        return self.node.inputs[:1]

    def axes(self, x: Value) -> list[int]:
        """What the statistics are taken over."""
        raise NotImplementedError

    def mean(self, x: Value) -> Value:
        """Over the axes, as it broadcasts to x."""
        axes = self.axes(x)
        return ReduceSum(x, np.array(axes)) / int(np.prod([x.shape[axis] for axis in axes]))

    def centre(self, x: Value) -> Value:
        """x − m: linear in x, and its own transpose."""
        return x - self.mean(x) if self.centred else x

    def deviation(self, x: Value, p: Parameters) -> Value:
        """d: that of x, or the one that is held."""
        if DEVIATION in p:
            return p[DEVIATION]
        u = self.centre(x)
        return Sqrt(self.mean(u * u) + attribute(self.node, "epsilon"))

    def held(self, at: Bound) -> Bound:
        d = self.deviation(at.x, at.p)
        return replace(at, p=Parameters({**at.p, DEVIATION: d}, at.p.change))

    def forward(self, x: Value, p: Parameters) -> Value:
        z = self.centre(x) / self.deviation(x, p)
        z = z * self.as_features(p["w"], x) if "w" in p else z
        return z + self.as_features(p["b"], x) if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        s = s * self.as_features(at.p["w"], at.x) if "w" in at.p else s
        d = self.deviation(at.x, at.p)
        c = self.centre(s) / d
        if DEVIATION in at.p:
            return c
        # d depends on x: ∂(u/d) = (∂u − u·mean(u·∂u)/d²)/d
        u = self.centre(at.x)
        return c - u * self.mean(u * s) / (d * d * d)

    def bias(self, at: Bound) -> Value:
        return self.as_features(at.p["b"], at.x) if "b" in at.p else None

    def intercept_share(self, s: Value, at: Bound) -> Value:
        return None if DEVIATION in at.p else intercept_of(self, s, at)

    def as_features(self, w: Value, x: Value) -> Value:
        """A weight or bias as it broadcasts to x."""
        return w


@register("LayerNormalization")
class LayerNormalization(Normalization):
    """Over all axes from `axis` on, by place. Ba et al. 2016."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        if output:
            raise UnsupportedError("its mean or deviation is read")
        super().__init__(node, graph, output)

    def axes(self, x: Value) -> list[int]:
        return list(range(attribute(self.node, "axis") % x.ndim, x.ndim))


@register("RMSNormalization")
class RMSNormalization(LayerNormalization):
    """x divided by the root of its mean square. Zhang & Sennrich 2019."""

    centred = False


@register("InstanceNormalization")
class InstanceNormalization(Normalization):
    """Over all places, by sample and channel. Ulyanov et al. 2016."""

    def axes(self, x: Value) -> list[int]:
        return list(range(2, x.ndim))

    def as_features(self, w: Value, x: Value) -> Value:
        return Reshape(w, np.array([-1] + [1] * (x.ndim - 2)))


@register("GroupNormalization")
class GroupNormalization(InstanceNormalization):
    """Over all places and the channels of a group, by sample. Wu & He 2018."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if node.opset < 21:
            raise UnsupportedError("the form of opsets 18 to 20, with a scale for each group, is deprecated")
        self.groups: int = attribute(node, "num_groups")

    def mean(self, x: Value) -> Value:
        size = int(np.prod(x.shape[1:])) // self.groups
        means = ReduceSum(Reshape(x, np.array([-1, self.groups, size])), np.array([2])) / size
        spread = means * np.ones((1, 1, x.shape[1] // self.groups), x.dtype)
        return Reshape(spread, np.array([-1, x.shape[1]] + [1] * (x.ndim - 2)))
