"""Old models raised to an opset that can express the walk."""

from __future__ import annotations

import onnx
from onnx import numpy_helper

from ..errors import ModelError
from .graph import Graph
from .scopes import scopes_of
from .tensors import take_in

# ScatterElements adds up, as the transpose of overlapping max pooling must, since opset 16.
OPSET = 16
IR_VERSION = 8


def raised(graph: Graph) -> onnx.ModelProto:
    """The model with its weights inside, in an opset that can express the walk.

    Raises
    ------
    ModelError
        The converter fails, or the converted model's outputs differ.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.source.proto)
    for tensor in proto.graph.initializer:
        if tensor.name in graph.source.places:
            tensor.CopyFrom(numpy_helper.from_array(graph.constant(tensor.name), tensor.name))
    for scope in scopes_of(proto):
        for what, tensor in scope.tensors():
            try:
                take_in(tensor, graph.source.folder)
            except (OSError, ValueError) as error:
                raise ModelError(f"{graph.title}: {what}: {error}") from error
    for sparse in proto.graph.sparse_initializer:  # the converter and other runtimes take dense ones alone
        name = sparse.values.name
        proto.graph.initializer.append(numpy_helper.from_array(graph.constant(name), name))
    del proto.graph.sparse_initializer[:]
    if graph.opset < OPSET:
        proto = _converted(proto, graph)
    # Before IR 4 every initializer was an input too: a constant could not be told from a default.
    proto.ir_version = max(proto.ir_version, IR_VERSION)
    inputs = [value for value in proto.graph.input if value.name not in graph.initializers]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    return proto


def _converted(proto: onnx.ModelProto, graph: Graph) -> onnx.ModelProto:
    from onnx import version_converter

    try:
        return version_converter.convert_version(proto, OPSET)
    except Exception as error:  # the converter raises whatever its C++ side does
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{graph.title}: compiling needs opset {OPSET}, and onnx.version_converter cannot raise "
            f"this model from {graph.opset}: {reason[:300]}"
        ) from error
