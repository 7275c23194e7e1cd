"""Layers as dense matrices: the identity pushed through."""

import numpy as np

from explainer.layers import Layer
from explainer.tensor import Bundle


def flat(x) -> np.ndarray:
    """A value, or the members of a Bundle, as one vector."""
    return np.concatenate([np.ravel(part) for part in x]) if isinstance(x, tuple) else np.ravel(x)


def like(vector: np.ndarray, x):
    """The vector in the shape of `x`."""
    if not isinstance(x, tuple):
        return vector.reshape(x.shape)
    parts = np.split(vector, np.cumsum([part.size for part in x])[:-1])
    return Bundle(part.reshape(own.shape) for part, own in zip(parts, x, strict=True))


def bias_of(layer: Layer) -> np.ndarray:
    """What the map makes of 0."""
    return layer.forward(like(np.zeros(flat(layer.x).size), layer.x))


def matrix(layer: Layer) -> np.ndarray:
    """W (outputs, inputs): the identity pushed through forward; through transpose where that bends.

    A product's is its Jacobian: linear in each factor, the others being as they are.
    """
    if layer.kind in ("winner", "activation"):
        z = layer.forward(layer.x)
        return np.array([flat(layer.transpose(row.reshape(z.shape))) for row in np.eye(z.size)])
    if layer.kind == "product":
        return np.concatenate([_in_one_factor(layer, place) for place in range(len(layer.x))], axis=1)
    b = bias_of(layer).ravel()
    identity = np.eye(flat(layer.x).size)
    return np.array([layer.forward(like(row, layer.x)).ravel() - b for row in identity]).T


def _in_one_factor(layer: Layer, place: int) -> np.ndarray:
    own = layer.x[place]
    columns = []
    for unit in np.eye(own.size):
        factors = [unit.reshape(own.shape) if i == place else x for i, x in enumerate(layer.x)]
        columns.append(layer.forward(Bundle(factors)).ravel())
    return np.array(columns).T
