"""What the caller gives, checked and cast to what the model's inputs want."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, PreprocessError
from ..model.graph import Graph, Input
from ..tensor import Array
from .preprocess import Preprocess, missing_message

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch as the model takes it, with what drawing needs.

    Attributes
    ----------
    feeds : dict of input name -> array
    photos : tuple of PIL images
        The images as the model sees them, where they were preprocessed here.
    layout : str
        "NCHW" or "NHWC".
    """

    feeds: dict[str, Array]
    photos: tuple[Image, ...] = ()
    layout: str = "NCHW"

    @property
    def samples(self) -> int:
        """The size of the batch."""
        return len(next(iter(self.feeds.values())))


def given(graph: Graph, x: Any, preprocess: Callable[[], Preprocess | None]) -> Batch:
    """An array, a dict of arrays, a path or a PIL image as what the model is fed.

    Parameters
    ----------
    graph : Graph
    x : array (N, ...), dict of input name -> array, path or PIL image
        Images are preprocessed, arrays are taken as they are.
    preprocess : callable
        Returns how, or None; asked where it matters.

    Raises
    ------
    PreprocessError
        An image, and neither the file nor the caller says how.
    InputError
    """
    if isinstance(x, Mapping | np.ndarray):
        return Batch(feeds_of(graph, x), layout=layout_of(preprocess))
    if not isinstance(x, str | os.PathLike) and not hasattr(x, "convert"):
        raise InputError(
            "an image is a path, a PIL image, an array or {input name: array}, not "
            f"{type(x).__name__}; for several images call explain for each, or stack prepared arrays"
        )
    return _prepared(graph, x, preprocess())


def layout_of(preprocess: Callable[[], Preprocess | None]) -> str:
    """Where the model has its channels, for what is prepared already: "NCHW" unless something says else."""
    try:
        how = preprocess()
    except PreprocessError:  # of no concern here
        how = None
    return "NCHW" if how is None else how.layout


def _prepared(graph: Graph, image: Any, how: Preprocess | None) -> Batch:
    from . import image as images

    if how is None:
        raise PreprocessError(*missing_message(graph.title))
    picture = images.open_image(Path(image)) if isinstance(image, str | os.PathLike) else image
    array, photo = images.prepare(picture, how)
    expected = only_input(graph)
    if expected.shape is not None:
        images.check_fits(array.shape, expected.shape, how.layout)
    if expected.dtype.kind in "iu":
        array = np.rint(array)
    return Batch(feeds_of(graph, array.astype(expected.dtype)), (photo,), how.layout)


def as_asked(settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings that were made, as text: what an explanation says of how it came about."""
    empty = (tuple, list, Mapping)
    return {
        name: as_text(value)
        for name, value in settings.items()
        if value is not None and not (isinstance(value, empty) and not value)
    }


def as_text(value: Any) -> str:
    """What was asked for, short enough to stand beside a picture's numbers."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={as_text(one)}" for name, one in value.items())
    if isinstance(value, np.ndarray):
        return f"an array {value.shape}"
    if isinstance(value, list | tuple) and not all(isinstance(one, int | float) for one in value):
        return ", ".join(as_text(one) for one in value)
    return str(value)[:200]


def dtype_of(dtype: Any) -> np.dtype[Any]:
    """The walk's type.

    Raises
    ------
    InputError
        Neither float32 nor float64.
    """
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if dtype is None or kind not in (np.float32, np.float64):
        raise InputError(f"dtype is 'float32' or 'float64', not {dtype!r}")
    return kind


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
