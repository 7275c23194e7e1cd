"""Nodes that only hand a value on are seen through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import onnx

from ..errors import InputError, shown
from ..layers.chance import drops
from ..model.graph import Graph, Node
from ..model.tensors import FLOATS

# What makes numbers of the type that all its operands have, and what hands on that of its first one.
ALIKE = frozenset({"Add", "Concat", "Div", "Max", "Min", "Mul", "Sub", "Sum"})
MOVING = frozenset(
    {
        "Abs",
        "Clip",
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Neg",
        "Pad",
        "Reshape",
        "Slice",
    }
    | {"SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)


def see_through(graph: Graph) -> Graph:
    """Take out nodes that only hand a value on: Identity, Dropout, Cast to floats or wider whole numbers.

    And what divides the probabilities of a Softmax by their sum, which is 1.

    Raises
    ------
    InputError
        It is no Graph.
    """
    if not isinstance(graph, Graph):
        raise InputError(f"{shown(graph):.80} is no graph: explainer.Explainer(model).graph is one")
    if graph not in _SEEN:
        _SEEN[graph] = _seen_through(graph)
    return _SEEN[graph]


# Who resolves a target and who makes a plan see through one graph, and share what is found in the view.
_SEEN: WeakKeyDictionary[Graph, Graph] = WeakKeyDictionary()


def _seen_through(graph: Graph) -> Graph:
    aliases: dict[str, str] = dict(graph.aliases)
    # Of the tensors that are known to hold whole numbers, which.
    whole = {value.name: value.dtype for value in graph.inputs if value.dtype.kind in "iu"}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(aliases.get(name, name) for name in node.inputs)
        made = _whole(node, whole)
        if made is not None:
            whole.update((name, made) for name in node.outputs if name)
        if _hands_on(node, graph, whole):
            aliases[node.outputs[0]] = inputs[0]
        elif inputs != node.inputs:
            nodes.append(replace(node, inputs=inputs))
        else:
            nodes.append(node)
    # A tensor that leaves the file is read by the world under its own name: `resolve` finds it.
    return graph.having(nodes=tuple(nodes), aliases=aliases)


def _whole(node: Node, whole: Mapping[str, np.dtype[Any]]) -> np.dtype[Any] | None:
    """The type of whole numbers that a node makes of such; None where it makes others, or nothing tells."""
    read = node.inputs if node.operator in ALIKE else node.inputs[:1]
    there = next((whole[name] for name in read if name in whole), None)
    if there is None or node.operator in ALIKE | MOVING:
        return there
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(node.attributes["to"])
    except KeyError:  # no Cast, or to none that NumPy has
        return None
    return kind if node.operator == "Cast" and kind.kind in "iu" else None


def _hands_on(node: Node, graph: Graph, whole: Mapping[str, np.dtype[Any]]) -> bool:
    if not node.inputs or node.inputs[0] not in graph.carrying:
        return False
    if node.operator == "Cast":
        before, after = (whole.get(name) for name in (node.inputs[0], node.outputs[0]))
        if before is not None and after is not None:
            return np.can_cast(before, after)  # bytes in 32 bits are the same numbers
        return node.attributes.get("to") in FLOATS
    if node.operator == "Dropout":
        mask_is_read = len(node.outputs) > 1 and bool(graph.readers.get(node.outputs[1]))
        return not (mask_is_read or drops(node, graph))
    return node.operator == "Identity" or _adds_up(node, graph)


def _adds_up(node: Node, graph: Graph) -> bool:
    """Whether a node makes those add up to 1 that do."""
    before = graph.producers.get(node.inputs[0])
    return (
        node.operator == "LpNormalization"
        and before is not None
        and before.operator == "Softmax"
        and node.attributes.get("p") == 1
        and node.attributes.get("axis") == before.attributes.get("axis") == -1
    )
