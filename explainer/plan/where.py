"""Where layers lie between input and target: first, last, before some node."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence

from ..layers import Layer
from ..layers.base import Place
from ..layers.kinds import SUM
from ..model.graph import Graph, Node
from .signs import nonnegative


def placed(graph: Graph, layers: Sequence[Layer], target: str, weights: Collection[Node] = ()) -> list[Layer]:
    """The layers, each knowing where it lies and whether its input can be negative.

    Parameters
    ----------
    graph : Graph, canonized
    layers : sequence of Layer, in the order of the walk
    target : str
        The tensor that relevance starts from.
    weights : collection of Node
        Those that are layers with weights, though all that they do is to scale: see `as_scales`.
    """
    layers = as_scales(graph, layers, weights)
    last = _met_first(layers, {target}, forward=False)
    begins, given = _beginning(graph)
    first = _met_first(layers[::-1], set(begins), forward=True)
    ancestors = Ancestry(graph)
    above_zero = nonnegative(graph)
    prepared = Prepared(given)
    known = []
    for layer in layers[::-1]:
        at_input = prepared.holds(layer.inputs)
        prepares = prepared.goes_through(layer)
        place = Place(layer in first, layer in last, at_input, prepares, ancestors)
        known.append(layer.having(place=place, nonnegative=above_zero.issuperset(layer.inputs)).sealed())
    return known[::-1]


def _beginning(graph: Graph) -> tuple[set[str], set[str]]:
    """The inputs that no weights lie before, and those of the file itself: it may have been cut."""
    stops = () if graph.source.cut is None else graph.source.cut.stops
    names = {value.name for value in graph.inputs}
    later = {stop.name for stop in stops if not stop.begins}
    return names - later, names - {stop.name for stop in stops if not stop.is_given}


class Prepared:
    """The tensors of which each value is made of one value of the input: as it is, moved or a function of it.

    Two of them can meet (x·|x|, say) where they have the values that were made of one at the same place.

    Parameters
    ----------
    given : iterable of str
        The inputs.
    """

    def __init__(self, given: Iterable[str]) -> None:
        self._places: dict[str, Hashable] = {name: name for name in given}
        self._moved: dict[Hashable, int] = {}

    def holds(self, names: Iterable[str]) -> bool:
        """Whether these tensors are all known to be such."""
        return self._places.keys() >= set(names)

    def goes_through(self, layer: Layer) -> bool:
        """Whether what a layer makes of such tensors is one again, which is then known."""
        if not self.holds(layer.inputs):
            return False
        places = tuple(self._places[name] for name in layer.inputs)
        if layer.by_place and len(set(places)) == 1:
            self._places[layer.output] = places[0]
            return True
        if layer.normalises or is_scale(layer):
            node = layer.node
            way = (node.operator, repr(node.attributes), *layer.operands.items())
            move = (*way, node.outputs.index(layer.output), *places)
            self._places[layer.output] = self._moved.setdefault(move, len(self._moved))
            return True
        return False


def is_scale(layer: Layer) -> bool:
    """Whether it is a layer with weights that is taken for a scale."""
    return type(layer).kind.weighted and not layer.kind.weighted


def as_scales(graph: Graph, layers: Sequence[Layer], weights: Collection[Node]) -> list[Layer]:
    """The layers, those in front that only scale the input by weights of theirs no weighted ones any more.

    A normalisation can be written as a convolution of one place, depthwise or with a diagonal kernel, or as
    a product with a diagonal matrix. It is the same map then as by a Mul, and the first layer lies behind it.
    """
    before: set[str] = set()
    for layer in layers:
        if layer.kind.weighted or layer.output in before:
            before.update(layer.inputs)
    prepared = Prepared(_beginning(graph)[1])
    seen = []
    for layer in reversed(layers):
        if prepared.holds(layer.inputs):
            may_be = layer.kind.weighted and layer.output in before and layer.node not in weights
            if may_be and layer.only_scales(graph):
                layer = layer.having(kind=SUM)
            prepared.goes_through(layer)
        seen.append(layer)
    return seen[::-1]


def _met_first(layers: Sequence[Layer], reached: set[str], forward: bool) -> set[Layer]:
    """The weighted layers that some path meets before any other weighted layer."""
    met = set()
    for layer in layers:
        here, there = (layer.inputs, (layer.output,)) if forward else ((layer.output,), layer.inputs)
        if reached.isdisjoint(here):
            continue
        if layer.kind.weighted:
            met.add(layer)
        else:
            reached.update(there)
    return met


class Ancestry:
    """Which nodes a node depends on, asked by its name; layers hold it, so it is names alone."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = [
            (frozenset({node.name, *(member.name for member in node.members)}), node.inputs, node.outputs)
            for node in reversed(graph.nodes)
        ]
        self._found: dict[str, frozenset[str]] = {}

    def __call__(self, name: str) -> frozenset[str]:
        """The names of the nodes that it depends on, itself included; none if there is no such node."""
        if name not in self._found:
            needed: set[str] = set()
            found: set[str] = set()
            for names, inputs, outputs in self._nodes:
                if name in names or not needed.isdisjoint(outputs):
                    found |= names
                    needed.update(inputs)
            self._found[name] = frozenset(found)
        return self._found[name]
