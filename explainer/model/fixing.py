"""What a caller holds the same in every run: an input at a value, an open axis at a size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import InputError, did_you_mean, shown
from ..plain.checks import check_held, is_whole
from ..plain.values import FrozenDict
from ..tensor import Array
from .node import input_of, name_of_axis

MOST = 1 << 24  # elements of a fixed input: it is a setting, or a state, and written into the model
LARGEST_SIZE = 2**31 - 1

Fixed: TypeAlias = Mapping[str, Array]
# An input's or an axis' name, and its value or size.
FixLike: TypeAlias = "Mapping[str, Any]"


def fixed_of(fix: Any) -> Fixed:
    """What is fixed, as a value that is compared and pickled by what it holds.

    Raises
    ------
    InputError
        It is no dict of names to numbers.
    """
    if fix is None:
        return FrozenDict({})
    check_held("fix", fix)
    if not isinstance(fix, Mapping) or not all(isinstance(name, str) for name in fix):
        raise InputError(f"fix: a dict of inputs and axes by their names, {{'sr': 16000}}, not {shown(fix)}")
    return FrozenDict({name: _numbers(name, value) for name, value in fix.items()})


def fix(proto: onnx.ModelProto, fixed: Fixed, title: str) -> bool:
    """Make inputs constants and open axes sizes, in place.

    Parameters
    ----------
    proto : onnx.ModelProto
    fixed : dict of str -> array
        Of an input its value; of an axis, by the name that the file gives it or as ``input[1]``, its size.
    title : str
        What to call the model in messages.

    Returns
    -------
    bool
        Whether anything was changed.

    Raises
    ------
    InputError
        No input and no open axis has such a name, or the value does not fit it.
    """
    if not fixed:
        return False
    graph = proto.graph
    defaults = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: value for value in graph.input if value.name not in defaults}
    axes = _axes(inputs.values())
    for name, value in fixed.items():
        if name in inputs:
            continue
        if name not in axes:
            there = f"; there is: {', '.join(map(repr, (*inputs, *axes)))}" if inputs else ""
            raise InputError(
                f"fix: {title} has no input and no open axis {name!r}"
                f"{did_you_mean(name, [*inputs, *axes]) or there}"
            )
        if (
            value.shape not in ((), (1,))
            or not is_whole(size := value.reshape(()).item())
            or not (0 < size <= LARGEST_SIZE)
        ):
            raise InputError(f"fix: {name!r} is an axis; give its size, not {shown(value)}")
        for dim in axes[name]:
            dim.dim_value = int(size)
    for name in [name for name in fixed if name in inputs]:
        graph.initializer.append(numpy_helper.from_array(_fitting(fixed[name], inputs[name]), name))
    kept = [value for value in graph.input if value.name not in fixed]
    if len(kept) == len(defaults.intersection(v.name for v in kept)) and inputs:
        raise InputError("fix: every input is fixed, and none is left to be explained")
    del graph.input[:]
    graph.input.extend(kept)
    if len(kept) < len(inputs) + len(defaults) and proto.ir_version < 4:
        proto.ir_version = 4  # before it, every initializer was an input too
    return True


def _numbers(name: str, value: Any) -> Array:
    try:
        array: Array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise InputError(f"fix: {name}: {error}") from error
    if array.dtype.kind not in "biuf" or array.size > MOST:
        raise InputError(f"fix: {name}: a number or an array of numbers, not {shown(value)}")
    array = array.copy()
    array.setflags(write=False)
    return array


def _axes(inputs: Iterable[onnx.ValueInfoProto]) -> dict[str, list[Any]]:
    """The open axes by the names that the file gives them, and each as ``input[1]``."""
    found: dict[str, list[Any]] = {}
    for value in inputs:
        for place, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            for name in filter(None, (name_of_axis(dim), f"{value.name}[{place}]")):
                found.setdefault(name, []).append(dim)
    return found


def _fitting(value: Array, declared: onnx.ValueInfoProto) -> Array:
    """A value in the type and shape of an input.

    Raises
    ------
    InputError
    """
    expected = input_of(declared)
    wanted = f"{expected.dtype}, " + (
        "of any shape"
        if expected.shape is None
        else f"of shape ({', '.join('?' if size is None else str(size) for size in expected.shape)})"
    )
    if expected.dtype == np.dtype(object):
        raise InputError(f"fix: input {expected.name!r} holds no numbers, and cannot be fixed")
    with np.errstate(all="ignore"):
        made = value.astype(expected.dtype)
    if not np.array_equal(made.astype(np.float64), value.astype(np.float64), equal_nan=True) and (
        made.dtype.kind != "f"
    ):
        raise InputError(f"fix: input {expected.name!r} is {wanted}; {shown(value)} is none")
    shape = expected.shape
    sizes = [size for size in shape or () if size is not None]
    if shape is not None and made.size == 1 and all(size in (1, None) for size in shape):
        made = made.reshape((1,) * len(shape))  # a number for [1], as it is written
    elif shape is not None and made.ndim == 0 and len(sizes) == len(shape) and math.prod(sizes) <= MOST:
        made = np.full(sizes, made)  # a state of zeros, say
    if shape is not None and (
        len(shape) != made.ndim or any(s not in (None, n) for s, n in zip(shape, made.shape, strict=True))
    ):
        given = f"an array {made.shape}" if made.ndim else f"the number {shown(value.item())}"
        sizes_too = f"fix={{{', '.join(f'{name!r}: ...' for name in expected.open)}}}"
        more = "" if made.ndim or not expected.open else f"; say its open sizes too, {sizes_too}"
        raise InputError(f"fix: input {expected.name!r} is {wanted}; {given} was given{more}")
    return np.ascontiguousarray(made).reshape(made.shape)
