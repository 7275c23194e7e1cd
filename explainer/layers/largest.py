"""The largest or smallest of several operands: the winner takes all, those that tie share alike.

So does PyTorch's gradient of torch.maximum, and of amax. A constant operand is a limit, as Clip's bounds are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_all, as_first
from ..tensor import (
    Array,
    Bundle,
    Equal,
    ReduceSum,
    Squeeze,
    Unsqueeze,
    Value,
    above,
    cast_to,
    maximum,
    sum_to,
)
from .activations import Activation
from .base import Bound, Layer, attribute
from .kinds import WINNER
from .parameters import Parameters
from .pooling import ReduceMean, ReduceSumLayer
from .registry import register


class Reduced(ReduceSumLayer):
    """One value of all those along some axes: ∂z/∂x_i is a number of its own for each."""

    def along(self, x: Value, axes: Array) -> Value:
        """z, the axes kept with a size of 1."""
        raise NotImplementedError

    def slope(self, x: Value, axes: Array) -> Value:
        """∂z/∂x_i, as large as x."""
        raise NotImplementedError

    def forward(self, x: Value, p: Parameters) -> Value:
        axes = self.axes(x, p)
        if axes.size == 0:
            return x
        z = self.along(x, axes)
        return Squeeze(z, axes) if attribute(self.node, "keepdims") == 0 else z

    def transpose(self, s: Value, at: Bound) -> Value:
        axes = self.axes(at.x, at.p)
        if axes.size == 0:
            return s
        return (Unsqueeze(s, axes) if attribute(self.node, "keepdims") == 0 else s) * self.slope(at.x, axes)


@register("ReduceMax")
class ReduceMax(Reduced):
    """The largest along some axes."""

    kind = WINNER
    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.average = ReduceMean(node, graph)

    def averaged(self, at: Bound) -> Bound:
        return self.average.bind(at.x, None, at.p)

    def along(self, x: Value, axes: Array) -> Value:
        return maximum(x, axes)

    def slope(self, x: Value, axes: Array) -> Value:
        wins = cast_to(x.dtype, Equal(x, self.along(x, axes)))
        return wins / ReduceSum(wins, axes)


@register("ReduceMin")
class ReduceMin(ReduceMax):
    """The smallest along some axes."""

    def along(self, x: Value, axes: Array) -> Value:
        return -maximum(-x, axes)


class Limit(Activation):
    """x, or a constant where that is larger (smaller, of Min): relevance passes, as it does at a Clip."""

    rises_from = -math.inf

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        constants = [place for place, name in enumerate(node.inputs) if name not in graph.carrying]
        self.operands = {str(place): node.inputs[place] for place in constants}

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        limit = functools.reduce(picked(self.node), map(values.__getitem__, self.operands.values()))
        if limit.dtype.kind == "f":  # one at infinity, where JAX starts from, limits no number
            lowest, largest = np.finfo(limit.dtype).min, np.finfo(limit.dtype).max
            limit = tensor.Min(
                tensor.Max(limit, np.array(lowest, limit.dtype)), np.array(largest, limit.dtype)
            )
        return {"limit": limit}

    def forward(self, x: Value, p: Parameters) -> Value:
        z = picked(self.node)(x, p["limit"])
        if z.shape != x.shape:
            raise UnsupportedError(f"{self.node}: its constant is larger than what it limits")
        return z

    def derivative(self, x: Value, p: Parameters) -> Value:
        side = x - p["limit"] if self.node.operator == "Max" else p["limit"] - x
        return above(side, 0) + cast_to(x.dtype, Equal(side, 0 * side)) * 0.5


def picked(node: Node) -> functools.partial[Value]:
    """What picks one of two: the larger, or the smaller."""
    return functools.partial(tensor.Max if node.operator == "Max" else tensor.Min)


class Extreme(Layer):
    """z = max(a, b, …), or min, by place; all of them activations."""

    kind = WINNER
    keeps_maps = True
    by_place = True

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if len(self.inputs) != len(node.inputs):
            raise UnsupportedError("it compares several activations with a constant; write it as two nodes")

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        carrying = sum(name in graph.carrying for name in node.inputs)
        return Limit if carrying == 1 and len(node.inputs) > 1 else cls

    def forward(self, x: Value, p: Parameters) -> Value:
        return functools.reduce(picked(self.node), x if isinstance(x, Bundle) else (x,))

    def transpose(self, s: Value, at: Bound) -> Value:
        if not isinstance(at.x, Bundle):
            return s
        z = self.forward(at.x, at.p)
        wins = [cast_to(s.dtype, Equal(operand, z)) for operand in at.x]
        part = s / functools.reduce(lambda one, other: one + other, wins)
        return Bundle(sum_to(part * won, operand.shape) for won, operand in zip(wins, at.x, strict=True))


@register("Max")
class Max(Extreme):
    """The largest of several operands."""

    facts = Facts(sign=lambda signs: signs.some)
    forms = (Limit,)


@register("Min")
class Min(Extreme):
    """The smallest of several operands."""

    facts = Facts(sign=as_all)
    forms = (Limit,)
