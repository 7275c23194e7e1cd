"""Which values of the target tensor are explained: chosen on the output, mapped back through a cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..errors import TargetError
from ..tensor import ArgMax, Array, Equal, Gather, Reshape, Value, Where
from .anchor import Anchor
from .regions import Region
from .resolve import Fed, Index, Target, saying

# Values of an output, beyond which nobody asks in advance whether it has an index.
MANY = 1 << 24
# What a region may begin with, whether or not that is the batch axis.
FIRST = ((), (0,), (-1,), (slice(None),), (Ellipsis,))


@dataclass(frozen=True, eq=False)
class Chosen:
    """The choice for one batch.

    Attributes
    ----------
    index : Value
        (N, 1) or (1, 1), into the flattened output; None for a region or a whole tensor.
    hit : Value
        (N, size) or (1, size), bool: the values of the flattened target tensor; None for all.
    rival : Chosen or None
        The other side of a margin.
    """

    index: Value
    hit: Value
    rival: Chosen | None = None

    @property
    def is_region(self) -> bool:
        """Whether several values are chosen, but not all of the tensor."""
        return self.index is None and self.hit is not None


def choose(target: Target, values: Mapping[str, Value], samples: int) -> Chosen:
    """Choose on the values that the model computed.

    Parameters
    ----------
    target : Target
    values : dict of str -> Value
        The target tensor, the output and what lies between them.
    samples : int

    Raises
    ------
    TargetError
        Out of range, not one per sample, or a margin without a natural other side.
    """
    anchor = target.anchor

    def largest() -> Value:
        return ArgMax(per_sample(values[anchor.output], samples), axis=1, keepdims=1)

    def best_other() -> Value:
        return _best_other(anchor, chosen, values[anchor.output], samples)

    chosen = _found(anchor, target.index, values, samples, largest)
    if target.start != "margin":
        return chosen
    if target.against is None:
        return replace(chosen, rival=_at(anchor, best_other(), values, samples))
    with saying("against"):
        return replace(chosen, rival=_found(anchor, target.against, values, samples, best_other))


def check_choice(target: Target, shape: tuple[int | None, ...] | None) -> None:
    """Refuse an index that the output's own shape does not have, before there are values.

    Parameters
    ----------
    target : Target
    shape : tuple of int or None
        What the output is known to be shaped like, its samples in front; None is unknown.

    Raises
    ------
    TargetError
        As `choose`.
    """
    sizes = [size for size in (shape or ())[1:] if size is not None]
    if shape is None or len(sizes) + 1 < len(shape) or math.prod(sizes) > MANY:
        return
    regions = [side for side in (target.index, target.against) if isinstance(side, Region)]
    if any(isinstance(side.entries, np.ndarray) or side.entries[:1] not in FIRST for side in regions):
        return  # it may name samples, and how many there are nobody knows yet
    anchor = replace(target.anchor, tensor=target.anchor.output, moves=())
    values = {anchor.tensor: np.zeros((1, *sizes), np.float32)}
    for one in replace(target, anchor=anchor).each(1):
        choose(one, values, 1)


def _found(
    anchor: Anchor, index: Index, values: Mapping[str, Value], samples: int, default: Callable[[], Value]
) -> Chosen:
    if index is None:
        return Chosen(None, None)
    output = values[anchor.output]
    flat = per_sample(output, samples)
    size = flat.shape[1]
    if size == 0:
        raise TargetError(
            f"{anchor.output!r} has no values, {list(output.shape)}: there is nothing to explain"
        )
    if isinstance(index, Region):
        mask = index.mask(output.shape, samples, anchor.output)
        # None is chosen where it lies in another part of the batch.
        if len(mask) > 1 or np.count_nonzero(mask) != 1:
            return Chosen(None, mask[:, _places(anchor, values, size)[0]])
        index = int(np.flatnonzero(mask)[0])
    if isinstance(index, str):
        return _at(anchor, ArgMax(flat, axis=1, keepdims=1), values, samples)
    if isinstance(index, Fed):
        given = Reshape(index.value, np.array([-1, 1]))
        given = Where(given < 0, default(), given)
        # Gather is here for what it refuses: an index beyond the output ends the run.
        return _at(anchor, Gather(np.arange(size), given, axis=0), values, samples)
    indices = np.atleast_1d(np.asarray(index, dtype=np.int64))
    if len(indices) not in (1, samples):
        raise TargetError(f"target: {len(indices)} indices for {samples} sample(s); give one for each sample")
    if indices.min() < 0 or indices.max() >= size:
        wrong = indices[(indices < 0) | (indices >= size)][0]
        raise TargetError(f"target: index {wrong} is out of range; {anchor.output!r} has 0 to {size - 1}")
    return _at(anchor, indices.reshape(-1, 1), values, samples)


def _at(anchor: Anchor, index: Value, values: Mapping[str, Value], samples: int) -> Chosen:
    size = per_sample(values[anchor.output], samples).shape[1]
    return Chosen(index, Equal(_places(anchor, values, size), index))


def _best_other(anchor: Anchor, chosen: Chosen, output: Value, samples: int) -> Value:
    """The largest of the other classes: (N, 1)."""
    flat = per_sample(output, samples)
    if chosen.index is None or max(output.shape[1:], default=1) != flat.shape[1] or flat.shape[1] == 1:
        raise TargetError(
            f"margin: {anchor.output!r}, {list(output.shape[1:])} per sample, has no best other class for "
            "this target; name one with against=... (--against)"
        )
    lowest = np.finfo(flat.dtype).min
    rest = Where(Equal(np.arange(flat.shape[1]).reshape(1, -1), chosen.index), lowest, flat)
    return ArgMax(rest, axis=1, keepdims=1)


def indices_of(chosen: Chosen | None, samples: int) -> Array | None:
    if chosen is None or chosen.index is None:
        return None
    return np.array(np.broadcast_to(chosen.index.reshape(-1), samples))


def per_sample(x: Value, samples: int) -> Value:
    """(N, everything else); a tensor without a batch axis belongs to the only sample."""
    if x.ndim and x.shape[0] == samples:
        return Reshape(x, np.array([0, -1]))
    if samples == 1:
        return Reshape(x, np.array([1, -1]))
    raise TargetError(
        f"target: it has the shape {list(x.shape)}, in which the {samples} samples have no row each: explain "
        "one sample at a time, or take a tensor that has a row for each"
    )


def _places(anchor: Anchor, values: Mapping[str, Value], size: int) -> Array:
    """For each value of the target tensor, its index in the flattened output, (1, size)."""
    if not anchor.moves:
        return np.arange(size).reshape(1, -1)
    shape = values[anchor.tensor].shape
    ids = np.arange(int(np.prod(shape))).reshape(shape)
    for move in anchor.moves:
        if move.transposes:
            ids = ids.transpose(move.perm)
        ids = ids.reshape(values[move.output].shape)
    first = ids.reshape(-1)[:size]
    if first.max() >= size:
        raise TargetError(
            f"between {anchor.tensor!r} and {anchor.output!r} samples are mixed; name {anchor.tensor!r} as "
            "the target"
        )
    return np.argsort(first).reshape(1, -1)
