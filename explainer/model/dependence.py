"""Which tensors of a file depend on which: on an input, on constants alone, by choices alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from .node import Node
from .operators import known


def depending(
    nodes: Iterable[Node], names: Iterable[str], held: Collection[str] = (), decided: bool = True
) -> frozenset[str]:
    """These tensors, and those whose values depend on theirs; what is held depends on nothing.

    With `decided` false, neither do truth values and places, nor what is chosen by them.
    """
    found = set(names)
    for node in nodes:
        reads = (*(node.inputs if decided else node.relevant), *node.captures)
        if not known(node.operator).shape_alone and not found.isdisjoint(reads):
            held_here = held if decided else {*held, *node.choices}
            found.update(name for name in node.outputs if name and name not in held_here)
    return frozenset(found)


def fixed(nodes: Iterable[Node], constants: Iterable[str]) -> frozenset[str]:
    """Tensors that are the same in every run: constants and what is computed from them alone."""
    found = set(constants)
    for node in nodes:
        names = [name for name in (*node.inputs, *node.captures) if name]
        by_chance = known(node.operator).random or (node.operator == "Dropout" and node.operand(2))
        if found.issuperset(names) and not by_chance:
            found.update(name for name in node.outputs if name)
    return frozenset(found)


def frontier(nodes: Sequence[Node], constants: frozenset[str], computed: Collection[str]) -> frozenset[str]:
    """Of computed constants those that something else than constants reads, nodes inside of groups too."""
    single = (member for node in nodes for member in node.members or (node,))
    return frozenset(
        name
        for node in single
        if not constants.issuperset(filter(None, node.outputs))
        for name in node.inputs
        if name in computed
    )
