"""Pooling and reductions."""

from __future__ import annotations

import math

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..tensor import ConstantOfShape, Expand, ReduceSum, Reshape, ScatterElements, Shape, Unsqueeze, Value
from .base import Bound, Layer, Parameters, attribute
from .kinds import SUM, WINNER
from .registry import register
from .windows import Windows, unreached


@register("MaxPool")
class MaxPool(Layer):
    """The maximum of each window; its transpose gives s to the first maximum."""

    kind = WINNER
    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if output:
            raise UnsupportedError("its indices are used as values")
        self.average = self.averages(node, graph)

    @staticmethod
    def averages(node: Node, graph: Graph) -> Layer:
        """The layer that `averaged` binds."""
        return AveragePool(node, graph)

    def averaged(self, at: Bound) -> Bound:
        return self.average.bind(at.x, None, {})

    def geometry(self, x: Value) -> dict[str, list[int]]:
        """The window's kernel, strides, dilations and explicit pads for this input."""
        kernel = list(attribute(self.node, "kernel_shape"))
        windows = Windows.of(self.node, len(kernel))
        return {
            "kernel_shape": kernel,
            "strides": list(windows.strides),
            "pads": windows.pads_to_fit(x.shape[2:], kernel),
            "dilations": list(windows.dilations),
        }

    def forward(self, x: Value, p: Parameters) -> Value:
        z, _ = tensor.MaxPool(x, **self.geometry(x))
        return z

    def transpose(self, s: Value, at: Bound) -> Value:
        _, winner = tensor.MaxPool(at.x, **self.geometry(at.x))
        flat = np.array([-1])
        zeros = ConstantOfShape(Shape(Reshape(at.x, flat)), value=np.zeros(1, dtype=s.dtype))
        c = ScatterElements(zeros, Reshape(winner, flat), Reshape(s, flat), axis=0, reduction="add")
        return Reshape(c, Shape(at.x))


@register("GlobalMaxPool")
class GlobalMaxPool(MaxPool):
    """The maximum over all spatial positions."""

    @staticmethod
    def averages(node: Node, graph: Graph) -> Layer:
        return GlobalAveragePool(node, graph)

    def geometry(self, x: Value) -> dict[str, list[int]]:
        rank = x.ndim - 2
        ones = [1] * rank
        return {
            "kernel_shape": list(x.shape[2:]),
            "strides": ones,
            "pads": [0] * 2 * rank,
            "dilations": ones,
        }


@register("AveragePool")
class AveragePool(Layer):
    """The mean of each window: a sum over it, divided by what `count_include_pad` counts."""

    kind = SUM
    facts = Facts(sign=as_first)

    def geometry(self, x: Value) -> dict[str, list[int]]:
        """Strides, dilations and explicit pads for this input."""
        kernel = list(attribute(self.node, "kernel_shape"))
        windows = Windows.of(self.node, len(kernel))
        return {
            "strides": list(windows.strides),
            "pads": windows.pads_to_fit(x.shape[2:], kernel),
            "dilations": list(windows.dilations),
        }

    def ones(self, x: Value) -> Value:
        """The window's weights, one kernel per channel."""
        return np.ones((x.shape[1], 1, *attribute(self.node, "kernel_shape")), dtype=x.dtype)

    def count(self, x: Value) -> Value:
        """How many values each window averages, (1, 1, *output)."""
        kernel, where = list(attribute(self.node, "kernel_shape")), self.geometry(x)
        rank = len(kernel)
        cells = np.ones((1, 1, *x.shape[2:]), dtype=x.dtype)
        if attribute(self.node, "count_include_pad"):
            # Declared padding counts; what ceil_mode adds beyond it does not.
            declared = Windows.of(self.node, rank).pads(x.shape[2:], kernel)
            cells = tensor.Pad(cells, _spatial(declared), cells.dtype.type(1))
            extra = [total - own for total, own in zip(where["pads"], declared, strict=True)]
            where = {**where, "pads": extra}
        return tensor.Conv(cells, np.ones((1, 1, *kernel), dtype=x.dtype), group=1, **where)

    def weight(self, x: Value, p: Parameters) -> Value:
        """What every value of a window is multiplied by, (1, 1, *output)."""
        return p.implied(1 / self.count(x))

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Conv(x, self.ones(x), group=x.shape[1], **self.geometry(x)) * self.weight(x, p)

    def transpose(self, s: Value, at: Bound) -> Value:
        kernel, where = attribute(self.node, "kernel_shape"), self.geometry(at.x)
        extra = unreached(at.x.shape[2:], s.shape[2:], kernel, **where)
        return tensor.ConvTranspose(
            s * self.weight(at.x, at.p),
            self.ones(at.x),
            group=at.x.shape[1],
            output_padding=extra,
            **where,
        )


def _spatial(pads: list[int]) -> Value:
    """Pads of the spatial axes as pads of all axes."""
    half = len(pads) // 2
    return np.array([0, 0, *pads[:half], 0, 0, *pads[half:]])


@register("ReduceSum")
class ReduceSumLayer(Layer):
    """Σ over some axes."""

    kind = SUM
    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "axes", 1, "list of axes")

    def axes(self, x: Value, p: Parameters) -> Value:
        """The reduced axes, counted from the front."""
        axes = p.get("axes")
        axes = attribute(self.node, "axes") if axes is None else list(axes)
        if axes is None or len(axes) == 0:
            axes = [] if attribute(self.node, "noop_with_empty_axes") else range(x.ndim)
        return np.array(sorted(int(axis) % x.ndim for axis in axes), dtype=np.int64)

    def scale(self, x: Value, p: Parameters) -> float:
        """What the sum is multiplied by."""
        return 1.0

    def weighted(self, values: Value, x: Value, p: Parameters) -> Value:
        """`values` times the weight of one summand."""
        scale = self.scale(x, p)
        if p.change is None:
            return values if scale == 1 else values * scale
        return values * p.implied(values.dtype.type(scale))

    def forward(self, x: Value, p: Parameters) -> Value:
        keepdims = attribute(self.node, "keepdims")
        axes = self.axes(x, p)
        z = ReduceSum(x, axes, keepdims=1 if keepdims is None else keepdims) if axes.size else x
        return self.weighted(z, x, p)

    def transpose(self, s: Value, at: Bound) -> Value:
        axes = self.axes(at.x, at.p)
        if axes.size == 0:
            return self.weighted(s, at.x, at.p)
        if attribute(self.node, "keepdims") == 0:
            s = Unsqueeze(s, axes)
        return Expand(self.weighted(s, at.x, at.p), Shape(at.x))


@register("ReduceMean")
class ReduceMean(ReduceSumLayer):
    """The mean over some axes."""

    def scale(self, x: Value, p: Parameters) -> float:
        return 1.0 / math.prod(int(x.shape[axis]) for axis in self.axes(x, p))


@register("GlobalAveragePool")
class GlobalAveragePool(ReduceMean):
    """The mean over all spatial positions."""

    def axes(self, x: Value, p: Parameters) -> Value:
        return np.arange(2, x.ndim, dtype=np.int64)
