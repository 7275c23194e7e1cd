"""Whether the samples of a batch change each other's numbers, read from the graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from .axes import labelled_samples
from .counting import reckoned
from .following import MISFITS, Following, equation, reduced
from .graph import Graph
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

SAMPLE = 0
# What chooses along an axis, or puts values elsewhere on it.
CHOOSING = frozenset(
    {
        *("Compress", "Concat", "Gather", "GatherElements", "Scatter", "ScatterElements", "Slice", "Split"),
        "Unique",
    }
)
ENDLESS = 2**31 - 1  # of a Slice that ends where the axis does


@dataclass(frozen=True)
class Mixing:
    """A node at which the samples of a batch meet.

    Attributes
    ----------
    node : Node
    is_sure : bool
        Whether they do, or it only cannot be told that they do not.
    how : str
        What the node does.
    """

    node: Node
    is_sure: bool
    how: str = "computes across the samples of a batch"

    def __str__(self) -> str:
        if self.node.operator == "BatchNormalization":
            return f"{self.node} is in training mode and takes the statistics of the batch"
        return f"{self.node} {self.how}"


def mixing(graph: Graph, reads: Iterable[str] = ()) -> Mixing | None:
    """Where the samples of a batch meet; None where each is computed as if it were alone.

    Every operator that is known says along which axes it computes. Behind one that is not, or behind a
    Reshape that puts the samples nobody can tell where, it is not sure that they are apart.

    Parameters
    ----------
    graph : Graph
    reads : iterable of str
        Tensors that are told apart by their first axis: whoever makes one with the samples elsewhere is
        named too.
    """
    following = Following(graph, labelled_samples(graph))
    unsure: Mixing | None = None
    for node, carried in following:
        for place, labels in carried.items():
            if SAMPLE not in labels:
                continue
            axis, rank = labels.index(SAMPLE), len(labels)
            if axis in across(following, node, place, rank):
                return Mixing(node, True)
            if _told_apart(following, node, axis - rank):
                return Mixing(node, True, "has other constants for other samples")
        outputs = [] if not carried else following.passed(node, carried)
        if any(labels is not None and labels.count(SAMPLE) > 1 for labels in outputs):
            return Mixing(node, True)
        goes_on = [labels is not None and SAMPLE in labels for labels in outputs]
        if unsure is None and (not goes_on or not goes_on[0]) and node.operator not in BY_THE_LARGEST:
            unsure = Mixing(node, False)
    if (counting := reckoned(graph, following.at)) is not None:
        return Mixing(counting, True, "reckons with the number of samples")
    for name in reads:
        if unsure is None and name in graph.producers and following.at.get(name, (SAMPLE,))[:1] != (SAMPLE,):
            unsure = Mixing(graph.producers[name], False)
    return unsure


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
        return [rank - 1 - PRODUCTS[operator].index(place)] if place in PRODUCTS[operator] else everything
    if operator == "Gemm" and place < 2:
        return [(1 - place) if not attributes.get(("transA", "transB")[place], 0) else place]
    if operator == "Einsum" and (said := equation(following, node)) is not None:
        return [axis for axis, letter in enumerate(said.operands[place]) if letter not in said.output]
    if operator in CHOOSING and (not place or operator == "Concat"):
        return chosen(following, node, rank)
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


def _told_apart(following: Following, node: Node, axis: int) -> bool:
    """Whether a constant has other values for other samples: what comes of one depends on its place.

    As NumPy broadcasts, axes are counted from the last one; a product's last two are not broadcast.
    """
    if node.operator not in ELEMENTWISE and (node.operator not in PRODUCTS or axis >= -2):
        return False
    graph = following.graph
    for name in node.inputs:
        if name in following.at or not graph.is_constant(name) or (following.rank(name) or 0) < -axis:
            continue
        values = graph.constant(name)
        if values.ndim < -axis:  # a file may say wrong things of its ranks
            continue
        rows = np.moveaxis(values, axis, 0)
        if len(rows) > 1 and (rows != rows[:1]).any():
            return True
    return False
