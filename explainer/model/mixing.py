"""Whether the samples of a batch change each other's numbers, read from the graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .across import across
from .axes import labelled_samples
from .counting import reckoned
from .following import Following
from .graph import Graph
from .node import Node
from .roles import BY_THE_LARGEST, BY_VALUES, ELEMENTWISE, PRODUCTS

SAMPLE = 0


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
    Reshape that puts the samples nobody can tell where, it is not sure that they are apart. Rows that are
    counted off through all samples are one list, whatever becomes of it.

    Parameters
    ----------
    graph : Graph
    reads : iterable of str
        Tensors that are told apart by their first axis: whoever makes one with the samples elsewhere is
        named too.
    """
    begun = labelled_samples(graph)
    following = Following(graph, begun)
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
    reached = graph.depending(begun)
    for node in graph.nodes:
        if node.operator in BY_VALUES and not reached.isdisjoint(node.inputs):
            return Mixing(node, True, "makes as many rows as the values of all samples together decide")
    if (counting := reckoned(graph, following.at)) is not None:
        return Mixing(counting, True, "reckons with the number of samples")
    for name in reads:
        if unsure is None and name in graph.producers and following.at.get(name, (SAMPLE,))[:1] != (SAMPLE,):
            unsure = Mixing(graph.producers[name], False)
    return unsure


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
