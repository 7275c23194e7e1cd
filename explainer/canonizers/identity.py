"""Nodes that only hand a value on are seen through."""

from __future__ import annotations

from dataclasses import replace

import onnx

from ..model.graph import Graph, Node

FLOATS = frozenset(
    {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
    }
)


def see_through(graph: Graph) -> Graph:
    """Take out nodes that only hand a value on: Identity, Dropout, Cast between floats."""
    aliases: dict[str, str] = dict(graph.aliases)
    nodes = []
    for node in graph.nodes:
        inputs = tuple(aliases.get(name, name) for name in node.inputs)
        if _hands_on(node, graph):
            aliases[node.outputs[0]] = inputs[0]
        elif inputs != node.inputs:
            nodes.append(replace(node, inputs=inputs))
        else:
            nodes.append(node)
    # A tensor that leaves the file is read by the world under its own name: `resolve` finds it.
    return graph.having(nodes=tuple(nodes), aliases=aliases)


def _hands_on(node: Node, graph: Graph) -> bool:
    if not node.inputs or node.inputs[0] not in graph.carrying:
        return False
    if node.operator == "Cast":
        return node.attributes.get("to") in FLOATS
    if node.operator == "Dropout":
        mask_is_read = len(node.outputs) > 1 and bool(graph.readers.get(node.outputs[1]))
        return not (mask_is_read or in_training(node, graph))
    return node.operator == "Identity"


def in_training(node: Node, graph: Graph) -> bool:
    """Whether a Dropout drops values, or may: its `training_mode` is true, or no constant."""
    training = node.operand(2)
    return bool(training) and not (graph.is_constant(training) and not graph.constant(training).any())
