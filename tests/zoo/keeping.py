"""Answers in a folder, a file each: a measurement of hours that is broken off goes on where it was."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Key = tuple[str, str, str]


def place(folder: Path, key: Key) -> Path:
    """The file of a member's answer; `key` is its family, name and exporter."""
    return folder / f"{re.sub(r'[^A-Za-z0-9.]+', '-', '-'.join(key))}.json"


def keep(folder: Path, key: Key, answer: Mapping[str, Any]) -> None:
    """Write an answer, all of it or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = place(folder, key)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({**answer, "family": key[0]}, indent=1), encoding="utf-8")
    part.replace(path)


def kept(folder: Path) -> dict[Key, dict[str, Any]]:
    """Every answer of a folder by family, name and exporter."""
    answers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return {(one["family"], one["name"], one["exporter"]): one for one in answers}
