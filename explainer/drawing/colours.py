"""Colour maps: zennit's names and mini-language, captum's defaults, matplotlib's where it is installed."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, shown
from ..plain.checks import check_flag, check_held, is_number

LAST = 255  # indices run from 0 to ff
ZERO = 128  # "80" is where zero-centred maps name their neutral colour
COLORMAPS = {
    # zennit's, under its names.
    "gray": "000,fff",
    "wred": "fff,f00",
    "wblue": "fff,00f",
    "hot": "000,f00,ff0,fff",
    "cold": "000,00f,0ff",
    "coldnhot": "0ff,00f,80:000,f00,ff0,fff",
    "bwr": "00f,80:fff,f00",
    "france": "0055a4,80:fff,ef4135",
    "seismic": "0000d0,80:d0d0d0,d00000",
    "coolio": "00d0d0,80:d0d0d0,d000d0",
    "coleus": "00d000,80:d0d0d0,d000d0",
    # captum's defaults. The first three are color specifications developed by Cynthia Brewer
    # (colorbrewer.org, Apache-2.0), as matplotlib has them.
    "Greens": "f7fcf5,e5f5e0,c7e9c0,a1d99b,74c476,41ab5d,238b45,006d2c,00441b",
    "Reds": "fff5f0,fee0d2,fcbba1,fc9272,fb6a4a,ef3b2c,cb181d,a50f15,67000d",
    "Blues": "f7fbff,deebf7,c6dbef,9ecae1,6baed6,4292c6,2171b5,08519c,08306b",
    "RdWhGn": "f00,80:fff,008000",
}
COLOUR = re.compile(r"(?:([0-9a-f]{1,2})\s*:\s*)?([0-9a-f]{6}|[0-9a-f]{3})", re.IGNORECASE)
# What can only have been meant as the mini-language, well-formed or not.
LIKE_COLOURS = re.compile(r"[0-9a-f]{6}|[0-9a-f]{3}|.*[,:].*|\s*", re.IGNORECASE | re.DOTALL)

Colours = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ColorMap:
    """Colours at some of the indices 0 to 255, linear in between.

    Attributes
    ----------
    indices : array (n,)
        Ascending; before the first and after the last the colour stays. Two equal ones are a step.
    colours : array (n, 3)
        Red, green and blue, 0 to 255.
    """

    indices: NDArray[np.float64]
    colours: Colours

    def __post_init__(self) -> None:
        indices, colours = numbers_of("indices", self.indices), numbers_of("colours", self.colours)
        if indices.ndim != 1 or colours.shape != (indices.size, 3) or not indices.size:
            raise InputError(
                f"a ColorMap is indices (n,) and colours (n, 3), not {indices.shape} and {colours.shape}"
            )
        for name, numbers in (("indices", indices), ("colours", colours)):
            # What is rounded to a level, and no further.
            if not (numbers.min() > -0.5 and numbers.max() < LAST + 0.5):
                raise InputError(f"{name} are from 0 to {LAST}, not {numbers.min():g} to {numbers.max():g}")
        if (np.diff(indices) < 0).any():
            raise InputError(f"indices are in ascending order, not {indices.tolist()}")
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "colours", colours)

    @classmethod
    def of(cls, colormap: Any) -> ColorMap:
        """Return the colour map that is meant.

        Parameters
        ----------
        colormap : str, ColorMap or callable
            One of `colormaps`, hexadecimal colours with commas between them, the name of one of
            matplotlib's where that is installed, or an object that, as matplotlib's do, maps
            numbers from 0 to 1 to red, green and blue from 0 to 1.

            Colours have one or two digits per channel. They are spaced evenly, or stand at the
            index in front of them, of one or two digits: in ``0ff,00f,80:000,f00,ff0,fff`` black
            is in the middle. It is the language of zennit.cmap.

        Raises
        ------
        InputError
            If there is no such colour map; where the colours cannot be read, with the position.
        """
        if isinstance(colormap, ColorMap):
            return colormap
        if callable(colormap):
            return cls.sampled(colormap)
        if not isinstance(colormap, str):
            raise InputError(
                f"colormap is {shown(colormap)}; expected a name or colours such as 00f,80:fff,f00"
            )
        if colormap in COLORMAPS:
            return cls.parse(COLORMAPS[colormap])
        if LIKE_COLOURS.fullmatch(colormap):
            return cls.parse(colormap)
        return cls.sampled(from_matplotlib(colormap))

    @classmethod
    def parse(cls, source: str) -> ColorMap:
        """Read colours in the mini-language that `of` describes."""
        if not isinstance(source, str):
            raise InputError(f"colormap is {shown(source)}; expected colours such as 00f,80:fff,f00")
        places: list[int | None] = []
        colours = []
        parts = source.split(",")
        position = 0
        for part in parts[:-1] if len(parts) > 1 and not parts[-1].strip() else parts:
            found = COLOUR.fullmatch(part.strip())
            where = f"at character {position + len(part) - len(part.lstrip()) + 1}"
            if not found:
                raise InputError(
                    f"colormap {shown(source)}, {where}: {part.strip()!r} is not a colour; expected 3 or 6"
                    " hexadecimal digits, such as f00, perhaps after an index of 1 or 2 and a colon,"
                    " such as 80:fff"
                )
            index, digits = found.groups()
            # One digit stands for two: f is ff, as 8 is 88.
            place = None if index is None else int(index if len(index) == 2 else 2 * index, 16)
            earlier = max((known for known in places if known is not None), default=0)
            if place is not None and place < earlier:
                raise InputError(
                    f"colormap {shown(source)}, {where}: index {index} comes after {earlier:02x};"
                    " expected indices in ascending order"
                )
            width = len(digits) // 3
            channels = [digits[start : start + width] * (3 - width) for start in (0, width, 2 * width)]
            places.append(place)
            colours.append([float(int(channel, 16)) for channel in channels])
            position += len(part) + 1
        if len(colours) < 2:
            raise InputError(f"colormap {shown(source)}: expected 2 or more colours, such as fff,f00")
        return cls(spaced(places), np.array(colours))

    @classmethod
    def sampled(cls, function: Any) -> ColorMap:
        """Return 256 colours of an object that maps 0 to 1 to red, green, blue, and perhaps opacity."""
        try:
            colours = np.asarray(function(np.linspace(0, 1, LAST + 1)), dtype=np.float64)
        except Exception as error:  # it is the caller's, and may raise anything
            raise InputError(
                f"colormap {shown(function)} maps no numbers from 0 to 1 to colours: {error}"
            ) from error
        if colours.shape not in ((LAST + 1, 3), (LAST + 1, 4)):
            raise InputError(
                f"colormap {shown(function)} gives an array of shape {colours.shape} for {LAST + 1} numbers;"
                " expected a row of red, green and blue for each"
            )
        return cls(np.arange(LAST + 1.0), colours[:, :3] * 255)

    def at(self, index: NDArray[np.float64]) -> Colours:
        """Return colours (..., 3), from 0 to 255, at indices from 0 to 255."""
        index = numbers_of("index", index)
        channels = [np.interp(index, self.indices, channel) for channel in self.colours.T]
        return np.stack(channels, axis=-1)

    def __call__(self, shares: NDArray[np.float64], centred: bool) -> Pixels:
        """Return the pixels (..., 3) of shares of the full colour.

        Parameters
        ----------
        shares : array
            From -1 to 1 if centred, else from 0 to 1.
        centred : bool
            Whether zero is the middle of the map, which is index 80, or its beginning.
        """
        shares = numbers_of("shares", shares)
        check_flag("centred", centred)
        sides = np.where(shares < 0, ZERO, LAST - ZERO)
        index = ZERO + shares * sides if centred else shares * LAST
        return np.asarray(np.rint(self.at(index)), dtype=np.uint8)

    def palette(self, level: float = 1.0) -> Pixels:
        """Return zennit's palette of this map.

        Parameters
        ----------
        level : float
            Above 1 the ends of the map are reached earlier; below 1 they are not reached.

        Returns
        -------
        array (256, 3) of uint8
        """
        if not is_number(level):
            raise InputError(f"palette: level is {shown(level)}; expected a number")
        positions = (np.linspace(-1, 1, LAST + 1) * level + 1) / 2
        # Cut off, as zennit does, once rounding errors no longer push a whole number below itself.
        return np.asarray(self.at(positions.clip(0, 1) * LAST).round(12), dtype=np.uint8)


def colormaps() -> dict[str, str]:
    """Return the colour maps that have a name, each in the mini-language of `ColorMap.of`."""
    return dict(COLORMAPS)


def numbers_of(name: str, values: Any) -> NDArray[np.float64]:
    """What is given, as an array of finite numbers.

    Raises
    ------
    InputError
    """
    check_held(name, values)
    try:
        array = np.asarray(values)
        numbers = array.astype(np.float64) if array.dtype.kind in "fiu" else np.array(np.nan)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        raise InputError(f"{name}: an array of finite numbers, not {shown(values)}")
    return numbers


def spaced(places: list[int | None]) -> NDArray[np.float64]:
    """Return an index for every colour: those without one lie evenly between their neighbours."""
    given = {number: place for number, place in enumerate(places) if place is not None}
    given = {0: 0, len(places) - 1: LAST, **given}
    indices = np.zeros(len(places))
    numbers = sorted(given)
    for left, right in pairwise(numbers):
        parts = np.linspace(0, 1, right - left + 1)
        # Whole indices, cut off: zennit's palettes have them.
        indices[left : right + 1] = np.trunc(given[left] * (1 - parts) + given[right] * parts)
    return indices


def from_matplotlib(name: str) -> Any:
    """Return one of matplotlib's colour maps, the one place that it is asked for."""
    ours = f"there are {', '.join(COLORMAPS)}, and colours such as 00f,80:fff,f00"
    try:
        known = importlib.import_module("matplotlib").colormaps
    except ImportError:
        raise InputError(
            f"colormap is {name!r}: {ours}; with matplotlib installed there are also its own"
        ) from None
    if name not in known:
        raise InputError(f"colormap is {name!r}: {ours}; nor has matplotlib one of that name")
    return known[name]
