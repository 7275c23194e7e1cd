"""Values laid back where windows took them from: MaxUnpool where a maximum was, Col2Im all of a window."""

from __future__ import annotations

import math

import numpy as np

from .. import tensor
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..tensor import (
    Array,
    Concat,
    ConstantOfShape,
    CumSum,
    Equal,
    Gather,
    Reshape,
    ScatterElements,
    Shape,
    Slice,
    Value,
    Where,
)
from .base import Bound, Layer, attribute
from .kinds import SUM
from .movement import Movement
from .parameters import Parameters
from .registry import register

FLAT = np.array([-1])


@register("MaxUnpool")
class MaxUnpool(Movement):
    """Each value where its window's maximum was, zeros between; the places are a parameter."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_places(graph, "places", 1, "list of places")
        self.take_operand(graph, "shape", 2, "shape")
        self.has_constants = True  # the zeros between

    def sizes(self, x: Value, p: Parameters) -> Array:
        """Of the spatial axes of z."""
        if "shape" in p:
            return np.asarray(p["shape"], np.int64)[2:]
        kernel = attribute(self.node, "kernel_shape")
        steps = attribute(self.node, "strides") or [1] * len(kernel)
        pads = attribute(self.node, "pads") or [0] * 2 * len(kernel)
        cut = np.reshape(pads, (2, -1)).sum(axis=0)
        return np.asarray((np.array(x.shape[2:]) - 1) * steps + kernel - cut, np.int64)

    def canvas(self, x: Value, p: Parameters) -> Value:
        """Zeros in the shape of z."""
        zero, two, one = np.array([0]), np.array([2]), np.array([1])
        lead = Slice(Shape(x), zero, two, zero, one)
        return ConstantOfShape(Concat(lead, self.sizes(x, p), axis=0), value=np.zeros(1, x.dtype))

    def kept(self, x: Value, p: Parameters, canvas: Value) -> Value:
        """1 for every value that is in z: where two have one place, only the last is there."""
        places = Reshape(p["places"], FLAT)
        numbers = CumSum(Reshape(x * 0 + x.dtype.type(1), FLAT), np.array(0))
        laid = ScatterElements(Reshape(canvas, FLAT), places, numbers, axis=0, reduction="none")
        there = Equal(Gather(laid, places, axis=0), numbers)
        return Where(there, x.dtype.type(1), x.dtype.type(0))

    def forward(self, x: Value, p: Parameters) -> Value:
        canvas = self.canvas(x, p)
        values = Reshape(x, FLAT) * self.kept(x, p, canvas)
        places = Reshape(p["places"], FLAT)
        z = ScatterElements(Reshape(canvas, FLAT), places, values, axis=0, reduction="add")
        return Reshape(z, Shape(canvas))

    def bias_share(self, s: Value, at: Bound) -> Value:
        return s - self.forward(self.transpose(s, at), at.p)

    def transpose(self, s: Value, at: Bound) -> Value:
        found = Gather(Reshape(s, FLAT), Reshape(at.p["places"], FLAT), axis=0)
        return Reshape(found * self.kept(at.x, at.p, self.canvas(at.x, at.p)), Shape(at.x))


@register("Col2Im")
class Col2Im(Layer):
    """Columns laid back as windows of an image and added up where they meet: PyTorch's Fold."""

    kind = SUM
    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "image", 1, "image shape")
        self.take_operand(graph, "block", 2, "block shape")

    def window(self, p: Parameters) -> dict[str, list[int]]:
        """How windows slide."""
        rank = len(p["block"])
        return {
            "strides": list(attribute(self.node, "strides") or [1] * rank),
            "pads": list(attribute(self.node, "pads") or [0] * 2 * rank),
            "dilations": list(attribute(self.node, "dilations") or [1] * rank),
        }

    def counts(self, p: Parameters) -> tuple[list[int], list[int]]:
        """How many windows there are along every axis, and what of the image is behind the last one."""
        where, rank = self.window(p), len(p["block"])
        counts, rest = [], []
        for axis, (size, block) in enumerate(zip(p["image"], p["block"], strict=True)):
            padded = int(size) + where["pads"][axis] + where["pads"][axis + rank]
            free = padded - (int(block) - 1) * where["dilations"][axis] - 1
            counts.append(free // where["strides"][axis] + 1)
            rest.append(free % where["strides"][axis])
        return counts, rest

    def weights(self, channels: int, x: Value, p: Parameters) -> Value:
        """Of every channel and place in the window, a kernel with 1 at that place."""
        size = math.prod(int(block) for block in p["block"])
        each = np.eye(size, dtype=x.dtype).reshape(size, 1, *map(int, p["block"]))
        w = np.tile(each, (channels, *[1] * (each.ndim - 1)))
        return w if p.change is None else p.implied(w) * (w != 0)

    def channels(self, x: Value, p: Parameters) -> int:
        return int(x.shape[1]) // math.prod(int(block) for block in p["block"])

    def forward(self, x: Value, p: Parameters) -> Value:
        channels, (counts, rest) = self.channels(x, p), self.counts(p)
        columns = Reshape(x, np.array([0, x.shape[1], *counts]))
        w = self.weights(channels, x, p)
        return tensor.ConvTranspose(columns, w, group=channels, output_padding=rest, **self.window(p))

    def transpose(self, s: Value, at: Bound) -> Value:
        channels = self.channels(at.x, at.p)
        columns = tensor.Conv(s, self.weights(channels, s, at.p), group=channels, **self.window(at.p))
        return Reshape(columns, np.array([0, *at.x.shape[1:]]))
