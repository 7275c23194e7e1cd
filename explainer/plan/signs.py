"""Which tensors cannot be negative, known from the operators that make them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..model.graph import Graph, Node

# Their values are 0 or more, whatever they are given.
RECTIFIERS = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp", "Sqrt"})
# What they return is 0 or more if all that they compute with is.
COMBINERS = frozenset({"Add", "Sum", "Mul", "Concat"})
# The same of their first input; the others are axes and sizes.
KEEPERS = frozenset(
    {
        *("MaxPool", "GlobalMaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split"),
    }
)


def nonnegative(graph: Graph) -> frozenset[str]:
    """The tensors of a view that hold no negative value in any run.

    Parameters
    ----------
    graph : Graph, canonized
    """
    known = {value.name for value in graph.inputs if value.dtype.kind == "u"}
    for node in graph.nodes:
        if _is_nonnegative(node, graph, known):
            known.update(name for name in node.outputs if name)
    return frozenset(known)


def _is_nonnegative(node: Node, graph: Graph, known: Collection[str]) -> bool:
    def holds(name: str) -> bool:
        return name in known or (graph.is_constant(name) and bool(np.all(graph.constant(name) >= 0)))

    def bound(attribute: str, index: int) -> bool | None:
        """Whether a setting is 0 or more; None where it is not given."""
        if node.operand(index):
            return holds(node.operand(index))
        value = node.attributes.get(attribute)
        return None if value is None else bool(value >= 0)

    if node.operator == "Clip":
        low, high = bound("min", 1), bound("max", 2)
        # Where the bounds are crossed the upper one wins.
        return (low or holds(node.inputs[0])) and high is not False
    if node.operator == "Pad":
        return holds(node.inputs[0]) and bound("value", 2) is not False
    if node.operator in COMBINERS:
        return all(holds(name) for name in node.inputs)
    return node.operator in RECTIFIERS or (node.operator in KEEPERS and holds(node.inputs[0]))
