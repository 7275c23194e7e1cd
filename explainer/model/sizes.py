"""What a graph says of the sizes of its tensors before it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from .graph import Graph
from .node import Node

# A shape, None for each size that is known only when the model runs.
Sizes: TypeAlias = "Sequence[int | None]"

# More axes than any runtime takes; a longer list of numbers is no shape.
MOST_AXES = 64
# Operators that put a shape together from others: all that they read, or the first operand.
ALL, FIRST = frozenset({"Concat"}), frozenset({"Cast", "Identity", "Slice"})


def numbers_of(graph: Graph, name: str) -> list[int] | None:
    """A constant of a few whole numbers; None where it is none."""
    if not name or not graph.is_constant(name):
        return None
    values = graph.constant(name)
    return None if values.size > MOST_AXES else [int(number) for number in values.reshape(-1)]


def sizes_of(graph: Graph, name: str, rank: Callable[[str], int | None]) -> Sizes | None:
    """The shape that a tensor holds; most are put together from the input's by a Concat.

    Parameters
    ----------
    graph : Graph
    name : str
        The tensor.
    rank : callable
        How many axes a tensor has, None where that is not known.
    """
    needed: dict[str, Node] = {}
    waiting = [name]
    while waiting:
        here = waiting.pop()
        node = graph.producers.get(here)
        if node is not None and here not in needed and not graph.is_constant(here):
            needed[here] = node
            waiting += node.inputs if node.operator in ALL else node.inputs[:1] * (node.operator in FIRST)
    known: dict[str, Sizes | None] = {}
    for here in sorted(needed, key=lambda name: graph.places[needed[name]]):
        known[here] = _made(graph, needed[here], known, rank)
    return known.get(name, numbers_of(graph, name))


def _made(
    graph: Graph, node: Node, known: Mapping[str, Sizes | None], rank: Callable[[str], int | None]
) -> Sizes | None:
    """The shape that a node makes of others."""
    parts = [known.get(name, numbers_of(graph, name)) for name in node.inputs]
    if node.operator in ALL:
        whole = None if None in parts else [size for part in parts for size in part or []]
        return None if whole is None or len(whole) > MOST_AXES else whole
    if node.operator in ("Cast", "Identity"):
        return parts[0]
    if node.operator == "Unsqueeze":  # one size, taken out of a shape and put into a list again
        return [None]
    if node.operator == "Shape":
        axes = rank(node.inputs[0])
        start, end = node.attributes.get("start", 0), node.attributes.get("end")
        return None if axes is None else [None] * len(range(axes)[start:end])
    if node.operator == "Gather":
        chosen = numbers_of(graph, node.operand(1))
        return None if chosen is None else [None] * len(chosen)
    if node.operator == "Slice":
        ends = parts[1:] or [node.attributes.get("starts"), node.attributes.get("ends")]
        if parts[0] is None or len(ends) > 3 or None in ends:
            return None
        return parts[0][ends[0][0] : ends[1][0]]  # type: ignore[index]
    return None
