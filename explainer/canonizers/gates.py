"""Which factor of a product carries the signal: a gate is held constant, the other factor gets all relevance.

A gate says how much of the signal goes on: a Sigmoid or HardSigmoid, as in squeeze-excite blocks, gated
linear units and recurrent nets, the Softmax of an attention; so does what an activation divides, as 1/d too.
What it is made of gets no relevance (Arras et al. 2017; CP-LRP, Ali et al. 2022).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from ..layers.chance import drawn
from ..model.equations import Equation
from ..model.graph import Graph, Node
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


# What squeezes a signal into one value per channel, and how many nodes a squeeze-excite block has at most.
POOLS = frozenset({"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean"})
SMALL = 16


@register("gates")
class Gates(Canonizer):
    """Products of a signal and a gate, quotients of a signal and what divides it: a parameter of the call."""

    def __call__(self, graph: Graph, visible: Collection[str]) -> Graph:
        """The view in which these products are layers of one input."""
        gates = _gates(graph)
        nodes = list(graph.nodes)
        for place, node in enumerate(nodes):
            held = [index for index, name in enumerate(node.inputs) if name in gates]
            factors = [name for name in node.inputs if name in graph.carrying]
            if node.members or len(factors) < 2:
                continue
            if node.operator == "Div":
                nodes[place] = replace(node, gate=1)
            elif node.operator in PRODUCTS and len(held) == 1:
                signal = next(name for name in factors if name not in gates)
                known_as = called(graph, node.inputs[held[0]], signal)
                nodes[place] = replace(node, gate=held[0], known_as=known_as)
        return graph.having(nodes=tuple(nodes))


def _inverts(node: Node, graph: Graph) -> bool:
    """Whether it makes 1/d of something: with the signal that it then scales, a quotient."""
    if node.operator == "Div":
        return [name in graph.carrying for name in node.inputs] == [False, True]
    return node.operator == "Reciprocal"


def _moves(node: Node) -> bool:
    """Whether an Einsum only puts the axes of one operand in another order."""
    said = Equation.of(node.attributes.get("equation", ""))
    return len(said.operands) == 1 and set(said.operands[0]) == set(said.output)


def called(graph: Graph, gate: str, signal: str) -> str:
    """What people call the product of a signal and a gate, by what the gate is made of."""
    made = list(_made_of(graph, gate, signal))
    first = next((node for node in made if node.operator in GATES), None)
    if first is not None and first.operator == "Softmax":
        return "attention"
    origins = [graph.producers.get(name) for name in (signal, first.inputs[0] if first else "")]
    if origins[0] is not None and origins[0] is origins[1] and len(origins[0].outputs) > 1:
        return "gated linear unit"
    pooled = any(node.operator in POOLS for node in made)
    return "squeeze-excite gate" if pooled and len(made) < SMALL else "gate"


def _made_of(graph: Graph, gate: str, signal: str) -> Iterator[Node]:
    """The nodes between a signal and its gate, the gate's first; no more than a block has."""
    left, met = [gate], {signal}
    for _ in range(SMALL):
        while left and (left[-1] in met or left[-1] not in graph.producers):
            left.pop()
        if not left:
            return
        name = left.pop()
        met.add(name)
        node = graph.producers[name]
        left += [name for name in node.inputs if name in graph.carrying]
        yield node


def _gates(graph: Graph) -> frozenset[str]:
    """The tensors that are gates, or a gate handed on; none that is drawn anew in each run."""
    by_chance = drawn(graph)
    found: set[str] = set()
    for node in graph.nodes:
        operator = node.acts_as or node.operator
        carrying = [name for name in node.inputs if name in graph.carrying]
        moves = operator in MOVES or (operator == "Einsum" and _moves(node))
        handed_on = moves and carrying and found.issuperset(carrying)
        if operator in GATES or handed_on or _inverts(node, graph):
            found.update(name for name in node.outputs if name and name not in by_chance)
    return frozenset(found & graph.carrying)
