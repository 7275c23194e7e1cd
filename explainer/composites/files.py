"""Composites as data: from JSON or TOML files, or as the dict that these hold."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CompositeError
from ..files import opened

ENDINGS = (".toml", ".json")
LARGEST = 1 << 20  # bytes; a composite of a thousand rules has a tenth of it
KEYS = {"base": str, "parameters": Mapping, "rules": object, "dialect": str}


def is_file(composite: object) -> bool:
    """Return whether a composite is given as the path of a file."""
    return isinstance(composite, os.PathLike) or (
        isinstance(composite, str) and composite.lower().endswith(ENDINGS)
    )


def read_composite(path: Path) -> Mapping[str, Any]:
    """What a composite file says.

    Parameters
    ----------
    path : Path
        ``base = "epsilon_plus"``, a table ``parameters`` of the base's parameters, a table ``rules``
        of selector -> rule, and ``dialect``; none of them need be there.

    Raises
    ------
    CompositeError
        It cannot be read, is neither JSON nor TOML, or holds anything else.
    """
    if path.suffix.lower() not in ENDINGS:
        raise CompositeError(f"{path}: a composite's file ends in {' or '.join(ENDINGS)}")
    try:
        with opened(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise CompositeError(f"{path} has more than {LARGEST} bytes: this is no composite")
        text = content.decode("utf-8-sig")
        values = (
            tomllib.loads(text)
            if path.suffix.lower() == ".toml"
            else json.loads(text, object_pairs_hook=_once)
        )
    except OSError as error:
        raise CompositeError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # both parsers' errors are ValueErrors
        raise CompositeError(f"{path} is no {path.suffix[1:].upper()} file: {error}") from error
    return checked(values, str(path))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names differ: of two rules for one selector, one would be lost."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} is there twice")
        found[name] = value
    return found


def checked(values: Any, where: str = "the composite") -> Mapping[str, Any]:
    """A composite as data, refused where it says anything that nobody reads.

    Raises
    ------
    CompositeError
    """
    expected = 'base = "a preset", tables called parameters and rules, and dialect = "a tool"'
    if not isinstance(values, Mapping):
        raise CompositeError(f"{where} must be a table: {expected}")
    for key, value in values.items():
        if key not in KEYS or not isinstance(value, KEYS[key]):
            raise CompositeError(f"{where}: {key} = {value!r} is not understood; it can have {expected}")
    return values
