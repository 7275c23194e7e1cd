"""What canonizers did, and what they could not do: as data, and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..text import LINE, in_short, printable

# How many names stand on a line that tells of many.
SHOWN = 3


@in_short
@dataclass(frozen=True)
class Note:
    """What a canonizer did with some nodes, or why it left them as they are.

    Attributes
    ----------
    canonizer : str
        Its name.
    nodes, operators : tuple of str
        Of the nodes, in the order they run.
    layer : str
        The name of the one node that they became; "" where they stay apart.
    reason : str
        Why they stay apart; "" where they became one.
    became : str
        What stands in the place of a call or an If that is called `layer`, which the nodes are: "its body".
    """

    canonizer: str
    nodes: tuple[str, ...]
    operators: tuple[str, ...]
    layer: str = ""
    reason: str = ""
    became: str = ""

    @property
    def refused(self) -> bool:
        """Whether the nodes stay apart."""
        return bool(self.reason)

    def __str__(self) -> str:
        return told([self])[0]


def told(notes: Iterable[Note]) -> list[str]:
    """Notes as lines of text, those that say the same on one; what was refused comes last."""
    alike: dict[tuple[str, tuple[str, ...], str, str], list[Note]] = {}
    for note in notes:
        alike.setdefault((note.canonizer, note.operators, note.reason, note.became), []).append(note)
    ordered = sorted(alike.items(), key=lambda entry: bool(entry[0][2]))
    return [_line(*key, entries) for key, entries in ordered]


def _line(canonizer: str, operators: tuple[str, ...], reason: str, became: str, notes: list[Note]) -> str:
    count = f"{len(notes)} x " if len(notes) > 1 else ""
    names = [" and ".join(map(repr, note.nodes)) if reason else repr(note.layer) for note in notes[:SHOWN]]
    more = f" and {len(notes) - SHOWN} more" if len(notes) > SHOWN else ""
    what = f"not one layer: {reason}" if reason else f"one layer{' each' if count else ''}"
    what = f"explained as {became}" if became else what
    return printable(f"{canonizer}: {count}{' + '.join(operators)}, {what} ({', '.join(names)}{more})", LINE)
