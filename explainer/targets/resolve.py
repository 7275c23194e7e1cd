"""What the user asked for, as a target: class names, indices, outputs and tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np

from ..errors import TargetError, shown
from ..model.graph import Graph
from ..tensor import Array, Value
from .anchor import Anchor, anchor_at_output, anchor_at_tensor, tensors_of
from .ask import SEVERAL, UNSAID, Ask, TargetLike
from .conditions import Condition, ConditionsLike, conditions_of
from .labels import Labels, called, hint, index_of
from .regions import Region, parse_entries, parse_region


@dataclass(frozen=True)
class Fed:
    """An index that a compiled file is given when it runs: (1,) or (N,); below 0 it is the default."""

    value: Value


# "top", None for a whole tensor, one index for all samples, or one for each.
Index: TypeAlias = "str | int | Array | Region | Fed | None"


@dataclass(frozen=True, eq=False)
class Target:
    """What is explained.

    Attributes
    ----------
    anchor : Anchor
        The tensor: all that a plan depends on.
    index : Index
        "top", a flat index, one per sample, a region; None is the whole tensor.
    start : str
        What is put there: a name of `STARTS`.
    against : Index
        The other side of a margin; None is the best other class.
    conditions : tuple of Condition
        What relevance has to pass through on its way.
    """

    anchor: Anchor
    index: Index
    start: str = "output"
    against: Index = None
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        sides = [self.index] + ([] if self.against is None else [self.against])
        return " − ".join(
            str(side) if isinstance(side, Region) else f"{self.anchor.output}[{side}]" for side in sides
        )

    def taking(self, take: Array, samples: int) -> Target:
        """The target of a batch that holds these of all `samples`."""
        return replace(
            self,
            index=_taking(self.index, take, samples),
            against=_taking(self.against, take, samples),
            conditions=tuple(condition.taking(take, samples) for condition in self.conditions),
        )

    def each(self, samples: int) -> list[Target]:
        """One target per index, where there are several for the only sample; else this one alone.

        Raises
        ------
        TargetError
            As many indices as neither samples nor one sample can use.
        """
        counts = {len(index) for index in (self.index, self.against) if isinstance(index, np.ndarray)}
        if counts <= {samples}:
            return [self]
        if samples > 1 or len(counts) > 1 or 0 in counts:
            raise TargetError(
                f"target: {' and '.join(map(str, sorted(counts)))} indices for {samples} sample(s); give one "
                "for each sample, or several for a single one"
            )
        return [
            replace(self, index=_nth(self.index, n), against=_nth(self.against, n))
            for n in range(counts.pop())
        ]


def _taking(index: Index, take: Array, samples: int) -> Index:
    if isinstance(index, Region):
        return index.taking(take, samples)
    return index[take] if isinstance(index, np.ndarray) else index


def _nth(index: Index, n: int) -> Index:
    return int(index[n]) if isinstance(index, np.ndarray) else index


def resolve_target(
    graph: Graph,
    target: TargetLike,
    labels: Labels | None = None,
    start: str = UNSAID,
    against: TargetLike | None = None,
    conditions: ConditionsLike | None = None,
) -> Target:
    """What the user asked for.

    Parameters
    ----------
    graph : Graph
        As it was read.
    target, against, conditions : see `explainer.explain`
    labels : sequence of str, or dict of int -> str
    start : str
        A name of `STARTS`, or "logit".

    Raises
    ------
    TargetError
        No such output, tensor, label or start, an index of the wrong kind, or no channels.
    """
    asked = Ask.of(target, start, against, conditions)
    through, start = conditions_of(asked.conditions), asked.start
    with saying("target"):
        anchor, index = _resolve(graph, asked.target, labels)
    if index is None and start not in ("output", "one"):
        raise TargetError(
            f"start: {start!r} needs an index; a whole tensor starts from 'output' or 'one', and one value "
            "of it is NAME[3]"
        )
    if asked.against is None:
        return Target(anchor, index, start, conditions=through)
    with saying("against"):
        other = _resolve_against(graph, anchor, asked.against, labels)
    if isinstance(other, int) and isinstance(index, int) and other == index:
        raise TargetError(f"against: it is the target itself, {called(other, labels)}")
    return Target(anchor, index, start, other, through)


@contextmanager
def saying(side: str) -> Iterator[None]:
    """Let what is wrong with one side of the question begin with its name."""
    try:
        yield
    except TargetError as error:
        raise TargetError(
            f"{side}: {str(error).removeprefix('target: ').removeprefix(f'{side}: ')}"
        ) from None


def _resolve(graph: Graph, target: TargetLike, labels: Labels | None) -> tuple[Anchor, Index]:
    first = graph.outputs[0]
    if isinstance(target, Mapping):
        if len(target) != 1:
            raise TargetError("a target dict names one output: {output name: index}")
        target = next(iter(target.items()))
    if isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], str):
        name, index = target
        return _anchor(graph, name, labels), _index(index, labels, name)
    if isinstance(target, str) and target != "top":
        if labels is not None and (found := index_of(target, labels)) is not None:
            return anchor_at_output(graph, first), found
        parts = parse_region(target)
        if target in tensors_of(graph) or parts is None:
            return _at_tensor(graph, target, labels), None
        name, inside = parts
        anchor, entries = _anchor(graph, name, labels), parse_entries(name, inside)
        return anchor, _index(inside.strip(), labels, name) if entries is None else entries
    return anchor_at_output(graph, first), _index(target, labels, first)


def _resolve_against(graph: Graph, anchor: Anchor, against: TargetLike, labels: Labels | None) -> Index:
    """The other side of a margin: an index that counts in the target's own tensor."""
    named = isinstance(against, tuple) and len(against) == 2 and isinstance(against[0], str)
    if isinstance(against, str) and against != "top":
        found = None if labels is None else index_of(against, labels)
        if found is not None:
            return found
        named = parse_region(against) is not None
    if not (named or isinstance(against, Mapping)):
        return _index(against, labels, anchor.output)
    there, index = _resolve(graph, against, labels)
    if there != anchor:
        raise TargetError(
            f"against: it counts in {there.output!r}, the target in {anchor.output!r}; a margin has both "
            "sides in one tensor"
        )
    return index


def _anchor(graph: Graph, name: str, labels: Labels | None) -> Anchor:
    """Where an index counts: in an output or a tensor, and in no class."""
    if name in graph.outputs:
        return anchor_at_output(graph, name)
    if name not in tensors_of(graph) and labels is not None and index_of(name, labels) is not None:
        raise TargetError(
            f"target: a pair is a tensor and an index, as is NAME[index], and {name!r} is a class; {SEVERAL}"
        )
    return _at_tensor(graph, name, labels)


def _at_tensor(graph: Graph, name: str, labels: Labels | None) -> Anchor:
    return anchor_at_tensor(graph, name, hint(name, labels, graph.outputs, tensors_of(graph)))


def _index(index: Any, labels: Labels | None, name: str) -> Index:
    if isinstance(index, str):
        if index == "top":
            return index
        found = None if labels is None else index_of(index, labels)
        if found is None:
            raise TargetError(
                f"target: no class is called {index!r}{hint(index, labels)}; in brackets stand whole "
                "numbers, slices and '...', with commas between"
            )
        return found
    if isinstance(index, tuple | list) and any(isinstance(one, str) for one in index):
        raise TargetError(f"target: {shown(index)} holds names, and no index does; {SEVERAL}")
    if isinstance(index, tuple | slice | EllipsisType):
        return Region.of(name, index)
    try:
        array = np.asarray(index)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.dtype.kind == "b" and array.ndim:
        return Region.of(name, array)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise TargetError(f"target: an index is a whole number, or one per sample, not {index!r}")
    if array.size and int(array.max()) >= 1 << 63:
        raise TargetError(f"target: no output has {int(array.max())} values")
    return int(array) if array.ndim == 0 else array.astype(np.int64)
