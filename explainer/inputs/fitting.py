"""Whether a picture fits an input, as far as is known before there is one; and what most probably does."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, PreprocessError
from ..model.axes import axes_of
from ..model.graph import Graph, Input
from .arrays import check_kind, limits, shape_of
from .inside import normalised_inside
from .preprocess import CHANNELS, Preprocess, in_options, in_python

COLOURS = {1: "gray", 3: "RGB"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision has them
IMAGENET = Preprocess(size=256, crop=(224, 224), scale=1 / 255, mean=MEAN, std=STD)


@dataclass(frozen=True)
class Suggested:
    """How a picture most probably becomes an input, and why."""

    how: Preprocess
    why: str


def suggested(graph: Graph, expected: Input) -> Suggested | None:
    """What most probably makes a picture into an input; None where the input is no picture's.

    Its size, type, layout and number of channels are the input's. What a pixel becomes is a guess: of whole
    numbers the pixel itself, where the file normalises by itself what that is meant for, else of three
    channels what most models trained on ImageNet take.
    """
    kind, shape = expected.dtype.kind, expected.shape
    if kind not in "fiu" or (shape is not None and len(shape) != 4):
        return None
    layout, count, sizes = "NCHW", 3, (None, None)  # type: str, int, tuple[int | None, int | None]
    if shape is not None:
        axes = axes_of(graph, expected.name, shape)
        last = axes.layout == "NHWC" if not axes.is_open else shape[1] not in (None, *COLOURS)
        layout = "NHWC" if last else "NCHW"
        count = shape[layout.index("C")] or 3
        sizes = shape[layout.index("H")], shape[layout.index("W")]
        if axes.beside or axes.tokens or count not in COLOURS:
            return None
    how, why, bgr = IMAGENET, "for most models trained on ImageNet they are", False
    if kind != "f":
        how = Preprocess(mean=(128.0 if expected.dtype == np.int8 else 0.0,))
        why = f"its input holds {expected.dtype}, so most likely pixels that nobody scaled:"
    elif inside := normalised_inside(graph, expected.name):
        most = 1.0 if inside.takes_pixels else 1 / 255
        how = IMAGENET.replace(scale=most, mean=(0.0,), std=(1.0,))
        what = "pixels of 0 to 255" if inside.takes_pixels else "values of 0 to 1"
        why = f"the file itself subtracts a mean or divides, so most likely it takes {what}:"
        bgr = inside.takes_pixels and inside.is_bgr and count == 3
    elif count == 1:
        how = IMAGENET.replace(mean=(0.0,), std=(1.0,))
        why = "for most models of gray pictures, from 0 to 1, they are"
    how = how.replace(layout=layout, channels="BGR" if bgr else COLOURS[count])
    height, width = sizes
    if (height or width) and sizes != (how.crop or ()):
        how = how.replace(size=(height or width, width or height), crop=None)
    return Suggested(how, why)


def pictured(graph: Graph) -> tuple[str, ...]:
    """The inputs that are most probably pictures: those of three channels, else those of one."""
    found = {value.name: like.how.channels for value in graph.inputs if (like := suggested(graph, value))}
    return tuple(
        name for name, channels in found.items() if channels == max(found.values(), key="RGB".__eq__)
    )


def check_pictured(graph: Graph, expected: Input, how: Preprocess | None) -> None:
    """Refuse a picture for an input, as far as that is told without it.

    Raises
    ------
    InputError
        The input is no picture's, or what the preprocessing makes does not fit it.
    PreprocessError
        Nothing says how a picture becomes the input, or it holds whole numbers alone.
    """
    check_kind(expected)
    shape = expected.shape
    likely = suggested(graph, expected)
    if (shape is not None and len(shape) != 4) or (likely is None and how is None):
        raise _no_picture(expected)
    if how is None:
        assert likely is not None
        raise _missing(graph, likely)
    if expected.dtype.kind in "iub":
        _check_whole(how, expected, likely)
    if shape is not None:
        wanted = [shape[how.layout.index(axis)] for axis in "HW"]
        edge = _edge_beside(how, wanted)
        height, width = how.crop or (how.size if isinstance(how.size, tuple) else (edge, edge))
        sizes = {"N": 1, "C": CHANNELS[how.channels], "H": height, "W": width}
        check_fits([sizes[axis] for axis in how.layout], expected, how.layout, edge)


def _edge_beside(how: Preprocess, wanted: Sequence[int | None]) -> int | None:
    """The shorter edge that every prepared picture has, where none can be of the height and width wanted."""
    if how.crop is not None or not isinstance(how.size, int):
        return None
    known = [size for size in wanted if size is not None]
    fits = min(known) == how.size if len(known) == len(wanted) else all(size >= how.size for size in known)
    return None if fits else how.size


def check_preprocess(graph: Graph, how: Preprocess | None) -> None:
    """Refuse a preprocessing that makes no picture into what any of a model's inputs takes.

    Raises
    ------
    InputError, PreprocessError
        As for a picture.
    """
    likely = [value for value in graph.inputs if suggested(graph, value) is not None]
    refused: InputError | PreprocessError | None = None
    for expected in likely if how is not None else ():
        try:
            check_pictured(graph, expected, how)
        except (InputError, PreprocessError) as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


def _no_picture(expected: Input) -> InputError:
    """What is said of a picture for an input that takes none."""
    what = f"input {expected.name!r}, {expected.dtype} {shape_of(expected)}, is no picture: give"
    return InputError(f"{what} an array of its numbers").optioned(
        f"{what} its numbers as",
        f"  --input {shlex.quote(f'{expected.name}=FILE.npy')}",
        "or the .npy alone in the picture's place, where the model has no other input",
    )


def _missing(graph: Graph, likely: Suggested) -> PreprocessError:
    """What is said of a picture where nothing says how the model takes it."""
    what = (
        f"{graph.title} does not say how a picture becomes its input, and a guess would explain the wrong "
        "numbers. Give"
    )
    where = "where, after resize and crop, a pixel of 0 to 255 becomes (pixel * scale - mean) / std."
    file = "a Hugging Face preprocessor_config.json"
    python, options = f"preprocess={in_python(likely.how)}", in_options(likely.how)
    error = PreprocessError(
        f"{what} preprocess, the path of {file} or the single values; {likely.why}", f"  {python}", where
    ).optioned(
        f"{what} --preprocess FILE.json ({file}) or the single values; {likely.why}", f"  {options}", where
    )
    error.likely = python, options
    return error


def _check_whole(how: Preprocess, expected: Input, likely: Suggested | None) -> None:
    """Refuse a preprocessing that makes pixels into what an input of whole numbers cannot hold.

    Raises
    ------
    PreprocessError
        Fractions, or numbers beyond the type.
    """
    low, high = limits(expected.dtype)
    table = how.table()
    if low <= table.min() and table.max() <= high and np.abs(table - np.rint(table)).max() < 1e-4:
        return
    what = (
        f"input {expected.name!r} holds {expected.dtype}, whole numbers from {low} to {high}, and the "
        f"preprocessing makes pixels into {table.min():.4g} to {table.max():.4g}, with fractions or "
        "beyond them"
    )
    if likely is None:
        raise PreprocessError(what)
    as_is = "where it takes pixels of 0 to 255 as they are"
    raise PreprocessError(f"{what}: give preprocess={in_python(likely.how)} {as_is}").optioned(
        f"{what}: give {in_options(likely.how)} {as_is}"
    )


def check_fits(
    shape: Sequence[int | None], expected: Input, layout: str, shorter_edge: int | None = None
) -> None:
    """Check a prepared picture against the shape that the model declares.

    Parameters
    ----------
    shape : sequence of int or None
        Of the prepared array, batch first; None is a size that follows from the picture.
    expected : Input
        Of as many axes. A size that is None fits every one. The batch is not compared.
    layout : {"NCHW", "NHWC"}
        How the array lies.
    shorter_edge : int, optional
        Where height and width are those of a square picture, what is the same of every other one.

    Raises
    ------
    InputError
        If it does not fit; the message names what mends it.
    """
    wanted = expected.shape or ()
    made = f"the prepared picture is {_sizes(shape)} ({layout})"
    if shorter_edge is not None:
        made = f"every prepared picture has a shorter edge of {shorter_edge} ({layout})"
    complaint = f"the model takes {_sizes(wanted)} and {made}: "
    sizes = {
        axis: (have, want)
        for axis, have, want in zip(layout, shape, wanted, strict=True)
        if axis != "N" and None not in (have, want) and have != want
    }
    if not sizes:
        return
    other = "NHWC" if layout == "NCHW" else "NCHW"
    if "C" in sizes:
        have, want = sizes["C"]
        if wanted[other.index("C")] == have:
            raise _mended(complaint + "its channels lie elsewhere; try", f"layout={other!r}")
        if want in COLOURS:
            raise _mended(f"{complaint}try", f"channels={COLOURS[want]!r}")
        raise InputError(complaint + f"a picture has no {want} channels; pass an array").optioned(
            complaint
            + f"a picture has no {want} channels; give its numbers as --input "
            + shlex.quote(f"{expected.name}=FILE.npy")
        )
    # What the model leaves open stays as it is.
    height, width = (sizes.get(axis, (0, shape[layout.index(axis)]))[1] for axis in "HW")
    height, width = height or width, width or height
    edge = max(height or 0, width or 0)
    crop, stretch = f"size={edge}, crop={(height, width)}", f"size={(height, width)}"
    raise InputError(
        complaint
        + f"give {crop} (shorter edge, then the centre) or {stretch} (stretched) to the preprocessing"
    ).optioned(
        complaint + f"give --size {edge} --crop {height},{width} (shorter edge, then the centre) "
        f"or --size {height},{width} (stretched)"
    )


def _mended(complaint: str, field: str) -> InputError:
    name, _, value = field.partition("=")
    return InputError(f"{complaint} {field} of the preprocessing").optioned(
        f"{complaint} --{name} {value.strip(chr(39))}"
    )


def _sizes(shape: Sequence[int | None]) -> str:
    return " x ".join("?" if size is None else str(size) for size in shape)
