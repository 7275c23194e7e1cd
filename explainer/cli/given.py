"""Inputs from files of numbers: for models that take more than a picture, or none."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import explainer

from .options import Command

LARGEST = 1 << 31  # bytes that a file of numbers may hold, unpacked
ARRAYS = (".npy", ".npz")


class InputFile(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """``NAME=FILE``, or a file that names its arrays; a name may have an = in it, a file none."""

    name = "input"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, file = value.rpartition("=")
        if not equals and value.lower().endswith(".npz"):
            return "", value
        if not (name and file):
            self.fail(f"{value!r} is neither NAME=FILE, such as mask=mask.npy, nor a .npz", param, ctx)
        return name, file


def input_option(command: Command) -> Command:
    """Add --input."""
    return click.option(
        "--input",
        "inputs",
        type=InputFile(),
        multiple=True,
        metavar="NAME=FILE",
        help="An input of the model: a .npy, taken as already prepared, with one sample for every image or"
        " one for all; or a picture. A .npz alone gives all the inputs that it names.  [repeatable]",
    )(command)


@dataclass(frozen=True)
class Inputs:
    """What --input gives.

    Attributes
    ----------
    pictures : dict of input name -> path
    arrays : dict of input name -> array
    paths : tuple of str
        All files, as they were given.
    """

    pictures: Mapping[str, str]
    arrays: Mapping[str, Any]
    paths: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.paths)

    @classmethod
    def read(cls, pairs: Sequence[tuple[str, str]]) -> Inputs:
        """Read the files.

        Raises
        ------
        click.UsageError
            An input is given twice.
        InputError
            A file cannot be read.
        """
        pictures: dict[str, str] = {}
        arrays: dict[str, Any] = {}
        for name, path in pairs:
            found = arrays_of(name, path) if path.lower().endswith(ARRAYS) else {}
            if twice := [one for one in found or [name] if one in pictures or one in arrays]:
                raise click.UsageError(f"--input {twice[0]} is given twice; give it once")
            arrays |= found
            pictures |= {} if found else {name: path}
        return cls(pictures, arrays, tuple(path for _, path in pairs))

    def named(self, explained: explainer.Explainer) -> list[str]:
        """What results are called where no image is given: the first file, and the sample's number."""
        samples = max(
            (len(x) for name, x in self.arrays.items() if has_samples(explained, name, x)), default=1
        )
        first = self.paths[0]
        if samples == 1:
            return [first]
        return [str(Path(first).with_name(f"{Path(first).stem}-{place}")) for place in range(samples)]

    def of(self, explained: explainer.Explainer, image: str | None, place: int, count: int) -> Any:
        """What the model is asked at one of `count` places: the image alone, or a dict of inputs.

        Raises
        ------
        click.UsageError
            There is no input for the image.
        InputError
            An input is not given, or an array has neither one sample nor `count`.
        """
        inputs = explained.graph.inputs
        if not self and len(inputs) == 1:
            return image
        given: dict[str, Any] = {**self.pictures, **self.arrays}
        left = [value for value in inputs if value.name not in given]
        if any(name not in {value.name for value in inputs} for name in given):
            return given  # which is refused, with what was meant
        if image is not None and not left:
            raise click.UsageError(f"every input is given by --input: leave {image} out")
        if image is not None and len(left) == 1:
            given[left.pop().name] = image
        if left:
            beside = "; the image is one of them, if the others are given" if image is not None else ""
            wanted = (f"  --input {shlex.quote(value.name)}=FILE.npy  # {wants(value)}" for value in left)
            raise explainer.InputError(f"{len(left)} of the model's inputs are not given{beside}:", *wanted)
        for name, x in self.arrays.items():
            if count > 1 and has_samples(explained, name, x) and len(x) != 1:
                if len(x) != count:
                    what = f"its {len(x)} samples are neither one for all nor one for each of {count} images"
                    raise explainer.InputError(f"--input {name}: {what}")
                given[name] = x[place : place + 1]
        return given


def has_samples(explained: explainer.Explainer, name: str, x: Any) -> bool:
    """Return whether an array has the samples on its first axis, and is not a single one of them."""
    shapes = {value.name: value.shape for value in explained.graph.inputs}
    shape = shapes.get(name)
    return x.ndim > 0 and (shape is None or x.ndim == len(shape))


def wants(value: Any) -> str:
    """Return an input's type and shape for a message."""
    if value.shape is None:
        return f"{value.dtype}, of any shape"
    return f"{value.dtype}, {' x '.join('N' if size is None else str(size) for size in value.shape)}"


def arrays_of(name: str, path: str) -> dict[str, Any]:
    """The arrays of a .npy or .npz, by inputs' names; nothing in it is ever run.

    Raises
    ------
    InputError
    """
    from numpy.lib.format import read_array

    try:
        with explainer.files.opened(path) as file:
            if path.lower().endswith(".npy"):
                return {name: read_array(file, allow_pickle=False)}
            with zipfile.ZipFile(file) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                    raise ValueError(f"it holds more than {LARGEST >> 30} GiB")
                arrays = {}
                for key in archive.namelist():
                    with archive.open(key) as member:
                        arrays[key.removesuffix(".npy")] = read_array(member, allow_pickle=False)
    except OSError as error:
        raise explainer.InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file makes NumPy raise nearly anything
        raise explainer.InputError(f"{path} is no file of numbers: {error}") from error
    if name and len(arrays) != 1:
        what = f"it holds {len(arrays)} arrays ({', '.join(arrays)})"
        raise explainer.InputError(f"--input {name}={path}: {what}; give it without the name")
    return {name or key: array for key, array in arrays.items()}
