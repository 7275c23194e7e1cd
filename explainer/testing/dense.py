"""Layers as dense matrices: the identity pushed through."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..layers import Bound
from ..tensor import Array, Bundle


class Dense(NamedTuple):
    """One layer as a dense matrix, with its input and the relevance of its output: what formulas are of.

    Attributes
    ----------
    W : array (outputs, inputs)
    b : array (outputs,)
    x : array (inputs,)
    R : array (outputs,)
    samples : int
        How many samples the input holds, one behind the other.
    """

    W: Array
    b: Array
    x: Array
    R: Array
    samples: int

    @classmethod
    def of(cls, layer: Bound, R: Array) -> Dense:
        """A bound layer as a matrix.

        Parameters
        ----------
        layer : Bound
        R : array
            In the shape of the layer's output.
        """
        z, W = layer.forward(layer.x), matrix(layer)
        if layer.kind in TANGENT:
            b = z.ravel() - W @ flat(layer.x)
        else:
            b = np.zeros(z.size) if bends(layer) else bias_of(layer).ravel()
        return cls(W, b, flat(layer.x), flat(R), z.shape[0] if z.shape else 1)


def flat(x: Any) -> Array:
    """A value, or the members of a Bundle, as one vector."""
    return np.concatenate([np.ravel(part) for part in (x if isinstance(x, tuple) else (x,))])


def like(vector: Array, x: Any) -> Any:
    """The vector in the shape of `x`: an array, or a Bundle of them."""
    if not isinstance(x, tuple):
        return vector.reshape(x.shape)
    parts = np.split(vector, np.cumsum([part.size for part in x])[:-1])
    return Bundle(part.reshape(own.shape) for part, own in zip(parts, x, strict=True))


# What such a layer is at x: z = Jx + b, where b is whatever is left.
TANGENT = ("curved", "normalization", "quotient")


def bends(layer: Bound) -> bool:
    """Whether the map is no matrix and a constant: its Jacobian is another at every input."""
    is_power = layer.kind == "product" and not isinstance(layer.x, tuple)
    return is_power or layer.kind in ("winner", "activation", *TANGENT)


def bias_of(layer: Bound) -> Array:
    """What the map makes of 0."""
    return np.asarray(layer.forward(like(np.zeros(flat(layer.x).size), layer.x)))


def matrix(layer: Bound) -> Array:
    """W (outputs, inputs): the identity pushed through forward; through transpose where that bends.

    A product's is its Jacobian: linear in each factor, the others being as they are.
    """
    if bends(layer):
        z = layer.forward(layer.x)
        return np.stack([flat(layer.transpose(row.reshape(z.shape))) for row in np.eye(z.size)])
    if layer.kind == "product":
        return np.concatenate([_in_one_factor(layer, place) for place in range(len(layer.x))], axis=1)
    b = bias_of(layer).ravel()
    rows = [layer.forward(like(row, layer.x)).ravel() - b for row in np.eye(flat(layer.x).size)]
    return np.stack(rows, axis=1)


def _in_one_factor(layer: Bound, place: int) -> Array:
    own, columns = layer.x[place], []
    for unit in np.eye(own.size):
        factors = [unit.reshape(own.shape) if i == place else x for i, x in enumerate(layer.x)]
        columns.append(layer.forward(Bundle(factors)).ravel())
    return np.stack(columns, axis=1)
