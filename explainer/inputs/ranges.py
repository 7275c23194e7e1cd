"""What a value of a preprocessing may be: whole numbers, finite numbers, one of a few."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, PreprocessError, shown
from ..plain.checks import is_number, is_whole

MAX_EDGE = 16384
MAX_PIXELS = 64_000_000  # of a picture, decoded and prepared: 1.3 GB at the peak


def edges(name: str, value: Any) -> tuple[int, int]:
    """Return (height, width) from one whole number or two."""
    pair = (value, value) if is_whole(value) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(map(is_whole, pair)):
        raise PreprocessError(
            f"{name} is {shown(value)}; expected a whole number from 1 to {MAX_EDGE}, or height and width"
        )
    if not all(1 <= edge <= MAX_EDGE for edge in pair):
        raise PreprocessError(f"{name} is {shown(value)}; expected 1 to {MAX_EDGE} pixels")
    return int(pair[0]), int(pair[1])


def numbers(name: str, value: Any, count: int) -> tuple[float, ...]:
    """Return one or `count` finite numbers as a tuple."""
    several = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)
    values = list(value) if several else [value]
    if len(values) not in (1, count):
        raise PreprocessError(f"{name} has {len(values)} values; expected {count}, one per channel, or 1")
    try:
        floats = tuple(float(number) if is_number(number) else math.nan for number in values)
    except OverflowError:  # a whole number beyond all floats
        floats = (math.nan,)
    if not all(map(math.isfinite, floats)):
        raise PreprocessError(f"{name} is {shown(value)}; expected finite numbers")
    return floats


def of_unit_pixels(channels: Sequence[tuple[float, float]]) -> bool:
    """Whether (mean, std) of all channels are those of pixels of 0 to 1, ImageNet's 0.485 and 0.229, say."""
    has_fractions = any(0 < mean < 1 or std < 1 for mean, std in channels)
    return has_fractions and all(0 <= mean <= 1 and std <= 1 for mean, std in channels)


def doubt_on(scale: float, channels: Sequence[tuple[float, float]]) -> str:
    """One line on a scale that (mean, std) hardly belong to; "" where they may."""
    most = 255 * scale
    means = " ".join(f"{mean:.4g}" for mean in dict.fromkeys(mean for mean, _ in channels))
    stds = " ".join(f"{std:.4g}" for std in dict.fromkeys(std for _, std in channels))
    if scale == 1 and of_unit_pixels(channels):
        return (
            f"mean {means} and std {stds} look as if for pixels of 0 to 1, and scale 1 leaves them 0 to 255"
        )
    if most > 0 and any(mean > 2 * most for mean, _ in channels):
        return f"mean {means} lies beyond all pixels, which scale {scale:.4g} makes 0 to {most:.4g}"
    return ""


def one_of(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Refuse what is none of a few texts or numbers."""
    if not isinstance(value, str | int | np.integer) or not any(value == choice for choice in choices):
        raise PreprocessError(f"{name} is {shown(value)}; expected one of {', '.join(map(str, choices))}")


def pixel_limit(value: Any) -> int:
    """Return how many pixels a picture may have.

    Raises
    ------
    InputError
        No whole number above 0.
    """
    if not (is_whole(value) and value > 0):
        raise InputError(
            f"max_pixels is {shown(value)}; expected a whole number of pixels, such as {MAX_PIXELS}"
        )
    return int(value)
