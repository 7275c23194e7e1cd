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

    @classmethod
    def positional(cls, explained: explainer.Explainer, path: str) -> Inputs:
        """Read a file of numbers in an image's place: what --input gives of the model's only input.

        Raises
        ------
        InputError
        """
        names = [value.name for value in explained.graph.inputs]
        if path.lower().endswith(".npz"):
            return cls.read([("", path)])
        return cls.read([(names[0], path)]) if len(names) == 1 else cls({}, {}, ())

    def check_names(self, explained: explainer.Explainer) -> None:
        """Refuse what is given for an input that the model does not have.

        Raises
        ------
        InputError
        """
        given = {**self.pictures, **self.arrays}
        if not given.keys() <= {value.name for value in explained.graph.inputs}:
            explained.prepare(given)  # says what was meant

    def named(self, explained: explainer.Explainer) -> list[str]:
        """What results are called where no image is given: the first file, and the sample's number."""
        samples = max((count_of(explained, name, x) for name, x in self.arrays.items()), default=1)
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
        if not self and len(inputs) == 1 and image is not None and not _is_array(image):
            explained.check_image(inputs[0].name)  # for all images, once
            return image
        if not inputs:
            raise explainer.InputError("the model has no inputs, so that nothing explains its answer")
        given: dict[str, Any] = {**self.pictures, **self.arrays}
        left = [value for value in inputs if value.name not in given]
        if image is not None and not left:
            raise click.UsageError(f"every input is given by --input: leave {image} out")
        if image is not None and len(left) == 1:
            name = left.pop().name
            given[name] = _positional(explained, name, image)
        if left:
            raise explainer.InputError(*_not_given(explained, left, image))
        for name, x in self.arrays.items():
            there, axis = count_of(explained, name, x), explained.axis_of_samples(name)
            if count > 1 and there != 1 and axis is not None:
                if there != count:
                    what = f"its {there} samples are neither one for all nor one for each of {count} images"
                    raise explainer.InputError(f"--input {name}: {what}")
                given[name] = x[(slice(None),) * axis + (slice(place, place + 1),)]
        return given


def count_of(explained: explainer.Explainer, name: str, x: Any) -> int:
    """Return how many samples an array holds, which may be a single one without an axis of its own."""
    shapes = {value.name: value.shape for value in explained.graph.inputs}
    shape, axis = shapes.get(name), explained.axis_of_samples(name)
    has_axis = axis is not None and axis < x.ndim and (shape is None or x.ndim == len(shape))
    return int(x.shape[axis]) if has_axis else 1


def _is_array(image: str | None) -> bool:
    return image is not None and image.lower().endswith(ARRAYS)


def _positional(explained: explainer.Explainer, name: str, image: str) -> Any:
    """What is given in a picture's place: the picture, or one sample's numbers.

    Raises
    ------
    InputError
        There are more samples, which --input gives one by one.
    """
    if not _is_array(image):
        explained.check_image(name)
        return image
    array = arrays_of(name, image)[name]
    if (count := count_of(explained, name, array)) != 1:
        raise explainer.InputError(f"{image} holds {count} samples, not one; give it alone")
    return array


def _not_given(explained: explainer.Explainer, left: Sequence[Any], image: str | None) -> list[str]:
    """The lines on inputs that are not given, less the one that the image is."""
    pictured = [value for value in left if value.name in explained.pictured]
    # With the image one of them is given; where several could be it, each of them is listed.
    named = pictured[0].name if image is not None and len(pictured) == 1 else None
    wanted = [value for value in left if value.name != named]
    count = len(left) - (image is not None)
    is_given = "1 of the model's inputs is" if count == 1 else f"{count} of the model's inputs are"
    if named is not None:
        beside = f", beside {image} for {named!r}"
    elif image is not None:
        beside = f"; {image} is for the one of these that is left out"
    else:
        beside = ""
    lines = (f"  {options_for([value.name])}  # {wants(value)}" for value in wanted)
    return [f"{is_given} not given{beside}:", *lines]


def options_for(names: Sequence[str]) -> str:
    """The options that give inputs their numbers, ready for a shell but for the files' names."""
    return " ".join(f"--input {shlex.quote(f'{name}=FILE.npy')}" for name in names)


def wants(value: Any) -> str:
    """Return an input's type and shape for a message; N is the samples, ? a size that is open."""
    kind = "text" if value.dtype == object else value.dtype
    if value.shape is None:
        return f"{kind}, of any shape"
    sizes = ["?" if size is None else str(size) for size in value.shape]
    return f"{kind}, {' x '.join(['N', *sizes[1:]] if sizes else ['one number'])}"


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
