"""Picture files as people have them, made into what the model takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputError
from .preprocess import Preprocess

MAX_PIXELS = 1 << 26  # of a resized picture: 800 MB as three float32 channels
TRANSPARENT_MODES = ("RGBA", "LA", "PA", "RGBa")


def open_image(path: str | Path) -> Image.Image:
    """Read a picture file as 8-bit RGB, the way a viewer shows it.

    The EXIF orientation is applied; transparency is laid over white; a palette, CMYK or grey becomes
    RGB; of an animation the first frame is taken; colour profiles are not applied. 16-bit grey
    becomes 8-bit by value / 257. Pixels of 32 bits have no agreed range: whole numbers are read as
    16-bit grey, floats as 0 to 1 if all lie there, else as 0 to 255; anything beyond is an error.

    Parameters
    ----------
    path : str or Path
        A file in any format that Pillow reads (PNG, JPEG, WebP, TIFF, BMP, GIF …).

    Returns
    -------
    PIL.Image.Image
        In mode "RGB", fully loaded, the file closed.

    Raises
    ------
    InputError
        If there is no such file, it is not a picture, it is damaged, or it is far too large.
    """
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder: give a picture file")
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise InputError("the file is empty (0 bytes): copy it again")
            file.seek(0)
            with Image.open(file) as image:
                image.load()
                return to_rgb(ImageOps.exif_transpose(image))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path} is not a picture in a format that can be read here, whatever its name says: "
            "save it as PNG or JPEG (HEIC has to be converted)"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{path} is too large: {error} Make it smaller first") from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InputError(f"{path} cannot be read as a picture: {reason}. Copy or save it again") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in mode "RGB"; see `open_image` for how each kind is read.

    Raises
    ------
    InputError
        If 32-bit pixels lie where no convention puts them.
    """
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(to_bytes(np.asarray(image))).convert("RGB")
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def to_bytes(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Bring 16- and 32-bit grey values to 0…255."""
    values = pixels.astype(np.float64)
    low, high = values.min(), values.max()
    whole = np.issubdtype(pixels.dtype, np.integer)
    if not (low >= 0 and high <= (65535 if whole else 255)):
        raise InputError(
            f"the picture has 32-bit pixels from {low:g} to {high:g}, and nothing says what is white: "
            "save it with 8 or 16 bits"
        )
    factor = 1 / 257 if whole else 255.0 if high <= 1 else 1.0
    return np.rint(values * factor).astype(np.uint8)


def prepare(image: Image.Image, preprocess: Preprocess) -> tuple[NDArray[np.float32], Image.Image]:
    """Make a picture into a model's input, as torchvision's evaluation transforms do.

    That is Resize with antialiasing, CenterCrop (padded with black where the picture is smaller),
    ToTensor, Normalize; for a gray model the picture turns grey before it is resized.

    Parameters
    ----------
    image : PIL.Image.Image
        In any mode. Its pixels are taken as they lie: no EXIF orientation is applied here.
    preprocess : Preprocess
        What to do.

    Returns
    -------
    array : ndarray of float32, shape (1, C, H, W) or (1, H, W, C) after ``preprocess.layout``
        What the model takes.
    photo : PIL.Image.Image, mode "RGB", W x H
        The picture as the model sees it, to draw beside its explanation.

    Raises
    ------
    InputError
        If the picture cannot be decoded, or the result would have more than 67 million pixels.
    """
    try:
        picture = to_rgb(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"the picture cannot be read: {error}") from error
    if preprocess.channels == "gray":
        picture = picture.convert("L")
    size = resized(picture.size, preprocess.size)
    for width, height in (size, preprocess.crop or (0, 0)):
        if width * height > MAX_PIXELS:
            raise InputError(
                f"a picture of {picture.width}x{picture.height} pixels would become one of {width}x{height}: "
                "too large; lower --size or --crop, or cut the picture first"
            )
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling(preprocess.resample))
    if preprocess.crop is not None:
        picture = center_crop(picture, *preprocess.crop)

    # One table per channel is exact (each of the 256 results is rounded once) and faster than arithmetic.
    values = np.arange(256)
    tables = [(values * preprocess.scale - mean) / std for mean, std in preprocess.per_channel()]
    pixels = np.asarray(picture).reshape(picture.height, picture.width, len(tables))
    if preprocess.channels == "BGR":
        pixels = pixels[:, :, ::-1]
    channels = [table.astype(np.float32)[pixels[:, :, channel]] for channel, table in enumerate(tables)]
    axis = 0 if preprocess.layout == "NCHW" else 2
    return np.stack(channels, axis)[np.newaxis], picture.convert("RGB")


def resized(picture: tuple[int, int], size: int | tuple[int, int] | None) -> tuple[int, int]:
    """Return (width, height) after the resize, with torchvision's rounding of the longer edge."""
    width, height = picture
    if size is None:
        return picture
    if isinstance(size, tuple):
        return size[1], size[0]
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def center_crop(picture: Image.Image, height: int, width: int) -> Image.Image:
    """Cut out the centre with torchvision's offsets; what lies outside the picture is black."""
    left, top = (
        # An odd border is split differently when it is cut and when it is added.
        round((have - want) / 2) if have >= want else -((want - have) // 2)
        for have, want in ((picture.width, width), (picture.height, height))
    )
    return picture.crop((left, top, left + width, top + height))


def check_fits(shape: Sequence[int], input_shape: Sequence[int | str | None], layout: str) -> None:
    """Check a prepared picture against the shape that the model declares.

    Parameters
    ----------
    shape : sequence of int
        Of the prepared array, batch first.
    input_shape : sequence of int, str or None
        As declared; anything but an int fits every size. The batch is not compared.
    layout : {"NCHW", "NHWC"}
        How the array lies.

    Raises
    ------
    InputError
        If it does not fit; the message names the option that mends it.
    """
    declared = " x ".join("?" if not isinstance(edge, int) else str(edge) for edge in input_shape)
    given = " x ".join(map(str, shape))
    complaint = f"the model takes {declared} and the prepared picture is {given} ({layout}): "
    if len(input_shape) != len(shape):
        raise InputError(complaint + "it does not take pictures; pass it an array of its own shape")
    sizes = {
        axis: (have, want)
        for axis, have, want in zip(layout, shape, input_shape, strict=True)
        if axis != "N" and isinstance(want, int) and have != want
    }
    if not sizes:
        return
    other = "NHWC" if layout == "NCHW" else "NCHW"
    if "C" in sizes:
        have, want = sizes["C"]
        if input_shape[other.index("C")] == have:
            raise InputError(complaint + f"its channels lie elsewhere; try --layout {other}")
        if want in (1, 3):
            raise InputError(complaint + f"try --channels {'gray' if want == 1 else 'RGB'}")
        raise InputError(complaint + f"a picture has no {want} channels; pass an array")
    height, width = (sizes.get(axis, (0, shape[layout.index(axis)]))[1] for axis in "HW")
    edge = max(height, width)
    raise InputError(
        complaint + f"give --size {edge} --crop {height},{width} (shorter edge, then the centre) "
        f"or --size {height},{width} (stretched)"
    )
