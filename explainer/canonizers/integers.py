"""Operators on whole numbers as those on real ones that they stand for: QLinearConv is a Conv."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.units import Unit
from ..tensor import Array

OTHERWISE = "it reads whole numbers in another scale than they were written in"


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
    ranks : dict of tensor -> int
        How many axes these make, where ONNX's inference does not know the operators.
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
        self.ranks: dict[str, int] = {}

    def of(self, node: Node) -> Written:
        """The same, about to write a node."""
        self.node = node
        return self

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of the node's."""
        return dict(self.node.attributes)

    def require(self, *places: int) -> None:
        """Refuse operands that are not the same in every run.

        Raises
        ------
        UnsupportedError
        """
        for place in places:
            name = self.node.operand(place)
            if name and not self.graph.is_constant(name):
                raise UnsupportedError(f"{name!r}, a scale or a weight of it, is computed from the input")

    def real(self, place: int, axis: int = 1) -> str:
        """An operand as real numbers, its scale and zero point behind it."""
        q, scale, zero = (self.node.operand(place + step) for step in range(3))
        unit = Unit(scale, zero, axis)
        if self.graph.is_constant(q):
            self.require(place + 1, place + 2)
            return self.constant(q, unit)
        if not self.same(q, self.units.setdefault(q, unit), unit):
            raise UnsupportedError(OTHERWISE)
        return q

    def same(self, q: str, one: Unit, other: Unit) -> bool:
        """Whether whole numbers q stand for the same in two units, as far as that is known."""
        pairs = ((one.scale, other.scale), (one.zero, other.zero))
        if not all(a == b or self._equal(a, b) for a, b in pairs):
            return False
        several = self.graph.is_constant(one.scale) and self.graph.constant(one.scale).size > 1
        axes = self.graph.axes(q) or self.ranks.get(q) or 0
        places = {unit.axis + axes if unit.axis < 0 else unit.axis for unit in (one, other)}
        return len(places) == 1 or not several

    def _equal(self, one: str, other: str) -> bool:
        if not all(self.graph.is_constant(name) for name in (one, other) if name):
            return False
        a, b = (self.graph.constant(name).squeeze() if name else np.zeros(()) for name in (one, other))
        return np.array_equal(a, b)

    def constant(self, q: str, unit: Unit) -> str:
        """Constant whole numbers as a new constant of real ones."""
        values = {name: self.graph.constant(name).astype(np.float32) for name in (q, *unit.tensors)}
        return self.array(f"{q}/real", unit.real(values[q], values))

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

    def add(
        self, operator: str, inputs: Sequence[str], output: str = "", *, opset: int = 0, **attributes: Any
    ) -> str:
        """A node on real numbers, in the graph's opset or another one, and what it makes."""
        made = output or self.graph.unused(f"{self.node.outputs[0]}/real", self.inner)
        if not output:
            self.inner.append(made)
        known_as = self.node.operator.rpartition(".")[2]
        opset = opset or self.graph.opset
        self.nodes.append(
            Node(operator, self.node.name, tuple(inputs), (made,), attributes, opset, known_as=known_as)
        )
        return made

    def moved(self, x: str, ndim: int, to: int) -> str:
        """x, its channels moved to this axis from the other end of a sample."""
        axes = [0, ndim - 1, *range(1, ndim - 1)] if to == 1 else [0, *range(2, ndim), 1]
        return self.add("Transpose", (x,), perm=axes)

    def axes(self, x: str) -> int:
        """How many axes a tensor has.

        Raises
        ------
        UnsupportedError
        """
        known = self.graph.axes(x) or self.ranks.get(x)
        if not known:
            raise UnsupportedError(
                "the file does not tell how many axes it works on; infer its shapes "
                "(onnxruntime.tools.symbolic_shape_infer), or save it at optimisation level extended"
            )
        return known

    def quantised(self, x: str, scale: int) -> None:
        """The node's output: x, rounded and closed at its ends; its scale stands at this place."""
        inputs = (x, self.node.operand(scale), self.node.operand(scale + 1))
        self.units[self.node.outputs[0]] = Unit(*inputs[1:])
        self.add("QuantizeLinear", inputs, self.node.outputs[0], axis=1)


def convolution(w: Written) -> None:
    """Conv."""
    attributes = w.attributes
    is_last = attributes.pop("channels_last", 0)
    w.require(1, 3, 4, 5, 8)
    ndim = w.graph.constant(w.node.operand(3)).ndim
    x = w.real(0)
    x = w.moved(x, ndim, 1) if is_last else x
    z = w.add("Conv", (x, w.real(3, axis=0), w.bias(8, 1, 4)), **attributes)
    w.ranks[w.node.outputs[0]] = ndim
    w.quantised(w.moved(z, ndim, -1) if is_last else z, 6)


def product(w: Written) -> None:
    """MatMul."""
    w.quantised(w.add("MatMul", (w.real(0), w.real(3, axis=-1))), 6)


def dense(w: Written) -> None:
    """Gemm; what it makes is real already where it has no scale."""
    attributes = w.attributes
    w.require(1, 3, 4, 5, 6)
    weights = w.real(3, axis=0 if attributes["transB"] else 1)
    inputs = (w.real(0), weights, w.bias(6, 1, 4, attributes["alpha"]))
    if w.node.operand(7):
        w.quantised(w.add("Gemm", inputs, **attributes, beta=1.0), 7)
    else:
        w.add("Gemm", inputs, w.node.outputs[0], **attributes, beta=1.0)


def concat(w: Written) -> None:
    """Concat, of tensors that each have a scale."""
    parts = [w.real(place) for place in range(2, len(w.node.inputs), 3)]
    w.quantised(w.add("Concat", parts, **w.attributes), 0)


def mean(w: Written) -> None:
    """ReduceMean."""
    attributes = w.attributes
    axes = attributes.pop("axes", None)
    if w.graph.opset < 18:
        w.quantised(w.add("ReduceMean", (w.real(0),), axes=axes, **attributes), 3)
        return
    operand = w.array(f"{w.node.outputs[0]}/axes", np.array(axes, np.int64)) if axes else ""
    z = w.add("ReduceMean", (w.real(0), operand), noop_with_empty_axes=0, **attributes)
    w.quantised(z, 3)


def where(w: Written) -> None:
    """Where."""
    w.quantised(w.add("Where", (w.node.inputs[0], w.real(1), w.real(4))), 7)


def softmax(w: Written) -> None:
    """Softmax of the opset that it says."""
    attributes = w.attributes
    opset = attributes.pop("opset")
    w.quantised(w.add("Softmax", (w.real(0),), opset=opset, **attributes), 3)


def of_one(operator: str, **beside: Any) -> Callable[[Written], None]:
    """An operator on one tensor; `beside` are the attributes that the other has not."""

    def write(w: Written) -> None:
        attributes = w.attributes
        is_last = attributes.pop("channels_last", 0)
        x, y = w.node.inputs[0], w.node.outputs[0]
        if "kernel_shape" in attributes:
            w.ranks[x] = len(attributes["kernel_shape"]) + 2
        with suppress(UnsupportedError):
            w.ranks[y] = w.axes(x)
        real = w.moved(w.real(0), w.axes(x), 1) if is_last else w.real(0)
        z = w.add(operator, (real,), **attributes, **beside)
        w.quantised(w.moved(z, w.axes(x), -1) if is_last else z, 3)

    return write


def of_two(operator: str) -> Callable[[Written], None]:
    """An operator on two tensors."""

    def write(w: Written) -> None:
        w.quantised(w.add(operator, (w.real(0), w.real(3))), 6)

    return write


# What writes a node on real numbers in place of one.
QLINEAR: Mapping[str, Callable[[Written], None]] = {
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
    "com.microsoft.QLinearSoftmax": softmax,
    "com.microsoft.QLinearWhere": where,
}
