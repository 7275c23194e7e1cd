"""Inputs whose first axis holds no samples: features, steps or the nodes of a graph, one sample in all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from weakref import WeakKeyDictionary

import numpy as np

from .across import CHOOSING, across
from .counting import SHAPED
from .following import Carried, Following, Labels, equation
from .graph import Graph, Input
from .node import Node
from .roles import BY_VALUES, PRODUCTS, RECURRENT
from .sharing import is_shared, sizes_named, turned
from .told import said

HERE = 0
# A label that a Reshape, which puts more into the first axis, does not leave there.
UNMERGED = 1
# What an axis of samples is called, whatever becomes of it.
BATCH = frozenset({"b", "batch", "batch_size", "batchsize", "bs", "n", "num_samples", "samples"})


def is_unbatched(graph: Graph, name: str) -> bool:
    """Whether an input's first axis is none of samples, though no operator says what it is.

    It is not where its size is another's: that of a matrix it is multiplied by, of its own second axis, of
    what chooses among its rows, of a list of sizes the number of axes. Nor is it, or that of any input, where
    no output has it any more, or where its size is said and a recurrent layer takes it for its steps: before
    it a convolution may have taken each step for a sample.
    """
    if graph not in _KNOWN:
        _KNOWN[graph] = _unbatched(graph)
    return name in _KNOWN[graph]


_KNOWN: WeakKeyDictionary[Graph, frozenset[str]] = WeakKeyDictionary()


def _unbatched(graph: Graph) -> frozenset[str]:
    shapes = {value.name: value.shape for value in graph.inputs if value.shape}
    told = {name: said(graph, name, len(shape))[0] for name, shape in shapes.items()}
    first = {name: one is None or one.samples == 0 for name, one in told.items()}
    asked = [value for value in graph.inputs if first.get(value.name) and _may(graph, value)]
    found = {
        value.name
        for value in asked
        if _is_tied(graph, value)
        or _is_of_steps(graph, value)
        or _is_listed(graph, value, told[value.name] is not None)
    }
    if not found and not any(told.values()):
        found = {value.name for value in asked if _first_name(graph, value.name) not in BATCH}
        begun = {name: (HERE, *[None] * (len(shape) - 1)) for name, shape in shapes.items()}
        if len(found) < len(begun) or _goes_on(graph, begun):
            found = set()
    # Others that begin with the same size have as many of the same things.
    same = {size for name in found if (size := _size(graph, name, shapes)) not in ("", 1)}
    return frozenset(found | {value.name for value in asked if _size(graph, value.name, shapes) in same})


def _may(graph: Graph, value: Input) -> bool:
    """Whether its first axis may be anything else than samples, and no other of its axes is."""
    assert value.shape
    return value.shape[0] != 1 and not is_shared(graph, value.name) and not turned(graph, value.name)


def _first_name(graph: Graph, name: str) -> str:
    return next(iter(sizes_named(graph, name)), "").casefold()


def _size(graph: Graph, name: str, shapes: Mapping[str, tuple[int | None, ...]]) -> str | int:
    """The size of the first axis: a number, or what it is called."""
    return shapes[name][0] or _first_name(graph, name)


def _is_tied(graph: Graph, value: Input) -> bool:
    """Whether the size of the first axis is another's too."""
    assert value.shape
    named = sizes_named(graph, value.name)
    if named[0] and named[0] in named[1:]:
        return True
    reached = graph.depending([value.name])
    for label in {UNMERGED, UNMERGED if value.shape[0] is None else HERE}:
        following = Following(graph, {value.name: (label, *[None] * (len(value.shape) - 1))})
        for node, carried in following:
            for place, labels in carried.items():
                if label not in labels:
                    continue
                if place and node.operator in SHAPED:  # a list of sizes, one for each axis
                    return True
                axis = labels.index(label)
                if axis in across(following, node, place, len(labels)) and (
                    _sized(following, node, place, carried, label) or _chosen(graph, node, place, reached)
                ):
                    return True
    return False


def _is_of_steps(graph: Graph, value: Input) -> bool:
    """Whether the first axis, of a size that is known, becomes the steps of a recurrent layer."""
    assert value.shape
    if value.shape[0] is None:
        return False
    begun = {value.name: (HERE, *[None] * (len(value.shape) - 1))}
    steps = (
        carried.get(0, ())[node.attributes.get("layout", 0) :][:1]
        for node, carried in Following(graph, begun)
        if node.operator in RECURRENT
    )
    return any(labels == (HERE,) for labels in steps)


def _is_listed(graph: Graph, value: Input, is_told: bool) -> bool:
    """Whether all its entries together decide which of them go on, or a vector's what becomes of each.

    Of a batch with further axes that is only so where the file has it fixed, since it cannot come apart then.
    """
    assert value.shape
    is_vector, is_open = len(value.shape) == 1, value.shape[0] is None
    if _first_name(graph, value.name) in BATCH or (not is_vector and (is_open or is_told)):
        return False
    following = Following(graph, {value.name: (HERE, *[None] * (len(value.shape) - 1))})
    for node, carried in following:
        for place, labels in carried.items():
            if HERE not in labels:
                continue
            along = labels.index(HERE) in across(following, node, place, len(labels))
            by_values = node.operator == "Compress" and node.operand(1) in graph.computed
            if is_vector and node.operator == "Reshape" and _leads_no_more(following, node, value.shape[0]):
                return True
            if node.operator in BY_VALUES or (
                along and (by_values or (is_vector and value.dtype.kind == "f"))
            ):
                return True
    return False


def _leads_no_more(following: Following, node: Node, size: int | None) -> bool:
    """Whether a vector becomes a row, or a series of one channel, in a batch of another size."""
    sizes = following.numbers(node.operand(1)) or [-1]
    rest = -int(np.prod(sizes))
    first = size // rest if sizes[0] == -1 and size and rest > 0 else sizes[0]
    return first > 0 and first != size


def _sized(following: Following, node: Node, place: int, carried: Carried, label: int) -> bool:
    """Whether an operand's axis is summed over together with one that did not come with it."""
    if node.operator in PRODUCTS or node.operator == "Gemm":
        other = (PRODUCTS.get(node.operator, (0, 1)))[place == PRODUCTS.get(node.operator, (0, 1))[0]]
        labels = carried.get(other)
        return labels is None or label not in _summed(following, node, other, labels)
    if node.operator == "Einsum" and (made := equation(following, node)) is not None:
        letter = made.operands[place][carried[place].index(label)]
        beside = [
            carried.get(other, ())[letters.index(letter) :][:1]
            for other, letters in enumerate(made.operands)
            if other != place and letter in letters
        ]
        return any(labels != (label,) for labels in beside)
    return False


def _summed(following: Following, node: Node, place: int, labels: Labels) -> Labels:
    """The labels of the axis of a product's operand that is summed over."""
    summed = across(following, node, place, len(labels))
    return tuple(label for axis, label in enumerate(labels) if axis in summed)


def _chosen(graph: Graph, node: Node, place: int, reached: Collection[str]) -> bool:
    """Whether rows are chosen by places that other inputs tell: the nodes that edges join, words' vectors."""
    if place or node.operator not in CHOOSING | {"GatherND", "ScatterND"} or node.operator == "Concat":
        return False
    return any(name in graph.computed and name not in reached for name in node.inputs[1:2])


def _goes_on(graph: Graph, begun: Mapping[str, Labels]) -> bool:
    """Whether an output has the inputs' first axis, or may have it."""
    following = Following(graph, begun)
    for node, carried in following:
        made = following.passed(node, carried) if carried else []
        for place, labels in carried.items():
            if HERE not in labels or any(one is not None and HERE in one for one in made):
                continue
            if labels.index(HERE) not in across(following, node, place, len(labels)):
                return True
    # Where nodes that only hand on are seen through, an output is what they read.
    led = [one for name in graph.outputs if (one := graph.resolve(name)) in graph.computed]
    return any(HERE in following.at.get(name, (HERE,)) for name in led)
