"""Composites from files: JSON or TOML."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import CompositeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST = 1 << 20  # bytes; a composite of a thousand rules has a tenth of it


def read_composite(path: Path) -> dict[str, Any]:
    """What a composite file says.

    Parameters
    ----------
    path : Path
        ``base = "epsilon_plus"``, a table ``parameters`` of the base's parameters, and a table
        ``rules`` of selector -> rule, in the order in which they are tried.

    Raises
    ------
    CompositeError
        It cannot be read, or is no table.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise CompositeError(f"{path} is larger than {LARGEST} bytes: this is no composite")
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise CompositeError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # both parsers' errors are ValueErrors
        raise CompositeError(f"{path} is no {path.suffix[1:].upper()} file: {error}") from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key, {}), dict) for key in ("parameters", "rules")
    ):
        raise CompositeError(f'{path} must hold base = "a preset" and tables called parameters and rules')
    return content
