"""What a value of a preprocessing may be: whole numbers, finite numbers, one of a few."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
