"""Tensors in a model file: what they declare, where their data lies, and their values."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import uses_external_data

from ..files import opened
from ..tensor import Array

Stored: TypeAlias = "TensorProto | onnx.SparseTensorProto"

# Contents up to this size are checked at the gate. Larger ones are checked where they are read, as
# protobuf hands out a copy of them, and weights are not copied to be counted.
SMALL = 1 << 14
# A sparse tensor of a few bytes can declare any size; this is the most that one may unpack to.
MOST_DENSE = 1 << 29
# Numbers that share a byte with others, by the bits that each takes.
BITS = {
    getattr(TensorProto, name): bits
    for name, bits in {
        **{"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2},
        **{"FLOAT6E2M3": 6, "FLOAT6E3M2": 6},
    }.items()
    if hasattr(TensorProto, name)
}
# The types of real numbers, and the bytes of one.
FLOATS = {TensorProto.FLOAT16: 2, TensorProto.BFLOAT16: 2, TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8}
COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)
# onnxruntime reads what such a location points to out of its own memory.
MEMORY = "*/_ORT_MEM_ADDR_/*"
NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class External:
    """Where the data of a tensor lies outside the model file.

    Attributes
    ----------
    file : Path
        Links resolved.
    offset, size : int, in bytes
    """

    file: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The data."""
        with opened(self.file) as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


def name_of(tensor: Stored) -> str:
    """A tensor's name; a sparse one has its values'."""
    return tensor.name if isinstance(tensor, TensorProto) else tensor.values.name


def kind_of(tensor: Stored) -> int:
    """The type of its numbers, as ONNX counts them."""
    return tensor.data_type if isinstance(tensor, TensorProto) else tensor.values.data_type


def parts_of(tensor: Stored) -> tuple[TensorProto, ...]:
    """The tensor itself; of a sparse one its values and their indices."""
    return (tensor,) if isinstance(tensor, TensorProto) else (tensor.values, tensor.indices)


def array_of(tensor: Stored, folder: Path | None = None) -> Array:
    """The value of a tensor; a sparse one is unpacked.

    Parameters
    ----------
    tensor : TensorProto or SparseTensorProto
    folder : Path, optional
        Where external data lies.

    Raises
    ------
    ValueError
        It is damaged, or its data is not there.
    """
    if not isinstance(tensor, TensorProto):
        return _dense(tensor, folder)
    if not uses_external_data(tensor):
        return numpy_helper.to_array(tensor)
    place = external_of(tensor, folder)
    dtype = _dtype(tensor)
    if tensor.data_type in BITS or dtype.isbuiltin != 1:  # not NumPy's own
        inside = TensorProto(data_type=tensor.data_type, dims=tensor.dims, raw_data=place.read())
        return numpy_helper.to_array(inside)
    little = dtype.newbyteorder("<")
    return np.fromfile(place.file, little, math.prod(tensor.dims), offset=place.offset).reshape(tensor.dims)


def take_in(tensor: Stored, folder: Path | None) -> None:
    """Put data that lies in other files into the tensor itself.

    Raises
    ------
    ValueError
    """
    for part in filter(uses_external_data, parts_of(tensor)):
        part.raw_data = external_of(part, folder).read()
        part.ClearField("data_location")
        del part.external_data[:]


def _dense(tensor: onnx.SparseTensorProto, folder: Path | None) -> Array:
    values, indices = array_of(tensor.values, folder), array_of(tensor.indices, folder)
    sizes = tuple(tensor.dims)
    dense = np.zeros(sizes, values.dtype)
    if indices.ndim == 1:
        flat = indices
    else:
        flat = np.ravel_multi_index(tuple(indices.T), sizes) if indices.size else indices.ravel()
    if flat.size and (flat.min() < 0 or flat.max() >= dense.size):
        raise ValueError("an index of it lies outside")
    if len(np.unique(flat)) < flat.size:
        raise ValueError("two of its values have one index")
    dense.reshape(-1)[flat] = values
    return dense


def complaints(tensor: Stored) -> Iterator[str]:
    """What is wrong with a tensor, apart from where its external data lies."""
    if not isinstance(tensor, TensorProto):
        yield from _sparse_complaints(tensor)
        return
    try:
        dtype = _dtype(tensor)
    except (KeyError, TypeError, ValueError):
        yield f"its data type {tensor.data_type} is none that onnx {onnx.__version__} knows"
        return
    if min(tensor.dims, default=0) < 0:
        yield f"its shape {list(tensor.dims)} is negative"
    elif tensor.HasField("segment"):
        yield "it is a segment of a tensor, which no runtime reads"
    elif uses_external_data(tensor):
        if tensor.data_type == TensorProto.STRING:
            yield "it is text, which cannot lie in another file"
        if tensor.HasField("raw_data"):
            yield "its data lies in the model and in another file"
    elif (wanted := _bytes(tensor)) <= SMALL:
        yield from _content_complaints(tensor, dtype, wanted)


def _content_complaints(tensor: TensorProto, dtype: np.dtype[Any], wanted: int) -> Iterator[str]:
    if tensor.HasField("raw_data"):
        if tensor.data_type == TensorProto.STRING:
            yield "it is text, and its data is raw"
        elif (found := len(tensor.raw_data)) != wanted:
            yield f"it has {found} bytes; a shape of {list(tensor.dims)} takes {wanted}"
    elif tensor.data_type not in BITS:
        field = onnx.helper.tensor_dtype_to_field(tensor.data_type)
        count = math.prod(tensor.dims) * (2 if tensor.data_type in COMPLEX else 1)
        if (found := len(getattr(tensor, field))) != count:
            yield f"it has {found} numbers; a shape of {list(tensor.dims)} takes {count}"


def _sparse_complaints(tensor: onnx.SparseTensorProto) -> Iterator[str]:
    wrong = [text for part in parts_of(tensor) for text in complaints(part)]
    yield from wrong
    if wrong:
        return
    values, indices, dims = tensor.values, tensor.indices, list(tensor.dims)
    count, rank = math.prod(values.dims), len(dims)
    if len(values.dims) != 1 or tuple(indices.dims) not in ((count,), (count, rank)):
        yield f"{list(values.dims)} values and indices of shape {list(indices.dims)} are no sparse tensor"
    elif indices.data_type == TensorProto.STRING or _dtype(indices).kind != "i":
        yield "its indices are no whole numbers"
    elif values.data_type == TensorProto.STRING:
        yield "text is not sparse"
    elif min(dims, default=0) < 0:
        yield f"its shape {dims} is negative"
    elif (size := math.prod(dims) * _dtype(values).itemsize) > MOST_DENSE:
        yield f"it is sparse, and unpacks to {size >> 20} MiB; {MOST_DENSE >> 20} MiB is the most"


def _dtype(tensor: TensorProto) -> np.dtype[Any]:
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))


def _bytes(tensor: TensorProto) -> int:
    """How long the data is, by type and shape."""
    bits: int = BITS.get(tensor.data_type) or 8 * _dtype(tensor).itemsize
    return -(-int(math.prod(tensor.dims)) * bits // 8)


def external_of(tensor: TensorProto, folder: Path | None) -> External:
    """Where the data of a tensor lies.

    Parameters
    ----------
    tensor : TensorProto
    folder : Path or None
        The model's, links resolved; None for a model that is no file.

    Raises
    ------
    ValueError
        Outside the folder, missing, or beyond the end of its file.
    """
    said = {entry.key: entry.value for entry in tensor.external_data}
    location = said.get("location", "")
    if folder is None:
        raise ValueError(f"it lies in the external file {location!r}; give the model's path")
    file = _inside(location, folder)
    there = _size(file)
    if there is None:
        if os.path.exists(file):
            raise ValueError(f"its external data is {location!r}, and that is no file of bytes")
        raise ValueError(f"its external data {location!r} is missing; put it beside the model file")
    for key in ("offset", "length"):
        if key in said and not NUMBER.fullmatch(said[key]):
            what = (
                "beyond any file"
                if said[key].isascii() and said[key].isdigit()
                else "no whole number of bytes"
            )
            raise ValueError(f"the {key} of its external data is {said[key][:40]!r}, {what}")
    offset, size = int(said.get("offset", 0)), _bytes(tensor)
    if int(said.get("length", size)) != size:
        raise ValueError(f"its external data has {said['length']} bytes; its shape and type take {size}")
    if offset + size > there:
        raise ValueError(
            f"its external data, bytes {offset} to {offset + size}, ends beyond {location!r} of {there} bytes"
        )
    return External(file, offset, size)


def _size(file: Path) -> int | None:
    """In bytes; None where there is no such file, or none that can be read twice: a pipe, a device."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _inside(location: str, folder: Path) -> Path:
    """A file in the folder, by any system's way to write a path."""
    outside = ValueError(f"it points to {location!r}, outside the model's folder; refused")
    if not location:
        raise ValueError("its external data names no file; export the model anew")
    if "\0" in location or location.startswith(MEMORY[:6]):
        raise outside
    for path in (PurePosixPath(location), PureWindowsPath(location)):
        if path.drive or path.root or ".." in path.parts:
            raise outside
    try:
        file = (folder / location).resolve()
    except (OSError, ValueError, RuntimeError):  # a name that is too long, or links in a ring
        raise outside from None
    if not file.is_relative_to(folder):
        raise outside
    return file
