"""Quantised files, and their twins in real numbers: what a map of a quantised file is compared with.

A twin has the same rounding, spelled out as Div, Round, Clip and Mul on float tensors, and the whole numbers
of constants as what they stand for. It is made here node by node and shares nothing with the library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

ENDS = {
    onnx.TensorProto.UINT8: (0, 255),
    onnx.TensorProto.INT8: (-128, 127),
    onnx.TensorProto.UINT16: (0, 65535),
    onnx.TensorProto.INT16: (-32768, 32767),
}
EXACT = {
    "QLinearConv": "Conv",
    "QLinearMatMul": "MatMul",
    "QGemm": "Gemm",
    "QLinearAdd": "Add",
    "QLinearMul": "Mul",
    "QLinearConcat": "Concat",
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
    "QLinearReduceMean": "ReduceMean",
    "QLinearWhere": "Where",
}


def random_feeds(model: onnx.ModelProto, samples: int = 4, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Batches of one for every input of a model with open batches."""
    rng = np.random.default_rng(seed)
    shapes = {
        value.name: [1, *(d.dim_value for d in value.type.tensor_type.shape.dim[1:])]
        for value in model.graph.input
    }
    return [
        {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        for _ in range(samples)
    ]


def statically(model: onnx.ModelProto, folder: Path, **how: Any) -> onnx.ModelProto:
    """A model as onnxruntime's own quantiser writes it, calibrated on noise."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        feeds = iter(random_feeds(model))

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.feeds, None)

    onnx.save(model, folder / "float.onnx")
    quantization.quantize_static(folder / "float.onnx", folder / "whole.onnx", Reader(), **how)
    return onnx.load(folder / "whole.onnx")


def dynamically(model: onnx.ModelProto, folder: Path, **how: Any) -> onnx.ModelProto:
    """The same with scales that every input has of its own."""
    from onnxruntime import quantization

    onnx.save(model, folder / "float.onnx")
    quantization.quantize_dynamic(folder / "float.onnx", folder / "whole.onnx", **how)
    return onnx.load(folder / "whole.onnx")


class Twin:
    """The twin of a quantised model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.nodes: list[onnx.NodeProto] = []
        self.made: dict[str, np.ndarray] = {}
        self.count = 0
        shown = onnx.shape_inference.infer_shapes(model).graph
        values = (*shown.input, *shown.value_info)
        self.ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in values}

    def constant(self, value: Any) -> str:
        name = f"twin{len(self.made)}"
        self.made[name] = np.asarray(value)
        return name

    def along(self, value: np.ndarray, axis: int, ndim: int) -> np.ndarray:
        if value.size == 1:
            return value.reshape(())
        sizes = [1] * ndim
        sizes[axis] = -1
        return value.reshape(sizes)

    def real(self, name: str, scale: str, zero: str, axis: int = 1) -> str:
        """A constant of whole numbers as real ones; a tensor by its own name."""
        if name not in self.constants:
            return name
        q = self.constants[name].astype(np.float64)
        s = self.along(self.constants[scale].astype(np.float64), axis, q.ndim)
        z = self.along(self.constants[zero].astype(np.float64), axis, q.ndim) if zero else 0.0
        return self.constant(((q - z) * s).astype(np.float32))

    def rounded(self, x: str, y: str, scale: str, zero: str) -> None:
        """y = clip(round(x / scale), low − zero, high − zero)·scale, node by node."""
        self.count += 1
        s = self.constants[scale].astype(np.float32).reshape(())
        z = self.constants[zero] if zero else np.uint8(0)
        low, high = (end - float(z) for end in ENDS[helper.np_dtype_to_tensor_dtype(np.asarray(z).dtype)])
        steps = [
            ("Div", [x, self.constant(s)]),
            ("Round", []),
            ("Clip", [self.constant(np.float32(low)), self.constant(np.float32(high))]),
            ("Mul", [self.constant(s)]),
        ]
        for place, (operator, inputs) in enumerate(steps):
            first = [] if place == 0 else [f"{y}/rounding{place - 1}"]
            output = y if place == len(steps) - 1 else f"{y}/rounding{place}"
            name = f"rounding{self.count}/{operator}"
            self.nodes.append(helper.make_node(operator, [*first, *inputs], [output], name))

    def write(self, node: onnx.NodeProto) -> None:
        """The real nodes of one."""
        given = [*node.input, *[""] * 9]
        told = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "QuantizeLinear" and node.input[0] not in self.constants:
            self.rounded(given[0], node.output[0], given[1], given[2])
        elif node.op_type == "DequantizeLinear":
            x = self.real(given[0], given[1], given[2], told.get("axis", 1))
            self.nodes.append(helper.make_node("Identity", [x], [node.output[0]]))
        elif node.op_type in EXACT:
            self.write_exact(node, given, told)
        else:
            self.nodes.append(node)

    def write_exact(self, node: onnx.NodeProto, given: list[str], told: dict[str, Any]) -> None:
        """An operator on whole numbers."""
        kind, y = node.op_type, node.output[0]
        behind, factor = 3, 1.0
        inputs = [] if kind in ("QLinearConcat", "QLinearWhere") else [self.real(*given[:3])]
        if kind == "QGemm":
            factor = told.get("alpha", 1.0)
        if kind in ("QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul"):
            axis = {"QLinearConv": 0, "QGemm": 0 if told.get("transB") else 1}.get(kind, -1)
            inputs.append(self.real(given[3], given[4], given[5], axis))
            bias, behind = {"QLinearConv": (8, 6), "QGemm": (6, 7)}.get(kind, (9, 6))
            if bias < len(node.input) and given[bias]:
                scales = (self.constants[given[place]].astype(np.float64) for place in (1, 4))
                b = factor * self.constants[given[bias]] * np.prod(np.broadcast_arrays(*scales), axis=0)
                inputs.append(self.constant(b.astype(np.float32)))
        elif kind == "QLinearConcat":
            places = range(2, len(node.input), 3)
            inputs, behind = [self.real(*given[place : place + 3]) for place in places], 0
        elif kind == "QLinearWhere":
            inputs, behind = [given[0], self.real(*given[1:4]), self.real(*given[4:7])], 7
        is_last = told.pop("channels_last", 0)
        if told.pop("opset", 13) < 13:  # all axes from this one on
            self.nodes.append(helper.make_node("Flatten", inputs, [f"{y}/flat"], axis=told["axis"]))
            inputs, told = [f"{y}/flat"], {"axis": 1}
        ndim = self.ranks[node.input[0]] if is_last else 0
        if is_last:
            perm = [0, ndim - 1, *range(1, ndim - 1)]
            self.nodes.append(helper.make_node("Transpose", inputs[:1], [f"{y}/first"], perm=perm))
            inputs[0] = f"{y}/first"
        z = y if kind == "QGemm" and not given[7] else f"{y}/exact"
        self.nodes.append(helper.make_node(EXACT[kind], inputs, [z], node.name, **told))
        if is_last:
            perm = [0, *range(2, ndim), 1]
            self.nodes.append(helper.make_node("Transpose", [z], [f"{y}/last"], perm=perm))
            z = f"{y}/last"
        if z != y:
            self.rounded(z, y, given[behind], given[behind + 1])

    def proto(self) -> onnx.ModelProto:
        """The model."""
        for node in self.model.graph.node:
            self.write(node)
        made = onnx.ModelProto()
        made.CopyFrom(self.model)
        del made.graph.node[:], made.graph.value_info[:]
        made.graph.node.extend(self.nodes)
        made.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in self.made.items())
        return made


def twin(model: onnx.ModelProto) -> onnx.ModelProto:
    """A quantised model in real numbers, with its rounding."""
    return Twin(model).proto()


def rounding(model: onnx.ModelProto) -> dict[str, str]:
    """Rules under which relevance passes the twin's rounding."""
    names = [node.name for node in model.graph.node if node.name.startswith("rounding")]
    return dict.fromkeys(names, "pass")


def fused(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """What onnxruntime makes of a file by itself."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]
