"""Where the number of samples is reckoned with: what comes of one depends on how many there are."""

from __future__ import annotations

from collections.abc import Mapping

from .following import Labels
from .graph import Graph
from .node import Node
from .roles import ELEMENTWISE
from .sizes import numbers_of
from .tensors import FLOATS

# A size of a shape -> whether it is the number of samples.
Counts = tuple[bool, ...]
# What takes sizes for the shape of what it makes, and not for its values.
SHAPED = frozenset({"ConstantOfShape", "EyeLike", "Expand", "Pad", "Resize", "Reshape", "Tile", "Upsample"})
SAME = frozenset({"Cast", "Identity", "Squeeze", "Unsqueeze"})


def reckoned(graph: Graph, at: Mapping[str, Labels]) -> Node | None:
    """The first node that reckons with the number of samples, as a real number, beside values of theirs.

    Parameters
    ----------
    graph : Graph
    at : dict of tensor name -> labels
        Where the samples are: label 0.
    """
    counts, real = dict[str, Counts](), set[str]()
    for node in graph.nodes:
        made = _made(graph, node, at, counts)
        if made is None or not any(made):
            continue
        reads = [name for name in node.inputs if name in counts and any(counts[name])]
        casts = node.operator == "Cast" and node.attributes.get("to") in FLOATS
        is_real = casts or not real.isdisjoint(reads)
        if is_real and node.operator in ELEMENTWISE and not at.keys().isdisjoint(node.inputs):
            return node
        counts.update((name, made) for name in node.outputs if name)
        real.update(name for name in node.outputs if name and is_real)
    return None


def _made(graph: Graph, node: Node, at: Mapping[str, Labels], counts: Mapping[str, Counts]) -> Counts | None:
    """Which of the numbers that a node makes are that of the samples; None where none can be."""
    first = node.operand(0)
    if node.operator in ("Shape", "Size"):
        if first not in at:
            return None
        own = tuple(label == 0 for label in at[first])
        if node.operator == "Size":
            return (any(own),)
        return own[slice(node.attributes.get("start", 0), node.attributes.get("end"))]
    if counts.keys().isdisjoint(node.inputs) or node.operator in SHAPED:
        return None
    if node.operator == "Concat":
        parts = [counts.get(name, (False,) * len(numbers_of(graph, name) or ())) for name in node.inputs]
        return tuple(one for part in parts for one in part)
    if node.operator in SAME:
        return counts.get(first)  # None: what is counted is along which axes
    if node.operator in ("Gather", "Slice"):
        return None if first not in counts else _chosen(graph, node, counts[first])
    return (any(any(counts[name]) for name in node.inputs if name in counts),)


def _chosen(graph: Graph, node: Node, own: Counts) -> Counts:
    """The sizes that a Gather or a Slice takes; all, where it is not known which."""
    if node.operator == "Gather":
        places = numbers_of(graph, node.operand(1))
        if places is None or any(not -len(own) <= place < len(own) for place in places):
            return (any(own),)
        return tuple(own[place] for place in places)
    starts, ends, steps = (
        node.attributes.get(name) or numbers_of(graph, node.operand(place))
        for name, place in (("starts", 1), ("ends", 2), ("steps", 4))
    )
    if not starts or not ends or (steps and not steps[0]):
        return (any(own),)
    return own[slice(starts[0], ends[0], steps[0] if steps else 1)]
