"""Arrays from the caller, checked and cast to what the model's inputs want."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .errors import InputError
from .graph import Graph, Input
from .tensor import Array


def only_input(graph: Graph) -> Input:
    """The input of a model that has one.

    Raises
    ------
    InputError
    """
    if len(graph.inputs) != 1:
        names = ", ".join(repr(value.name) for value in graph.inputs)
        raise InputError(f"the model has several inputs ({names}); give a dict of input name -> array")
    return graph.inputs[0]


def feeds_of(graph: Graph, x: Array | Mapping[str, Array]) -> dict[str, Array]:
    """One array, or one per input name, as what onnxruntime is fed.

    Raises
    ------
    InputError
        Names, shapes, types or numbers of samples do not fit.
    """
    arrays = dict(x) if isinstance(x, Mapping) else {only_input(graph).name: x}
    known = {value.name: value for value in graph.inputs}
    if arrays.keys() != known.keys():
        raise InputError(f"the model's inputs are {sorted(known)}, not {sorted(map(str, arrays))}")
    feeds = {name: fit(np.asarray(array), known[name]) for name, array in arrays.items()}
    sizes = {array.shape[0] for array in feeds.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(f"the inputs hold {sorted(sizes)} samples; they must hold the same number, not 0")
    return feeds


def fit(array: Array, expected: Input) -> Array:
    """An array as the input wants it: a batch axis added to a single sample, the type cast.

    Raises
    ------
    InputError
        Shape or type do not fit, or there is NaN or infinity in it.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(f"input {expected.name!r} wants numbers, not {array.dtype}")
    if expected.shape is not None:
        if array.ndim == len(expected.shape) - 1:
            array = array[None]
        inner = list(zip(array.shape[1:], expected.shape[1:], strict=False))
        if array.ndim != len(expected.shape) or any(
            want is not None and have != want for have, want in inner
        ):
            want = ", ".join("any" if size is None else str(size) for size in ("N", *expected.shape[1:]))
            raise InputError(f"input {expected.name!r} has shape ({want}), the array {array.shape}")
    if array.ndim == 0:
        raise InputError(f"input {expected.name!r} wants an array with a batch axis, not a number")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(f"the array for input {expected.name!r} has NaN or infinity in it")
        if expected.dtype.kind in "iu":
            raise InputError(f"input {expected.name!r} wants {expected.dtype}, not {array.dtype}")
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(array, dtype=expected.dtype)
    if cast.dtype.kind == "f" and not np.isfinite(cast).all():
        raise InputError(f"the array for input {expected.name!r} has values beyond {expected.dtype}")
    return cast
