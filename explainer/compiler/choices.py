"""The inputs of a compiled file that choose what it explains."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..targets import Chosen, Fed, Index, Target
from ..tensor import Array, Recorder, Symbol


@dataclass(frozen=True)
class Choice:
    """One optional input: whole numbers, (1,) or (N,).

    Attributes
    ----------
    name : str
    side : "index" or "against"
        Which side of the `Target` it chooses.
    default : int
        What holds where the input is left out; a negative number is the largest, or the best other.
    size : int
        How many values there are to choose from.
    """

    name: str
    side: str
    default: int
    size: int

    def others(self, samples: int) -> Array:
        """Indices other than the default, one for each sample."""
        return (self.default + 1 + np.arange(samples)) % self.size

    def made(self, target: Target, index: Index) -> Target:
        """The target with this index on this side."""
        return replace(target, index=index) if self.side == "index" else replace(target, against=index)


def choices_of(target: Target, chosen: Chosen, taken: Collection[str]) -> tuple[Choice, ...]:
    """The inputs for a target that was chosen by index; none for a region or a whole tensor.

    Parameters
    ----------
    target : Target
    chosen : Chosen
        The choice on some example.
    taken : collection of str
        The names of the model's own tensors.
    """
    if chosen.index is None:
        return ()
    size = chosen.hit.shape[1]
    default = -1 if target.index == "top" else int(chosen.index[0, 0])
    choices = [Choice(_free("target", taken), "index", default, size)]
    if chosen.rival is not None and chosen.rival.index is not None and target.against != "top":
        default = -1 if target.against is None else int(chosen.rival.index[0, 0])
        choices.append(Choice(_free("against", taken), "against", default, size))
    return tuple(choices)


def fed(target: Target, choices: Sequence[Choice], recorder: Recorder) -> Target:
    """The target whose sides are the inputs of the file."""
    for choice in choices:
        symbol = Symbol(recorder, choice.name, np.array([choice.default], dtype=np.int64))
        target = choice.made(target, Fed(symbol))
    return target


def names_samples(chosen: Chosen | None) -> bool:
    """Whether a region differs from sample to sample."""
    if chosen is None:
        return False
    return (chosen.is_region and len(chosen.hit) > 1) or names_samples(chosen.rival)


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name
