"""Gathers whose indices name single places: each value is that of one place, by its number in the tensor."""

from __future__ import annotations

import numpy as np

from ..model.graph import Graph, Node
from ..tensor import Array, ConstantOfShape, Gather, Reshape, ScatterElements, Shape, Value
from .base import Bound, attribute
from .movement import Movement
from .parameters import Parameters
from .registry import register


class Placed(Movement):
    """z_k = x_n(k), n the numbers of the places; a place that is named twice gets both."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "indices", 1, "list of indices")

    def chosen(self, numbers: Array, indices: Array) -> Array:
        """What the operator makes of the places' numbers."""
        raise NotImplementedError

    def places(self, x: Value, p: Parameters) -> Array:
        """The number of the place that each value of z comes from."""
        numbers = np.arange(x.size).reshape(x.shape)
        return self.chosen(numbers, np.asarray(p["indices"]))

    def forward(self, x: Value, p: Parameters) -> Value:
        return Gather(Reshape(x, np.array([-1])), self.places(x, p), axis=0)

    def transpose(self, s: Value, at: Bound) -> Value:
        places = self.places(at.x, at.p).ravel()
        zeros = ConstantOfShape(np.array([at.x.size]), value=np.zeros(1, s.dtype))
        flat = Reshape(s, np.array([-1]))
        return Reshape(ScatterElements(zeros, places, flat, axis=0, reduction="add"), Shape(at.x))


@register("GatherElements")
class GatherElements(Placed):
    """One value for each index, along an axis."""

    def chosen(self, numbers: Array, indices: Array) -> Array:
        axis = attribute(self.node, "axis") % numbers.ndim
        # The other axes of the indices may be shorter than the tensor's.
        within = tuple(slice(size if a != axis else None) for a, size in enumerate(indices.shape))
        return np.take_along_axis(numbers[within], indices % numbers.shape[axis], axis)


@register("GatherND")
class GatherND(Placed):
    """One value, or slice, for each vector of indices, in each batch of `batch_dims` axes."""

    def chosen(self, numbers: Array, indices: Array) -> Array:
        batch = attribute(self.node, "batch_dims") or 0
        lead = numbers.shape[:batch]
        rows = zip(
            numbers.reshape(-1, *numbers.shape[batch:]),
            indices.reshape(-1, *indices.shape[batch:]),
            strict=True,
        )
        found = np.stack([row[tuple(np.moveaxis(index, -1, 0))] for row, index in rows])
        return found.reshape(*lead, *found.shape[1:])
