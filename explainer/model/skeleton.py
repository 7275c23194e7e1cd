"""A model without its weights: opened by onnxruntime, it says whether the file can be at all."""

from __future__ import annotations

import onnx
from onnx.external_data_helper import uses_external_data

from .reading import Source
from .runtime import Runtime
from .scopes import Scope, scopes_of

# What has at most as many numbers may be a shape, an axis or a condition, and stays.
FEW = 1024
# onnxruntime of before 1.25 looks at a branch's types again at every level around it: 2^depth times.
DEEPEST = 6


def check_opens(source: Source, runtime: Runtime) -> None:
    """Refuse a file that onnxruntime does not take, though what is left of it might run.

    Raises
    ------
    ModelError
        It cannot be opened.
    """
    from .session import Session

    if _depth(source.proto) > DEEPEST:
        return
    bare = skeleton(source.proto).SerializeToString()
    Session(bare, [], source.folder, title=source.title, runtime=runtime, once=True)


def _depth(proto: onnx.ModelProto) -> int:
    """How deep subgraphs nest."""
    depths: dict[Scope, int] = {}
    for scope in scopes_of(proto):
        depths[scope] = 0 if scope.outer is None else depths[scope.outer] + 1
    return max(depths.values(), default=0)


def skeleton(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same nodes, functions and outputs; weights are inputs of their type and shape."""
    bare = onnx.ModelProto(ir_version=max(proto.ir_version, 4))
    bare.opset_import.extend(proto.opset_import)
    bare.functions.extend(proto.functions)
    graph = bare.graph
    graph.name = "graph"  # its own may be no text
    for field in ("node", "input", "output", "sparse_initializer"):
        getattr(graph, field).extend(getattr(proto.graph, field))
    given = {value.name for value in graph.input}
    for tensor in proto.graph.initializer:
        size = 1
        for length in tensor.dims:
            size *= length
        if size <= FEW and not uses_external_data(tensor):
            graph.initializer.add().CopyFrom(tensor)
        elif tensor.name not in given:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return bare
