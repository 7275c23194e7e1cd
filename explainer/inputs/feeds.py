"""What the caller gives, checked and cast to what the model's inputs want."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, PreprocessError
from ..files import read
from ..model.graph import Graph, Input
from ..tensor import Array
from .arrays import check_inputs, feeds_of, only_input
from .fitting import check_fits, check_pictured
from .preprocess import Preprocess
from .ranges import MAX_PIXELS

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
        "NCHW" or "NHWC", where the preprocessing says it; else "".
    pictured : str
        The input that they are of, where the model has others beside it; else "".
    remarks : tuple of str
        What their preprocessing leaves to doubt, and how they were asked, a line each.
    """

    feeds: dict[str, Array]  # the samples in front
    photos: tuple[Image, ...] = ()
    layout: str = ""
    pictured: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """The size of the batch."""
        return next((len(x) for x in self.feeds.values() if x.ndim), 1)


def given(
    graph: Graph, x: Any, preprocess: Callable[[], Preprocess | None], max_pixels: int = MAX_PIXELS
) -> Batch:
    """An array, a dict of arrays, a path or a PIL image as what the model is fed.

    Parameters
    ----------
    graph : Graph
    x : array (N, ...), path or PIL image; or dict of input name -> any of these
        Images are preprocessed, arrays are taken as they are.
    preprocess : callable
        Returns how, or None; asked where it matters.
    max_pixels : int
        How many pixels a picture may have.

    Raises
    ------
    PreprocessError
        An image, and neither the file nor the caller says how.
    InputError
    """
    for one in x.values() if isinstance(x, Mapping) else [x]:
        read(*_files_behind(one))
    if isinstance(x, Mapping):
        check_inputs(graph, x)
        shown = {name: value for name, value in x.items() if _is_image(value)}
        if not shown:
            return Batch(feeds_of(graph, x), layout=layout_of(preprocess))
        how, inputs = preprocess(), {value.name: value for value in graph.inputs}
        made = {name: _prepared(graph, inputs[name], image, how, max_pixels) for name, image in shown.items()}
        feeds = feeds_of(graph, {**x, **{name: array for name, (array, _, _) in made.items()}})
        name, (_, photo, _) = next(iter(made.items()))
        remarks = tuple(dict.fromkeys(line for _, _, lines in made.values() for line in lines))
        return Batch(feeds, (photo,), layout_of(preprocess), name if len(feeds) > 1 else "", remarks)
    if isinstance(x, np.ndarray):
        return Batch(feeds_of(graph, x), layout=layout_of(preprocess))
    if not _is_image(x):
        raise InputError(
            "an image is a path, a PIL image, an array or {input name: array}, not "
            f"{type(x).__name__}; for several images call explain for each, or stack prepared arrays"
        )
    array, photo, remarks = _prepared(graph, only_input(graph), x, preprocess(), max_pixels)
    return Batch(feeds_of(graph, array), (photo,), layout_of(preprocess), remarks=remarks)


def check_images(graph: Graph, x: Any, preprocess: Callable[[], Preprocess | None]) -> None:
    """Refuse pictures that do not fit a model whatever is in them, before any is opened.

    So what a later refusal recommends has pictures that can be given.

    Raises
    ------
    PreprocessError, InputError
    """
    if isinstance(x, Mapping):
        check_inputs(graph, x)
        inputs = {value.name: value for value in graph.inputs}
        shown = [inputs[name] for name, value in x.items() if _is_image(value)]
    else:
        shown = [only_input(graph)] if _is_image(x) else []
    for expected in shown:
        check_pictured(graph, expected, preprocess())


def _is_image(x: Any) -> bool:
    """Whether it is a picture, or the path of one."""
    if isinstance(x, str | os.PathLike):
        return True
    from . import pictures

    return pictures.is_picture(x)


def _files_behind(value: Any) -> list[str]:
    """The file that a picture of Pillow's or a mapped array still reads from."""
    while value is not None:
        name = getattr(value, "filename", None)
        if isinstance(name, str | os.PathLike) and os.fspath(name):
            return [os.fspath(name)]
        value = value.base if isinstance(value, np.ndarray) else None
    return []


def layout_of(preprocess: Callable[[], Preprocess | None]) -> str:
    """Where the model has its channels, for what is prepared already; "" where nothing says it."""
    try:
        how = preprocess()
    except PreprocessError:  # of no concern here
        how = None
    return "" if how is None else how.layout


def _prepared(
    graph: Graph, expected: Input, image: Any, how: Preprocess | None, max_pixels: int
) -> tuple[Array, Image, tuple[str, ...]]:
    """A picture as an input wants it, as the model sees it, and what is to be said of that."""
    from . import image as images
    from . import pictures

    check_pictured(graph, expected, how)
    assert how is not None
    open_ = pictures.upright if pictures.is_picture(image) else pictures.open_image
    picture = open_(image, max_pixels)
    remarks = tuple(filter(None, (images.padding_of(picture.size, how), how.doubt())))
    array, photo = images.prepare(picture, how, max_pixels)
    if expected.shape is not None:
        check_fits(array.shape, expected, how.layout)
    is_whole = expected.dtype.kind in "iub"
    return np.rint(array).astype(expected.dtype) if is_whole else array, photo, remarks


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
    except (TypeError, ValueError):  # or the text that NumPy reads it as
        kind = np.dtype(object)
    if dtype is None or kind not in (np.float32, np.float64):
        raise InputError(f"dtype is 'float32' or 'float64', not {dtype!r}")
    return kind
