"""Files that were read, and none of which a model is written over; a file is written whole or not at all."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from exporter.errors import ExportError

MOST = 1000  # of weights and labels, which are named by hand
_READ: OrderedDict[str, None] = OrderedDict()


def read(path: Path) -> Path:
    """Note that a file is read."""
    _READ[os.path.realpath(path)] = None
    while len(_READ) > MOST:
        _READ.popitem(last=False)
    return path


def refuse_read(path: Path) -> None:
    """Refuse a result that would replace a file that was read, by whatever name.

    Raises
    ------
    ExportError
    """
    for name in _READ:
        with suppress(OSError):
            if os.path.realpath(path) == name or os.path.samefile(path, name):
                raise ExportError(f"{path}: this would overwrite a file that is read; choose another name")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to; it becomes ``path`` if the block ends well, else nothing.

    Raises
    ------
    ExportError
    """
    if path.is_dir() or path.is_char_device() or path.is_block_device():
        raise ExportError(f"cannot write {path}: it is not a file")
    refuse_read(path)
    # Replacing the resolved name keeps a link a link; short, because names can be as long as they can be.
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".onnx-lrp-{uuid4().hex}.part")
    try:
        # Before the work, which may take minutes.
        temporary.touch()
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
