"""Operators on whole numbers as those on real ones that they stand for: QLinearConv is a Conv."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..model.graph import Graph, Node
from ..model.units import Unit
from ..tensor import Array


class Written:
    """The real nodes of those on whole numbers, as they are written down.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    nodes : list of Node
    units : dict of tensor -> Unit
        What the tensors of whole numbers stand for.
    arrays : dict of str -> array
        New constants.
    inner : list of str
        New tensors, which no file computes.
    node : Node
        The one that is being written.
    """

    node: Node

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.units: dict[str, Unit] = {}
        self.arrays: dict[str, Array] = {}
        self.inner: list[str] = []

    def of(self, node: Node) -> Written:
        """The same, about to write a node."""
        self.node = node
        return self

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of the node's."""
        return dict(self.node.attributes)

    def known(self, *places: int) -> bool:
        """Whether operands are the same in every run."""
        return all(self.graph.is_constant(name) for place in places if (name := self.node.operand(place)))

    def real(self, place: int, axis: int = 1) -> str:
        """An operand as real numbers, its scale and zero point behind it."""
        q, scale, zero = (self.node.operand(place + step) for step in range(3))
        unit = Unit(scale, zero, axis)
        if self.graph.is_constant(q):
            return self.array(f"{q}/real", unit.real(*self._numbers(q, unit)))
        self.units.setdefault(q, unit)
        return q

    def _numbers(self, q: str, unit: Unit) -> tuple[Array, dict[str, Array]]:
        values = {name: self.graph.constant(name).astype(np.float32) for name in (q, *unit.tensors)}
        return values[q], values

    def bias(self, place: int, x: int, weights: int, factor: float = 1.0) -> str:
        """Whole numbers in the product of two scales, as real ones."""
        if not (name := self.node.operand(place)):
            return ""
        values = [self.graph.constant(other) for other in (name, *map(self.node.operand, (x, weights)))]
        b, one, other = (value.astype(np.float64) for value in values)
        return self.array(f"{name}/real", (factor * b * one * other).astype(np.float32))

    def array(self, name: str, value: Array) -> str:
        """A new constant."""
        name = self.graph.unused(name, self.arrays)
        self.arrays[name] = np.asarray(value)
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """A node on real numbers, and what it makes."""
        made = output or self.graph.unused(f"{self.node.outputs[0]}/real", self.inner)
        if not output:
            self.inner.append(made)
        known_as = self.node.operator.rpartition(".")[2]
        opset = self.graph.opset
        self.nodes.append(
            Node(operator, self.node.name, tuple(inputs), (made,), attributes, opset, known_as=known_as)
        )
        return made

    def quantised(self, x: str, scale: int) -> bool:
        """The node's output: x, rounded and closed at its ends; its scale stands at this place."""
        inputs = (x, self.node.operand(scale), self.node.operand(scale + 1))
        self.units[self.node.outputs[0]] = Unit(*inputs[1:])
        self.add("QuantizeLinear", inputs, self.node.outputs[0], axis=1)
        return True


def convolution(w: Written) -> bool:
    """Conv."""
    attributes = w.attributes
    if attributes.pop("channels_last", 0) or not w.known(1, 3, 4, 5, 8):
        return False
    return w.quantised(w.add("Conv", (w.real(0), w.real(3, axis=0), w.bias(8, 1, 4)), **attributes), 6)


def product(w: Written) -> bool:
    """MatMul."""
    return w.quantised(w.add("MatMul", (w.real(0), w.real(3, axis=-1))), 6)


def dense(w: Written) -> bool:
    """Gemm; what it makes is real already where it has no scale."""
    attributes = w.attributes
    if not w.known(1, 3, 4, 5, 6):
        return False
    weights = w.real(3, axis=0 if attributes["transB"] else 1)
    inputs = (w.real(0), weights, w.bias(6, 1, 4, attributes["alpha"]))
    if w.node.operand(7):
        return w.quantised(w.add("Gemm", inputs, **attributes, beta=1.0), 7)
    return bool(w.add("Gemm", inputs, w.node.outputs[0], **attributes, beta=1.0))


def concat(w: Written) -> bool:
    """Concat, of tensors that each have a scale."""
    parts = [w.real(place) for place in range(2, len(w.node.inputs), 3)]
    return w.quantised(w.add("Concat", parts, **w.attributes), 0)


def mean(w: Written) -> bool:
    """ReduceMean."""
    attributes = w.attributes
    axes = attributes.pop("axes", None)
    if w.graph.opset < 18:
        return w.quantised(w.add("ReduceMean", (w.real(0),), axes=axes, **attributes), 3)
    operand = w.array(f"{w.node.outputs[0]}/axes", np.array(axes, np.int64)) if axes else ""
    z = w.add("ReduceMean", (w.real(0), operand), noop_with_empty_axes=0, **attributes)
    return w.quantised(z, 3)


def where(w: Written) -> bool:
    """Where."""
    return w.quantised(w.add("Where", (w.node.inputs[0], w.real(1), w.real(4))), 7)


def of_one(operator: str, **beside: Any) -> Callable[[Written], bool]:
    """An operator on one tensor; `beside` are the attributes that the other has not."""

    def write(w: Written) -> bool:
        attributes = w.attributes
        if attributes.pop("channels_last", 0):
            return False
        attributes.pop("opset", None)
        return w.quantised(w.add(operator, (w.real(0),), **attributes, **beside), 3)

    return write


def of_two(operator: str) -> Callable[[Written], bool]:
    """An operator on two tensors."""

    def write(w: Written) -> bool:
        return w.quantised(w.add(operator, (w.real(0), w.real(3))), 6)

    return write


# What writes a node on real numbers in place of one; it answers False where it cannot.
QLINEAR: Mapping[str, Callable[[Written], bool]] = {
    "QLinearConv": convolution,
    "com.microsoft.QLinearConv": convolution,
    "QLinearMatMul": product,
    "com.microsoft.QGemm": dense,
    "com.microsoft.QLinearAdd": of_two("Add"),
    "com.microsoft.QLinearAveragePool": of_one("AveragePool", dilations=None),
    "com.microsoft.QLinearConcat": concat,
    "com.microsoft.QLinearGlobalAveragePool": of_one("GlobalAveragePool"),
    "com.microsoft.QLinearLeakyRelu": of_one("LeakyRelu"),
    "com.microsoft.QLinearMul": of_two("Mul"),
    "com.microsoft.QLinearReduceMean": mean,
    "com.microsoft.QLinearSigmoid": of_one("Sigmoid"),
    "com.microsoft.QLinearSoftmax": of_one("Softmax"),
    "com.microsoft.QLinearWhere": where,
}
