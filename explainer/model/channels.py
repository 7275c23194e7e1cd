"""Which axis of an inner tensor holds its channels, read from what makes it and what takes it."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from .axes import is_of_one
from .following import Carried, Following, Labels
from .graph import Graph
from .node import Node
from .roles import CHANNELS_FIRST, CHANNELS_LAST, NORMALISING
from .told import said

CHANNEL = 1


def first_of_sample(graph: Graph) -> int:
    """The first axis of a tensor that is a sample's own: 0 where all that the model is given is one."""
    return 0 if is_of_one(graph) else 1


def channel_of(graph: Graph, name: str, rank: int) -> int | None:
    """The axis of a tensor's channels, or of its features.

    Parameters
    ----------
    graph : Graph
    name : str
    rank : int
        How many axes it has, that of the samples included where there is one.

    Returns
    -------
    int or None
        The only axis besides the samples'; of a table's rows, or of nodes, the last. Of more the one that a
        convolution, a pooling or a BatchNormalization made or takes as such, wherever it was moved. None
        where nothing tells: a text's words and their features, the heads of an attention.
    """
    if rank <= first_of_sample(graph):
        return None
    if rank <= 2:
        return rank - 1
    made = _followed(graph).get(name)
    if made is not None and len(made) == rank and made.count(CHANNEL) == 1:
        return made.index(CHANNEL)
    sure, _ = said(graph, name, rank)
    return None if sure is None or sure.beside else sure.channel


class _Channels(Following):
    """Labels the channels of whatever makes some, and nothing else."""

    def passed(self, node: Node, carried: Carried) -> Sequence[Labels | None]:
        first = carried.get(0)
        if first is None or node.operator not in CHANNELS_FIRST | CHANNELS_LAST | NORMALISING:
            return super().passed(node, carried)
        return [_labelled(node, len(first))]


def _labelled(node: Node, rank: int) -> Labels:
    channel = rank - 1 if node.operator in CHANNELS_LAST else 1
    return tuple(CHANNEL if axis == channel else None for axis in range(rank))


_KNOWN: WeakKeyDictionary[Graph, dict[str, Labels]] = WeakKeyDictionary()


def _followed(graph: Graph) -> dict[str, Labels]:
    if graph not in _KNOWN:
        begun: dict[str, Labels] = {
            value.name: (None,) * len(value.shape) for value in graph.inputs if value.shape
        }
        for node in (single for made in graph.nodes for single in made.members or (made,)):
            if node.operator in CHANNELS_FIRST | CHANNELS_LAST | NORMALISING:
                rank = graph.axes(node.outputs[0])
                begun |= {} if rank is None else {node.outputs[0]: _labelled(node, rank)}
        following = _Channels(graph, begun)
        for _ in following:
            pass
        _KNOWN[graph] = following.at
    return _KNOWN[graph]
