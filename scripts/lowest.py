"""The lowest versions that pyproject.toml promises, as constraints for pip.

    python scripts/lowest.py test-core > lowest.txt
    pip install -c lowest.txt -e ".[test-core]"

Prints ``name==version`` for every dependency, and for those of the extras that are named.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def lowest(project: dict[str, Any], extras: Iterable[str]) -> Iterator[str]:
    """A constraint for each requirement of the project and of these extras.

    Raises
    ------
    ValueError
        A requirement has no lowest version.
    """
    groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    for requirement in (entry for group in groups for entry in group):
        name = re.match(r"[\w.-]+", requirement)
        floor = re.search(r"[>=]=\s*([\w.]+)", requirement)
        if name is None or floor is None:
            raise ValueError(f"pyproject.toml: {requirement!r} has no lowest version; write NAME>=VERSION")
        yield f"{name[0]}=={floor[1]}"


if __name__ == "__main__":
    with open(PROJECT, "rb") as file:
        print("\n".join(lowest(tomllib.load(file)["project"], sys.argv[1:])))
