"""One map as pictures: alone, beside the photo or over it, in our styles and in captum's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from ..plain.checks import is_number, is_one_of, is_whole
from .amounts import Measure, Plane
from .colours import ColorMap, Pixels
from .paper import WHOLES, Bar

STYLES = (
    "side_by_side",
    "overlay",
    "map",
    "heat_map",
    "blended_heat_map",
    "masked_image",
    "alpha_scaling",
    "original_image",
)
WITHOUT_PHOTO = ("side_by_side", "map", "heat_map")
# Of the zero-centred maps that have names, blue and red stay furthest apart for the colour-blind.
DEFAULTS = {"all": "bwr", "positive": "wred", "negative": "wblue", "absolute_value": "fff,000"}
LARGEST_MIN_SIZE = 8192
THINNEST = 24  # pixels of a strip's short edge
MOST_OF_WHOLE = 1.01  # of one pixel that has it all; the rest is rounding
PHOTO_STRENGTH = 0.7  # of the grey photo under an overlay, where there is no relevance


@dataclass(frozen=True)
class Look(Measure):
    """How the amounts of a map become pictures; see `render` for the fields."""

    style: str = "side_by_side"
    colormap: Any = None
    alpha_overlay: float = 0.5
    min_size: int = 320

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_one_of(self.style, STYLES):
            raise InputError(f"style is {self.style!r}; expected one of {', '.join(STYLES)}")
        if self.style in ("masked_image", "alpha_scaling") and self.sign == "all":
            raise InputError(
                f"style {self.style!r} cannot show both signs: choose sign 'positive', 'negative' or"
                " 'absolute_value'"
            )
        if not (is_number(self.alpha_overlay) and 0 <= self.alpha_overlay <= 1):
            raise InputError(f"alpha_overlay is {self.alpha_overlay}; expected 0 to 1")
        if not (is_whole(self.min_size) and 1 <= self.min_size <= LARGEST_MIN_SIZE):
            raise InputError(f"min_size is {self.min_size}; expected 1 to {LARGEST_MIN_SIZE} pixels")
        asked = DEFAULTS[self.sign] if self.colormap is None else self.colormap
        object.__setattr__(self, "colormap", ColorMap.of(asked))

    @property
    def centred(self) -> bool:
        """Whether zero is the middle of the colour map."""
        return self.sign == "all"

    @property
    def has_colours(self) -> bool:
        """Whether the picture has colours that a colour bar explains."""
        return self.style not in ("masked_image", "alpha_scaling", "original_image")

    def bar(
        self, limit: float, maps: Sequence[Plane], whole: float | None = None, name: str = WHOLES[0]
    ) -> Bar:
        """Return the colour bar of maps drawn with this limit; of a whole it also says the share.

        Amounts that are more than the whole are parts of nothing: then there are no shares.
        """
        largest = max(limit, *(float(np.abs(amounts).max()) for amounts in maps))
        if whole is not None and largest > MOST_OF_WHOLE * whole:
            whole = None
        below = any(bool(amounts.min() < -limit) for amounts in maps)
        above = any(bool(amounts.max() > limit) for amounts in maps)
        return Bar(self.colormap, self.sign, limit, below, above, int(self.pool), whole, name)

    def factors(self, plane: Plane) -> list[int]:
        """Return how often every row and every column is drawn, so that the map can be read."""
        factor = -(-self.min_size // max(plane.shape))
        return [max(factor, -(-THINNEST // length)) for length in plane.shape]

    def drawn_size(self, plane: Plane) -> tuple[int, int]:
        """Return width and height of the picture of a map."""
        rows, columns = self.factors(plane)
        return plane.shape[1] * columns, plane.shape[0] * rows

    def panels(self, shares: Plane, photo: Image.Image | None) -> list[Image.Image]:
        """Return the pictures of one map, to stand side by side."""
        if photo is not None and not isinstance(photo, Image.Image):
            raise InputError(f"photo is a {type(photo).__name__}; expected a PIL image")
        if photo is None and self.style not in WITHOUT_PHOTO:
            raise InputError(f"style {self.style!r} needs a photo; for an array use style='map'")
        for axis, factor in enumerate(self.factors(shares)):
            shares = shares.repeat(factor, axis)
        heat = self.colormap(shares, self.centred)
        if photo is None or self.style in ("map", "heat_map"):
            return [Image.fromarray(heat)]
        photo = fitted(photo, (shares.shape[1], shares.shape[0]))
        if self.style == "side_by_side":
            return [photo, Image.fromarray(heat)]
        seen = np.asarray(photo, dtype=np.float64)
        if self.style == "overlay":
            heat = self.over_photo(heat, shares, photo)
        elif self.style == "blended_heat_map":
            grey = stretched(seen.mean(axis=-1))[:, :, np.newaxis]
            heat = rounded(self.alpha_overlay * heat + (1 - self.alpha_overlay) * grey)
        elif self.style == "masked_image":
            heat = (seen * shares[:, :, np.newaxis]).astype(np.uint8)
        elif self.style == "alpha_scaling":
            opacity = shares[:, :, np.newaxis]
            heat = rounded(opacity * seen + (1 - opacity) * 255)
        else:
            return [photo]
        return [Image.fromarray(heat)]

    def over_photo(self, heat: Pixels, shares: Plane, photo: Image.Image) -> Pixels:
        """Let a grey photo show through in the measure in which there is no relevance."""
        grey = np.asarray(photo.convert("L"), dtype=np.float64)[:, :, np.newaxis]
        # Moved towards the map's own colour of zero, the photo leaves the colour bar true.
        neutral = self.colormap(np.zeros(1), self.centred)
        strength = PHOTO_STRENGTH * (1 - np.abs(shares[:, :, np.newaxis]))
        return rounded(heat + strength * (grey - neutral))


def fitted(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the photo in this size."""
    # Smooth, as a photo is looked at; but a tiny one is shown pixel by pixel, as its map is.
    tiny = 4 * max(photo.size) <= max(size)
    resample = Image.Resampling.NEAREST if tiny else Image.Resampling.LANCZOS
    return photo.convert("RGB").resize(size, resample)


def checked(scale: float) -> float:
    """Return the amount that gets the full colour."""
    if not is_number(scale) or scale < 0:
        raise InputError(f"scale is {scale}; expected a positive number")
    return float(scale)


def stretched(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return brightness from the darkest pixel at 0 to the brightest at 255, as captum shows it."""
    dark, bright = grey.min(), grey.max()
    return (grey - dark) * (255 / (bright - dark)) if bright > dark else np.zeros_like(grey)


def rounded(colours: NDArray[np.float64]) -> Pixels:
    return np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
