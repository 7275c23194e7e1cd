"""What the axes of an input are, as the operators say that take them for something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from .following import MISFITS, Following, Labels
from .graph import Graph
from .node import Node
from .roles import CHANNELS_FIRST, CHANNELS_LAST, LOOKUPS, NORMALISING, PRODUCTS, RECURRENT


@dataclass(frozen=True)
class Axes:
    """What the axes of an input are.

    Attributes
    ----------
    places : tuple of int
        Along which values lie side by side: rows and columns, time, the words of a text.
    channel : int or None
        Which holds several values for every place; for an input without places, its features.
    samples : int or None
        Which holds the samples; None where all samples share the input.
    table : int
        How many rows the table has that the values are looked up in: a number between two of them means
        nothing. 0 where they are numbers like others.
    beside : bool
        Whether it stands beside the data: the same for all samples, or the state that a recurrent layer
        begins with, or the lengths.
    is_open : bool
        Whether nothing tells which axis holds the channels.
    """

    places: tuple[int, ...] = ()
    channel: int | None = None
    samples: int | None = 0
    table: int = 0
    beside: bool = False
    is_open: bool = False

    @property
    def layout(self) -> str:
        """ "NHWC" where the channels are last, behind places; else "NCHW"."""
        return (
            "NHWC" if self.places and self.channel is not None and self.channel > max(self.places) else "NCHW"
        )

    def in_front(self) -> Axes:
        """The same where the samples have been brought in front."""
        if self.samples == 0:
            return self
        end = np.inf if self.samples is None else self.samples

        def moved(axis: int) -> int:
            return axis + 1 if axis < end else axis

        channel = None if self.channel is None else moved(self.channel)
        return replace(self, places=tuple(map(moved, self.places)), channel=channel, samples=0)

    @property
    def tokens(self) -> bool:
        """Whether the values are indices into a table."""
        return self.table > 0

    @property
    def count(self) -> int:
        """How many axes are told apart."""
        return len({*self.places, self.channel, self.samples} - {None})

    @property
    def are_places_alone(self) -> bool:
        """Whether every value is a place of its own: a text, the samples of a sound."""
        return bool(self.places) and self.channel is None


def said(graph: Graph, name: str, rank: int) -> tuple[Axes | None, Axes | None]:
    """What the first operator says that takes all of the axes, and what a matrix product makes likely."""
    known = _SAID.setdefault(graph, {})
    if (name, rank) not in known:
        known[name, rank] = _read(graph, name, rank)
    return known[name, rank]


_SAID: WeakKeyDictionary[Graph, dict[tuple[str, int], tuple[Axes | None, Axes | None]]] = WeakKeyDictionary()


def _read(graph: Graph, name: str, rank: int) -> tuple[Axes | None, Axes | None]:
    likely: Axes | None = None
    sizes = next((value.shape for value in graph.inputs if value.name == name), None)
    for node, carried in Following(graph, {name: tuple(range(rank))}):
        for place, labels in carried.items():
            try:
                found = _looked_up(graph, node, place, labels) or _taken(node, place, labels, sizes)
            except MISFITS:
                continue
            if found is not None and (found.beside or found.count == rank):
                return found, None
            if place == 0 and labels and node.operator in (*PRODUCTS, "Gemm") and likely is None:
                last = labels[-1]
                if last and labels[0] == 0 and rank > 2:
                    likely = Axes(tuple(axis for axis in range(1, rank) if axis != last), last)
    return None, likely


def _taken(node: Node, place: int, labels: Labels, sizes: Sequence[int | None] | None) -> Axes | None:
    """What a node takes an operand's axes for, in the terms of where the following began."""
    if node.operator in RECURRENT and place in (4, 5, 6):  # lengths, and the states that it begins with
        samples = 0 if place == 4 or node.attributes.get("layout", 0) == 1 else 1
        return Axes(samples=labels[samples], beside=True)
    if place != 0:
        return None
    # Whoever turns the samples away from the front and convolves computes across them; but HWNC and CHWN have
    # theirs where the size is open, or 1.
    turned = labels[0] and not (sizes and sizes[0] not in (None, 1) and sizes[labels[0]] in (None, 1))
    if turned and node.operator in CHANNELS_FIRST | NORMALISING | CHANNELS_LAST:
        return None
    if node.operator in CHANNELS_FIRST | NORMALISING:
        return _named(labels, 0, 1, range(2, len(labels)))
    if node.operator in CHANNELS_LAST:
        return _named(labels, 0, len(labels) - 1, range(1, len(labels) - 1))
    if node.operator in RECURRENT and len(labels) == 3:
        time, samples = (1, 0) if node.attributes.get("layout", 0) == 1 else (0, 1)
        return _named(labels, samples, 2, [time])
    return None


def _named(labels: Labels, samples: int, channel: int, places: Sequence[int]) -> Axes | None:
    there = tuple(label for axis in places if (label := labels[axis]) is not None)
    if len(there) < len(places):
        return None
    return Axes(there, labels[channel], labels[samples])


def _looked_up(graph: Graph, node: Node, place: int, labels: Labels) -> Axes | None:
    """Of an operand that is looked up in a table: its values are indices."""
    if (node.operator, place) not in LOOKUPS:
        return None
    table = LOOKUPS[node.operator, place]
    tensor = graph.initializers.get("" if table is None else node.operand(table))
    rows = 1 if tensor is None else tensor.dims[node.attributes.get("axis", 0)]
    places = tuple(label for label in labels if label)
    return Axes(places, None, 0 if 0 in labels else None, table=max(rows, 1))
