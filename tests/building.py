"""Small ONNX models and the ways to run them, for every test."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
import onnxruntime
from onnx import helper, numpy_helper, parser

NEWEST = 21
IR_VERSION = 10


def parse(text: str, **constants: np.ndarray) -> onnx.ModelProto:
    """A model from ONNX text; `constants` become initializers, float64 ones as float32.

    The text is a graph alone: ``g (float[N,3] x) => (float[N,2] y) { ... }``, or a whole model.
    """
    if not text.lstrip().startswith("<"):
        text = f'<ir_version: {IR_VERSION}, opset_import: ["" : {NEWEST}, "com.microsoft": 1]> {text}'
    model = parser.parse_model(text)
    for name, value in constants.items():
        value = np.asarray(value)
        value = value.astype(np.float32) if value.dtype == np.float64 else value
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return model


def one_node(
    operator: str,
    inputs: Sequence[tuple[str, np.ndarray] | None],
    constants: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    attributes: Mapping[str, Any],
    opset: int = NEWEST,
    batch: bool = True,
) -> onnx.ModelProto:
    """A model of one node: `inputs` are (name, example), those in `constants` become initializers."""
    domain, _, operator = operator.rpartition(".")
    names = [item[0] if item else "" for item in inputs]
    node = helper.make_node(operator, names, list(outputs), name="node", domain=domain, **attributes)
    graph_inputs = {}
    for name, example in filter(None, inputs):
        if name not in constants:
            shape = ["N" if batch and axis == 0 else size for axis, size in enumerate(example.shape)]
            kind = helper.np_dtype_to_tensor_dtype(example.dtype)
            graph_inputs[name] = helper.make_tensor_value_info(name, kind, shape)
    kind = next((v.type.tensor_type.elem_type for v in graph_inputs.values()), onnx.TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "g",
        list(graph_inputs.values()),
        [helper.make_tensor_value_info(name, kind, None) for name in outputs if name],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = model_of(graph, opset)
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return onnx.shape_inference.infer_shapes(model)  # outputs must have a shape


def model_of(graph: onnx.GraphProto, opset: int = NEWEST) -> onnx.ModelProto:
    """A graph as a model of some opset."""
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def run(model: onnx.ModelProto | bytes, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The model's outputs by onnxruntime."""
    source = model if isinstance(model, bytes) else model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(feeds))


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """Largest |a − b| relative to the largest |b|."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape, f"{a.shape} is not {b.shape}"
    gap = float(np.max(np.abs(a - b), initial=0))
    return gap / (float(np.max(np.abs(b), initial=0)) or 1.0)


def rng(*seed: int) -> np.random.Generator:
    """Seeded random numbers."""
    return np.random.default_rng(seed)
