"""Relevance made visible: zero-centred, symmetric, with a colour bar that says what was clipped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from .errors import InputError

# Colours at equal steps from the most negative value over zero to the most positive one.
COLORMAPS = {
    "bwr": ((0, 0, 255), (255, 255, 255), (255, 0, 0)),
    "seismic": ((0, 0, 77), (0, 0, 255), (255, 255, 255), (255, 0, 0), (128, 0, 0)),
    "coldnhot": ((0, 255, 255), (0, 0, 255), (0, 0, 0), (255, 0, 0), (255, 255, 0)),
}
STYLES = ("side_by_side", "overlay", "map")
PERCENTILE = 99.5
LONGEST_ROW = 512
LARGEST_MIN_SIZE = 8192
THINNEST = 24  # pixels of a strip's short edge
PHOTO_STRENGTH = 0.7  # of the grey photo under an overlay, where there is no relevance
INK, FRAME, PAPER = (32, 32, 32), (150, 150, 150), (255, 255, 255)

Pixels = NDArray[np.uint8]
Bar = tuple[str, float, tuple[bool, bool]]  # colour map, scale, whether (low, high) values were clipped


def render(
    relevance: ArrayLike,
    photo: Image.Image | None = None,
    *,
    layout: str = "NCHW",
    style: str = "side_by_side",
    colormap: str = "bwr",
    scale: float | None = None,
    percentile: float = PERCENTILE,
    colorbar: bool = True,
    title: str | None = None,
    min_size: int = 320,
) -> Image.Image:
    """Draw the relevance of one sample.

    Channels are summed. Zero is the middle of the colour map and both signs share one scale, so
    that equal colours mean equal amounts. Values beyond the scale are drawn in the end colours, and
    the colour bar then says so with ">=" and "<=".

    Parameters
    ----------
    relevance : array_like
        (C, H, W), (H, W, C) as `layout` says, or (H, W); a vector is drawn in rows of at most 512;
        of further axes all but the last two (channels put first) are summed too.
    photo : PIL.Image.Image, optional
        What the model saw; drawn at the size of the map.
    layout : {"NCHW", "NHWC"}
        Where `relevance` has its channels.
    style : {"side_by_side", "overlay", "map"}
        The photo beside the map, a grey photo under it, or the map alone. Without a photo,
        "side_by_side" is the map alone.
    colormap : {"bwr", "seismic", "coldnhot"}
        Blue-white-red, the same with dark ends, or cyan-blue-black-red-yellow.
    scale : float, optional
        The amount of relevance that gets the full colour; see `shared_scale`. By default it is
        taken from this map by `percentile`.
    percentile : float
        In (0, 100]: the share of pixels that the scale covers, so that a few extreme pixels do not
        wash out all others. 100: the largest one.
    colorbar : bool
        Whether to draw the scale.
    title : str, optional
        One line above, cut where the picture ends.
    min_size : int
        The longer edge of the map is enlarged by a whole factor to at least this many pixels.

    Returns
    -------
    PIL.Image.Image
        In mode "RGB".

    Raises
    ------
    InputError
        If the relevance is empty or not finite, or an option is out of range.
    """
    for name, choice, choices in (("style", style, STYLES), ("colormap", colormap, tuple(COLORMAPS))):
        if choice not in choices:
            raise InputError(f"{name} is {choice!r}; expected one of {', '.join(choices)}")
    if style == "overlay" and photo is None:
        raise InputError("style 'overlay' needs a photo; for an array use style='map'")
    values = to_plane(relevance, layout)
    limit = extent(values, percentile) if scale is None else float(scale)
    if not 0 <= limit < np.inf:
        raise InputError(f"scale is {scale}; expected a positive number")

    # A scale of 0 comes from maps without any relevance: then the sign alone is what can be drawn.
    with np.errstate(over="ignore"):
        shares = np.clip(values / limit, -1, 1) if limit > 0 else np.sign(values)
    shares = enlarged(shares, min_size)
    drawn = (shares.shape[1], shares.shape[0])
    heat = colours(shares, colormap)
    panels = []
    if photo is not None and style != "map":
        # Smooth, as a photo is looked at; but a tiny one is shown pixel by pixel, as its map is.
        tiny = 4 * max(photo.size) <= max(drawn)
        resample = Image.Resampling.NEAREST if tiny else Image.Resampling.LANCZOS
        photo = photo.convert("RGB").resize(drawn, resample)
        if style == "overlay":
            heat = over_photo(heat, shares, photo, colormap)
        else:
            panels.append(photo)
    panels.append(Image.fromarray(heat))
    clipped = (bool(values.min() < -limit), bool(values.max() > limit))
    return arrange(panels, (colormap, limit, clipped) if colorbar else None, title)


def shared_scale(
    relevances: Sequence[ArrayLike], *, layout: str = "NCHW", percentile: float = PERCENTILE
) -> float:
    """Return the one scale under which several maps can be compared: the largest of their own.

    Parameters
    ----------
    relevances : sequence of array_like
        One sample each, as `render` takes them.
    layout, percentile
        As for `render`.

    Returns
    -------
    float
        To be given to `render` as ``scale``; 0 if there is no relevance at all.

    Raises
    ------
    InputError
        As `render`.
    """
    return max((extent(to_plane(relevance, layout), percentile) for relevance in relevances), default=0.0)


def to_plane(relevance: ArrayLike, layout: str) -> NDArray[np.float64]:
    """Return the two-dimensional map that is drawn."""
    if layout not in ("NCHW", "NHWC"):
        raise InputError(f"layout is {layout!r}; expected NCHW or NHWC")
    try:
        values = np.asarray(relevance, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the relevance is not an array of numbers: {error}") from None
    if values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"the relevance of shape {values.shape} is empty or not finite: it cannot be drawn")
    if values.ndim < 2:
        flat = values.ravel()
        rows = -(-flat.size // LONGEST_ROW)
        row = -(-flat.size // rows)
        return np.pad(flat, (0, rows * row - flat.size)).reshape(rows, row)
    if values.ndim > 2 and layout == "NHWC":
        values = np.moveaxis(values, -1, 0)
    return np.asarray(values.sum(axis=tuple(range(values.ndim - 2))))


def extent(values: NDArray[np.float64], percentile: float) -> float:
    """Return the amount that covers this share of the pixels, or the largest if that is zero."""
    if not 0 < percentile <= 100:
        raise InputError(f"percentile is {percentile}; expected above 0 and up to 100")
    amounts = np.abs(values)
    return float(np.percentile(amounts, percentile, method="higher") or amounts.max())


def enlarged(shares: NDArray[np.float64], min_size: int) -> NDArray[np.float64]:
    """Repeat every value so often that the map can be read."""
    if not 1 <= min_size <= LARGEST_MIN_SIZE:
        raise InputError(f"min_size is {min_size}; expected 1 to {LARGEST_MIN_SIZE} pixels")
    factor = -(-min_size // max(shares.shape))
    for axis, length in enumerate(shares.shape):
        shares = shares.repeat(max(factor, -(-THINNEST // length)), axis)
    return shares


def colours(shares: NDArray[np.float64], colormap: str) -> Pixels:
    """Return (H, W, 3) colours of shares from -1 to 1."""
    stops = np.asarray(COLORMAPS[colormap], dtype=np.float64)
    positions = np.linspace(-1, 1, len(stops))
    channels = [np.interp(shares, positions, stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def over_photo(heat: Pixels, shares: NDArray[np.float64], photo: Image.Image, colormap: str) -> Pixels:
    """Let a grey photo show through in the measure in which there is no relevance."""
    stops = COLORMAPS[colormap]
    # Moved towards the map's own colour of zero, the photo leaves the colour bar true.
    neutral = stops[len(stops) // 2][0]
    grey = np.asarray(photo.convert("L"), dtype=np.float64) - neutral
    shown = heat + (PHOTO_STRENGTH * (1 - np.abs(shares)) * grey)[:, :, np.newaxis]
    return np.rint(np.clip(shown, 0, 255)).astype(np.uint8)


def arrange(panels: Sequence[Image.Image], bar: Bar | None, title: str | None) -> Image.Image:
    """Put panels, colour bar and title on white paper."""
    width, height = panels[-1].size
    unit = min(max(max(width, height) // 26, 13), 40)
    font = ImageFont.load_default(unit)
    bar_height = max(height, 6 * unit) if bar else height
    labels = tick_labels(bar) if bar else []
    labels_width = max((round(font.getlength(label)) for label in labels), default=0)
    bar_width = 2 * unit + unit // 2 + labels_width if bar else 0
    top = unit + (unit * 3 // 2 if title else 0)
    size = (len(panels) * (width + unit) + unit + bar_width, top + bar_height + unit)
    paper = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(paper)
    if title:
        draw.text((unit, unit), fitted(title, font, size[0] - 2 * unit), fill=INK, font=font, anchor="lt")
    left = unit
    for panel in panels:
        put(paper, panel, (left, top + (bar_height - height) // 2))
        left += width + unit
    if bar:
        gradient = colours(np.linspace(1, -1, bar_height)[:, np.newaxis].repeat(unit, 1), bar[0])
        put(paper, Image.fromarray(gradient), (left, top))
        for label, y in zip(labels, (top, top + bar_height // 2, top + bar_height - 1), strict=True):
            draw.line((left + unit, y, left + unit + unit // 4, y), fill=FRAME)
            draw.text((left + unit + unit // 2, y), label, fill=INK, font=font, anchor="lm")
    return paper


def put(paper: Image.Image, panel: Image.Image, corner: tuple[int, int]) -> None:
    left, top = corner
    box = (left - 1, top - 1, left + panel.width, top + panel.height)
    ImageDraw.Draw(paper).rectangle(box, outline=FRAME)
    paper.paste(panel, corner)


def tick_labels(bar: Bar) -> list[str]:
    """Return the labels from top to bottom; ASCII, as Pillow's own font has little else."""
    _, limit, (low, high) = bar
    if limit == 0:
        return ["", "0", ""]
    return [f"{'>= ' if high else ''}{limit:+.3g}", "0", f"{'<= ' if low else ''}{-limit:+.3g}"]


def fitted(title: str, font: Any, width: int) -> str:
    """Return the title in the letters that the font has, cut to the width."""
    plain = unicodedata.normalize("NFKD", " ".join(title.split()))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    text = plain.encode("ascii", "replace").decode()[:300]
    while text and font.getlength(text) > width:
        text = text.removesuffix("...")[:-1] + "..." if len(text) > 4 else ""
    return text
