"""Along which axes a Scan or a Loop goes, a step at a time, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from .node import Node

# Labels, as `following` has them: for every axis what it was.
Labels: TypeAlias = "tuple[int | None, ...]"


def scanned(node: Node, place: int, rank: int) -> list[int]:
    """The axis of a Scan's operand that its steps go along; none of a state that they begin with."""
    step = place - _states(node)
    axes = node.attributes.get("scan_input_axes") or [0] * len(node.inputs)
    return [axes[step] % rank] if step >= 0 else []


def meets(node: Node) -> bool:
    """Whether a step of a Scan knows of those before it."""
    return _states(node) > 0


def scan(node: Node, carried: Mapping[int, Labels], ranks: Sequence[int | None]) -> Sequence[Labels | None]:
    """What a Scan makes: states, which hold nothing any more of what it went along, and a value a step.

    Parameters
    ----------
    node : Node
    carried : dict of operand -> labels
    ranks : sequence of int or None
        Of its outputs.
    """
    taken = [(labels, scanned(node, place, len(labels))) for place, labels in carried.items()]
    axes = node.attributes.get("scan_output_axes")
    return _made(taken, _states(node), ranks, axes or [0] * len(ranks))


def loop(node: Node, labelled: Mapping[str, Labels], ranks: Sequence[int | None]) -> Sequence[Labels | None]:
    """The same of a Loop, whose body takes a row of an outer tensor in each step."""
    taken = [(labelled[name], _rows(node, name)) for name in node.captures if name in labelled]
    taken += [(labelled[name], []) for name in node.inputs if name in labelled]
    return _made(taken, len(node.inputs) - 2, ranks, [0] * len(ranks))


def _states(node: Node) -> int:
    return len(node.inputs) - int(node.attributes["num_scan_inputs"])


def _rows(node: Node, name: str) -> list[int]:
    """The axis along which a Loop's body takes each step's row of an outer tensor, where it takes no more."""
    body = node.attributes["body"]
    count = body.input[0].name
    readers = [inner for inner in body.node if name in inner.input]
    if not readers or any(inner.op_type != "Gather" or [*inner.input] != [name, count] for inner in readers):
        return []
    axes = {sum(attribute.i for attribute in inner.attribute) for inner in readers}
    return list(axes) if len(axes) == 1 else []


def _made(
    taken: Sequence[tuple[Labels, Sequence[int]]],
    states: int,
    ranks: Sequence[int | None],
    stacked: Sequence[int],
) -> Sequence[Labels | None]:
    """The labels of all outputs, where nothing is told apart in what is taken but the steps."""
    steps: set[int | None] = set()
    others: set[int | None] = set()
    for labels, axes in taken:
        gone = [axis % len(labels) for axis in axes]
        steps.update(labels[axis] for axis in gone)
        others.update(label for axis, label in enumerate(labels) if axis not in gone)
    if others - {None} or len(steps - {None}) > 1:
        return []
    step = next(iter(steps - {None}), None)
    made: list[Labels | None] = []
    for rank, axis in zip(ranks, chain([None] * states, stacked), strict=False):
        where = None if axis is None or rank is None else axis % rank
        made.append(None if rank is None else tuple(step if at == where else None for at in range(rank)))
    return made
