"""Normalisation by stored statistics, and what layers with one bias per channel have in common."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import ReduceSum, Reshape, Sqrt, Value
from .base import Bound, Layer, attribute
from .kinds import SCALE
from .parameters import Parameters
from .registry import register

# A BatchNormalization's inputs behind the first.
STATISTICS = tuple(enumerate(("scale", "shift", "mean", "variance"), start=1))


def normalization(node: Node, values: Mapping[str, Value]) -> tuple[Value, Value]:
    """A BatchNormalization as scale and shift, (C,) each: y = x·scale + shift."""
    scale, beta, mean = _parts(node, values)
    return scale, beta - mean * scale


def amounts_of(node: Node, values: Mapping[str, Value]) -> tuple[Value, Value]:
    """The same of amounts, of which nothing is taken away."""
    scale, beta, mean = _parts(node, values)
    return scale, beta + mean * scale


def _parts(node: Node, values: Mapping[str, Value]) -> tuple[Value, Value, Value]:
    gamma, beta, mean, variance = (values[name] for name in node.inputs[1:5])
    return gamma / Sqrt(variance + attribute(node, "epsilon")), beta, mean


class Biased(Layer):
    """A layer with one bias `b` per channel."""

    def bias(self, at: Bound) -> Value:
        b = at.p.get("b")
        return None if b is None else self.as_channels(b, at.x)

    def bias_share(self, s: Value, at: Bound) -> Value:
        b = at.p.get("b")
        if b is None or s.ndim <= 2:
            return super().bias_share(s, at)
        # Summed over positions first: no array of products as large as z.
        return ReduceSum(s, np.arange(2, s.ndim), keepdims=0) * b

    def as_channels(self, b: Value, x: Value) -> Value:
        """A vector over channels as it broadcasts to z."""
        return Reshape(b, np.array([-1] + [1] * (x.ndim - 2)))


@register("BatchNormalization")
class BatchNormalization(Biased):
    """x·scale + shift by channel: a layer of its own where no neighbour can take it in."""

    kind = SCALE

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if attribute(node, "training_mode"):
            raise UnsupportedError("it is in training mode; export the model in eval mode")
        if attribute(node, "spatial") == 0:
            raise UnsupportedError("spatial=0 is a deprecated form")
        for index, what in STATISTICS:
            self.take_operand(graph, what, index, what)

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        return self.node.inputs[:1]

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        scale, shift = normalization(self.node, values)
        return {"w": scale, "b": shift}

    def amounts(self, values: Mapping[str, Value]) -> dict[str, Value]:
        scale, shift = amounts_of(self.node, values)
        return {"w": scale, "b": shift}

    def forward(self, x: Value, p: Parameters) -> Value:
        z = x * self.as_channels(p["w"], x)
        return z + self.as_channels(p["b"], x) if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * self.as_channels(at.p["w"], at.x)


@register("ImageScaler")
class ImageScaler(Biased):
    """scale·x + bias by channel: how pixels are normalised in files of before opset 10."""

    kind = SCALE

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        scale, bias = attribute(self.node, "scale"), attribute(self.node, "bias")
        return {"w": np.float32(1 if scale is None else scale), "b": np.asarray(bias, np.float32)}

    def forward(self, x: Value, p: Parameters) -> Value:
        z = x * p["w"]
        return z + self.as_channels(p["b"], x) if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * at.p["w"]


@register("ai.onnx.ml.Scaler")
class Scaler(Layer):
    """(x − offset)·scale, one of each or one for every feature, the last axis: StandardScaler."""

    kind = SCALE

    @property
    def normalises(self) -> bool:
        return True

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        offset, scale = self.numbers()
        return {"w": scale, "b": -offset * scale}

    def amounts(self, values: Mapping[str, Value]) -> dict[str, Value]:
        offset, scale = map(np.abs, self.numbers())
        return {"w": scale, "b": offset * scale}

    def numbers(self) -> tuple[Value, Value]:
        """Offset and scale, as the file has them."""
        offset, scale = (np.asarray(attribute(self.node, name), np.float32) for name in ("offset", "scale"))
        one, other = np.broadcast_arrays(offset, scale)
        return one, other

    def bias(self, at: Bound) -> Value:
        return at.p.get("b")

    def forward(self, x: Value, p: Parameters) -> Value:
        z = x * p["w"]
        return z + p["b"] if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * at.p["w"]
