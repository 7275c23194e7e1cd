"""What a value is, whatever the caller gave: an array is no number, and True is none either."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

import numpy as np

from ..errors import InputError

MOST = 1 << 20  # of anything that a caller lists: some iterators have no end
HOLDING = (list, tuple, Mapping, np.ma.MaskedArray)
DEEPEST = 16  # lists and dicts in one another: what goes deeper holds itself, or ends what walks into it


def check_held(name: str, value: Any) -> None:
    """Refuse what no value holds, however deep in lists and dicts: a masked array, and lists without end.

    Of a masked array NumPy drops the mask in silence, so that the hidden numbers count.

    Raises
    ------
    InputError
    """
    level = {id(value): (name, value)}
    for _ in range(DEEPEST):
        below: dict[int, tuple[str, Any]] = {}
        for where, one in level.values():
            if isinstance(one, np.ma.MaskedArray):
                raise InputError(
                    f"{where} is masked, and nothing here knows a mask: a.filled(value) says what stands in "
                    "the hidden places"
                )
            if isinstance(one, Mapping):
                # Options are said by their own names: explain(..., baseline=...).
                inside = [
                    (f"{key}" if where == "options" else f"{where}: {key!s:.80}", part)
                    for key, part in one.items()
                ]
            else:
                inside = [(where, part) for part in one] if isinstance(one, list | tuple) else []
            below |= {id(part): (place, part) for place, part in inside if isinstance(part, HOLDING)}
        if not below:
            return
        level = below
    raise InputError(f"{name}: a list or dict that holds itself, or more than {DEEPEST} in one another")


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of Python or of NumPy: one of 64 bits, a length of time is none."""
    kind = isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)
    return kind and -(2**63) <= value < 2**64


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return is_whole(value) or (isinstance(value, float | np.floating) and math.isfinite(value))


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither true nor false: of anything else Python makes one of them in silence.

    Raises
    ------
    InputError
    """
    if not (isinstance(value, bool | np.bool_) or (is_whole(value) and value in (0, 1))):
        raise InputError(f"{name} is {value!r}; expected True or False")


def several(value: Any) -> tuple[Any, ...] | None:
    """What something iterable holds; None where it is not, as an array of no axes is not."""
    try:
        return tuple(islice(value, MOST))
    except TypeError:
        return None


def is_one_of(value: Any, names: Collection[str]) -> bool:
    """Whether a value is one of these names."""
    return isinstance(value, str) and value in names
