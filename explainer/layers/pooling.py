"""Pooling and reductions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..tensor import (
    ConstantOfShape,
    Equal,
    Expand,
    ReduceSum,
    Reshape,
    ScatterElements,
    Shape,
    Unsqueeze,
    Value,
    cast_to,
)
from .base import Bound, Layer, attribute
from .kinds import SUM, WINNER
from .parameters import Parameters
from .registry import register
from .windows import Windows, any_empty, cut, unreached


class Pool(Layer):
    """Windows that slide over places: what MaxPool and AveragePool share."""

    facts = Facts(sign=as_first)

    def kernel(self, x: Value) -> list[int]:
        """The window's size along every spatial axis."""
        return list(attribute(self.node, "kernel_shape"))

    def windows(self, x: Value) -> Windows:
        """How they slide."""
        return Windows.of(self.node, x.ndim - 2)

    def declared(self, x: Value) -> list[int]:
        """The pads before ceil_mode adds to them; negative ones are cells that no window counts."""
        return self.windows(x).pool_pads(x.shape[2:], self.kernel(x))

    def grown(self, x: Value) -> list[int]:
        """The pads with all that ceil_mode adds."""
        try:
            return self.windows(x).grown(x.shape[2:], self.kernel(x), self.declared(x))
        except UnsupportedError as error:
            raise UnsupportedError(f"{self.node}: {error}") from None

    def margins(self, x: Value) -> list[int]:
        """What x loses at its ends before windows slide, as negative pads: cells that no window counts."""
        return [min(pad, 0) for pad in self.grown(x)]

    def geometry(self, x: Value) -> dict[str, list[int]]:
        """Strides, dilations and explicit pads, none negative, for what `within` makes of x."""
        windows, margins = self.windows(x), self.margins(x)
        return {
            "strides": list(windows.strides),
            "pads": [pad - own for pad, own in zip(self.grown(x), margins, strict=True)],
            "dilations": list(windows.dilations),
        }

    def within(self, x: Value) -> Value:
        """x with its margins, which no maximum is found in."""
        margins = self.margins(x)
        return tensor.Pad(x, _spatial(margins), np.finfo(x.dtype).min) if any(margins) else x

    def back(self, c: Value, x: Value) -> Value:
        """What was made of `within`, shaped like x."""
        margins = self.margins(x)
        return tensor.Pad(c, -_spatial(margins)) if any(margins) else c


@register("MaxPool")
class MaxPool(Pool):
    """The maximum of each window; its transpose gives s to the first maximum."""

    kind = WINNER

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

    def margins(self, x: Value) -> list[int]:
        # onnxruntime takes no pads as large as the kernel, which a last window of ceil_mode may need where
        # it is dilated.
        most = [size - 1 for size in self.kernel(x)] * 2
        return [min(pad, 0) or max(pad - limit, 0) for pad, limit in zip(self.grown(x), most, strict=True)]

    def largest(self, x: Value) -> tuple[Value, Value]:
        """The maximum of each window, and its place among the cells of `within`."""
        where, kernel = self.geometry(x), self.kernel(x)
        if max(where["dilations"], default=1) > 1 and any_empty(
            x.shape[2:], kernel, **{**where, "pads": self.grown(x)}
        ):
            raise UnsupportedError(f"{self.node}: a window holds padding alone, of which there is no maximum")
        return tensor.MaxPool(self.within(x), kernel_shape=kernel, **where)

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.largest(x)[0]

    def transpose(self, s: Value, at: Bound) -> Value:
        _, winner = self.largest(at.x)
        inner, flat = self.within(at.x), np.array([-1])
        zeros = ConstantOfShape(Shape(Reshape(inner, flat)), value=np.zeros(1, dtype=s.dtype))
        c = ScatterElements(zeros, Reshape(winner, flat), Reshape(s, flat), axis=0, reduction="add")
        return self.back(Reshape(c, Shape(inner)), at.x)


@register("GlobalMaxPool")
class GlobalMaxPool(MaxPool):
    """The maximum over all spatial positions."""

    @staticmethod
    def averages(node: Node, graph: Graph) -> Layer:
        return GlobalAveragePool(node, graph)

    def kernel(self, x: Value) -> list[int]:
        return list(x.shape[2:])


@register("AveragePool")
class AveragePool(Pool):
    """The mean of each window: a sum over it, divided by what `count_include_pad` counts."""

    kind = SUM

    def margins(self, x: Value) -> list[int]:
        # A mean ends where the padding does, another pool where its window does.
        return [min(pad, 0) for pad in self.declared(x)]

    def sums(self, x: Value) -> tuple[Value, dict[str, Any]]:
        """The window's weights, one kernel per channel, and how it slides over what `within` makes of x."""
        sizes = self.within(x).shape[2:]
        kernel, where = cut(sizes, self.kernel(x), **self.geometry(x))
        return np.ones((x.shape[1], 1, *kernel), dtype=x.dtype), {**where, "group": x.shape[1]}

    def count(self, x: Value) -> Value:
        """How many values each window averages, (1, 1, *output)."""
        where = self.geometry(x)
        cells = self.within(np.ones((1, 1, *x.shape[2:]), dtype=x.dtype))
        if attribute(self.node, "count_include_pad"):
            # Declared padding counts; what the last window adds beyond it does not, or did not yet.
            old = self.node.opset < 19 and not self.windows(x).ceil_mode
            declared = [max(pad, 0) for pad in (self.grown(x) if old else self.declared(x))]
            cells = tensor.Pad(cells, _spatial(declared), cells.dtype.type(1))
            extra = [total - own for total, own in zip(where["pads"], declared, strict=True)]
            where = {**where, "pads": extra}
        count = tensor.Conv(cells, np.ones((1, 1, *self.kernel(x)), dtype=x.dtype), group=1, **where)
        return np.maximum(count, 1)  # the mean of padding alone is 0

    def weight(self, x: Value, p: Parameters) -> Value:
        """What every value of a window is multiplied by, (1, 1, *output)."""
        return p.implied(1 / self.count(x))

    def forward(self, x: Value, p: Parameters) -> Value:
        ones, where = self.sums(x)
        return tensor.Conv(self.within(x), ones, **where) * self.weight(x, p)

    def transpose(self, s: Value, at: Bound) -> Value:
        (ones, where), sizes = self.sums(at.x), self.within(at.x).shape[2:]
        slides = {name: where[name] for name in ("strides", "pads", "dilations")}
        extra = unreached(sizes, s.shape[2:], ones.shape[2:], **slides)
        c = tensor.ConvTranspose(s * self.weight(at.x, at.p), ones, output_padding=extra, **where)
        return self.back(c, at.x)


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
        # An axis that is named twice, as -2 and 2 say, is summed over once.
        return np.array(sorted({int(axis) % x.ndim for axis in axes}), dtype=np.int64)

    def scale(self, x: Value, p: Parameters) -> Value:
        """What the sum is multiplied by."""
        return 1.0

    def weighted(self, values: Value, x: Value, p: Parameters) -> Value:
        """`values` times the weight of one summand."""
        scale = self.scale(x, p)
        if p.change is None:
            return values if scale == 1 else values * scale
        return values * p.implied(values.dtype.type(scale) if isinstance(scale, float) else scale)

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

    def scale(self, x: Value, p: Parameters) -> Value:
        axes = self.axes(x, p)
        if 0 not in axes:
            count = math.prod(int(x.shape[axis]) for axis in axes)
            return 1.0 / count if count else math.nan  # the mean of nothing
        # A compiled file is run with other batches than it was traced with: there the values are counted.
        others = math.prod(size for axis, size in enumerate(x.shape) if axis not in axes)
        return others / ReduceSum(cast_to(x.dtype, Equal(x, x)), np.arange(x.ndim), keepdims=0)


@register("GlobalAveragePool")
class GlobalAveragePool(ReduceMean):
    """The mean over all spatial positions."""

    def axes(self, x: Value, p: Parameters) -> Value:
        return np.arange(2, x.ndim, dtype=np.int64)
