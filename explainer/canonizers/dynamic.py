"""Products of whole numbers that are scaled behind: ConvInteger, Cast, Mul, Add are a Conv of real ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ..model.graph import Graph, Node
from ..model.units import Unit
from .integers import Written

DYNAMIC = "DynamicQuantizeLinear"
# The operator of real numbers, and the axis of its weights that scales lie along.
PRODUCTS = {"ConvInteger": ("Conv", 0), "MatMulInteger": ("MatMul", -1)}


@dataclass(frozen=True, eq=False)
class Integers:
    """One product of whole numbers, the Mul by its scales, an Add of a bias; the Cast is seen through.

    Attributes
    ----------
    product : Node
    x, weights : str
        The tensors of scales; `weights` is "" where these are whole numbers.
    nodes : tuple of Node
        All that it stands for, as they run.
    bias : str
        What is added to channels; "" where nothing is.
    """

    product: Node
    x: str
    weights: str
    nodes: tuple[Node, ...]
    bias: str = ""

    def write(self, w: Written) -> None:
        """The one node on real numbers."""
        product, graph = self.product, w.graph
        operator, axis = PRODUCTS[product.operator]
        one, other = product.inputs[:2]
        zeros = product.operand(2), product.operand(3)
        w.units.setdefault(one, Unit(self.x, zeros[0]))
        w.of(product)
        if graph.is_constant(other):
            other = w.constant(other, Unit(self.weights, zeros[1], axis))
        else:
            w.units.setdefault(other, Unit(self.weights, zeros[1]))
        bias = [w.array(f"{self.bias}/real", graph.constant(self.bias).ravel())] if self.bias else []
        w.add(operator, (one, other, *bias), self.nodes[-1].outputs[0], **product.attributes)


def integers(graph: Graph, visible: Collection[str]) -> dict[Node, Integers]:
    """The products of whole numbers in a graph, by their last nodes."""
    found = {}
    for operator in PRODUCTS:
        for product in graph.by_operator.get(operator, ()):
            one = _matched(graph, product, visible)
            if one is not None:
                found[one.nodes[-1]] = one
    return found


def _matched(graph: Graph, product: Node, visible: Collection[str]) -> Integers | None:
    source, scaled = graph.producers.get(product.inputs[0]), _reader(graph, product, "Mul", visible)
    if source is None or scaled is None:
        return None
    x = source.outputs[1] if source.operator == DYNAMIC else source.operand(1)
    scale = _other(scaled, product.outputs[0])
    scales = graph.producers.get(scale)
    if scale == x and graph.is_constant(product.inputs[1]):
        one = Integers(product, x, "", (product, scaled))
    elif scales is not None and scales.operator == "Mul" and x and x in scales.inputs:
        one = Integers(product, x, _other(scales, x), (product, scaled))
    else:
        return None
    added = _reader(graph, scaled, "Add", visible)
    bias = "" if added is None else _other(added, scaled.outputs[0])
    if added is None or product.operator != "ConvInteger" or not _is_of_channels(graph, bias):
        return one  # a MatMul takes its Add by itself: see `linear`
    return replace(one, nodes=(*one.nodes, added), bias=bias)


def _reader(graph: Graph, node: Node, operator: str, visible: Collection[str]) -> Node | None:
    """The node of this operator that alone reads what another one makes, unseen."""
    readers = graph.readers.get(node.outputs[0], [])
    alone = len(readers) == 1 and readers[0].operator == operator
    return readers[0] if alone and node.outputs[0] not in visible else None


def _other(node: Node, name: str) -> str:
    """The other operand of two."""
    return next((other for other in node.inputs if other != name), name)


def _is_of_channels(graph: Graph, name: str) -> bool:
    """Whether it is one number for each channel, (1, C, 1, ...) or (C, 1, ...)."""
    if not graph.is_constant(name):
        return False
    shape = graph.constant(name).shape
    axis = 1 if len(shape) > 3 else 0
    return len(shape) > 1 and all(size == 1 for place, size in enumerate(shape) if place != axis)
