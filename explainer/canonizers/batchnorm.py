"""A BatchNormalization and its linear neighbour as one layer."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..model.graph import Graph, Node

# Layers whose weights can take in a BatchNormalization that follows, or that comes before.
TAKES_AFTER = frozenset({"Conv", "ConvTranspose", "Gemm"})
TAKES_BEFORE = frozenset({"Conv", "Gemm"})


def merge_batchnorm(graph: Graph, boundaries: Collection[str] = ()) -> Graph:
    """Make a BatchNormalization and its linear neighbour one layer, where the data flow allows.

    Conv→BN if the Conv's output has one reader and is no boundary; BN→Conv if, besides, every pad
    is 0 or the shift is 0: zero padding after a shift is not a zero of the merged layer.
    """
    visible = {graph.resolve(name) for name in graph.outputs} | set(boundaries)
    taken: dict[Node, Node] = {}
    notes = list(graph.notes)
    for node in graph.nodes:
        if node.operator != "BatchNormalization" or node.inputs[0] not in graph.carrying:
            continue
        before = graph.producers.get(node.inputs[0])
        after = _only_reader(graph, node.outputs[0])
        if _merges(graph, before, node, visible, taken):
            assert before is not None
            taken[before] = taken[node] = _group(before, node)
        elif _merges_forward(graph, node, after, visible, taken):
            assert after is not None
            taken[node] = taken[after] = _group(node, after)
        elif before is not None and before.operator in TAKES_AFTER and before.outputs[0] in visible:
            notes.append(f"{node} is not merged into {before}: {before.outputs[0]!r} must stay visible")
    nodes = []
    for node in graph.nodes:
        group = taken.get(node)
        if group is None:
            nodes.append(node)
        elif node is group.members[1]:
            nodes.append(group)
    return graph.having(nodes=tuple(nodes), notes=tuple(notes))


def _only_reader(graph: Graph, name: str) -> Node | None:
    readers = graph.readers.get(name, [])
    return readers[0] if len(readers) == 1 and readers[0].inputs.count(name) == 1 else None


def _merges(
    graph: Graph, before: Node | None, norm: Node, visible: Collection[str], taken: dict[Node, Node]
) -> bool:
    return (
        before is not None
        and before.operator in TAKES_AFTER
        and before not in taken
        and before.outputs[0] not in visible
        and _only_reader(graph, before.outputs[0]) is norm
        and _plain(norm)
        and _weights_are_known(graph, before)
    )


def _merges_forward(
    graph: Graph, norm: Node, after: Node | None, visible: Collection[str], taken: dict[Node, Node]
) -> bool:
    return (
        after is not None
        and after.operator in TAKES_BEFORE
        and after not in taken
        and after.inputs[0] == norm.outputs[0]
        and norm.outputs[0] not in visible
        and _plain(norm)
        and _weights_are_known(graph, after)
        and not after.attributes.get("transA")
        and (_has_no_padding(after) or _has_no_shift(graph, norm))
    )


def _plain(norm: Node) -> bool:
    return not norm.attributes.get("training_mode") and norm.attributes.get("spatial") != 0


def _weights_are_known(graph: Graph, node: Node) -> bool:
    return node.operand(1) not in graph.carrying and node.operand(2) not in graph.carrying


def _has_no_padding(node: Node) -> bool:
    if node.operator == "Gemm":
        return True
    automatic = node.attributes.get("auto_pad") not in (None, "NOTSET", "VALID")
    return not automatic and not any(node.attributes.get("pads") or ())


def _has_no_shift(graph: Graph, norm: Node) -> bool:
    if not all(graph.is_constant(name) for name in norm.inputs[1:5]):
        return False
    gamma, beta, mean, variance = (graph.constant(name) for name in norm.inputs[1:5])
    return bool(np.all(beta == mean * (gamma / np.sqrt(variance + norm.attributes["epsilon"]))))


def _group(first: Node, second: Node) -> Node:
    """One node of two: the linear one's operator and name, the first's input, the second's output."""
    linear = second if first.operator == "BatchNormalization" else first
    inputs = (first.inputs[0], *linear.inputs[1:])
    return Node(
        linear.operator, linear.name, inputs, second.outputs, linear.attributes, linear.opset, (first, second)
    )
