"""What a value is, whatever the caller gave: an array is no number, and True is none either."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of Python or of NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return is_whole(value) or (isinstance(value, float | np.floating) and math.isfinite(value))


def is_one_of(value: Any, names: Collection[str]) -> bool:
    """Whether a value is one of these names."""
    return isinstance(value, str) and value in names
