"""Groups of nodes that people know by one name: how messages call what is not explained yet.

A group that is explained becomes a canonizer of its own, with its patterns, and leaves this list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..model.graph import Graph, Node
from .matching import Match, is_constant, matches

# Name -> patterns (see `matching`), from what exporters write. The first that fits a node names it, so the
# larger group goes before the one that it holds.
KNOWN: dict[str, tuple[str, ...]] = {
    "attention": (
        "y = Attention | com.microsoft.Attention | com.microsoft.MultiHeadAttention (q, k?, v?, a?, b?, c?)",
    ),
    "embedding lookup": ("y = Gather (W, ids)",),
}


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes of a graph that are known by one name.

    Attributes
    ----------
    name : str
    nodes : tuple of Node
        In the order they run.
    """

    name: str
    nodes: tuple[Node, ...]


def groups_of(graph: Graph, nodes: Iterable[Node]) -> list[Group]:
    """The groups that some nodes belong to; every node is in one at most, some in none.

    Parameters
    ----------
    graph : Graph, canonized
    nodes : iterable of Node
        What is asked about.
    """
    left = set(nodes)
    operators = {node.operator for node in left}
    found, taken = list[Group](), set[Node]()
    for name, patterns in KNOWN.items():
        for pattern in patterns:
            if not any(operator in pattern for operator in operators):
                continue
            for match in _met(graph, pattern):
                asked = left.intersection(match.nodes)
                if asked and asked.isdisjoint(taken):
                    found.append(Group(name, match.nodes))
                    taken.update(match.nodes)
        left -= taken
    return found


def _met(graph: Graph, pattern: str) -> Iterator[Match]:
    """Where a graph holds a pattern whose constants say nothing of the input's values."""
    for match in matches(graph, pattern):
        constants = {name for label, name in match.names.items() if is_constant(label)}
        if constants.isdisjoint(graph.carrying):
            yield match
