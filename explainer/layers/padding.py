"""Pad and CenterCropPad: a border of a constant, or of the tensor's own values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import tensor
from ..model.graph import Graph, Node
from ..model.operators import Facts, Signs, as_first
from ..tensor import Array, Value
from .base import Bound, attribute
from .movement import Movement, spread
from .parameters import Parameters
from .registry import register


def _bordered(signs: Signs) -> bool:
    return signs.first and signs.setting("value", 2) is not False


@register("Pad")
class Pad(Movement):
    """A border, constant or of own values; pads are an attribute before opset 11, an input since."""

    facts = Facts(sign=_bordered)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.mode: Any = attribute(node, "mode") or "constant"
        self.has_constants = self.mode == "constant"
        for index, name in enumerate(("pads", "value", "axes"), start=1):
            self.take_operand(graph, name, index, name)

    def pads(self, x: Value, p: Parameters) -> Value:
        """Begins and ends for every axis."""
        pads, axes = np.array(self.setting("pads", p), dtype=np.int64), p.get("axes")
        if axes is None:
            return pads
        full = np.zeros((2, x.ndim), dtype=np.int64)
        full[:, np.array(axes) % x.ndim] = pads.reshape(2, -1)
        return full.ravel()

    def sources(self, x: Value, p: Parameters) -> dict[int, Array]:
        """Axis -> where each of its values comes from, of a border of the tensor's own values."""
        pads = self.pads(x, p).reshape(2, -1).T
        found = {}
        for axis, (begin, end) in enumerate(pads):
            if begin or end:
                size = x.shape[axis]
                inner = np.arange(size)[max(-begin, 0) : size - max(-end, 0)]  # negative ones cut first
                widths = max(begin, 0), max(end, 0)
                found[axis] = np.pad(inner, widths, mode=self.mode)
        return found

    def forward(self, x: Value, p: Parameters) -> Value:
        if self.mode != "constant":
            for axis, places in self.sources(x, p).items():
                x = tensor.Gather(x, places, axis=axis)
            return x
        value = self.setting("value", p)
        return tensor.Pad(x, self.pads(x, p), x.dtype.type(0 if value is None else np.asarray(value).item()))

    def transpose(self, s: Value, at: Bound) -> Value:
        if self.mode != "constant":
            for axis, places in self.sources(at.x, at.p).items():
                s = spread(s, axis, places, at.x.shape[axis])
            return s
        return tensor.Pad(s, -self.pads(at.x, at.p))

    @property
    def constants(self) -> dict[str, str]:
        return {"value": self.operands["value"]} if self.has_constants and "value" in self.operands else {}

    def at_constant(self, letter: str, s: Value, at: Bound) -> Value:
        return self.bias_share(s, at)

    def bias_share(self, s: Value, at: Bound) -> Value:
        """What lies on the border belongs to no input, unless it is of the tensor's own values."""
        if self.mode != "constant":
            return None
        border = tensor.Pad(self.transpose(s, at), self.pads(at.x, at.p))
        return s - border


@register("CenterCropPad")
class CenterCropPad(Movement):
    """Sizes along some axes, reached by a border of zeros or by cutting, as much on either side."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "shape", 1, "shape")
        self.has_constants = True

    def pads(self, x: Value, p: Parameters) -> Array:
        """Begins and ends for every axis; negative ones cut."""
        axes = attribute(self.node, "axes")
        pads = np.zeros((2, x.ndim), dtype=np.int64)
        for axis, size in zip(range(x.ndim) if axes is None else axes, p["shape"], strict=True):
            more = int(size) - x.shape[axis]
            # What is odd is added behind, and cut in front of what is left less.
            begin = more // 2 if more > 0 else -((-more) // 2)
            pads[:, axis] = begin, more - begin
        return pads.ravel()

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Pad(x, self.pads(x, p), x.dtype.type(0))

    def transpose(self, s: Value, at: Bound) -> Value:
        return tensor.Pad(s, -self.pads(at.x, at.p))

    def bias_share(self, s: Value, at: Bound) -> Value:
        return s - self.forward(self.transpose(s, at), at.p)
