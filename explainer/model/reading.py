"""Reading model files that come from anywhere: untrusted bytes, external data, old opsets."""

from __future__ import annotations

import functools
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx
import onnx.shape_inference
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.external_data_helper import uses_external_data

from ..errors import ModelError
from ..files import opened
from ..text import LINE, printable
from .weights import Location, split

# A model file above this is refused: a protocol buffer cannot be larger.
LARGEST = 2**31 - 1


@dataclass(frozen=True, repr=False)
class Source:
    """A model as it was read.

    Attributes
    ----------
    proto : onnx.ModelProto
    data : bytes
        What onnxruntime is given; where the model is a file, its large weights stay in it.
    path : Path or None
        The file, links resolved; external data lies in its folder.
    places : dict of tensor name -> Location
        The large weights of a file.
    title : str
        What to call the model in messages.
    stamp : tuple of int
        The file's size and time of change.
    """

    proto: onnx.ModelProto
    data: bytes
    path: Path | None = None
    places: Mapping[str, Location] = field(default_factory=dict)
    title: str = "the model"
    stamp: tuple[int, int] = (0, 0)

    def __repr__(self) -> str:
        return printable(f"<Source {self.title!r}: {len(self.data):,} bytes>", LINE)

    @property
    def folder(self) -> Path | None:
        """Where external data lies."""
        return None if self.path is None else self.path.parent

    @property
    def files(self) -> list[Path]:
        """The model's own file and those of its external data; none where it is no file."""
        if self.path is None:
            return []
        outer = (one for one in self.proto.graph.initializer if uses_external_data(one))
        names = [entry.value for one in outer for entry in one.external_data if entry.key == "location"]
        return [self.path, *(self.path.parent / name for name in dict.fromkeys(names))]

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The names of all tensors."""
        graph = self.proto.graph
        given = (value.name for value in (*graph.input, *graph.initializer))
        return frozenset(given) | {name for node in graph.node for name in (*node.input, *node.output)}

    @functools.cached_property
    def axes(self) -> Mapping[str, int]:
        """Tensor name -> how many axes it has, of those that ONNX's inference of shapes can tell."""
        try:
            graph = onnx.shape_inference.infer_shapes(self.proto).graph
        except Exception:  # what it makes of an odd file is no news here: then nothing is told
            return {}
        values = (*graph.input, *graph.value_info, *graph.output)
        kinds = {value.name: value.type.tensor_type for value in values}
        return {name: len(kind.shape.dim) for name, kind in kinds.items() if kind.HasField("shape")}

    def check_unchanged(self) -> None:
        """Refuse a file that is no longer the one that was read.

        Raises
        ------
        ModelError
        """
        if self.path is not None and _stamp(self.path) != self.stamp:
            raise ModelError(f"{self.title}: the file changed after it was read; load it again")

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.data if self.path is None else str(self.path), self.title, self.stamp)


def _again(model: bytes | str, title: str, stamp: tuple[int, int]) -> Source:
    """A pickled model read again: a file by its name, if it is still the same."""
    if isinstance(model, str) and _stamp(Path(model)) != stamp:
        raise ModelError(f"{title}: {model} is not the file that it was when this was pickled; load it anew")
    return replace(read_model(model), title=title)


def read_model(model: Any) -> Source:
    """Read a model from a path, bytes or a ModelProto.

    Raises
    ------
    ModelError
        See `Graph.load`.
    """
    if isinstance(model, Source):
        return model
    if isinstance(model, onnx.ModelProto):
        source = Source(model, model.SerializeToString())
    elif isinstance(model, bytes | bytearray | memoryview):
        source = Source(_parse(bytes(model), "the model"), bytes(model))
    elif isinstance(model, str | os.PathLike):
        source = _read(Path(model))
    else:
        raise ModelError(f"a model is a path, bytes or an onnx.ModelProto, not {type(model).__name__}")
    if not source.proto.graph.node or not source.proto.ir_version:
        raise ModelError(f"{source.title}: not an ONNX model: it has no nodes")
    if not source.proto.graph.output:
        raise ModelError(f"{source.title}: the model has no outputs")
    if not all(isinstance(name, str) for name in _names(source.proto.graph)):
        raise ModelError(f"{source.title}: damaged: a name in it is no text")
    for tensor in source.proto.graph.initializer:
        if uses_external_data(tensor) and tensor.name not in source.places:
            _check_external(tensor, source.folder, source.title)
    return source


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """Every name in the graph; protobuf hands out bytes where one is no UTF-8."""
    for node in graph.node:
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _read(path: Path) -> Source:
    title = str(path)
    try:
        if path.is_dir():
            raise ModelError(f"{path}: is a folder, not a model file")
        size = path.stat().st_size
        if size == 0:
            raise ModelError(f"{path}: the file is empty")
        if size > LARGEST:
            raise ModelError(f"{path}: larger than 2 GiB; save its weights as external data")
        file = path.resolve()
        with opened(file) as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            light, places = split(data, file.name)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, IndexError, KeyError, DecodeError) as error:
        raise ModelError(f"{title}: not an ONNX model, or a truncated one ({error})") from error
    return Source(_parse(light, title), light, file, places, title, _stamp(file))


def _parse(source: bytes, title: str) -> onnx.ModelProto:
    try:
        proto: onnx.ModelProto = onnx.ModelProto.FromString(source)
    except DecodeError as error:
        raise ModelError(f"{title}: not an ONNX model, or a truncated one ({error})") from error
    return proto


def _check_external(tensor: onnx.TensorProto, folder: Path | None, title: str) -> None:
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    if folder is None:
        raise ModelError(
            f"{title}: tensor {tensor.name!r} lies in the external file {location!r}; give the model's path"
        )
    file = (folder / location).resolve()
    if not location or Path(location).is_absolute() or not file.is_relative_to(folder):
        raise ModelError(
            f"{title}: tensor {tensor.name!r} points to {location!r}, outside the model's folder; refused"
        )
    if not file.is_file():
        raise ModelError(f"{title}: its external data {location!r} is missing; put it beside the model file")


@functools.cache
def _defaults(operator: str, domain: str, opset: int) -> dict[str, Any]:
    try:
        schema = onnx.defs.get_schema(operator, opset, domain)
    except onnx.defs.SchemaError:
        return {}
    return {
        name: _plain(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type
    }


def attributes_of(node: onnx.NodeProto, domain: str, opset: int) -> dict[str, Any]:
    """A node's attributes as plain values, the absent ones filled in from the ONNX schema."""
    given = {attribute.name: _plain(attribute) for attribute in node.attribute}
    return {**_defaults(node.op_type, domain, opset), **given}


def _plain(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value


def captured_names(node: onnx.NodeProto) -> tuple[str, ...]:
    """The outer tensors that a node's subgraphs read."""
    names: dict[str, None] = {}
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else list(attribute.graphs)
        for graph in graphs:
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            for inner in graph.node:
                names.update(dict.fromkeys(n for n in (*inner.input, *captured_names(inner)) if n not in own))
                own.update(inner.output)
    return tuple(names)
