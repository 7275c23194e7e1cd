"""`explainer.printable`: text as it can be shown, for whoever prints what came out of a file."""

from __future__ import annotations

import operator
from typing import Any

from .. import text as plain
from ..errors import InputError, shown


def printable(text: object, longest: int = plain.LONGEST) -> str:
    """One line of text without anything that a terminal, a log or a reader's eye would obey.

    Control characters (escape sequences and ends of lines among them), what turns the direction of
    writing or has no width, and halves of characters are written as Python writes them, ``\\x1b``. Of a
    text that is too long the middle is left out, and its length said.

    Parameters
    ----------
    text : object
        Shown as `str` has it.
    longest : int
        How many of its characters are shown.

    Raises
    ------
    InputError
        `longest` is no whole number from 2 on, or the object has no text.
    """
    return plain.printable(_text_of(text), _count(longest))


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # whatever an object's own __str__ raises
        raise InputError(
            f"text: a {type(value).__name__} that has no text: {type(error).__name__}"
        ) from error


def _count(longest: Any) -> int:
    try:
        count = -1 if isinstance(longest, bool) else operator.index(longest)
    except TypeError:
        count = -1
    if count < 2:
        raise InputError(f"longest is {shown(longest)}; give a whole number from 2 on")
    return count
