"""Text out of a file, as it can be shown: names, labels and metadata are whatever their maker wrote."""

from __future__ import annotations

from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=type)

# Letters of a name that are shown: its beginning and its end tell it from others.
LONGEST = 200
# And of a line with several names in it.
LINE = 2000
# Letters that have no shape, beside those of Unicode's category "format".
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")


def printable(text: object, longest: int = LONGEST) -> str:
    """One line of text without anything that a terminal, a log or a reader's eye would obey.

    `explainer.printable` (`plain/shown.py`) says what that is, and refuses what is no text or no length.
    """
    whole = str(text)
    if len(whole) > longest:
        half = longest // 2
        whole = f"{whole[:half]}… ({len(whole):,} characters) …{whole[-half:]}"
    if whole.isprintable() and UNSEEN.isdisjoint(whole):
        return whole
    return "".join(map(_seen, whole))


def in_short(kind: Kind) -> Kind:
    """Let a class that holds names from a file have a repr, and so a str, of one printable line."""
    shown: Any = kind
    whole = shown.__repr__
    shown.__repr__ = lambda self: printable(whole(self), LINE)
    return kind


def _seen(letter: str) -> str:
    if letter in UNSEEN:
        return f"\\u{ord(letter):04x}"
    # The wide spaces of other scripts are not "printable", and harmless.
    is_harmless = letter.isprintable() or (letter.isspace() and letter in "\xa0\u3000\u2007\u2009\u202f")
    return letter if is_harmless else repr(letter)[1:-1]
