"""Scores of what is another number each time a model is asked: differences between them say nothing."""

from __future__ import annotations

from ..errors import InputError
from ..layers.chance import drawn
from ..model.graph import Graph
from ..targets import Anchor

TRAINED = {"Dropout", "BatchNormalization"}


def check_steady(graph: Graph, anchor: Anchor) -> None:
    """Refuse scores of what is drawn anew.

    Raises
    ------
    InputError
    """
    found = drawn(graph)
    node = found.get(anchor.tensor) or found.get(anchor.output)
    # A mode that is an input may be false: whether it is, two answers tell.
    may_be = node is not None and node.operator == "Dropout" and not graph.is_constant(node.operand(2))
    if node is not None and not may_be:
        what = "is in training mode" if node.operator in TRAINED else "draws numbers"
        error = InputError(
            f"asked again about the same input, the model answers something else, for {node} {what}: no "
            "difference between two scores would mean anything; export the model for evaluation, in PyTorch "
            "model.eval(), or explain a tensor in front of that node"
        ).looking("targets")
        error.before = tuple(name for name in node.inputs if name in graph.carrying and name not in found)
        raise error
