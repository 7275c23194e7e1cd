"""Which tensors cannot be negative, known from the operators that make them."""

from __future__ import annotations

import numpy as np

from .graph import Graph, Node

# Their values are 0 or more, whatever they are given.
RECTIFIERS = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp", "Sqrt"})
# What they return is as little negative as what they are given.
KEEPERS = frozenset(
    {
        *("MaxPool", "GlobalMaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Concat"),
        *("Add", "Sum"),
    }
)


def nonnegative(graph: Graph) -> frozenset[str]:
    """The tensors of a view that hold no negative value in any run.

    Parameters
    ----------
    graph : Graph, canonized
    """
    known: set[str] = set()
    for node in graph.nodes:
        if (
            node.operator in RECTIFIERS
            or (node.operator == "Clip" and _clips_below_zero(node, graph))
            or (
                node.operator in KEEPERS and all(_is_known(name, graph, known) for name in _data(node, graph))
            )
        ):
            known.update(name for name in node.outputs if name)
    return frozenset(known)


def _data(node: Node, graph: Graph) -> list[str]:
    """The inputs whose values the outputs are made of; axes and sizes are not."""
    if node.operator in ("Add", "Sum", "Concat"):
        return [name for name in node.inputs if name]
    return [node.inputs[0]]


def _is_known(name: str, graph: Graph, known: set[str]) -> bool:
    if name in known:
        return True
    return graph.is_constant(name) and bool(np.all(graph.constant(name) >= 0))


def _clips_below_zero(node: Node, graph: Graph) -> bool:
    low = node.attributes.get("min")
    if low is None and node.operand(1) and graph.is_constant(node.operand(1)):
        low = graph.constant(node.operand(1))
    return low is not None and bool(np.all(np.asarray(low) >= 0))
