"""Layers that move values: relevance goes where the value came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_all, as_first
from ..tensor import Array, Bundle, Reshape, Shape, Value, cast_to
from .base import Bound, Layer, attribute
from .kinds import MOVEMENT
from .parameters import Parameters
from .registry import register


class Movement(Layer):
    """Values change places, none is computed."""

    kind = MOVEMENT

    def setting(self, name: str, p: Parameters) -> Any:
        """An attribute, or the input that took its place in a later opset; None where neither is."""
        value = p.get(name)
        return attribute(self.node, name) if value is None else value

    def take_places(self, graph: Graph, letter: str, index: int, what: str) -> None:
        """Declare an input that tells which place: a parameter, whatever it is computed from.

        There is nothing between two places, so no relevance goes back through it.
        """
        if self.node.inputs[0] not in graph.carrying:
            raise UnsupportedError(f"its {what} is computed from the input, and nothing else of it is")
        self.inputs = tuple(name for name in self.inputs if name != self.node.operand(index))
        self.operands[letter] = self.node.operand(index)


@register("Reshape")
class ReshapeLayer(Movement):
    """Another shape, the same order."""

    facts = Facts(sign=as_first, rearranges="shape")

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "shape", 1, "shape")

    def forward(self, x: Value, p: Parameters) -> Value:
        return Reshape(x, p["shape"])

    def transpose(self, s: Value, at: Bound) -> Value:
        return Reshape(s, Shape(at.x))


@register("Flatten")
class Flatten(ReshapeLayer):
    """Two axes: those before `axis`, and the rest."""

    def forward(self, x: Value, p: Parameters) -> Value:
        axis = attribute(self.node, "axis")
        axis = axis + x.ndim if axis < 0 else axis
        before = 0 if axis == 1 else int(np.prod(x.shape[:axis]))
        return Reshape(x, np.array([before, -1 if axis < x.ndim else 1]))


@register("Squeeze")
class Squeeze(ReshapeLayer):
    """Axes of size 1 taken out."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super(ReshapeLayer, self).__init__(node, graph, output)
        self.take_operand(graph, "axes", 1, "list of axes")

    def forward(self, x: Value, p: Parameters) -> Value:
        axes = self.setting("axes", p)
        if axes is None:
            axes = [axis for axis, size in enumerate(x.shape) if size == 1]
        return tensor.Squeeze(x, np.array(axes))


@register("Unsqueeze")
class Unsqueeze(Squeeze):
    """Axes of size 1 put in."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Unsqueeze(x, np.array(self.setting("axes", p)))


@register("Transpose")
class Transpose(Movement):
    """Axes in another order."""

    facts = Facts(sign=as_first, rearranges="order")

    transpose_reads = frozenset()

    def perm(self, rank: int) -> list[int]:
        """The order of the axes; reversed where the node names none."""
        perm = attribute(self.node, "perm")
        return list(perm) if perm is not None else list(range(rank))[::-1]

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Transpose(x, perm=self.perm(x.ndim))

    def transpose(self, s: Value, at: Bound) -> Value:
        return tensor.Transpose(s, perm=[int(axis) for axis in np.argsort(self.perm(s.ndim))])


class Joined(Movement):
    """Values of several operands in one tensor; what falls to constant ones is counted as bias."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.constant_places = [i for i in self.places if node.inputs[i] not in graph.carrying]
        self.has_constants = bool(self.constant_places)
        for index in self.constant_places:
            self.take_operand(graph, str(index), index, "operand")

    @property
    def places(self) -> Sequence[int]:
        """Which of the node's operands these are."""
        return range(len(self.node.inputs))

    @property
    def constants(self) -> dict[str, str]:
        return {str(index): self.operands[str(index)] for index in self.constant_places}

    def operand_list(self, x: Value, p: Parameters) -> list[Value]:
        """Activations and constants in the node's own order."""
        activations = iter(x if isinstance(x, Bundle) else (x,))
        return [p[str(i)] if i in self.constant_places else next(activations) for i in self.places]


@register("Concat")
class Concat(Joined):
    """Operands side by side."""

    facts = Facts(sign=as_all)

    @property
    def keeps_maps(self) -> bool:
        return attribute(self.node, "axis") in (1, -3)  # that of channels, of images also from the end

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Concat(*self.operand_list(x, p), axis=attribute(self.node, "axis"))

    def _parts(self, s: Value, at: Bound) -> list[Value]:
        axis = attribute(self.node, "axis") % s.ndim
        sizes = [operand.shape[axis] for operand in self.operand_list(at.x, at.p)]
        return [cut(s, axis, sum(sizes[:i]), sum(sizes[: i + 1])) for i in range(len(sizes))]

    def transpose(self, s: Value, at: Bound) -> Value:
        parts = self._parts(s, at)
        c = Bundle(part for index, part in enumerate(parts) if index not in self.constant_places)
        return c if isinstance(at.x, Bundle) else c[0]

    def at_constant(self, letter: str, s: Value, at: Bound) -> Value:
        return self._parts(s, at)[int(letter)]

    def bias_share(self, s: Value, at: Bound) -> Value:
        if not self.constant_places:
            return None
        parts = enumerate(self._parts(s, at))
        laid = (part if index in self.constant_places else part * 0 for index, part in parts)
        return tensor.Concat(*laid, axis=attribute(self.node, "axis"))


@register("Slice")
class Slice(Movement):
    """A part of the tensor along some axes; bounds are attributes before opset 10, inputs since."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        for index, name in enumerate(("starts", "ends", "axes", "steps"), start=1):
            self.take_operand(graph, name, index, name)

    def bounds(self, x: Value, p: Parameters) -> tuple[Value, Value, Value, Value]:
        """Starts, ends, axes and steps."""
        starts, ends = np.array(self.setting("starts", p)), np.array(self.setting("ends", p))
        axes, steps = self.setting("axes", p), self.setting("steps", p)
        axes = np.arange(len(starts)) if axes is None else np.array(axes) % x.ndim
        return starts, ends, axes, np.ones_like(starts) if steps is None else np.array(steps)

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Slice(x, *self.bounds(x, p))

    def transpose(self, s: Value, at: Bound) -> Value:
        pads = np.zeros((2, s.ndim), dtype=np.int64)
        for start, end, axis, step in zip(*self.bounds(at.x, at.p), strict=True):
            size = at.x.shape[axis]
            stop = None if step < 0 and end <= -size - 1 else int(end)
            taken = range(size)[slice(int(start), stop, int(step))]
            if step == 1:
                pads[:, axis] = taken.start, size - taken.start - len(taken)
            else:
                s = spread(s, axis, taken, size)
        return tensor.Pad(s, pads.ravel()) if pads.any() else s


@register("Split")
class Split(Movement):
    """One of several consecutive parts along an axis: each output is a map of its own."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.index = output
        self.take_operand(graph, "split", 1, "list of sizes")

    def part(self, x: Value, p: Parameters) -> tuple[int, int, int]:
        """Axis, start and end."""
        axis = attribute(self.node, "axis") % x.ndim
        sizes = self.setting("split", p)
        if sizes is None:
            size = -(-x.shape[axis] // len(self.node.outputs))
            start = self.index * size
            return axis, start, min(start + size, x.shape[axis])
        start = int(sum(sizes[: self.index]))
        return axis, start, start + int(sizes[self.index])

    def forward(self, x: Value, p: Parameters) -> Value:
        return cut(x, *self.part(x, p))

    def transpose(self, s: Value, at: Bound) -> Value:
        axis, start, end = self.part(at.x, at.p)
        pads = np.zeros((2, s.ndim), dtype=np.int64)
        pads[:, axis] = start, at.x.shape[axis] - end
        return tensor.Pad(s, pads.ravel())


@register("Gather")
class Gather(Movement):
    """Chosen slices along an axis, in whatever order and however often: channels swapped, one token."""

    facts = Facts(sign=as_first)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_places(graph, "indices", 1, "list of indices")
        self.is_known = graph.is_constant(node.operand(1))

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Gather(x, p["indices"], axis=attribute(self.node, "axis") % x.ndim)

    def transpose(self, s: Value, at: Bound) -> Value:
        axis = attribute(self.node, "axis") % at.x.ndim
        if not self.is_known:
            return self.scattered(s, at.x, axis, at.p["indices"])
        indices = np.asarray(at.p["indices"])
        size = at.x.shape[axis]
        if indices.ndim == 0:
            s = tensor.Unsqueeze(s, np.array([axis]))
        elif indices.ndim > 1:
            s = Reshape(s, np.array([*[0] * axis, indices.size, *at.x.shape[axis + 1 :]]))
        return spread(s, axis, indices.ravel() % size, size)

    def scattered(self, s: Value, x: Value, axis: int, indices: Value) -> Value:
        """The slices of `s` added up where they came from, by indices that each run has of its own."""
        found = range(axis, axis + indices.ndim)
        s = tensor.Transpose(s, perm=[*found, *(a for a in range(s.ndim) if a not in found)])
        order = [axis, *(a for a in range(x.ndim) if a != axis)]
        zeros = nothing_at(tensor.Transpose(x, perm=order))
        vectors = tensor.Unsqueeze(cast_to(np.dtype(np.int64), indices), np.array([indices.ndim]))
        moved = tensor.ScatterND(zeros, vectors, s, reduction="add")
        return tensor.Transpose(moved, perm=[int(a) for a in np.argsort(order)])


def nothing_at(x: Value) -> Value:
    """Zeros, one for each value of x."""
    return tensor.ConstantOfShape(Shape(x), value=np.zeros(1, x.dtype))


def cut(x: Value, axis: int, start: int, end: int) -> Value:
    """The part of x from `start` to `end` along an axis."""
    return tensor.Slice(x, np.array([start]), np.array([end]), np.array([axis]), np.array([1]))


def spread(s: Value, axis: int, places: Sequence[int] | Array, size: int) -> Value:
    """Add the slices of `s` up at `places` of an axis of `size`, zeros between: a 0/1 matrix product."""
    selection = np.zeros((len(places), size), dtype=s.dtype)
    selection[np.arange(len(places)), list(places)] = 1
    order = [*(a for a in range(s.ndim) if a != axis), axis]
    spread = tensor.Transpose(s, perm=order) @ selection
    return tensor.Transpose(spread, perm=[int(a) for a in np.argsort(order)])
