"""Regions: the elements of a tensor that an index expression or a mask names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from ..errors import TargetError
from ..tensor import Array
from .selection import Selection

Entry: TypeAlias = "int | slice | EllipsisType"

NUMBER = r"[+-]?\d{1,18}"


@dataclass(frozen=True, eq=False)
class Region(Selection):
    """Elements of a tensor, by NumPy's own indexing or by a mask.

    With one entry per axis the expression indexes the whole tensor, the batch axis first: a whole
    number there leaves the other samples without relevance. With one entry fewer it is meant for
    each sample. ``...`` stands for the axes that are not written, the batch among them.

    Attributes
    ----------
    name : str
        The tensor, as the user calls it.
    entries : tuple of int, slice or Ellipsis; or array of bool
    samples, take
        See `Selection`.
    """

    name: str
    entries: tuple[Entry, ...] | Array

    @classmethod
    def of(cls, name: str, index: Any) -> Region:
        """An index as Python has it: ``np.s_[0, :, 17]``, say, or an array of bool.

        Raises
        ------
        TargetError
            An entry is neither a whole number nor a slice nor ``...``.
        """
        if isinstance(index, np.ndarray):
            return cls(name, index)
        entries = index if isinstance(index, tuple) else (index,)
        return cls(name, tuple(_entry(name, entry) for entry in entries))

    def __str__(self) -> str:
        if isinstance(self.entries, np.ndarray):
            return f"{self.name}[mask of {np.count_nonzero(self.entries)}]"
        return f"{self.name}[{', '.join(map(_written, self.entries))}]"

    def mask(self, shape: tuple[int, ...], samples: int, name: str) -> Array:
        """Which elements of a tensor belong to the region.

        Parameters
        ----------
        shape : tuple of int
        samples : int
            The batch at hand; a tensor whose first axis is another belongs to the only sample.
        name : str
            The tensor, for messages.

        Returns
        -------
        array of bool
            (N, size of a sample), or (1, size) where all samples have the same region.

        Raises
        ------
        TargetError
            The expression does not fit the shape, or names nothing.
        """
        batched = bool(shape) and shape[0] == samples
        sizes = shape[1:] if batched else shape
        rows, places = self._rows_and_places(sizes, batched, samples, name)
        if not (places.any() and (rows is None or rows.any())):
            raise TargetError(f"target: {self} names no element of {name!r}, {_size(sizes)}")
        mask = places.reshape(-1, int(np.prod(sizes)))
        if rows is not None:
            mask = mask & rows.reshape(-1, 1)
        whole = len(mask) == 1 or self.take is None
        return mask if whole else mask[self.take]

    def _rows_and_places(
        self, sizes: tuple[int, ...], batched: bool, samples: int, name: str
    ) -> tuple[Array | None, Array]:
        """The chosen samples, None for all; and the mask, with a batch axis where it is given so."""
        total = samples if self.samples is None else self.samples
        if isinstance(self.entries, np.ndarray):
            if self.entries.shape not in (sizes, (total, *sizes)):
                raise self._misfit(name, sizes, f"the mask is {list(self.entries.shape)}")
            return None, self.entries
        entries = self._spelled_out(name, sizes, batched)
        rows = None
        if len(entries) > len(sizes):
            first, *entries = entries
            if first != slice(None):
                rows = np.zeros(total, dtype=bool)
                rows[self._checked(first, total, name, sizes)] = True
        places = np.zeros(sizes, dtype=bool)
        places[tuple(self._checked(e, n, name, sizes) for e, n in zip(entries, sizes, strict=True))] = True
        return rows, places

    def _spelled_out(self, name: str, sizes: tuple[int, ...], batched: bool) -> list[Entry]:
        """The entries with ``...`` replaced, one per axis, with or without the batch."""
        entries = list(self.entries)
        rank = len(sizes) + batched
        if dots := [place for place, entry in enumerate(entries) if entry is Ellipsis]:
            missing = rank - (len(entries) - 1)
            if len(dots) > 1 or missing < 0:
                raise self._misfit(name, sizes, "'...' stands once for all axes that are left")
            entries[dots[0] : dots[0] + 1] = [slice(None)] * missing
        if len(entries) not in {len(sizes), rank}:
            raise self._misfit(name, sizes, f"write {len(sizes)} entries, or one more for the batch")
        return entries

    def _checked(self, entry: Entry, size: int, name: str, sizes: tuple[int, ...]) -> Entry:
        if isinstance(entry, int) and not -size <= entry < size:
            raise self._misfit(name, sizes, f"{entry} is out of range on an axis of {size}")
        return entry

    def _misfit(self, name: str, sizes: tuple[int, ...], reason: str) -> TargetError:
        return TargetError(f"target: {self} does not fit {name!r}, {_size(sizes)}: {reason}")


def parse_region(text: str) -> tuple[str, str] | None:
    """``NAME[INSIDE]`` as its two parts; None where the text is no such thing."""
    found = re.fullmatch(r"(.+?)\s*\[([^\[\]]*)\]\s*", text, flags=re.DOTALL)
    return (found[1], found[2]) if found else None


def parse_entries(name: str, inside: str) -> int | Region | None:
    """What stands between the brackets: one whole number, or a region; None where it is neither.

    The text is read, never evaluated.
    """
    entries = [_parsed(part.strip()) for part in inside.split(",")]
    if None in entries:
        return None
    if len(entries) == 1 and isinstance(entries[0], int):
        return entries[0]
    return Region.of(name, tuple(entries))


def _parsed(part: str) -> Entry | None:
    if part == "...":
        return Ellipsis
    if re.fullmatch(NUMBER, part):
        return int(part)
    if re.fullmatch(rf"({NUMBER})?(\s*:\s*({NUMBER})?){{1,2}}", part):
        return slice(*(int(bound) if bound.strip() else None for bound in part.split(":")))
    return None


def _entry(name: str, entry: Any) -> Entry:
    if isinstance(entry, EllipsisType):
        return entry
    if isinstance(entry, slice):
        bounds = [entry.start, entry.stop, entry.step]
        if all(b is None or _is_whole(b) for b in bounds) and entry.step != 0:
            return slice(*(None if b is None else int(b) for b in bounds))
    elif _is_whole(entry):
        return int(entry)
    raise TargetError(
        f"target: {entry!r} in an index of {name!r} is no whole number, no slice with steps and no '...'"
    )


def _is_whole(number: Any) -> TypeGuard[int | np.integer[Any]]:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _written(entry: Entry) -> str:
    if entry is Ellipsis:
        return "..."
    if not isinstance(entry, slice):
        return str(entry)
    bounds = [entry.start, entry.stop] + ([] if entry.step is None else [entry.step])
    return ":".join("" if bound is None else str(bound) for bound in bounds)


def _size(sizes: Sequence[int]) -> str:
    return f"which is {list(sizes)} per sample"
