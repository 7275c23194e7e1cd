"""Arrays as the caller gives them, checked and cast to what the model's inputs want."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..errors import InputError, did_you_mean
from ..model.axes import sample_axes
from ..model.graph import Graph, Input
from ..model.sharing import alone
from ..plain.checks import check_held
from ..tensor import Array


def only_input(graph: Graph) -> Input:
    """The input of a model that has one.

    Raises
    ------
    InputError
    """
    if len(graph.inputs) != 1:
        several = "several inputs" if graph.inputs else "no inputs"
        wanted = ", ".join(map(wants, graph.inputs))
        raise InputError(f"the model has {several}; give a dict of input name -> array: {wanted}")
    return graph.inputs[0]


def wants(expected: Input) -> str:
    """An input for messages: its name, its shape and its type."""
    return f"{expected.name!r} {shape_of(expected)} {expected.dtype}"


def shape_of(expected: Input, samples: int | None = 0) -> str:
    """An input's shape for messages; `samples` is their axis."""
    if expected.shape is None:
        return "of any shape"
    sizes = ["any" if size is None else str(size) for size in expected.shape]
    if samples is not None and sizes:
        sizes[samples] = "N"
    return f"({', '.join(sizes)})" if sizes else "of one number"


def check_inputs(graph: Graph, names: Collection[Any]) -> None:
    """Refuse a dict that does not give every input of a model, or gives what is none.

    Raises
    ------
    InputError
    """
    known = {value.name: value for value in graph.inputs}
    wrong = [name for name in names if name not in known]
    missing = [value for name, value in known.items() if name not in names]
    said = [f"there is no input {name!r}{did_you_mean(name, known)}" for name in wrong[:1]]
    said += [f"missing: {', '.join(map(wants, missing))}"] if missing else []
    if missing and not wrong and names:
        said[-1] += ", of which what is the same in every run can be held with fix= (--fix)"
    if said:
        raise InputError(f"the model's inputs are {', '.join(map(repr, known))}; {'; '.join(said)}")


def feeds_of(graph: Graph, x: Any) -> dict[str, Array]:
    """One array, or one per input name, as what onnxruntime is fed.

    Raises
    ------
    InputError
        Names, shapes, types or numbers of samples do not fit.
    """
    arrays = dict(x) if isinstance(x, Mapping) else {only_input(graph).name: x}
    check_inputs(graph, arrays)
    known = {value.name: value for value in graph.inputs}
    axes = {name: axis for name, (_, axis) in sample_axes(graph).items()}
    feeds = {
        name: fit(array_of(name, array, known[name]), known[name], axes.get(name, 0))
        for name, array in arrays.items()
    }
    counts = {name: x.shape[axis] for name, x in feeds.items() if (axis := axes.get(name, 0)) is not None}
    samples = samples_in(graph, counts)
    return {name: samples_first(x, axes.get(name, 0), samples) for name, x in feeds.items()}


def samples_in(graph: Graph, counts: Mapping[str, int]) -> int:
    """How many samples inputs hold, each so many; one that all share may hold it once.

    Raises
    ------
    InputError
        None, or not the same number.
    """
    if empty := [name for name, count in counts.items() if not count]:
        raise InputError(f"the array for input {empty[0]!r} holds no samples")
    own = {count for name, count in counts.items() if count > 1 or not alone(graph, name)} or {1}
    if len(own) > 1:
        held = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise InputError(f"the inputs hold different numbers of samples, {held}; they must hold the same")
    return own.pop()


def samples_first(x: Array, axis: int | None, samples: int) -> Array:
    """An array with its samples in front; what has none, or one for all, is the same for every one."""
    if axis is None:
        return np.broadcast_to(x, (samples, *x.shape))
    x = np.moveaxis(x, axis, 0)
    return x if len(x) == samples else np.broadcast_to(x, (samples, *x.shape[1:]))


def array_of(name: str, given: Any, expected: Input) -> Array:
    """What is given for an input, as an array of its own numbers, or its own text.

    Raises
    ------
    InputError
        No array of what the input holds can be made of it, or not all of its numbers count.
    """
    check_held(f"the array for input {name!r}", given)
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"what is given for input {name!r} is no array: {error}") from None
    if expected.dtype == object:
        if array.dtype.kind != "U" and not all(isinstance(value, str) for value in array.flat):
            raise InputError(f"input {name!r} holds text, and no array of numbers can be fed to it")
        return array.astype(object)
    if array.dtype.kind not in "fiub":
        what = array.dtype if array.dtype != object else f"a {type(given).__name__}"
        raise InputError(f"input {name!r} wants numbers, not {what}")
    return array


def fit(array: Array, expected: Input, samples: int | None = 0) -> Array:
    """An array as the input wants it: a batch axis added to a single sample, the type cast.

    Parameters
    ----------
    array : array
    expected : Input
    samples : int or None
        The axis of the samples; None for an input without.

    Raises
    ------
    InputError
        Shape or type do not fit, a number is beyond the type, or there is NaN or infinity in it.
    """
    if expected.shape is not None:
        if samples is not None and array.ndim == len(expected.shape) - 1:
            array = np.expand_dims(array, samples)
        sizes = ["N" if axis == samples else size for axis, size in enumerate(expected.shape)]
        if array.ndim != len(sizes) or any(
            isinstance(want, int) and have != want for have, want in zip(array.shape, sizes, strict=True)
        ):
            want = shape_of(expected, samples)
            raise InputError(f"input {expected.name!r} has shape {want}, the array {array.shape}")
    if array.ndim == 0 and samples is not None:
        raise InputError(f"input {expected.name!r} wants an array with a batch axis, not a number")
    if 0 in array.shape[1:]:
        raise InputError(f"the array for input {expected.name!r}, {array.shape}, holds no numbers")
    if expected.dtype == object:
        return array
    check_numbers(array, expected)
    with np.errstate(over="ignore"):
        cast = np.asarray(array, dtype=expected.dtype, order="C")
    if cast.dtype.kind == "f" and not np.isfinite(cast).all():
        raise InputError(f"the array for input {expected.name!r} has values beyond {expected.dtype}")
    return cast


def check_kind(expected: Input) -> None:
    """Refuse an input that holds no numbers, whatever is given for it.

    Raises
    ------
    InputError
    """
    kind = expected.dtype.kind
    if kind not in "fiub":
        what = "text" if kind == "O" else expected.dtype
        raise InputError(
            f"input {expected.name!r} holds {what}, which no array of numbers can be made into here"
        )


def check_numbers(array: Array, expected: Input) -> None:
    """Refuse numbers that the input's type does not hold: NumPy would wrap them round, or cut them off.

    Raises
    ------
    InputError
    """
    check_kind(expected)
    name, kind = expected.name, expected.dtype.kind
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(f"the array for input {name!r} has NaN or infinity in it")
        if kind != "f":
            what = (
                f"input {name!r} wants {expected.dtype}, not {array.dtype}; where the numbers are whole "
                "and as the model takes them, give"
            )
            made = f"np.load('FILE.npy').astype('{expected.dtype}')"
            raise InputError(f"{what} x.astype({expected.dtype.name!r})").optioned(
                f"{what} a file of {expected.dtype}, OTHER.npy of",
                f"""  python -c "import numpy as np; np.save('OTHER.npy', {made})\"""",
            )
    elif kind != "f" and array.size:
        low, high = limits(expected.dtype)
        least, largest = int(array.min()), int(array.max())
        if least < low or largest > high:
            raise InputError(
                f"the array for input {name!r} holds whole numbers from {least} to {largest}, and "
                f"{expected.dtype} only those from {low} to {high}"
            )


def limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least and the largest whole number that a type holds; of bool 0 and 1."""
    if dtype.kind == "b":
        return 0, 1
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
