"""Which tensors cannot be negative, known from the operators that make them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..layers import facts_of
from ..model.graph import Graph, Node


def nonnegative(graph: Graph) -> frozenset[str]:
    """The tensors of a view that hold no negative value in any run.

    Parameters
    ----------
    graph : Graph, canonized
    """
    known = {value.name for value in graph.inputs if value.dtype.kind == "u"}
    for node in graph.nodes:
        # What a constant holds is looked at where something else reads it.
        if not graph.fixed.issuperset(node.outputs) and facts_of(node.operator).sign(
            _Operands(node, graph, known)
        ):
            known.update(name for name in node.outputs if name)
    return frozenset(known)


@dataclass(frozen=True)
class _Operands:
    """What is known of the signs of a node's operands."""

    node: Node
    graph: Graph
    known: Collection[str]

    def _holds(self, name: str) -> bool:
        graph = self.graph
        return name in self.known or (graph.is_constant(name) and bool(np.all(graph.constant(name) >= 0)))

    @property
    def first(self) -> bool:
        return self._holds(self.node.inputs[0])

    @property
    def some(self) -> bool:
        return any(map(self._holds, self.node.inputs))

    @property
    def every(self) -> bool:
        return all(map(self._holds, self.node.inputs))

    def setting(self, attribute: str, index: int) -> bool | None:
        if self.node.operand(index):
            return self._holds(self.node.operand(index))
        value = self.node.attributes.get(attribute)
        return None if value is None else bool(value >= 0)
