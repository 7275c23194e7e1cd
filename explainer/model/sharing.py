"""Inputs that have their samples elsewhere than in front, or none: by what they declare beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .graph import Graph
from .told import said


def sizes_named(graph: Graph, name: str) -> list[str]:
    """The names of an input's axes, "" for one that has a size."""
    for value in graph.source.proto.graph.input:
        if value.name == name:
            return [axis.dim_param for axis in value.type.tensor_type.shape.dim]
    return []


def is_shared(graph: Graph, name: str) -> bool:
    """Whether an input is the same for all samples: a condition, a temperature, a weight.

    It has a fixed first size, and no open one that might be the samples', where others begin with an open
    one; or where all are fixed, it begins with another number than the samples are. Not where an operator
    says which later axis holds them: a state's, that a recurrent layer begins with.
    """
    shapes = {value.name: value.shape for value in graph.inputs if value.shape is not None}
    own = shapes.get(name)
    if not own:
        return own == ()
    if own[0] is None or _told(graph, name, own):
        return False
    samples = _samples(graph, shapes)
    if samples is not None:
        return own[0] != samples and None not in own
    if None not in own:
        return True
    firsts = {named[0] for other in shapes if other != name and (named := sizes_named(graph, other))}
    is_open = [axis for size, axis in zip(own, sizes_named(graph, name), strict=False) if size is None]
    # A mask that begins with a 1, pairs of places: open for something else, which has a name.
    return (own[0] == 1 or len(own) == 2) and all(axis and axis not in firsts for axis in is_open)


def alone(graph: Graph, name: str) -> bool:
    """Whether it is shared and begins with a 1, beside samples of any number: fed with each of them."""
    return is_shared(graph, name) and not is_whole(graph, name)


def is_whole(graph: Graph, name: str) -> bool:
    """Whether it is shared and has no axis at all that could be a sample's."""
    shapes = {value.name: value.shape for value in graph.inputs if value.shape is not None}
    own = shapes.get(name)
    if own is None or not is_shared(graph, name):
        return False
    return own[:1] != (1,) or _samples(graph, shapes) is not None


def _told(graph: Graph, name: str, shape: Sequence[int | None]) -> int:
    """The axis behind the first that an operator says the samples are on; 0 where none does."""
    sure, _ = said(graph, name, len(shape))
    return 0 if sure is None else sure.samples or 0


def _samples(graph: Graph, shapes: Mapping[str, Sequence[int | None]]) -> int | None:
    """How many samples a file takes whose inputs are all fixed; None where one is open.

    What its outputs begin with, or else the input with the most axes.
    """
    there = {name: shape for name, shape in shapes.items() if shape}
    counts = {name: shape[_told(graph, name, shape)] for name, shape in there.items()}
    if None in counts.values():
        return None
    for value in graph.source.proto.graph.output:
        axes = value.type.tensor_type.shape.dim
        if axes and axes[0].dim_value in counts.values():
            return int(axes[0].dim_value)
    return counts[max(there, key=lambda name: len(there[name]))] if there else None


def turned(graph: Graph, name: str) -> int | None:
    """The axis of the samples of an input that has another first one, by its names or its open sizes.

    It is called as the first axis of another input is; or it is the only open one behind a fixed one, where
    another input begins with an open one.
    """
    others = [value for value in graph.inputs if value.name != name and value.shape]
    firsts = {named[0] for value in others if (named := sizes_named(graph, value.name)) and named[0]}
    own = [axis for axis, size in enumerate(sizes_named(graph, name)) if size in firsts]
    if own:
        return own[0] if len(own) == 1 else 0
    (shape,) = (value.shape or () for value in graph.inputs if value.name == name)
    is_open = [axis for axis, size in enumerate(shape) if size is None]
    if is_shared(graph, name):
        return 0
    if len(is_open) == 1 and is_open[0] and any(value.shape[0] is None for value in others if value.shape):
        return is_open[0]
    return 0
