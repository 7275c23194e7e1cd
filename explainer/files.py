"""Files that are read, and results: written whole or not at all, and over no file that was read.

Whoever reads opens by `opened`, or tells by `read`; whoever writes does so by `write_whole`, which asks.
What is read between is held as long as it matters: by the block that records it, by an explainer, by an
explanation; outside of all blocks (a composite's file, a preprocessing) by the process, the last ones alone.
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, TypeAlias
from uuid import uuid4

from .errors import OutputError, shown

try:
    import fcntl
except ImportError:  # on Windows an open file cannot be removed, so that it needs no lock
    fcntl = None  # type: ignore[assignment]

PathLike: TypeAlias = "str | os.PathLike[str]"

# Of a killed run; nobody else's files are called so.
PART, PART_ENDS = ".onnx-lrp-", ".part"
# Of those read outside of any block, which last as long as the process.
MOST = 1000


class Files:
    """Files that were read, as what they are and not as they are called.

    A link, a hard link, another spelling and, where the file system makes no difference, other capitals
    are the same file. Safe to share between threads.

    Parameters
    ----------
    others : iterable of Files
        Whose files are these too.
    most : int, optional
        How many are held; of more the last.
    """

    def __init__(self, others: Iterable[Files] = (), most: int | None = None) -> None:
        self._held: dict[str, tuple[int, int]] = {}
        self._names: dict[tuple[int, int], str] = {}
        self._most = most
        for other in others:
            self._held |= other._held
            self._names |= other._names

    def __repr__(self) -> str:
        return f"<{len(self._held)} files>"

    def add(self, path: PathLike) -> None:
        """Note a file, if it is one; a pipe or a device cannot be replaced."""
        with suppress(OSError, ValueError):
            name = _name(path)
            status = os.stat(name)
            if stat.S_ISREG(status.st_mode):
                self._held[name] = (status.st_dev, status.st_ino)
                self._names[status.st_dev, status.st_ino] = name
        while self._most is not None and len(self._held) > self._most:
            oldest = next(iter(self._held))
            self._names.pop(self._held.pop(oldest, (0, 0)), None)

    def __contains__(self, path: PathLike) -> bool:
        try:
            name = _name(path)
            if name in self._held:
                return True
            status = os.stat(name)
            noted = self._names.get((status.st_dev, status.st_ino))
            # The number of a file that is gone may have become another's.
            return noted is not None and os.path.samestat(status, os.stat(noted))
        except (OSError, ValueError):
            return False


def _name(path: PathLike) -> str:
    """One name for all ways to write a path, links resolved."""
    return os.path.normcase(os.path.realpath(path))


_PROCESS = Files(most=MOST)
_BLOCKS: ContextVar[tuple[Files, ...]] = ContextVar("files", default=())


@contextmanager
def recording() -> Iterator[Files]:
    """Note what is read in this block, by this thread; nothing that is written in it replaces that."""
    here = Files()
    token = _BLOCKS.set((*_BLOCKS.get(), here))
    try:
        yield here
    finally:
        _BLOCKS.reset(token)


def read(*paths: PathLike) -> None:
    """Say that these files are read, or are going to be."""
    for path in paths:
        for block in _BLOCKS.get() or (_PROCESS,):
            block.add(path)


def opened(path: PathLike) -> BinaryIO:
    """Open a file for reading; the one way in.

    Raises
    ------
    OSError
    """
    file = open(path, "rb")  # noqa: SIM115  # for the caller to close
    read(path)
    return file


def check(paths: Collection[PathLike], made_of: Files | None = None) -> None:
    """Refuse results that would replace a file that was read, or each other.

    Parameters
    ----------
    paths : collection of path
    made_of : Files, optional
        What was read for them, beside that of the blocks around.

    Raises
    ------
    OutputError
    """
    known = [*_BLOCKS.get(), _PROCESS, *([] if made_of is None else [made_of])]
    taken: dict[str, PathLike] = {}
    for path in paths:
        if any(path in files for files in known):
            raise OutputError(
                f"{path}: this would overwrite a file that is read; choose another place or name"
            ).overwriting()
        # A rename replaces a name, so that two hard links stay two files.
        name = _name(path)
        if name in taken:
            raise OutputError(
                f"{path} and {taken[name]}: one result would overwrite the other; name another place"
            ).overwriting()
        taken[name] = path


def path_of(path: object) -> Path:
    """A path as it is given.

    Raises
    ------
    OutputError
        It is none: 1 would be a file that is open already.
    """
    if not isinstance(path, str | os.PathLike):
        raise OutputError(f"{shown(path)} is no path: give the name of the file to write")
    if "\0" in str(path):
        raise OutputError(f"{str(path)!r} is no path: it has a zero byte in it")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise OutputError(f"{str(path)!r} is no path: it has half a character in it") from None
    return Path(path)


@contextmanager
def write_whole(path: PathLike, made_of: Files | None = None) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when the block ends without an error.

    The bytes go to a temporary name in the same folder and to the disk; then it replaces `path` in one
    step: until then an older file stays as it was, and nothing half-written is ever left. What a killed
    process left is removed by the next one that writes there. A symbolic link stays one. What is not a
    regular file (``/dev/null``, a pipe) is written directly.

    Parameters
    ----------
    path : path
        Where the result goes; its folder must exist.
    made_of : Files, optional
        See `check`.

    Yields
    ------
    BinaryIO
        Open for writing and seekable, unless `path` is not a regular file.

    Raises
    ------
    OutputError
        If the file cannot be written, or was read; also for an OSError inside the block, such as a full
        disk.
    """
    # Replacing the resolved name, not the given one, is what keeps a link a link.
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise OutputError(f"{path} is a folder: give the name of a file in it")
    check([path], made_of)
    existing = os.path.exists(target)
    # A device of Windows lies in no folder.
    direct = existing and not os.path.isfile(target)
    if not direct and not os.path.isdir(folder):
        raise OutputError(f"{path} cannot be written: there is no folder {folder}; create it first")
    if existing and not os.access(target, os.W_OK):
        raise OutputError(f"{path} cannot be written: it is read-only; choose another name")
    try:
        if direct:
            with open(target, "wb") as file:
                yield file
            return
        with _part(folder) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:  # Windows renames no open file
                file.close()
            os.replace(file.name, target)
        _sync(folder)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{path} cannot be written: {reason}; choose another place or name") from error


@contextmanager
def _part(folder: str) -> Iterator[BinaryIO]:
    """A new file of our own in a folder; it is gone in the end, unless it has got another name."""
    _sweep(folder)
    while True:
        # Short, because the result's own name may already be as long as names can be.
        name = os.path.join(folder, f"{PART}{uuid4().hex}{PART_ENDS}")
        file = open(name, "xb")  # noqa: SIM115  # closed below
        try:
            _lock(file)
        except BlockingIOError:  # another process is about to sweep it
            file.close()
            continue
        except OSError:  # a file system without locks
            break
        if os.path.exists(name):
            break
        file.close()  # swept already
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            os.unlink(name)


def _lock(file: BinaryIO) -> None:
    """Mark a file as one that somebody works on: the mark goes with its process.

    Raises
    ------
    OSError
        Somebody else does (`BlockingIOError`), or the file system has no locks.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@functools.lru_cache(maxsize=64)
def _sweep(folder: str) -> None:
    """Remove what killed processes left in a folder, once a process; what is being written stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PART) and entry.name.endswith(PART_ENDS):
                with suppress(OSError), open(entry.path, "rb") as left:
                    _lock(left)
                    if fcntl is None:  # Windows removes no open file
                        left.close()
                    os.unlink(entry.path)


def _sync(folder: str) -> None:
    """Bring a folder's names to the disk, where the system can."""
    with suppress(OSError):
        here = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(here)
        finally:
            os.close(here)
