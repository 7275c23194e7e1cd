"""What an explanation is saved as: a writer for every suffix."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np

from ..errors import InputError, OutputError
from ..files import Files, path_of, write_whole
from ..tensor import Array


class Savable(Protocol):
    """What writers ask of an explanation."""

    @property
    def heatmap(self) -> Callable[..., Any]: ...

    @property
    def relevance(self) -> Array | dict[str, Array]: ...

    def arrays(self) -> dict[str, Any]: ...

    def to_dict(self) -> dict[str, Any]: ...

    @property
    def files(self) -> Files: ...


def only(explanation: Savable) -> Array:
    """The relevance of a model's only input.

    Raises
    ------
    InputError
        There are several.
    """
    relevance = explanation.relevance
    if isinstance(relevance, dict):
        raise InputError(
            f"an .npy holds one array, and there are {len(relevance)} inputs with relevance: save as .npz"
        )
    return relevance


def _as_npy(array: Array) -> memoryview:
    """Into a file itself NumPy writes through a buffer of C's, which loses its end on a full disk unheard."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


# What is asked before the file is opened, so that a mistake leaves none; and what writes the answer.
Format: TypeAlias = tuple[Callable[..., Any], Callable[[BinaryIO, Any], Any]]

FORMATS: dict[str, Format] = {
    ".png": (
        lambda explanation, **options: explanation.heatmap(**options),
        # A third of the time for a tenth more bytes.
        lambda file, picture: picture.save(file, "PNG", compress_level=3),
    ),
    ".npy": (
        lambda explanation, **options: only(explanation),
        lambda file, array: file.write(_as_npy(array)),
    ),
    ".npz": (
        lambda explanation, **options: explanation.arrays(),
        lambda file, arrays: np.savez_compressed(file, **arrays),
    ),
    ".json": (
        lambda explanation, **options: explanation.to_dict(),
        lambda file, numbers: file.write(json.dumps(numbers, indent=1).encode()),
    ),
}


def write(explanation: Savable, path: str | Path, **options: Any) -> None:
    """Write an explanation as its path's suffix says, whole or not at all.

    Raises
    ------
    OutputError
        Another suffix, or the file cannot be written.
    InputError
        What the format cannot show.
    """
    suffix = path_of(path).suffix.lower()
    if suffix not in FORMATS:
        *most, last = FORMATS
        raise OutputError(f"{path}: save as {', '.join(most)} or {last}, not {suffix or 'without a suffix'}")
    ask, put = FORMATS[suffix]
    answer = ask(explanation, **options)
    with write_whole(path, explanation.files) as file:
        put(file, answer)
