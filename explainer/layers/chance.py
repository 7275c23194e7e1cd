"""What is another number each time a model is asked: random operators, and layers left in training mode."""

from __future__ import annotations

from ..model.graph import Graph
from ..model.node import Node
from .registry import facts_of


def drawn(graph: Graph) -> dict[str, Node]:
    """The tensors that are drawn anew in each run, each with the node that does so."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        if facts_of(node.operator).shape_alone:
            continue
        source = node if draws(node, graph) else None
        source = source or next((found[n] for n in (*node.inputs, *node.captures) if n in found), None)
        if source is not None:
            found.update(dict.fromkeys(filter(None, node.outputs), source))
    return found


def draws(node: Node, graph: Graph) -> bool:
    """Whether a node's outputs differ from run to run by itself."""
    if node.operator == "Dropout":
        return drops(node, graph)
    return keeps_state(node, graph) or any(facts_of(operator).random for operator in operators_in(node))


def drops(node: Node, graph: Graph) -> bool:
    """Whether a Dropout drops values, or may: its `training_mode` is not false for sure, nor its ratio 0."""
    training, ratio = node.operand(2), node.operand(1)
    if not training or (graph.is_constant(training) and not graph.constant(training).any()):
        return False
    return not (ratio and graph.is_constant(ratio) and not graph.constant(ratio).any())


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
