"""Tensors that are lists: how many rows they have, and what each is, the values of the input decide."""

from __future__ import annotations

from .across import CHOOSING
from .following import MOVES
from .graph import Graph
from .node import Node
from .operators import known
from .roles import ALIKE, BY_VALUES, ELEMENTWISE, PRODUCTS, REDUCING


def listed(graph: Graph) -> dict[str, Node]:
    """Such tensors, and the node that decides.

    The third row of one is another thing where the input is another. What is summed up over the rows, or put
    back in the places where they were, is a list no more.
    """
    found: dict[str, Node] = {}
    for node in graph.nodes:
        if known(node.operator).shape_alone:
            continue
        by_values = node.operator == "Compress" and node.operand(1) in graph.computed
        if by_values or (node.operator in BY_VALUES and not graph.computed.isdisjoint(node.inputs)):
            found.update((name, node) for name in node.outputs if name)
        elif (decided := next((found[name] for name in _rows(node) if name in found), None)) is not None:
            found.update((name, decided) for name in node.outputs if name)
    return found


def _rows(node: Node) -> tuple[str, ...]:
    """The operands whose rows are those of what a node makes."""
    operator = node.operator
    if operator in REDUCING:
        axes = node.attributes.get("axes")
        kept = axes is not None and 0 not in axes
        return node.inputs[:1] if kept else ()
    if operator in ELEMENTWISE or operator == "Concat" or operator.startswith("Gather"):
        return node.inputs
    if operator in PRODUCTS or operator == "Gemm":
        return node.inputs[:1]
    return node.inputs[:1] if operator in ALIKE or operator in MOVES or operator in CHOOSING else ()
