"""Picture files, and pictures that are open already, as 8-bit RGB the way a viewer shows them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ..errors import InputError
from ..files import opened
from ..plain.checks import is_whole
from ..text import printable
from .ranges import MAX_PIXELS

STRIP = 1 << 20  # pixels that are computed at once, so that what is in between takes no memory to speak of
TRANSPARENT_MODES = ("RGBA", "LA", "PA", "RGBa", "La")

# The formats that people have, by how their files begin. Every other reader of Pillow's is code that a
# stranger's file could choose to run; EPS's starts another program.
Reader: TypeAlias = Callable[[IO[bytes], str], Image.Image]
READERS: dict[bytes, Reader] = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"GIF87a": GifImagePlugin.GifImageFile,
    b"GIF89a": GifImagePlugin.GifImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImagePlugin.TiffImageFile),
}
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
ORIENTATION = 0x0112  # in EXIF
# Of EXIF's orientations, what brings the stored pixels upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a picture file as 8-bit RGB, the way a viewer shows it.

    The EXIF orientation is applied; transparency is laid over white; a palette, CMYK or grey becomes
    RGB; of an animation, and of a file of several pages, the first picture is taken, which a warning
    says; colour profiles are not applied. 16-bit grey becomes 8-bit by value / 257. Pixels of 32 bits
    have no agreed range: whole numbers are read as 16-bit grey, floats as 0 to 1 if all lie there, else
    as 0 to 255; anything beyond is an error. At its peak this takes about 20 bytes a pixel.

    Parameters
    ----------
    path : str or path-like
        A JPEG, PNG, WebP, GIF, BMP or TIFF, whatever its name.
    max_pixels : int
        How many pixels the picture may have: it is refused by its header, before it is decoded.

    Returns
    -------
    PIL.Image.Image
        In mode "RGB", fully loaded, the file closed.

    Raises
    ------
    InputError
        If there is no such file, it is not a picture, it is damaged, or it is too large.
    """
    if not isinstance(path, str | os.PathLike):  # a number would be an open file
        raise InputError(f"a picture's path is a text or a Path, not {path!r}")
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder: give a picture file")
    try:
        file = opened(path)  # what is wrong with the name is not wrong with the picture
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise InputError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    with file:
        read = _reader(file, path)
        with _naming(str(path)), read(file, str(path)) as image:
            picture = _decoded(image, max_pixels)
            several = _has_several(image)
    if several:
        warnings.warn(f"{printable(path)} holds several pictures: the first one is explained", stacklevel=2)
    return picture


def upright(image: Image.Image, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return a picture that is open already as `open_image` returns a file's: turned by its EXIF, in RGB.

    Parameters
    ----------
    image : PIL.Image.Image
        In any mode; it stays as it is. Of a file that is not read yet, in one of `FORMATS`.
    max_pixels : int

    Raises
    ------
    InputError
        As `open_image` does.
    """
    # Where `tile` is empty the caller has read it, with whatever that ran.
    if getattr(image, "tile", None) and image.format not in (*FORMATS, "MPO", None):
        raise InputError(
            f"the picture is of a file in the format {image.format}, which is not read here; open one in "
            f'{", ".join(FORMATS)}, or read it yourself: image.convert("RGB")'
        )
    with _naming("the picture"):
        return _decoded(image, max_pixels)


def is_picture(thing: Any) -> bool:
    """Whether something is a picture of Pillow's."""
    return isinstance(thing, Image.Image)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Let whatever goes wrong with a picture be an `InputError` that begins with its name."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} is too large: {error} Make it smaller first") from None
    except MemoryError:
        raise InputError(f"{name}: there is not enough memory to decode it; make it smaller first") from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        reason = (isinstance(error, OSError) and error.strerror) or error or type(error).__name__
        raise InputError(f"{name} cannot be read as a picture: {reason}. Copy or save it again") from error


def _reader(file: IO[bytes], path: str | os.PathLike[str]) -> Reader:
    """What reads a file, by its first bytes alone.

    Raises
    ------
    InputError
        The file is empty, or in none of the formats.
    """
    start = file.read(16)
    file.seek(0)
    if not start:
        raise InputError(f"{path}: the file is empty (0 bytes): copy it again")
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    for signature, reader in READERS.items():
        if start.startswith(signature):
            return reader
    raise InputError(
        f"{path} is not a picture in a format that is read here ({', '.join(FORMATS)}), whatever its name "
        "says: save it as PNG or JPEG (HEIC has to be converted)"
    )


def _decoded(image: Image.Image, max_pixels: int) -> Image.Image:
    """The first picture of a file, or an open one: upright, in RGB."""
    _check_size(image, max_pixels)
    image.load()
    turn = _turn(image)
    picture = to_rgb(image if turn is None else image.transpose(turn), image.format)
    picture.info = {}  # its EXIF, say, which would turn it again
    return picture


def _check_size(image: Image.Image, max_pixels: int) -> None:
    """Refuse a picture of no pixels, or too many, before it is decoded."""
    if 0 in image.size:
        raise InputError(f"it has no pixels: {image.width} x {image.height}")
    tags = getattr(image, "tag_v2", {})  # a TIFF's tiles may be larger than its picture
    tile = [tags.get(tag, 1) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)]
    for width, height in (image.size, tile if all(map(is_whole, tile)) else (1, 1)):
        if width * height > max_pixels:
            raise InputError(
                f"it is too large: {width} x {height} = {width * height:,} pixels; more than {max_pixels:,} "
                "are not decoded. Make it smaller first, or raise max_pixels (--max-pixels)"
            )


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What brings a picture upright, by its EXIF; None where it is, or where its EXIF is damaged."""
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # as a viewer does: the pixels are whole
        return None


def _has_several(image: Image.Image) -> bool:
    """Whether a file holds further pictures. To find out may mean to read one, which may be damaged."""
    with suppress(Exception):
        return bool(getattr(image, "is_animated", False))
    return False


def to_rgb(image: Image.Image, kind: str | None = None) -> Image.Image:
    """Return a picture in mode "RGB", another one; see `open_image` for how each kind is read.

    `kind` is the format of its file.

    Raises
    ------
    InputError
        If 32-bit pixels lie where no convention puts them.
    """
    if image.mode.startswith(("I", "F")):
        # 16 bits are called so in a PNG by older Pillows; elsewhere these may be 8 bits, or a dark picture.
        if image.mode == "I" and kind != "PNG" and 0 < (high := int(np.max(np.asarray(image)))) <= 255:
            raise InputError(
                f"the picture has whole pixels of 32 bits, up to {high}: of 8 bits that is a picture, of 16 "
                'it is nearly black, and nothing says which; give 8 bits (image.convert("L")), or mode "I;16"'
            )
        return Image.fromarray(to_bytes(np.asarray(image))).convert("RGB")
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        return _on_white(image)
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """A transparent picture over white, in RGB."""
    found = Image.new("RGB", image.size)
    for rows in strips((image.height, image.width)):
        part = image.crop((0, rows.start, image.width, min(rows.stop, image.height)))
        shown = (part.convert("LA") if part.mode == "La" else part).convert("RGBA")
        paper = Image.new("RGBA", shown.size, "white")
        found.paste(Image.alpha_composite(paper, shown).convert("RGB"), (0, rows.start))
    return found


def to_bytes(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Bring 16- and 32-bit grey values to 0…255."""
    low, high = pixels.min(), pixels.max()
    whole = np.issubdtype(pixels.dtype, np.integer)
    if not (low >= 0 and high <= (65535 if whole else 255)):
        raise InputError(
            f"the picture has 32-bit pixels from {low:g} to {high:g}, and nothing says what is white: "
            "save it with 8 or 16 bits"
        )
    factor = 1 / 257 if whole else 255.0 if high <= 1 else 1.0
    found = np.empty(pixels.shape, np.uint8)
    for rows in strips(pixels.shape):
        found[rows] = np.rint(pixels[rows].astype(np.float64) * factor)
    return found


def strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield the rows of a picture, (height, width, ...), a few at a time."""
    height, width = shape[:2]
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        yield slice(top, top + step)
