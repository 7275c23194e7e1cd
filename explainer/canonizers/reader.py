"""Reads up a graph from one node: who made a tensor, with which constants, over which axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..model.graph import Graph, Node


class Unread(Exception):
    """It is not written so."""


@dataclass(eq=False)
class Reader:
    """Looks at who made what, and remembers the nodes that it took."""

    graph: Graph
    nodes: list[Node] = field(default_factory=list)

    def maker(self, name: str, *operators: str) -> Node | None:
        """The node that made a tensor, if it has one of these operators."""
        node = self.graph.producers.get(name)
        made = node is not None and name in self.graph.carrying and not node.members
        return node if node is not None and made and node.operator in operators else None

    def take(self, name: str, *operators: str) -> Node:
        """The same, as one of the group's."""
        node = self.maker(name, *operators)
        if node is None:
            raise Unread
        self.nodes.append(node)
        return node

    def number(self, name: str) -> float | None:
        """The value of a constant that is one number."""
        if not name or not self.graph.is_constant(name):
            return None
        value = self.graph.constant(name)
        return float(value.reshape(())) if value.size == 1 else None

    def with_number(self, node: Node) -> tuple[str, float] | None:
        """The operand of a node that carries, and the constant that is the other one."""
        for place in (0, 1) if node.operator in ("Add", "Mul", "Max", "Min") else (0,):
            value = self.number(node.operand(1 - place))
            if value is not None and node.inputs[place] in self.graph.carrying:
                return node.inputs[place], value
        return None

    def integers(self, node: Node, place: int, name: str) -> list[int] | None:
        """An operator's axes, by attribute or operand."""
        stored = node.attributes.get(name)
        if stored is None and node.operand(place) and self.graph.is_constant(node.operand(place)):
            stored = self.graph.constant(node.operand(place)).ravel().tolist()
        return None if stored is None else [int(axis) for axis in stored]


def spread_of(reader: Reader, name: str) -> tuple[str, list[Node]]:
    """What is put back on the axes that it was summed over, and the nodes that do."""
    added: list[Node] = []
    while (node := reader.maker(name, "Expand", "Reshape", "Unsqueeze")) is not None:
        if any(size in reader.graph.carrying for size in node.inputs[1:]):
            break
        reader.nodes.append(node)
        added.append(node)
        name = node.inputs[0]
    return name, added


def axes_of(reader: Reader, node: Node, added: Sequence[Node]) -> list[int]:
    """What is summed over; refused where the sums are put back on other axes."""
    axes = reader.integers(node, 1, "axes")
    if not axes:
        raise Unread  # over all there are, the batch among them
    if node.attributes.get("keepdims", 1):
        if any(one.operator != "Expand" for one in added):
            raise Unread
        return sorted(axes)
    back = next((one for one in added if one.operator != "Expand"), None)
    if back is None:
        raise Unread
    if back.operator == "Unsqueeze":
        if sorted(reader.integers(back, 1, "axes") or ()) != sorted(axes):
            raise Unread
        return sorted(axes)
    if not all(_is_one(reader.graph, back.inputs[1], axis) for axis in axes):
        raise Unread
    return sorted(axes)


def _is_one(graph: Graph, sizes: str, place: int) -> bool:
    """Whether a size that a Reshape makes is 1, of sizes that are constant or joined of parts that are."""
    while (node := graph.producers.get(sizes)) is not None and node.operator in ("Cast", "Identity"):
        sizes = node.inputs[0]
    if graph.is_constant(sizes):
        values = graph.constant(sizes).ravel()
        return bool(-len(values) <= place < len(values) and values[place] == 1)
    if node is None or node.operator != "Concat" or place < 0:
        return False
    for part in node.inputs:
        if not graph.is_constant(part):
            place -= 1  # one size of the input's: what exporters write
            if place < 0:
                return False
            continue
        values = graph.constant(part).ravel()
        if place < len(values):
            return bool(values[place] == 1)
        place -= len(values)
    return False


def counted_axes(graph: Graph, name: str) -> list[int] | None:
    """The axes along which a computed number counts places: a product of sizes out of a Shape."""
    while (node := graph.producers.get(name)) is not None:
        if node.operator == "Gather":
            sizes = graph.producers.get(node.inputs[0])
            whole = sizes is not None and sizes.operator == "Shape" and not sizes.attributes.get("start")
            if not whole or not graph.is_constant(node.inputs[1]):
                return None
            return sorted(graph.constant(node.inputs[1]).ravel().tolist())
        if node.operator not in ("Cast", "Identity", "ReduceProd", "Squeeze"):
            return None
        name = node.inputs[0]
    return None
