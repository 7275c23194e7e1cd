"""Along which axes of what it reads a node computes."""

from __future__ import annotations

from collections.abc import Collection

from .following import MISFITS, Following, equation, reduced
from .looped import meets, scanned
from .node import Node
from .roles import (
    BY_THE_LARGEST,
    CHANNELS_FIRST,
    CHANNELS_LAST,
    ELEMENTWISE,
    NORMALISING,
    PRODUCTS,
    RECURRENT,
    REDUCING,
)

# What chooses along an axis, or puts values elsewhere on it.
CHOOSING = frozenset(
    {
        *("Compress", "Concat", "Gather", "GatherElements", "Scatter", "ScatterElements", "Slice", "Split"),
        "Unique",
    }
)
ENDLESS = 2**31 - 1  # of a Slice that ends where the axis does


def across(following: Following, node: Node, place: int, rank: int) -> Collection[int]:
    """The axes of an operand along which a node computes: a value depends on the others along them."""
    try:
        return _across(following, node, place, rank)
    except MISFITS:
        return range(rank)


def _across(following: Following, node: Node, place: int, rank: int) -> Collection[int]:
    operator, attributes = node.operator, node.attributes
    everything, behind_samples = range(rank), {*range(rank)} - {0}
    if operator in BY_THE_LARGEST:
        return everything
    if operator in PRODUCTS:
        return (
            [max(rank - 1 - PRODUCTS[operator].index(place), 0)]
            if place in PRODUCTS[operator]
            else everything
        )
    if operator == "Gemm" and place < 2:
        return [(1 - place) if not attributes.get(("transA", "transB")[place], 0) else place]
    if operator == "Einsum" and (said := equation(following, node)) is not None:
        return [axis for axis, letter in enumerate(said.operands[place]) if letter not in said.output]
    if operator in CHOOSING and (not place or operator == "Concat"):
        return chosen(following, node, rank)
    if operator == "Scan":
        return scanned(node, place, rank) if meets(node) else []
    if operator == "GatherND" and not place:
        return _named(following, node)
    if place or operator in ELEMENTWISE:
        return []
    if (
        operator in CHANNELS_FIRST
        or operator in CHANNELS_LAST
        or operator in NORMALISING - {"BatchNormalization"}
    ):
        return behind_samples
    if operator == "BatchNormalization":
        trains = attributes.get("training_mode", 0) or (node.opset < 14 and any(node.outputs[1:]))
        return {*everything} - {1} if trains else []
    if operator in RECURRENT:
        return {*everything} - {0 if attributes.get("layout", 0) == 1 else 1}
    if operator in REDUCING:
        return reduced(following, node, rank)
    if operator in ("Softmax", "LogSoftmax", "Hardmax"):
        axis = attributes.get("axis", -1 if node.opset >= 13 else 1) % rank
        return [axis] if node.opset >= 13 else range(axis, rank)
    if operator in ("LayerNormalization", "RMSNormalization"):
        return range(attributes.get("axis", -1) % rank, rank)
    if operator in ("LpNormalization", "TopK"):
        return [attributes.get("axis", -1) % rank]
    if operator == "MeanVarianceNormalization":
        return [axis % rank for axis in attributes.get("axes", (0, 2, 3))]
    if operator == "Trilu":
        return range(rank - 2, rank)
    if operator == "CumSum":
        axes = following.numbers(node.operand(1))
        return everything if axes is None else [axes[0] % rank]
    return []


def chosen(following: Following, node: Node, rank: int) -> Collection[int]:
    """The axes along which a node puts values elsewhere, or chooses among them."""
    if node.operator != "Slice":
        axis = node.attributes.get("axis", None if node.operator == "Compress" else 0)
        return range(rank) if axis is None else [axis % rank]
    given = {
        name: node.attributes.get(name) or following.numbers(node.operand(place))
        for place, name in enumerate(("starts", "ends", "axes", "steps"), start=1)
    }
    starts, ends = given["starts"] or [], given["ends"] or []
    axes = given["axes"] or list(range(len(starts)))
    steps = given["steps"] or [1] * len(axes)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        return [axis % rank for axis in axes]
    cuts = zip(axes, starts, ends, steps, strict=True)
    return [axis % rank for axis, start, end, step in cuts if start or end < ENDLESS or step != 1]


def _named(following: Following, node: Node) -> Collection[int]:
    """The axes that constant vectors of indices go by; those that are computed may name each sample's own."""
    vectors = following.graph.initializers.get(node.operand(1))
    first = node.attributes.get("batch_dims", 0)
    return [] if vectors is None else range(first, first + vectors.dims[-1])
