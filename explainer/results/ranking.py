"""Which channels of an inner tensor matter, and how much."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..plain.checks import check_flag, is_one_of, is_whole
from ..tensor import Array
from .explained import Explained


class Ranked(NamedTuple):
    """A channel, its relevance, and the relevance's share of what all channels' amounts sum to."""

    channel: int
    relevance: float
    share: float


def channel_sums(explanation: Explained, tensor: str, axis: int) -> Array:
    """The relevance of each channel of a kept tensor: see `Explanation.channels`."""
    ends = explanation.relevance if isinstance(explanation.relevance, dict) else {}
    maps = {**ends, **explanation.relevances}
    if not is_one_of(tensor, maps):
        there = ", ".join(map(repr, maps)) or "none"
        raise InputError(f"channels: {tensor!r} was not kept (keep=[...]); kept: {there}")
    R, samples = maps[tensor], len(explanation.start)
    if samples == 1 and (R.ndim == 1 or len(R) != 1) and is_whole(axis):  # all of the tensor is one sample
        R, axis = R[None], axis + 1 if 0 <= axis < R.ndim else axis
    if not is_whole(axis) or not -R.ndim < axis < R.ndim or axis == 0 or len(R) != samples:
        raise InputError(f"channels: {tensor!r}, {list(R.shape)}, has no channels on axis {axis!r}")
    rest = tuple(place for place in range(1, R.ndim) if place != axis % R.ndim)
    return np.asarray(R.sum(axis=rest, dtype=np.float64))


def ranked(R: Array, top: int | None, signed: bool) -> list[Ranked]:
    """The channels of one sample, (C,), that matter most first: see `Explanation.ranking`."""
    check_flag("ranking: signed", signed)
    if top is not None and not (is_whole(top) and top >= 0):
        raise InputError(f"ranking: top is how many channels, or None for all, not {top!r}")
    whole = float(np.abs(R).sum()) or 1.0
    order = np.argsort(-(R if signed else np.abs(R)), kind="stable")[:top]
    return [Ranked(int(place), float(R[place]), float(R[place]) / whole) for place in order]
