"""A model file split into its graph and the places of its weights.

Parsed whole, a 550 MB VGG-16 is held five times over: as bytes, as a message, twice in onnxruntime
and in the walk. Split, its weights are read once, and onnxruntime and the walk share them (measured:
2.7 -> 0.9 GB, and a session in 0.01 s instead of 0.9 s). Only the outer shell of the format is read
here (https://protobuf.dev/programming-guides/encoding); the onnx package parses everything else.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx

from ..tensor import Array

Data: TypeAlias = "bytes | mmap.mmap"

# Smaller tensors stay in the graph, where shape inference and constant folding see them.
SMALLEST = 1 << 14

GRAPH_OF_MODEL, INITIALIZER_OF_GRAPH, RAW_DATA_OF_TENSOR = 7, 5, 9
LENGTH_DELIMITED = 2


@dataclass(frozen=True)
class Location:
    """Where a weight lies in its file.

    Attributes
    ----------
    offset : int, in bytes
    dtype : numpy dtype
    shape : tuple of int
    """

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def read(self, path: Path) -> Array:
        """The weight; its memory is aligned, which the file's is not."""
        return np.fromfile(path, self.dtype, math.prod(self.shape), offset=self.offset).reshape(self.shape)


@dataclass(frozen=True)
class Field:
    """One field of a message: its number, and where it and its value lie."""

    number: int
    wire_type: int
    begin: int
    value: int
    end: int


def _varint(data: Data, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("malformed varint")


def _fields(data: Data, at: int, end: int) -> Iterator[Field]:
    while at < end:
        begin = at
        tag, at = _varint(data, at)
        wire_type = tag & 7
        if wire_type == LENGTH_DELIMITED:
            size, at = _varint(data, at)
        elif wire_type == 0:
            size = _varint(data, at)[1] - at
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type} is not used by ONNX")
        if at + size > end:
            raise ValueError("a field is longer than its message")
        yield Field(tag >> 3, wire_type, begin, at, at + size)
        at += size


def _delimited(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    size, prefix = len(payload), bytearray([number << 3 | LENGTH_DELIMITED])
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + payload


def split(data: Data, name: str) -> tuple[bytes, dict[str, Location]]:
    """Take the large weights out of a serialized model.

    Parameters
    ----------
    data : bytes or mmap
        A serialized ModelProto.
    name : str
        The name of its file: the light model says that its weights lie there, as external data.

    Returns
    -------
    bytes
        The model without the contents of its large initializers.
    dict of tensor name -> Location

    Raises
    ------
    ValueError, IndexError
        The bytes are not a message.
    """
    places: dict[str, Location] = {}
    shell = bytearray()
    for field in _fields(data, 0, len(data)):
        if field.number == GRAPH_OF_MODEL and field.wire_type == LENGTH_DELIMITED:
            shell += _delimited(GRAPH_OF_MODEL, _light_graph(data, field, name, places))
        else:
            shell += data[field.begin : field.end]
    return bytes(shell), places


def _light_graph(data: Data, graph: Field, name: str, places: dict[str, Location]) -> bytes:
    light = bytearray()
    for field in _fields(data, graph.value, graph.end):
        if field.number == INITIALIZER_OF_GRAPH and field.end - field.value > SMALLEST:
            light += _delimited(INITIALIZER_OF_GRAPH, _light_tensor(data, field, name, places))
        else:
            light += data[field.begin : field.end]
    return bytes(light)


def _light_tensor(data: Data, tensor: Field, name: str, places: dict[str, Location]) -> bytes:
    raw, light = None, bytearray()
    for field in _fields(data, tensor.value, tensor.end):
        if field.number == RAW_DATA_OF_TENSOR:
            raw = field
        else:
            light += data[field.begin : field.end]
    declared = onnx.TensorProto.FromString(bytes(light))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(declared.data_type)
    shape = tuple(declared.dims)
    fits = raw is not None and raw.end - raw.value == math.prod(shape) * dtype.itemsize
    if raw is None or not fits or dtype.kind != "f" or min(shape, default=1) < 1:
        return data[tensor.value : tensor.end]  # packed, or malformed: for the onnx package to judge
    places[declared.name] = Location(raw.value, dtype, shape)
    declared.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": name, "offset": raw.value, "length": raw.end - raw.value}.items():
        declared.external_data.add(key=key, value=str(value))
    return bytes(declared.SerializeToString())
