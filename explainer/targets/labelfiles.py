"""Class names from a file, in the forms that people have them in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any

from ..errors import InputError, shown
from ..files import opened

MOST_BYTES = 1 << 24  # a thousand times ImageNet's names

NUMBERED = re.compile(r"\s*(\d{1,9})(?:\s*[:,;=]\s*|\s*[.)]\s+|\s+-\s+|\s+)(\S.*)")
SYNSET = re.compile(r"n\d{8}(?:\s*[:,;=]\s*|\s+)(\S.*)")  # WordNet's, as ImageNet's classes are numbered


def read_labels(path: str | os.PathLike[str]) -> Any:
    """What a file of class names holds, as Python has it.

    Parameters
    ----------
    path : path
        One name a line: "cat", "0 cat" or "n02123045 tabby, tabby cat" (every line of one form; numbers
        go from 0 on, in any order). Or JSON: a list, or a dict of index to name, as it is or as
        ``id2label``, of names or of pairs, ``["n02123045", "tabby"]``.

    Returns
    -------
    list of names, or dict of index -> name
        Not checked yet, but for lines.

    Raises
    ------
    InputError
        There is no such file, or it holds nothing of the kind.
    """
    try:
        with opened(path) as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise InputError(
            f"labels: {str(path)!r} cannot be read ({getattr(error, 'strerror', None) or error}); a text is "
            "the path of a file of names, anything else a list of them or a dict of index -> name"
        ) from None
    return names_in(content, path)


def names_in(content: bytes | str, path: str | os.PathLike[str]) -> Any:
    """The same of what stands in a file, `path` for messages.

    Raises
    ------
    InputError
    """
    if len(content) > MOST_BYTES:
        raise InputError(
            f"labels: {path} has more than {MOST_BYTES >> 20} MiB: these are no names of classes"
        )
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise InputError(f"labels: {path} is not a text file in UTF-8") from None
    if not text.strip():
        raise InputError(f"labels: {path} is empty: it holds no names")
    if not text.lstrip().startswith(("[", "{")):
        return of_lines([line.rstrip("\r") for line in text.rstrip().split("\n")], path)
    try:
        held = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"labels: {path} is not a JSON list of names, or dict of index to name ({error})"
        ) from None
    return held.get("id2label", held) if isinstance(held, dict) else held


def read_open(file: Any) -> Any:
    """The same of a file that was opened, as text or bytes, from where it stands.

    Raises
    ------
    InputError
        It cannot be read, or holds nothing of the kind.
    """
    name = getattr(file, "name", "the open file")
    try:
        content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: closed, or no text
        raise InputError(f"labels: {shown(name)} cannot be read ({error})") from None
    if not isinstance(content, bytes | str):
        raise InputError(f"labels: {shown(file)} is no file of names")
    return names_in(content, str(name))


def of_lines(lines: Sequence[str], path: str | os.PathLike[str]) -> list[str]:
    """The names that stand in lines, without the numbers and synsets before them.

    Raises
    ------
    InputError
        The lines are numbered, and not from 0 on: a guess would name other classes.
    """
    names = list(lines)
    for _ in range(2):  # a number before a synset, or behind it
        if all(found := [SYNSET.fullmatch(name) for name in names]):
            names = [one[1] for one in found if one]
        if not all(found := [NUMBERED.fullmatch(name) for name in names]):
            continue
        numbered = {int(one[1]): one[2] for one in found if one}
        if len(numbered) < len(names):  # years, say: they belong to the names
            return names
        if numbered.keys() != set(range(len(names))):
            raise InputError(
                f"labels: the lines of {path} are numbered from {min(numbered)} to {max(numbered)}, and not "
                f"from 0 to {len(names) - 1} as classes are: number them so, or give JSON, "
                '{"281": "tabby"}'
            )
        names = [numbered[index] for index in range(len(names))]
    return names


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which nothing is said twice: Python would take the last one in silence."""
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError("one index has several names")
    return held
