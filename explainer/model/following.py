"""Where the axes of a tensor go, operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from .equations import Equation
from .graph import Graph
from .looped import loop, scan
from .node import Node
from .operators import known
from .roles import (
    ALIKE,
    BY_ROWS,
    CHANNELS_FIRST,
    CHANNELS_LAST,
    ELEMENTWISE,
    EMBEDDING,
    PRODUCTS,
    RECURRENT,
    REDUCING,
)
from .sizes import numbers_of, sizes_of

# For every axis of a tensor what it was where the following began; None for one that is new or mixed.
Labels: TypeAlias = "tuple[int | None, ...]"
Carried: TypeAlias = Mapping[int, Labels]
# What a rank that an operator does not take ends in. onnxruntime says so when the file is opened; until then
# nothing can be told of the axes behind it.
MISFITS = (ArithmeticError, IndexError, ValueError)


class Following:
    """Walks a graph forward with the axes of some tensors; iterated, it gives every node that they reach.

    A tensor whose axes cannot be told is not followed further.

    Parameters
    ----------
    graph : Graph
    start : dict of tensor name -> labels
        One label for every axis.
    """

    def __init__(self, graph: Graph, start: Mapping[str, Labels]) -> None:
        self.graph, self.at = graph, dict(start)

    def __iter__(self) -> Iterator[tuple[Node, Carried]]:
        # A group that a canonizer made is its nodes, one by one.
        for node in (single for made in self.graph.nodes for single in made.members or (made,)):
            if known(node.operator).shape_alone:
                continue
            carried = {place: self.at[name] for place, name in enumerate(node.inputs) if name in self.at}
            if not carried and not any(name in self.at for name in node.captures):
                continue
            yield node, carried
            for name, labels in zip(node.outputs, self.passed(node, carried), strict=False):
                if name and labels is not None:
                    self.at[name] = labels

    def passed(self, node: Node, carried: Carried) -> Sequence[Labels | None]:
        """The labels of its outputs, as far as they can be told."""
        try:
            return self._passed(node, carried)
        except MISFITS:
            return []

    def _passed(self, node: Node, carried: Carried) -> Sequence[Labels | None]:
        operator, count = node.operator, len(node.outputs)
        if operator in ELEMENTWISE:
            return [self.aligned(node, carried)] * count
        first = carried.get(0)
        if operator in ALIKE:
            return [first] * count
        if operator == "Concat":
            alike = set(carried.values())
            return [alike.pop() if len(alike) == 1 else None]
        if operator in CHANNELS_FIRST:
            return [None if first is None else (first[0], None, *first[2:])] * count
        if operator in CHANNELS_LAST:
            return [None if first is None else (*first[:-1], None)]
        if operator in BY_ROWS:
            return [None if first is None else (first[0],), None if first is None else (first[0], None)]
        if operator in RECURRENT and first is not None:
            batch = node.attributes.get("layout", 0) == 1
            time, samples = (first[1], first[0]) if batch else (first[0], first[1])
            states = (samples, None, None) if batch else (None, samples, None)
            whole = (samples, time, None, None) if batch else (time, None, samples, None)
            return [whole, states, states]
        if operator == EMBEDDING:
            return [None if first is None else (*first, None)]
        if operator in ("Loop", "Scan"):
            ranks = [self.rank(name) for name in node.outputs]
            return scan(node, carried, ranks) if operator == "Scan" else loop(node, self.at, ranks)
        if operator in PRODUCTS:
            return [self.product(node, carried, PRODUCTS[operator])]
        moved = MOVES.get(operator)
        return [] if moved is None else [moved(self, node, carried)]

    def rank(self, name: str) -> int | None:
        """How many axes a tensor has, if that can be told."""
        if name in self.at:
            return len(self.at[name])
        return self.graph.axes(name)

    def numbers(self, name: str) -> list[int] | None:
        """A small constant of whole numbers; None where it is none."""
        return numbers_of(self.graph, name)

    def aligned(self, node: Node, carried: Carried) -> Labels | None:
        """As NumPy broadcasts: axes are counted from the last one."""
        ranks = [self.rank(name) for name in node.inputs if name]
        if any(rank is None for rank in ranks):
            return None
        rank = max(filter(None, ranks), default=0)
        found: list[int | None] = [None] * rank
        clash = set()
        for labels in carried.values():
            for place, label in enumerate(labels, start=rank - len(labels)):
                clash.update([place] if None not in (label, found[place]) and label != found[place] else [])
                found[place] = label if found[place] is None else found[place]
        return tuple(None if place in clash else label for place, label in enumerate(found))

    def product(self, node: Node, carried: Carried, places: tuple[int, int]) -> Labels | None:
        """Rows of the first, columns of the second, and what is in front of both; a vector has neither."""
        ranks = [self.rank(node.operand(place)) or 0 for place in places]
        if 0 in ranks:
            return None
        rank = max(*ranks, 2)
        found: list[int | None] = [None] * rank
        for side, place in enumerate(places):
            labels = carried.get(place, ())
            if len(labels) == 1:
                continue  # the only axis is summed over
            gone = len(labels) - 1 - side  # the axis that is summed over
            for axis, label in enumerate(labels):
                if axis != gone and label is not None:
                    found[rank - len(labels) + axis] = label
        vectors = {rank - 2 + side for side in (0, 1) if ranks[side] == 1}
        return tuple(label for axis, label in enumerate(found) if axis not in vectors)


def _transpose(following: Following, node: Node, carried: Carried) -> Labels | None:
    labels = carried[0]
    perm = node.attributes.get("perm") or range(len(labels))[::-1]
    return tuple(labels[axis] for axis in perm) if len(perm) == len(labels) else None


def _axes(following: Following, node: Node, rank: int) -> list[int] | None:
    """The axes that a node names, as an attribute or as its second operand; None where it names none."""
    given = node.attributes.get("axes")
    numbers = following.numbers(node.operand(1)) if given is None else list(given)
    return None if numbers is None else [axis % rank for axis in numbers]


def _unsqueeze(following: Following, node: Node, carried: Carried) -> Labels | None:
    labels = carried.get(0)
    given = node.attributes.get("axes")
    added = following.numbers(node.operand(1)) if given is None else list(given)
    if labels is None or not added:
        return None
    rank = len(labels) + len(added)
    new, old = {axis % rank for axis in added}, iter(labels)
    return tuple(None if axis in new else next(old, None) for axis in range(rank))


def _squeeze(following: Following, node: Node, carried: Carried) -> Labels | None:
    labels = carried.get(0)
    gone = None if labels is None else _axes(following, node, len(labels))
    if labels is None or gone is None:
        return None
    return tuple(label for axis, label in enumerate(labels) if axis not in gone)


def reduced(following: Following, node: Node, rank: int) -> list[int]:
    """The axes that a Reduce operator, ArgMax or ArgMin computes along."""
    if node.operator in ("ArgMax", "ArgMin"):
        return [node.attributes.get("axis", 0) % rank]
    axes = _axes(following, node, rank)
    if axes:
        return axes
    return [] if node.attributes.get("noop_with_empty_axes", 0) else list(range(rank))


def _reduce(following: Following, node: Node, carried: Carried) -> Labels | None:
    labels = carried.get(0)
    if labels is None:
        return None
    gone, keeps = reduced(following, node, len(labels)), node.attributes.get("keepdims", 1)
    kept = [None if axis in gone else label for axis, label in enumerate(labels)]
    return tuple(kept) if keeps else tuple(label for axis, label in enumerate(kept) if axis not in gone)


def _flatten(following: Following, node: Node, carried: Carried) -> Labels | None:
    labels = carried[0]
    if node.attributes.get("axis", 1) != 1:
        return None
    return (labels[0], labels[1] if len(labels) == 2 else None)


def _reshape(following: Following, node: Node, carried: Carried) -> Labels | None:
    """What is in front stays in front, perhaps with more behind it in the same axis."""
    labels = carried.get(0)
    sizes = None if labels is None else sizes_of(following.graph, node.operand(1), following.rank)
    if not labels or not sizes:
        return None
    kept = next((place for place, size in enumerate(sizes) if size != 0), len(sizes))
    found: list[int | None] = [*labels[:kept], *[None] * (len(sizes) - kept)][: len(sizes)]
    place = next((place for place in range(kept, len(sizes)) if sizes[place] != 1), len(sizes))
    if place < len(sizes) and kept < len(labels) and labels[kept] == 0 and sizes[place] in (None, -1):
        found[place] = 0
    return tuple(found)


def _gather(following: Following, node: Node, carried: Carried) -> Labels | None:
    indices = following.rank(node.operand(1))
    if len(carried) > 1 or indices is None:
        return None
    if 0 in carried:
        labels = carried[0]
        axis = node.attributes.get("axis", 0) % len(labels)
        # A list of places is a choice along the axis, or its places in another order.
        new = (labels[axis],) if indices == 1 else (None,) * indices
        return (*labels[:axis], *new, *labels[axis + 1 :])
    rank = following.rank(node.operand(0))
    if rank is None:
        return None
    axis = node.attributes.get("axis", 0) % rank
    return (*[None] * axis, *carried[1], *[None] * (rank - axis - 1))


def _along(following: Following, node: Node, carried: Carried) -> Labels | None:
    """Values put elsewhere along an axis, whose places are none that were there any more."""
    if (labels := carried.get(0)) is None or (axis := node.attributes.get("axis", 0)) is None:
        return None
    axis = node.attributes.get("time_axis", axis) % len(labels)
    return (*labels[:axis], None, *labels[axis + 1 :])


def _by_vectors(following: Following, node: Node, carried: Carried) -> Labels | None:
    """Slices that vectors of indices name; what is in front of them is told by the vectors."""
    sizes = following.graph.initializers.get(node.operand(1))
    if (labels := carried.get(0)) is None or sizes is None or node.attributes.get("batch_dims", 0):
        return None
    *lead, depth = sizes.dims
    return (*[None] * (depth if node.operator == "ScatterND" else len(lead)), *labels[depth:])


def _folded(following: Following, node: Node, carried: Carried) -> Labels | None:
    image = following.numbers(node.operand(1))
    return None if image is None or 0 not in carried else (carried[0][0], None, *[None] * len(image))


def _one_hot(following: Following, node: Node, carried: Carried) -> Labels | None:
    labels = list(carried.get(0, ()))
    labels.insert(node.attributes.get("axis", -1) % (len(labels) + 1), None)
    return tuple(labels)


def _expand(following: Following, node: Node, carried: Carried) -> Labels | None:
    sizes = sizes_of(following.graph, node.operand(1), following.rank)
    rank = following.graph.axes(node.outputs[0]) if sizes is None else len(sizes)
    if 0 not in carried or rank is None:
        return None
    return (*[None] * (rank - len(carried[0])), *carried[0])


def _gemm(following: Following, node: Node, carried: Carried) -> Labels | None:
    rows = columns = None
    for place, labels in carried.items():
        if place == 2:
            continue
        turned = node.attributes.get(("transA", "transB")[place], 0)
        if place == 0:
            rows = labels[1 if turned else 0]
        else:
            columns = labels[0 if turned else 1]
    return rows, columns


def equation(following: Following, node: Node) -> Equation | None:
    """An Einsum's, with a letter for every axis; None where it cannot be told what its dots stand for."""
    said = Equation.of(node.attributes.get("equation", ""))
    return said.spelled([following.rank(name) for name in node.inputs])


def _einsum(following: Following, node: Node, carried: Carried) -> Labels | None:
    if (said := equation(following, node)) is None:
        return None
    known_as = {
        letter: label
        for place, labels in carried.items()
        for letter, label in zip(said.operands[place], labels, strict=False)
        if label is not None
    }
    return tuple(known_as.get(letter) for letter in said.output)


Move: TypeAlias = Callable[[Following, Node, Carried], "Labels | None"]
MOVES: dict[str, Move] = {
    **dict.fromkeys(REDUCING, _reduce),
    **dict.fromkeys(("Compress", "GatherElements", "ReverseSequence", "Scatter", "ScatterElements"), _along),
    **dict.fromkeys(("GatherND", "ScatterND"), _by_vectors),
    "Col2Im": _folded,
    "Einsum": _einsum,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "OneHot": _one_hot,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
