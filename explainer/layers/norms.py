"""Normalisation by x's own statistics: (x − mean) / deviation, by sample or by place.

Relevance takes the deviation for a constant of this call (`held`), which leaves a linear map; gradients
are true.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import Max, ReduceSum, Reshape, Sqrt, Value, Where, above, sum_to
from .base import Bound, attribute
from .divided import DEVIATION, Divided
from .multipliers import rescaled
from .parameters import Parameters
from .registry import register

# What ONNX's MeanVarianceNormalization adds to its deviation.
OPERATORS_OWN = 1e-9
# How far a written 1/n may be from n values' own.
COUNTED = 1e-3


class Normalization(Divided):
    """z = w·(x − m)/d + b: m the mean where there is one, d what x is divided by.

    A subclass says over which `axes` the statistics are, and may say its own `deviation`.
    """

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

    def spread(self, x: Value) -> Value:
        """What of u² the root is taken of, but for what is added to it: the mean over the axes."""
        return self.mean(x)

    def root(self, x: Value) -> Value:
        """√(mean u² + ε)."""
        u = self.centre(x)
        return Sqrt(self.spread(u * u) + attribute(self.node, "epsilon"))

    def deviation(self, x: Value) -> Value:
        """The root."""
        return self.root(x)

    def follows(self, root: Value) -> Value:
        """1 where d goes with the root, 0 where a bound holds it; None where it always does."""
        return None

    @property
    def normalises(self) -> bool:
        return True  # by the input's own statistics: see `explainer.plan.statistics`

    def forward(self, x: Value, p: Parameters) -> Value:
        z = self.centre(x) / self.divisor(x, p)
        z = z * self.as_features(p["w"], x) if "w" in p else z
        return z + self.as_features(p["b"], x) if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        s = s * self.as_features(at.p["w"], at.x) if "w" in at.p else s
        d = self.divisor(at.x, at.p)
        c = self.centre(s) / d
        if DEVIATION in at.p:
            return c
        return c - self.pulled(s, at)

    def pulled(self, s: Value, at: Bound) -> Value:
        """u·∂d/d², ∂d = mean(u·∂u)/root where d goes with the root; its own transpose."""
        u, root, d = self.centre(at.x), self.root(at.x), self.divisor(at.x, at.p)
        pull, follows = self.spread(u * s) / (d * d), self.follows(root)
        if follows is None:
            return u * pull / root
        return u * (follows * pull / Where(follows > 0, root, root * 0 + 1))

    def multipliers(self, s: Value, at: Bound) -> Value:
        """Of u·(1/d) as of every quotient, d by its root, which is that of a sum of squares."""
        other = at.reference
        assert other is not None
        s = s * self.as_features(at.p["w"], at.x) if "w" in at.p else s
        (u, root, d), (u0, root0, d0) = (
            (self.centre(one.x), self.root(one.x), self.divisor(one.x, one.p)) for one in (at, other)
        )
        pull = self.spread(s * (u + u0) * 0.5) / (d * d0)
        follows = self.follows(root)
        if follows is not None:
            pull = pull * rescaled(d, d0, root, root0, follows)
        both = root + root0
        by_root = pull / Where(both > 0, both, both * 0 + 1)
        return self.centre(s * (1 / d + 1 / d0) * 0.5 - (u + u0) * by_root)

    def bias(self, at: Bound) -> Value:
        return self.as_features(at.p["b"], at.x) if "b" in at.p else None

    def intercept(self, at: Bound) -> Value:
        if DEVIATION in at.p:
            return None
        lost = self.pulled(self.centre(at.x), at)  # u/d less what it loses is Jx
        return lost * self.as_features(at.p["w"], at.x) if "w" in at.p else lost

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
    """Over all places and the channels of a group, by sample. Wu & He 2018.

    Before opset 21 the weight and the bias are by group, since then by channel.
    """

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.groups: int = attribute(node, "num_groups")

    def mean(self, x: Value) -> Value:
        size = int(np.prod(x.shape[1:])) // self.groups
        means = ReduceSum(Reshape(x, np.array([-1, self.groups, size])), np.array([2])) / size
        return Reshape(self.by_channel(means, x), np.array([-1, x.shape[1]] + [1] * (x.ndim - 2)))

    def by_channel(self, by_group: Value, x: Value) -> Value:
        """(..., groups, 1), each as often as its group has channels."""
        return by_group * np.ones((1, x.shape[1] // self.groups), x.dtype)

    def as_features(self, w: Value, x: Value) -> Value:
        if self.node.opset >= 21:
            return super().as_features(w, x)
        return super().as_features(self.by_channel(Reshape(w, np.array([-1, 1])), x), x)


@register("MeanVarianceNormalization")
class Standardised(Normalization):
    """(x − m)/d along any axes, d = max(√(f·mean u² + ε), least) + outside.

    ONNX's operator has a mean and no ε inside. The same nodes written out are a node of this layer, with
    more attributes: see `explainer.canonizers.norms`.

    Raises
    ------
    UnsupportedError
        Its statistics are over the batch.
    """

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        written: dict[str, Any] = {"centred": True, "summed": False, "outside": OPERATORS_OWN}
        written |= {"factor": 1.0, "epsilon": 0.0, "least": 0.0, "mean_factor": None, "correction": 0.0}
        if node.members:
            written |= {"outside": 0.0, **node.attributes}
        self.written = written
        self.centred = bool(written["centred"])
        if attribute(node, "axes") is None:
            raise UnsupportedError("onnxruntime's form of it before opset 9 has no axes")
        self.declared = [int(axis) for axis in attribute(node, "axes")]
        rank = graph.axes(node.inputs[0])
        if rank != 1 and any(axis in (0, -(rank or 0) or None) for axis in self.declared):
            raise UnsupportedError(
                "its mean and deviation are over the batch (axis 0), so that samples change each other's"
            )

    def axes(self, x: Value) -> list[int]:
        return sorted({axis % x.ndim for axis in self.declared})

    def mean(self, x: Value) -> Value:
        axes, factor = self.axes(x), self.written["mean_factor"]
        count = int(np.prod([x.shape[axis] for axis in axes]))
        if factor is not None and abs(factor * count - 1) > COUNTED:
            raise UnsupportedError(f"{self.node}: its mean is a sum of {count} values times {factor:g}")
        return ReduceSum(x, np.array(axes)) / count

    def spread(self, x: Value) -> Value:
        factor = self.factor(x)
        z = ReduceSum(x, np.array(self.axes(x))) if self.written["summed"] else self.mean(x)
        return z if factor == 1 else z * factor

    def factor(self, x: Value) -> float:
        """What squares' mean, or sum, is multiplied by: by n/(n − c) too where a variance is corrected."""
        count = math.prod(x.shape[axis] for axis in self.axes(x))
        less = self.written["correction"]
        return float(self.written["factor"] * (count / (count - less) if less else 1))

    def root(self, x: Value) -> Value:
        u = self.centre(x)
        return Sqrt(self.spread(u * u) + self.written["epsilon"])

    def deviation(self, x: Value) -> Value:
        root, least, outside = self.root(x), self.written["least"], self.written["outside"]
        d = Max(root, root * 0 + least) if least else root
        return d + outside if outside else d

    def follows(self, root: Value) -> Value:
        return above(root, self.written["least"])

    def transpose(self, s: Value, at: Bound) -> Value:
        if "w" not in at.p:
            return super().transpose(s, at)
        scaled = sum_to(s * at.p["w"], at.x.shape)
        return super().transpose(scaled, replace(at, p=at.p.without("w")))

    def multipliers(self, s: Value, at: Bound) -> Value:
        scaled = sum_to(s * at.p["w"], at.x.shape) if "w" in at.p else s
        return super().multipliers(scaled, replace(at, p=at.p.without("w")))
