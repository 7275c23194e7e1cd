"""Results are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from .errors import OutputError


def path_of(path: object) -> Path:
    """A path as it is given.

    Raises
    ------
    OutputError
        It is none: 1 would be a file that is open already.
    """
    if not isinstance(path, str | os.PathLike):
        raise OutputError(f"{path!r} is no path: give the name of the file to write")
    return Path(path)


@contextmanager
def write_whole(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when the block ends without an error.

    The bytes go to a temporary name in the same folder, which then replaces `path` in one step:
    until then an older file stays as it was, and nothing half-written is ever left. A symbolic
    link stays one. What is not a regular file (``/dev/null``, a pipe) is written directly.

    Parameters
    ----------
    path : str or Path
        Where the result goes; its folder must exist.

    Yields
    ------
    BinaryIO
        Open for writing and seekable, unless `path` is not a regular file.

    Raises
    ------
    OutputError
        If the file cannot be written; also for an OSError inside the block, such as a full disk.
    """
    # Replacing the resolved name, not the given one, is what keeps a link a link.
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise OutputError(f"{path} is a folder: give the name of a file in it")
    existing = os.path.exists(target)
    # A device of Windows lies in no folder.
    direct = existing and not os.path.isfile(target)
    if not direct and not os.path.isdir(folder):
        raise OutputError(f"{path} cannot be written: there is no folder {folder}; create it first")
    if existing and not os.access(target, os.W_OK):
        raise OutputError(f"{path} cannot be written: it is read-only; choose another name")
    # Short, because the target's own name may already be as long as names can be.
    working = target if direct else os.path.join(folder, f".{uuid4().hex}.part")
    try:
        try:
            with open(working, "wb" if direct else "xb") as file:
                yield file
            if not direct:
                os.replace(working, target)
        finally:
            if not direct:
                with suppress(OSError):
                    os.unlink(working)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{path} cannot be written: {reason}; choose another place or name") from error
