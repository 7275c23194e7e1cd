"""Pictures made into what the model takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from .pictures import strips
from .preprocess import Preprocess
from .ranges import MAX_PIXELS


def prepare(
    picture: Image.Image, preprocess: Preprocess, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[np.float32], Image.Image]:
    """Make a picture into a model's input, as torchvision's evaluation transforms do.

    That is Resize with antialiasing, CenterCrop (padded with black where the picture is smaller),
    ToTensor, Normalize; for a gray model the picture turns grey before it is resized.

    Parameters
    ----------
    picture : PIL.Image.Image, mode "RGB"
        As `open_image` or `upright` returns it.
    preprocess : Preprocess
        What to do.
    max_pixels : int
        How many pixels the result may have.

    Returns
    -------
    array : ndarray of float32, shape (1, C, H, W) or (1, H, W, C) after ``preprocess.layout``
        What the model takes.
    photo : PIL.Image.Image, mode "RGB", W x H
        The picture as the model sees it, to draw beside its explanation.

    Raises
    ------
    InputError
        If the result would have too many pixels.
    """
    if preprocess.channels == "gray":
        picture = picture.convert("L")
    size = resized(picture.size, preprocess.size)
    for width, height in (size, preprocess.crop or (0, 0)):
        if width * height > max_pixels:
            raise InputError(
                f"a picture of {picture.width}x{picture.height} pixels would become one of {width}x{height}: "
                "too large; lower --size or --crop, or cut the picture first"
            )
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling(preprocess.resample))
    if preprocess.crop is not None:
        picture = center_crop(picture, *preprocess.crop)

    # One table per channel is exact: each of the 256 results is rounded once.
    tables = preprocess.table().astype(np.float32)
    pixels = np.asarray(picture).reshape(picture.height, picture.width, len(tables))
    if preprocess.channels == "BGR":
        pixels = pixels[:, :, ::-1]
    first = preprocess.layout == "NCHW"
    shape = pixels.shape[:2]
    array = np.empty((1, len(tables), *shape) if first else (1, *shape, len(tables)), np.float32)
    channels = array[0] if first else np.moveaxis(array[0], 2, 0)
    for rows in strips(shape):  # an index takes eight times the memory of the pixels
        for channel, table in enumerate(tables):
            channels[channel, rows] = table[pixels[rows, :, channel]]
    return array, picture if picture.mode == "RGB" else picture.convert("RGB")


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


def padding_of(picture: tuple[int, int], preprocess: Preprocess) -> str:
    """Return one line on a crop that is larger than the picture of (width, height); "" where it is not."""
    if preprocess.crop is None:
        return ""
    (width, height), (high, wide) = resized(picture, preprocess.size), preprocess.crop
    black = 1 - min(width, wide) * min(height, high) / (wide * high)
    if not black:
        return ""
    what = "the picture" if (width, height) == picture else "the resized picture"
    return (
        f"the crop, {wide}x{high}, is larger than {what}, {width}x{height}: "
        f"{100 * black:.2g} % of what the model sees is black that was added"
    )


def center_crop(picture: Image.Image, height: int, width: int) -> Image.Image:
    """Cut out the centre with torchvision's offsets; what lies outside the picture is black."""
    left, top = (
        # An odd border is split differently when it is cut and when it is added.
        round((have - want) / 2) if have >= want else -((want - have) // 2)
        for have, want in ((picture.width, width), (picture.height, height))
    )
    return picture.crop((left, top, left + width, top + height))
