"""Maps at other sizes: a matrix product along each axis."""

from __future__ import annotations

import numpy as np

from .movement import Transpose
from .symbol import Array, Value

UPSAMPLING = ("bilinear", "nearest")


def enlarged(cam: Value, sizes: tuple[int, ...], how: str, sharing: bool = False) -> Value:
    """(N, 1, h, ...) at other spatial sizes.

    Parameters
    ----------
    cam : Value
    sizes : tuple of int
    how : str
        One of `UPSAMPLING`.
    sharing : bool
        Whether a place's amount is shared among the new ones, so that sums stay as they are, and not
        repeated.
    """
    for axis, size in enumerate(sizes, start=2):
        old = cam.shape[axis]
        matrix = _resampling(size, old, how).T if sharing and size < old else _resampling(old, size, how)
        if sharing:
            matrix = matrix / matrix.sum(axis=1, keepdims=True)
        order = list(range(cam.ndim))
        order[axis], order[-1] = order[-1], order[axis]
        cam = Transpose(Transpose(cam, perm=order) @ matrix.astype(cam.dtype), perm=order)
    return cam


def _resampling(old: int, new: int, how: str) -> Array:
    """(old, new): each new place as a mixture of old ones, as torch's `interpolate` has it.

    "nearest" puts edges on edges, "bilinear" centres on centres.
    """
    if how == "nearest":
        return np.eye(old)[:, np.arange(new) * old // new]
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(place - np.arange(old)[:, None])))
