"""One JSON object per result, in a file that a later run goes on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

import click

import explainer


class Lines:
    """A file of JSON lines, each on the disk before the next result is begun.

    Parameters
    ----------
    path : str
    goes_on : bool
        Whether what the file holds stays: the lines of results that are there. A line whose results are
        gone is left out, as they are made again, and so is what a killed run left of its last line.

    Raises
    ------
    click.UsageError
        The file is to be gone on with and holds anything else.
    OutputError
    """

    def __init__(self, path: str, goes_on: bool) -> None:
        self.path = path
        self.there: set[tuple[str, ...]] = set()
        goes_on = goes_on and os.path.exists(path)
        kept = self.kept() if goes_on and os.path.isfile(path) else []
        if not goes_on or os.path.isfile(path):
            with explainer.files.write_whole(path) as file:
                file.writelines(kept)

    def kept(self) -> Iterator[bytes]:
        """The lines of results that are there."""
        with open(self.path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                written = self.written(line, number)
                if written not in self.there and all(map(os.path.isfile, written)):
                    self.there.add(written)
                    yield line

    def written(self, line: bytes, number: int) -> tuple[str, ...]:
        """The files that a line tells of."""
        try:
            written = json.loads(line)["written"]
        except (ValueError, TypeError, KeyError, RecursionError):
            written = None
        if not isinstance(written, list) or not all(isinstance(path, str) for path in written):
            name = explainer.printable(self.path)
            raise click.UsageError(f"--json-lines {name}: line {number} is none of these; name another file")
        return tuple(written)

    def has(self, written: Sequence[str]) -> bool:
        """Whether a result of an earlier run has its line."""
        return tuple(written) in self.there

    def add(self, numbers: object) -> None:
        """Write the line of one result."""
        with open(self.path, "ab") as file:
            file.write(json.dumps(numbers).encode() + b"\n")
            file.flush()
            if os.path.isfile(self.path):
                os.fsync(file.fileno())
