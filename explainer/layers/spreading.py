"""Layers that spread, choose and rearrange values: broadcasting, repetition, choice by a mask, blocks."""

from __future__ import annotations

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..tensor import Bundle, ReduceSum, Reshape, Value, sum_to
from .base import Bound, attribute
from .movement import Joined, Movement
from .parameters import Parameters
from .registry import register


@register("Expand")
class Expand(Movement):
    """One value in many places: relevance is added up where it came from."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "shape", 1, "shape")

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Expand(x, p["shape"])

    def transpose(self, s: Value, at: Bound) -> Value:
        return sum_to(s, at.x.shape)


@register("Tile")
class Tile(Movement):
    """The whole tensor several times along some axes."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if node.opset < 6:
            raise UnsupportedError("Tile of opset 1; convert the model to opset 6 or later")
        self.take_operand(graph, "repeats", 1, "list of repeats")

    def repeats(self, p: Parameters) -> list[tuple[int, int]]:
        """Axis and how often, where it is not once."""
        return [(axis, int(times)) for axis, times in enumerate(p["repeats"]) if times != 1]

    def forward(self, x: Value, p: Parameters) -> Value:
        for axis, times in self.repeats(p):
            x = tensor.Concat(*[x] * times, axis=axis)
        return x

    def transpose(self, s: Value, at: Bound) -> Value:
        for axis, times in self.repeats(at.p):
            # The axis in two, the repeats in front; 0 copies the sizes before it, a batch among them.
            inner = at.x.shape[axis] if axis else -1
            apart = Reshape(s, np.array([*[0] * axis, times, inner, *s.shape[axis + 1 :]]))
            s = ReduceSum(apart, np.array([axis]), keepdims=0)
        return s


@register("Where")
class Where(Joined):
    """One of two values at every place; the condition is a parameter."""

    places = (1, 2)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if graph.carrying.isdisjoint(node.inputs[place] for place in self.places):
            raise UnsupportedError("its condition is computed from the input, and nothing else of it is")
        # Which of the two is a truth value, even where that is the input itself.
        self.inputs = tuple(node.inputs[i] for i in self.places if i not in self.constant_places)
        self.operands["condition"] = node.operand(0)

    def condition(self, p: Parameters) -> Value:
        """An input of truth values comes as the number that relevance would be a multiple of."""
        condition = p["condition"]
        return condition if condition.dtype == bool else condition > 0

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Where(self.condition(p), *self.operand_list(x, p))

    def chosen(self, s: Value, at: Bound, branch: int) -> Value:
        """`s` where the values of a branch were taken, else 0."""
        zero = s.dtype.type(0)
        return tensor.Where(self.condition(at.p), *((s, zero) if branch == 1 else (zero, s)))

    def transpose(self, s: Value, at: Bound) -> Value:
        c = Bundle(
            sum_to(self.chosen(s, at, branch), operand.shape)
            for branch, operand in zip(self.places, self.operand_list(at.x, at.p), strict=True)
            if branch not in self.constant_places
        )
        return c if isinstance(at.x, Bundle) else c[0]

    def at_constant(self, letter: str, s: Value, at: Bound) -> Value:
        return self.chosen(s, at, int(letter))

    def bias_share(self, s: Value, at: Bound) -> Value:
        return self.chosen(s, at, self.constant_places[0]) if self.constant_places else None


class Blocks(Movement):
    """Blocks of places, and their channels: sizes apart, axes in another order, sizes together."""

    facts = Facts(sign=as_first)

    def to_space(self, x: Value) -> Value:
        """Channels laid out as blocks of b × b places."""
        b = attribute(self.node, "blocksize")
        channels, rows, columns = x.shape[1:]
        deep = channels // (b * b)
        if attribute(self.node, "mode") == "CRD":
            apart, perm = [0, deep, b, b, rows, columns], [0, 1, 4, 2, 5, 3]
        else:
            apart, perm = [0, b, b, deep, rows, columns], [0, 3, 4, 1, 5, 2]
        moved = tensor.Transpose(Reshape(x, np.array(apart)), perm=perm)
        return Reshape(moved, np.array([0, deep, rows * b, columns * b]))

    def to_depth(self, x: Value) -> Value:
        """Blocks of b × b places laid out as channels."""
        b = attribute(self.node, "blocksize")
        channels, rows, columns = x.shape[1:]
        perm = [0, 1, 3, 5, 2, 4] if attribute(self.node, "mode") == "CRD" else [0, 3, 5, 1, 2, 4]
        apart = Reshape(x, np.array([0, channels, rows // b, b, columns // b, b]))
        moved = tensor.Transpose(apart, perm=perm)
        return Reshape(moved, np.array([0, channels * b * b, rows // b, columns // b]))


@register("DepthToSpace")
class DepthToSpace(Blocks):
    """Pixel shuffle: channels become places."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.to_space(x)

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.to_depth(s)


@register("SpaceToDepth")
class SpaceToDepth(Blocks):
    """Places become channels."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.to_depth(x)

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.to_space(s)
