"""Which tests need torch, read from their source, and are slow by that; which run on request alone."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
TORCH = {"torch", "torchvision", "captum", "zennit"}


def mark(items: Iterable[pytest.Item], everything: bool) -> None:
    """Mark what needs torch as slow, and skip what is marked long unless everything is asked for."""
    for item in items:
        if needs_torch(item.path):
            item.add_marker("slow")
        if item.get_closest_marker("long") and not everything:
            item.add_marker(pytest.mark.skip(reason="takes minutes: --all runs it"))


@functools.cache
def needs_torch(file: Path) -> bool:
    """Whether loading a module imports torch: itself, through what it imports here, or a conftest.py."""
    seen: set[Path] = set()
    waiting = {file, *(folder / "conftest.py" for folder in file.parents if TESTS in folder.parents)}
    while waiting:
        here = waiting.pop()
        seen.add(here)
        if not here.exists():
            continue
        names = loaded(here)
        if any(name.split(".")[0] in TORCH for name in names):
            return True
        homes = (here.parent, TESTS, TESTS.parent)
        waiting |= {home.joinpath(*name.split(".")).with_suffix(".py") for name in names for home in homes}
        waiting -= seen
    return False


@functools.cache
def loaded(file: Path) -> frozenset[str]:
    """Dotted names that a module's own level imports, `from` imports with and without the name.

    What stands in a function is imported when that runs, what a type checker reads not at all.
    """
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)
