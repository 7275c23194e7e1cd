"""What is another number each time a model is asked: differences between its answers say nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ..canonizers import in_training
from ..errors import InputError
from ..layers import facts_of
from ..model.graph import Graph
from ..model.node import Node
from ..targets import Anchor

TRAINED = {"Dropout", "BatchNormalization"}


def drawn(graph: Graph) -> dict[str, Node]:
    """The tensors that are drawn anew, each with the node that does so."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        if facts_of(node.operator).shape_alone:
            continue
        dropped = node.operator == "Dropout" and in_training(node, graph) and not _keeps_all(node, graph)
        chance = any(facts_of(operator).random for operator in operators_in(node))
        source = node if dropped or chance or keeps_state(node, graph) else None
        source = source or next((found[name] for name in _read(node) if name in found), None)
        if source is not None:
            found.update(dict.fromkeys(filter(None, node.outputs), source))
    return found


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


def _keeps_all(node: Node, graph: Graph) -> bool:
    """Whether a Dropout's ratio is 0."""
    ratio = node.operand(1)
    return bool(ratio) and graph.is_constant(ratio) and not graph.constant(ratio).any()


def _read(node: Node) -> Iterator[str]:
    yield from node.inputs
    yield from node.captures


def operators_in(node: Node) -> set[str]:
    """A node's operator, and those of the bodies that it may run."""
    found, bodies = {node.operator}, list(node.attributes.values())
    while bodies:
        body = bodies.pop()
        for inner in getattr(body, "node", ()):
            found.add(inner.op_type)
            bodies += [entry.g for entry in inner.attribute if entry.HasField("g")]
    return found


def keeps_state(node: Node, graph: Graph) -> bool:
    """Whether a BatchNormalization in training mode moves the statistics that the file holds.

    onnxruntime 1.32 writes what it returns as running mean and variance over these constants, and answers
    with them: another number each time, where the momentum weighs both (seen at opset 14 and 17, not before).
    """
    return (
        node.operator == "BatchNormalization"
        and bool(node.attributes.get("training_mode", 0))
        and 0 < node.attributes.get("momentum", 0.9) < 1
        and any(graph.is_constant(node.operand(place)) for place in (3, 4))
    )
