"""What the whole numbers of a quantised tensor stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..tensor import Reshape, Value


@dataclass(frozen=True)
class Unit:
    """x = (q − zero)·scale.

    Attributes
    ----------
    scale, zero : str
        Tensors; a `scale` of "" is 1, a `zero` of "" is 0.
    axis : int
        Along which they are given, where they are several.
    """

    scale: str
    zero: str = ""
    axis: int = 1

    @property
    def tensors(self) -> tuple[str, ...]:
        """What it is read from."""
        return tuple(filter(None, (self.scale, self.zero)))

    def real(self, q: Value, values: Mapping[str, Value]) -> Value:
        """What q, in floating numbers already, stands for.

        Parameters
        ----------
        q : Value
        values : dict of tensor -> Value
            `tensors`, in floating numbers too.
        """
        x = q - along(values[self.zero], self.axis, q) if self.zero else q
        return x * along(values[self.scale], self.axis, q) if self.scale else x


def along(parameter: Value, axis: int, x: Value) -> Value:
    """A scale or zero point as it broadcasts to x: one number, or one for each place along an axis."""
    if np.prod(parameter.shape, dtype=int) == 1:
        return Reshape(parameter, np.array([1] * len(x.shape), np.int64))
    sizes = [1] * len(x.shape)
    sizes[axis] = -1
    return Reshape(parameter, np.array(sizes, np.int64))
