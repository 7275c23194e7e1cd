"""What the axes of an input are, read from what a graph does with them: samples, channels, places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from ..tensor import Array
from .following import Following, Labels
from .graph import Graph
from .roles import CHANNELS_FIRST, CHANNELS_LAST, NORMALISING
from .sharing import alone, is_whole, sizes_named, turned
from .told import Axes, said
from .unbatched import is_unbatched

# How many channels a picture has, where nothing but its size tells.
PICTURE = (1, 3, 4)
NAMES = frozenset(
    {"c", "channel", "channels", "num_channels", "in_channels", "feature", "features", "num_features"}
)
TIMES = frozenset(
    {"t", "time", "timesteps", "steps", "seq", "seq_len", "sequence", "sequence_length", "seq_length"}
)


def axes_of(graph: Graph, name: str, shape: Sequence[int | None], layout: str = "") -> Axes:
    """What the axes of an input are.

    Parameters
    ----------
    graph : Graph
    name : str
        The input's.
    shape : sequence of int or None
        Its own shape, or that of an array for it.
    layout : str, optional
        "NCHW" or "NHWC", as the preprocessing of its pictures says; "" where none does. The graph knows
        better.

    Returns
    -------
    Axes
        From the first of these that tells: what operators take the axes for (a convolution behind a
        Transpose, a recurrent layer, a table that is looked up in); their names; `layout`; the last axis of
        a matrix product; 1, 3 or 4 channels beside larger axes.
    """
    rank = len(shape)
    cut = graph.source.cut
    if cut is not None and name in cut.samples:
        return _of_stop(graph, name, rank, cut.samples[name])
    if rank == 0:
        return Axes(samples=None, beside=True)
    sure, likely = said(graph, name, rank)
    if is_unbatched(graph, name):
        return _of_one(graph, name, shape, sure)
    if is_whole(graph, name) and (sure is None or sure.samples in (0, None)):
        return Axes(samples=None, beside=True, table=0 if sure is None else sure.table)
    if sure is not None:
        return sure
    found = _likely(graph, name, shape, layout, likely)
    return replace(found, beside=found.beside or alone(graph, name))


def _of_one(graph: Graph, name: str, shape: Sequence[int | None], sure: Axes | None) -> Axes:
    """Of an input that holds no samples: a table's row, a series, a graph's nodes or its edges, a picture."""
    rank, named = len(shape), sizes_named(graph, name)
    if sure is not None:
        return replace(sure, places=tuple(sorted({0, *sure.places})), samples=None)
    if rank == 1:
        return Axes((0,), None, None) if shape[0] is None else Axes((), 0, None)
    if rank == 2:
        alike = named[0] == named[1] if named[0] else shape[0] == shape[1] is not None
        return Axes((0, 1), None, None) if alike else Axes((0,), 1, None)
    channel = _by_size((None, *shape))
    if channel is None:
        return Axes(tuple(range(rank)), None, None, is_open=True)
    return Axes(tuple(axis for axis in range(rank) if axis != channel - 1), channel - 1, None)


def _of_stop(graph: Graph, name: str, rank: int, samples: int | None) -> Axes:
    """Of a tensor at which the file was cut: where its samples are, is known."""
    sure, likely = said(graph, name, rank) if rank else (None, None)
    told = sure or likely
    if told is not None and told.samples == samples and not told.beside:
        return told
    if rank <= 2:
        return Axes((0,) if rank == 2 and samples is None else (), rank - 1 if rank else None, samples)
    return Axes(tuple(axis for axis in range(rank) if axis != samples), None, samples, is_open=True)


def _likely(graph: Graph, name: str, shape: Sequence[int | None], layout: str, likely: Axes | None) -> Axes:
    """Where no operator is sure: from names, the layout, a matrix product, sizes."""
    rank = len(shape)
    if rank == 2 and (axis := turned(graph, name)):
        return Axes(samples=axis, beside=True)
    if rank <= 2:
        return Axes(channel=1 if rank == 2 else None)
    named = [size.casefold() for size in sizes_named(graph, name)]
    channels = [axis for axis, size in enumerate(named) if size in NAMES]
    if rank == 3 and not channels and sum(size in TIMES for size in named[1:]) == 1:
        channels = [axis for axis, size in enumerate(named) if axis and size not in TIMES]
    channel = channels[0] if len(channels) == 1 and channels[0] else None
    if channel is None and layout and rank > 3:
        channel = rank - 1 if layout == "NHWC" else 1
    if channel is None and likely is not None:
        return likely
    if channel is None and rank > 3:
        channel = _by_size(shape)
    if channel is None and (axis := turned(graph, name)):
        return Axes(samples=axis, beside=True)
    if channel is None:
        return Axes(places=tuple(range(1, rank)), is_open=True)
    return Axes(tuple(axis for axis in range(1, rank) if axis != channel), channel)


def tensor_axes(graph: Graph, name: str, rank: int) -> Axes | None:
    """What the axes of an inner tensor are, from who reads it or who made it; None where neither tells."""
    sure, _ = said(graph, name, rank)
    if sure is not None:
        return sure
    tensor, node = name, graph.producers.get(name)
    while node is not None:
        last = node.operator in CHANNELS_LAST
        if last or node.operator in CHANNELS_FIRST | NORMALISING:
            return _led(graph, tensor, name, rank, rank - 1 if last else 1)
        carriers = [operand for operand in node.inputs if operand in graph.carrying]
        if len(carriers) != 1:
            return None
        tensor, node = carriers[0], graph.producers.get(carriers[0])
    return None


def _led(graph: Graph, start: str, name: str, rank: int, channel: int) -> Axes | None:
    """Where the axes of a convolution's output have come to in another tensor."""
    following = Following(graph, {start: tuple(range(rank))})
    for _ in following:
        pass
    labels = following.at.get(name, ())
    if set(labels) != set(range(rank)):
        return None
    places = tuple(axis for axis, label in enumerate(labels) if label not in (0, channel))
    return Axes(places, labels.index(channel), labels.index(0))


def _by_size(shape: Sequence[int | None]) -> int | None:
    """Which end of a picture's axes holds its channels: few of them, and more places along all others."""

    def fits(axis: int) -> bool:
        rest = [size for place, size in enumerate(shape) if place not in (0, axis)]
        size = shape[axis]
        return size in PICTURE and all(other is None or other > size for other in rest)

    ends = [axis for axis in (1, len(shape) - 1) if fits(axis)]
    return ends[0] if len(ends) == 1 else None


def sample_axes(graph: Graph) -> dict[str, tuple[int, int | None]]:
    """Input -> how many axes it has, and which of them holds the samples; None where none does.

    Samples come first unless the graph is sure of another axis, or names and sizes beside those of the other
    inputs say so. One number alone is the same for all samples, and so is what `sharing` finds. Of a stop it
    is known even where nothing tells how many axes it has, which are 0 here.
    """
    if graph not in _KNOWN:
        cut = graph.source.cut
        stops = cut.samples if cut is not None else {}
        _KNOWN[graph] = {
            value.name: (len(value.shape or ()), axes_of(graph, value.name, value.shape or ()).samples)
            for value in graph.inputs
            if value.shape is not None or value.name in stops
        }
    return _KNOWN[graph]


def is_of_one(graph: Graph) -> bool:
    """Whether no input holds samples, so that all of them together are one."""
    axes = sample_axes(graph).values()
    return bool(axes) and all(axis is None for _, axis in axes)


def in_front(graph: Graph, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
    """As the model has them, the sample in front that they are together, or one for all once for each."""
    if is_of_one(graph):
        return {name: x[None] for name, x in feeds.items()}
    axes = sample_axes(graph)
    shared = {name for name in feeds if axes.get(name, (0, 0))[1] is None}
    samples = next((len(x) for name, x in feeds.items() if name not in shared and x.ndim), 1)
    return {**feeds, **{name: np.repeat(feeds[name][None], samples, 0) for name in shared}}


def labelled_samples(graph: Graph) -> dict[str, Labels]:
    """Every input that has samples, where they are: label 0."""
    return {
        name: tuple(0 if axis == samples else None for axis in range(rank))
        for name, (rank, samples) in sample_axes(graph).items()
        if samples is not None
    }


def followed_samples(graph: Graph) -> Mapping[str, Labels]:
    """Where the samples are in every tensor that operators tell it of: label 0."""
    if graph not in _FOLLOWED:
        following = Following(graph, labelled_samples(graph))
        for _ in following:
            pass
        _FOLLOWED[graph] = following.at
    return _FOLLOWED[graph]


def as_model_has_them(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays with their samples in front, as the graph's inputs have them; one for all samples once."""
    axes = sample_axes(graph)
    found = {}
    for name, x in feeds.items():
        axis = axes[name][1] if name in axes else 0
        found[name] = x[0, ...] if axis is None else np.moveaxis(x, 0, axis)
    return found


def by_sample(graph: Graph, maps: Mapping[str, Array]) -> dict[str, Array]:
    """What one sample hands to the tensors, the inputs that all samples share too: as that sample's own."""
    axes = sample_axes(graph)
    return {name: R[None] if axes.get(name, (0, 0))[1] is None else R for name, R in maps.items()}


_FOLLOWED: WeakKeyDictionary[Graph, Mapping[str, Labels]] = WeakKeyDictionary()
_KNOWN: WeakKeyDictionary[Graph, dict[str, tuple[int, int | None]]] = WeakKeyDictionary()
