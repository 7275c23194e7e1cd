"""Conditions: the channels of inner tensors that relevance has to pass through."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import TargetError, shown
from ..plain.checks import check_held
from ..tensor import Array
from .regions import Region, parse_entries
from .selection import Selection

# Tensor name -> its chosen channels: a number, several, a slice, their text, or a mask of bool; or a dict
# of axis -> entries on it.
ConditionsLike: TypeAlias = "Mapping[str, Any]"
ALONG = re.compile(r"\s*axis\s*([+-]?\d{1,3})\s*:(.+)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Condition(Selection):
    """What of one tensor relevance has to pass through. Achtibat et al. 2023, Nat. Mach. Intell. 5, 1006.

    Attributes
    ----------
    name : str
        The tensor, as the user calls it.
    chosen : tuple of int or slice; or array of bool
        Channels; or a mask: of the channels (C,), of a sample (C, ...) or of the batch (N, C, ...), where an
        axis of size 1 stands for all of it.
    axis : int or None
        Of the tensor, along which they are counted; None is that of its channels.
    samples, take
        See `Selection`.
    """

    name: str
    chosen: tuple[int | slice, ...] | Array
    axis: int | None = None

    @classmethod
    def of(cls, name: str, chosen: Any, axis: int | None = None) -> Condition:
        """Channels as the user gives them.

        Raises
        ------
        TargetError
            They are neither whole numbers, slices, their text nor a mask; or there are none.
        """
        if isinstance(chosen, str):
            found = parse_entries(name, chosen)
            chosen = found.entries if isinstance(found, Region) else found
        if isinstance(chosen, np.ndarray) and chosen.dtype.kind == "b" and chosen.ndim:
            if not chosen.any():
                raise TargetError(f"condition: the mask of {name!r} chooses nothing")
            return cls(name, chosen, axis)
        if isinstance(chosen, np.ndarray) and chosen.ndim == 1:
            chosen = list(chosen)
        entries = tuple(chosen) if isinstance(chosen, Sequence | range) else (chosen,)
        if not entries or not all(isinstance(entry, slice) or _is_whole(entry) for entry in entries):
            raise TargetError(
                f"condition: {name!r} takes a channel, several, a slice or a mask of bool; in text whole "
                f"numbers and slices with commas between, {name}[3, 10:20]"
            )
        return cls(name, tuple(entry if isinstance(entry, slice) else int(entry) for entry in entries), axis)

    def __str__(self) -> str:
        along = "" if self.axis is None else f"axis {self.axis}: "
        if isinstance(self.chosen, np.ndarray):
            return f"{self.name}[{along}mask of {np.count_nonzero(self.chosen)}]"
        return f"{self.name}[{along}{', '.join(map(_written, self.chosen))}]"

    def mask(
        self, shape: tuple[int, ...], samples: int | None, channel: int | None = 1, first: int = 1
    ) -> Array:
        """What may pass, as it broadcasts to the tensor.

        Parameters
        ----------
        shape : tuple of int
        samples : int or None
            The batch at hand; None where the batch is free, as in a compiled file.
        channel : int or None
            The axis of the tensor's channels; None where nothing tells.
        first : int
            The first axis that is a sample's own: 0 where all of the tensor is one sample.

        Returns
        -------
        array of bool

        Raises
        ------
        TargetError
            The tensor has no such channels, nothing tells which axis has them, or the mask does not fit it.
        """
        if isinstance(self.chosen, np.ndarray):
            return self._given(self.chosen, shape, samples, channel, first)
        size = shape[axis := self._along(shape, channel, first)]
        mask = np.zeros(size, dtype=bool)
        for entry in self.chosen:
            if not isinstance(entry, slice) and not -size <= entry < size:
                what = "channel" if self.axis is None else f"on axis {self.axis} entry"
                raise self._misfit(shape, first, f"{what} {entry} is out of range, 0 to {size - 1}")
            mask[entry] = True
        if not mask.any():
            raise self._misfit(shape, first, "it chooses nothing")
        return mask.reshape([-1 if place == axis else 1 for place in range(len(shape))])

    def _along(self, shape: tuple[int, ...], channel: int | None, first: int) -> int:
        """The axis that it counts along."""
        rank = len(shape)
        if self.axis is not None:
            if not first <= self.axis % max(rank, 1) < rank or not -rank <= self.axis < rank:
                axes = f"{first} to {rank - 1}" if rank > first else "none"
                raise self._misfit(shape, first, f"axis {self.axis} is none of a sample's own, {axes}")
            return self.axis % rank
        if rank <= first:
            raise self._misfit(
                shape, first, "it is one number, and there is no axis of channels; give a mask of bool"
            )
        if channel is None:
            entries = "0" if isinstance(self.chosen, np.ndarray) else ", ".join(map(_written, self.chosen))
            along = f"axis {rank - 1}: {entries}"
            shell = f"--condition {shlex.quote(f'{self.name}[{along}]')}"
            raise self._misfit(
                shape,
                first,
                f"nothing tells which of axes {first} to {rank - 1} has its channels: name one, the last by "
                f"conditions={{{self.name!r}: {along!r}}} ({shell}), or give a mask of a whole sample",
            )
        return channel

    def _given(
        self, mask: Array, shape: tuple[int, ...], samples: int | None, channel: int | None, first: int
    ) -> Array:
        misfit = self._misfit(shape, first, f"the mask is {list(mask.shape)}")
        if mask.ndim == 1 and (len(shape) - first > 1 or self.axis is not None):
            axis = self._along(shape, channel, first)
            mask = mask.reshape([-1 if place == axis else 1 for place in range(first, len(shape))])
        if first and mask.ndim == len(shape) and len(mask) > 1:
            if samples is None:
                raise self._misfit(shape, first, "it tells samples apart, and the batch is free")
            if len(mask) != (samples if self.samples is None else self.samples):
                raise misfit
            mask = mask if self.take is None else mask[self.take]
        fits = len(shape) - first <= mask.ndim <= len(shape)
        sizes = zip(mask.shape[::-1], shape[::-1], strict=False)
        if not fits or any(mine not in (1, theirs) for mine, theirs in sizes):
            raise misfit
        return mask

    def _misfit(self, shape: tuple[int, ...], first: int, reason: str) -> TargetError:
        size = f"which is {list(shape[first:])} per sample" if first else f"which is {list(shape)}"
        return TargetError(f"condition: {self} does not fit {self.name!r}, {size}: {reason}")


def conditions_of(given: ConditionsLike | None) -> tuple[Condition, ...]:
    """The conditions of one explanation.

    Raises
    ------
    TargetError
        Something else than a dict of tensor name -> channels, or axis -> entries on it.
    """
    if given is None:
        return ()
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise TargetError(
            f"conditions: a dict of tensor name -> channels, not {given!r}; for several explanations "
            "give a list of them to explain_targets"
        )
    return tuple(one for name, chosen in given.items() for one in _of_tensor(name, chosen))


def _of_tensor(name: str, chosen: Any) -> Iterator[Condition]:
    """What is chosen of one tensor, along the axis of its channels or along those that are named."""
    if isinstance(chosen, str) and (found := ALONG.fullmatch(chosen)) is not None:
        chosen = {int(found[1]): found[2]}
    if not isinstance(chosen, Mapping):
        yield Condition.of(name, chosen)
        return
    if not chosen or not all(map(_is_whole, chosen)):
        raise TargetError(
            f"condition: {name!r} takes a dict of axis -> entries on it, {{2: [3, 17]}}, not {shown(chosen)}"
        )
    yield from (Condition.of(name, entries, int(axis)) for axis, entries in chosen.items())


def paired(
    targets: Sequence[Any], conditions: ConditionsLike | Sequence[ConditionsLike | None] | None
) -> list[tuple[Any, ConditionsLike | None]]:
    """Each target with its conditions: the same for all, or one for each; a single target has many.

    Raises
    ------
    TargetError
        There are as many as neither, or one of both is no list.
    """
    check_held("targets", targets)
    check_held("conditions", conditions)
    listed = isinstance(targets, Sequence) or (isinstance(targets, np.ndarray) and targets.ndim > 0)
    if isinstance(targets, str | bytes) or not listed:
        raise TargetError(f"targets: a list of targets, such as [{targets!r}], not one alone")
    if conditions is None or isinstance(conditions, Mapping):
        return [(target, conditions) for target in targets]
    if isinstance(conditions, str | bytes) or not isinstance(conditions, Sequence):
        raise TargetError(
            f"conditions: a dict of tensor name -> channels, or a list of them, not {conditions!r}"
        )
    if len(targets) == 1:
        return [(targets[0], condition) for condition in conditions]
    if len(targets) != len(conditions):
        raise TargetError(
            f"conditions: {len(conditions)} for {len(targets)} targets; give one for each, or a dict for all"
        )
    return list(zip(targets, conditions, strict=True))


def conditioned_tensors(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """The conditioned tensors, each once, in a fixed order."""
    return tuple(sorted({condition.name for condition in conditions}))


def _is_whole(entry: Any) -> bool:
    return isinstance(entry, int | np.integer) and not isinstance(entry, bool)


def _written(entry: int | slice) -> str:
    if not isinstance(entry, slice):
        return str(entry)
    bounds = [entry.start, entry.stop] + ([] if entry.step is None else [entry.step])
    return ":".join("" if bound is None else str(bound) for bound in bounds)
