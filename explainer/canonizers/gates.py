"""Which factor of a product carries the signal: a gate is held constant, the other factor gets all relevance.

A gate lies between 0 and 1 and says how much of the signal goes on: a Sigmoid or HardSigmoid, as in
squeeze-excite blocks, gated linear units and recurrent nets, and the Softmax of an attention. What it is made
of gets no relevance (Arras et al. 2017; CP-LRP, Ali et al. 2022).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..model.equations import Equation
from ..model.graph import Graph, Node
from ..model.operators import known
from .base import Canonizer, register

PRODUCTS = frozenset({"Einsum", "MatMul", "Mul"})
GATES = frozenset({"HardSigmoid", "Sigmoid", "Softmax"})
# What hands a gate on: moved, scaled by a constant, taken from 1, kept from being no number.
MOVES = frozenset(
    {
        *("Cast", "Concat", "Div", "Expand", "Flatten", "Gather", "Mul", "Neg", "Pad"),
        *("Reshape", "Slice", "Split", "Squeeze", "Sub", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where"),
    }
)


@register("gates")
class Gates(Canonizer):
    """Products of a signal and a gate, the gate a parameter of the call."""

    def __call__(self, graph: Graph, visible: Collection[str]) -> Graph:
        """The view in which these products are layers of one input."""
        gates = _gates(graph)
        nodes = list(graph.nodes)
        for place, node in enumerate(nodes):
            held = [index for index, name in enumerate(node.inputs) if name in gates]
            factors = [name for name in node.inputs if name in graph.carrying]
            if node.operator in PRODUCTS and not node.members and len(factors) == 2 and len(held) == 1:
                nodes[place] = replace(node, gate=held[0])
        return graph.having(nodes=tuple(nodes))


def _moves(node: Node) -> bool:
    """Whether an Einsum only puts the axes of one operand in another order."""
    said = Equation.of(node.attributes.get("equation", ""))
    return len(said.operands) == 1 and set(said.operands[0]) == set(said.output)


def _gates(graph: Graph) -> frozenset[str]:
    """The tensors that are gates, or a gate handed on; none that is drawn anew in each run."""
    # A Dropout that only hands its input on is seen through, and not met here.
    chance = (node for node in graph.nodes if node.operator == "Dropout" or known(node.operator).random)
    drawn = graph.depending(name for node in chance for name in node.outputs if name)
    found: set[str] = set()
    for node in graph.nodes:
        operator = node.acts_as or node.operator
        carrying = [name for name in node.inputs if name in graph.carrying]
        moves = operator in MOVES or (operator == "Einsum" and _moves(node))
        handed_on = moves and carrying and found.issuperset(carrying)
        if operator in GATES or handed_on:
            found.update(name for name in node.outputs if name and name not in drawn)
    return frozenset(found & graph.carrying)
