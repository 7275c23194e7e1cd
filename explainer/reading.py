"""Reading model files that come from anywhere: untrusted bytes, external data, old opsets."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper
from onnx.external_data_helper import uses_external_data

from .errors import ModelError

# A model file above this is refused: a protocol buffer cannot be larger.
LARGEST = 2**31 - 1


def read_model(model: Any) -> tuple[onnx.ModelProto, bytes, Path | None, str]:
    """The parsed model, its bytes, the folder of its external data, and what to call it in messages.

    Raises
    ------
    ModelError
        See `Graph.load`.
    """
    folder, title = None, "the model"
    if isinstance(model, onnx.ModelProto):
        proto, source = model, model.SerializeToString()
    elif isinstance(model, bytes | bytearray | memoryview):
        proto, source = _parse(bytes(model), title), bytes(model)
    elif isinstance(model, str | os.PathLike):
        path = Path(model)
        title = str(path)
        source = _read(path)
        proto, folder = _parse(source, title), path.resolve().parent
    else:
        raise ModelError(f"a model is a path, bytes or an onnx.ModelProto, not {type(model).__name__}")
    if not proto.graph.node or not proto.ir_version:
        raise ModelError(f"{title}: not an ONNX model: it has no nodes")
    for tensor in proto.graph.initializer:
        if uses_external_data(tensor):
            _check_external(tensor, folder, title)
    return proto, source, folder, title


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ModelError(f"{path}: is a folder, not a model file")
        size = path.stat().st_size
        if size == 0:
            raise ModelError(f"{path}: the file is empty")
        if size > LARGEST:
            raise ModelError(f"{path}: larger than 2 GiB; save its weights as external data")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error


def _parse(source: bytes, title: str) -> onnx.ModelProto:
    try:
        return onnx.ModelProto.FromString(source)
    except Exception as error:  # protobuf's DecodeError has moved between its versions
        raise ModelError(f"{title}: not an ONNX model, or a truncated one ({error})") from error


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


def constant_part(source: bytes, names: set[str]) -> bytes:
    """A model without inputs that computes `names`, which depend on constants only."""
    model = onnx.ModelProto.FromString(source)
    graph = model.graph
    wanted, kept = set(names), []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(name for name in (*node.input, *captured_names(node)) if name)
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = "constants"
    part.graph.node.extend(reversed(kept))
    part.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in wanted)
    for name in sorted(names):
        part.graph.output.add().name = name
    return part.SerializeToString()


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
