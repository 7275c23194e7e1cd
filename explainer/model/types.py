"""What a file tells of its tensors: the types of their numbers, their sizes."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import onnx
import onnx.shape_inference

# What says how long texts are, in an output of its own.
EMBEDDING = "EmbedLayerNormalization"


class Types:
    """The types of a file's tensors, as far as ONNX's inference can tell.

    Parameters
    ----------
    proto : onnx.ModelProto
    """

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.proto = proto

    def kind(self, name: str) -> int:
        """The type of a tensor's numbers; 0 where nothing tells."""
        return self.of[name].tensor_type.elem_type if name in self.of else 0

    def dims(self, name: str) -> list[int | str] | None:
        """How large a tensor is, "" where a size is open; None where nothing tells how many axes it has."""
        if name in self.of and self.of[name].tensor_type.HasField("shape"):
            dims = self.of[name].tensor_type.shape.dim
            return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in dims]
        made = self._makers.get(name)
        if made is not None and made.op_type == EMBEDDING and name == made.output[1]:
            return [""]
        perm = [a for a in made.attribute if a.name == "perm"] if made is not None else []
        return [""] * len(perm[0].ints) if perm else None

    @functools.cached_property
    def _makers(self) -> Mapping[str, onnx.NodeProto]:
        return {name: node for node in self.proto.graph.node for name in node.output}

    @functools.cached_property
    def of(self) -> Mapping[str, onnx.TypeProto]:
        """The types of tensors, as far as ONNX's inference can tell: the bodies of some depend on them."""
        try:
            graph = onnx.shape_inference.infer_shapes(self.proto).graph
        except Exception:  # of an odd file nothing is told; onnxruntime says what is wrong with it
            return {}
        held = {
            tensor.name: onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            for tensor in graph.initializer
        }
        return held | {v.name: v.type for v in (*graph.input, *graph.value_info, *graph.output)}
