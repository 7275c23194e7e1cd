"""Gathers whose indices name single places, and steps in reverse: each value is that of one place."""

from __future__ import annotations

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..tensor import Concat, CumSum, Shape, Value
from .base import Bound, attribute
from .movement import Movement, cut, nothing_at, spread
from .parameters import Parameters
from .registry import register


class Placed(Movement):
    """z_k = x_n(k); a place that is named twice gets both."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_places(graph, "indices", 1, "list of indices")


@register("GatherElements")
class GatherElements(Placed):
    """One value for each index, along an axis."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.GatherElements(x, p["indices"], axis=attribute(self.node, "axis"))

    def transpose(self, s: Value, at: Bound) -> Value:
        axis = attribute(self.node, "axis")
        return tensor.ScatterElements(nothing_at(at.x), at.p["indices"], s, axis=axis, reduction="add")


@register("GatherND")
class GatherND(Placed):
    """One value, or slice, for each vector of indices, in each batch of `batch_dims` axes."""

    def indices(self, p: Parameters) -> Value:
        """Those of all axes, the batches' too."""
        indices = p["indices"]
        batch = attribute(self.node, "batch_dims") or 0
        if not batch:
            return indices
        # A compiled file is run with other batches than it was traced with: there they are counted.
        ones = cut(indices, -1, 0, 1) * 0 + 1
        lead = [CumSum(ones, np.array(axis), exclusive=1) for axis in range(batch)]
        return Concat(*lead, indices, axis=-1)

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.GatherND(x, self.indices(p))

    def transpose(self, s: Value, at: Bound) -> Value:
        return tensor.ScatterND(nothing_at(at.x), self.indices(at.p), s, reduction="add")


@register("Compress")
class Compress(Movement):
    """The slices along an axis, or the values, where a condition is true."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if not graph.is_constant(node.operand(1)):
            raise UnsupportedError("its condition is no constant, and so neither is what comes out")
        self.places = np.flatnonzero(graph.constant(node.operand(1)))

    def forward(self, x: Value, p: Parameters) -> Value:
        axis = attribute(self.node, "axis")
        flat = x if axis is not None else tensor.Reshape(x, np.array([-1]))
        return tensor.Gather(flat, self.places, axis=(axis or 0) % flat.ndim)

    def transpose(self, s: Value, at: Bound) -> Value:
        axis = attribute(self.node, "axis")
        if axis is not None:
            return spread(s, axis % s.ndim, self.places, at.x.shape[axis])
        return tensor.Reshape(spread(s, 0, self.places, at.x.size), Shape(at.x))


@register("ReverseSequence")
class ReverseSequence(Movement):
    """The first steps of every sample in reverse: done twice, it is undone."""

    facts = Facts(sign=as_first, rearranges="order")

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_places(graph, "lengths", 1, "list of lengths")

    def forward(self, x: Value, p: Parameters) -> Value:
        batch, time = attribute(self.node, "batch_axis"), attribute(self.node, "time_axis")
        return tensor.ReverseSequence(x, p["lengths"], batch_axis=batch, time_axis=time)

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.forward(s, at.p)
