"""The order that nodes run in, whichever a file lists them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class NodeNames(NamedTuple):
    """The tensors that a node reads, by its subgraphs too, and those that it makes."""

    reads: tuple[str, ...]
    makes: tuple[str, ...]


class CycleError(ValueError):
    """Nodes that wait for each other.

    Attributes
    ----------
    places : list of int
        The nodes of one ring: each reads what the next one makes, and the last what the first does.
    """

    def __init__(self, places: list[int]) -> None:
        super().__init__(places)
        self.places = places


def in_order(nodes: Sequence[NodeNames]) -> bool:
    """Whether each node stands behind all that it reads."""
    unmade = {name for node in nodes for name in node.makes if name}
    for node in nodes:
        if not unmade.isdisjoint(node.reads):
            return False
        unmade.difference_update(node.makes)
    return True


def run_order(nodes: Sequence[NodeNames], ends: Iterable[str]) -> list[int]:
    """The places of the nodes, each behind all that it reads.

    Depth first from the ends, operand by operand. So it is the order of the graph and not of the file:
    of one graph, nodes shuffled in any way come out the same, and sums are added up to the same bit.

    Parameters
    ----------
    nodes : sequence of NodeNames
    ends : iterable of str
        The outputs of the graph. What leads to none of them comes last, by the names of what it makes.

    Raises
    ------
    CycleError
        There is no such order.
    """
    makers = {name: place for place, node in enumerate(nodes) for name in node.makes if name}
    read = {name for node in nodes for name in node.reads}
    starts = [makers[name] for name in ends if name in makers]
    dead = (place for place, node in enumerate(nodes) if read.isdisjoint(node.makes))
    starts += sorted(dead, key=lambda place: nodes[place].makes)
    order: dict[int, None] = {}
    for start in (*starts, *range(len(nodes))):  # what is left at last is a ring, or leads into one
        if start not in order:
            _add_with_needed(start, nodes, makers, order)
    return list(order)


def _add_with_needed(
    start: int, nodes: Sequence[NodeNames], makers: Mapping[str, int], order: dict[int, None]
) -> None:
    """Add what a node needs, and then itself; by a stack of our own, as graphs are deeper than Python's."""
    path, waiting = [start], {start}
    unread = {start: iter(nodes[start].reads)}
    while path:
        place = path[-1]
        needed = (makers[name] for name in unread[place] if name in makers)
        missing = next((one for one in needed if one not in order), None)
        if missing is None:
            order[place] = None
            waiting.discard(path.pop())
        elif missing in waiting:
            raise CycleError(path[path.index(missing) :])
        else:
            path.append(missing)
            waiting.add(missing)
            unread[missing] = iter(nodes[missing].reads)
