"""What operators of ai.onnx.ml are in operators of ONNX's own: linear models, what is done to their inputs.

As onnxruntime computes them, which says more than ONNX does: what becomes of a row of zeros, or that two
classes may have one row of weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..errors import UnsupportedError

DOMAIN = "ai.onnx.ml"
# The first onnxruntime in which one row for two classes ends in a Sigmoid; before, it was left out.
SQUASHES = (1, 27)
# Of a model that has no operators of ONNX's own.
OPSET = 13
FLOAT = onnx.TensorProto.FLOAT
# Behind a linear map; with two classes and more, or one.
ENDS = {"NONE": "", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}


class Body:
    """Nodes that are written one after the other.

    Parameters
    ----------
    node : onnx.NodeProto
        The call.
    opset : int
        The model's, 0 where it has none of ONNX's own operators.
    types : callable
        Of a tensor's name: its type, None where nobody can tell.
    """

    def __init__(
        self, node: onnx.NodeProto, opset: int, types: Callable[[str], onnx.TypeProto | None]
    ) -> None:
        self.call, self.opset, self.types = node, opset or OPSET, types
        self.nodes: list[onnx.NodeProto] = []
        self.said = {one.name: helper.get_attribute_value(one) for one in node.attribute}

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """A node and its output's name."""
        name = output or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        array = np.asarray(values)
        text = array.dtype.kind in "OSU"
        stored = (
            helper.make_tensor("value", onnx.TensorProto.STRING, array.shape, array.tolist())
            if text
            else numpy_helper.from_array(array.astype(dtype), "value")
        )
        return self.add("Constant", value=stored)

    def text(self, name: str, default: str) -> str:
        value = self.said.get(name, default)
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

    def shape(self, index: int) -> list[int | None] | None:
        """What is known of the sizes of an input."""
        kind = self.types(self.call.input[index])
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        return [d.dim_value if d.HasField("dim_value") else None for d in kind.tensor_type.shape.dim]

    def real(self, index: int) -> str:
        """An input in float32, in which these operators compute."""
        kind = self.types(self.call.input[index])
        name = f"x{index}"
        return name if kind and kind.tensor_type.elem_type == FLOAT else self.add("Cast", name, to=FLOAT)

    def equal(self, x: str, number: float) -> str:
        """Where x is a number; floats have no Equal before opset 11."""
        c = self.constant(number)
        if self.opset >= 11:
            return self.add("Equal", x, c)
        return self.add("Not", self.add("Or", self.add("Less", x, c), self.add("Greater", x, c)))

    def function(self, outputs: list[str]) -> onnx.FunctionProto:
        inputs = [f"x{index}" for index in range(len(self.call.input))]
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_function(DOMAIN, self.call.op_type, inputs, outputs, self.nodes, opsets)


def body_of(
    node: onnx.NodeProto, opset: int, types: Callable[[str], onnx.TypeProto | None]
) -> onnx.FunctionProto:
    """A node of `BODIES` by operators of ONNX's own.

    Raises
    ------
    UnsupportedError
        It cannot be; the message is the reason alone.
    """
    body = Body(node, opset, types)
    return body.function(BODIES[node.op_type](body))


def _linear(body: Body, rows: int) -> str:
    weights = np.asarray(body.said.get("coefficients", ()), np.float32)
    if not rows or len(weights) % rows:
        raise UnsupportedError(f"{len(weights)} coefficients are no {rows} rows")
    z = body.add("MatMul", body.real(0), body.constant(weights.reshape(rows, -1).T))
    shifts = np.asarray(body.said.get("intercepts", ()), np.float32)
    return body.add("Add", z, body.constant(shifts)) if len(shifts) else z


def _ended(body: Body, z: str, output: str, does_nothing: bool = False) -> None:
    """What a linear model does at its end."""
    end = body.text("post_transform", "NONE")
    if end not in ENDS:
        raise UnsupportedError(f"its post_transform is {end}")
    operator = "" if does_nothing else ENDS[end]
    body.add(operator or "Identity", z, output=output, **({"axis": -1} if operator == "Softmax" else {}))


def _regressor(body: Body) -> list[str]:
    targets = body.said.get("targets", 1)
    _ended(body, _linear(body, targets), "y", does_nothing=targets == 1)
    return ["y"]


def _classifier(body: Body) -> list[str]:
    labels = body.said.get("classlabels_ints") or body.said.get("classlabels_strings") or []
    rows = len(body.said.get("intercepts", ())) or len(labels)
    z = _linear(body, rows)
    if (rows, len(labels)) == (1, 2):  # the second class's row: the first one has what is left
        if body.text("post_transform", "NONE") == "LOGISTIC":
            from .session import release

            if release() < SQUASHES:
                raise UnsupportedError("this onnxruntime leaves out its Sigmoid; take 1.27 or newer")
            z = body.add("Concat", body.add("Neg", z), z, axis=-1)
            body.add("Sigmoid", z, output="scores")
        else:
            rest = body.add("Sub", body.constant([1.0]), z)
            _ended(body, body.add("Concat", rest, z, axis=-1), "scores", does_nothing=True)
            z = body.add("Concat", body.add("Neg", z), z, axis=-1)
    else:
        _ended(body, z, "scores")
    best = body.add("ArgMax", z, axis=1, keepdims=0)
    body.add("Gather", body.constant(labels, np.int64), best, output="label", axis=0)
    return ["label", "scores"]


def _normalizer(body: Body) -> list[str]:
    norm, x = body.text("norm", "MAX"), body.real(0)
    if norm in ("L1", "L2"):
        body.add("LpNormalization", x, output="y", axis=-1, p=int(norm[1]))
        return ["y"]
    if body.opset < 18:
        largest = body.add("ReduceMax", x, axes=[-1], keepdims=1)
    else:
        largest = body.add("ReduceMax", x, body.constant([-1], np.int64), keepdims=1)
    nil = body.equal(largest, 0.0)
    body.add("Div", x, body.add("Where", nil, body.constant(1.0), largest), output="y")
    return ["y"]


def _imputer(body: Body) -> list[str]:
    if "imputed_value_floats" not in body.said:
        raise UnsupportedError("what it puts in are whole numbers")
    x, missing = body.real(0), body.said.get("replaced_value_float", 0.0)
    is_missing = body.add("IsNaN", x) if np.isnan(missing) else body.equal(x, missing)
    body.add("Where", is_missing, body.constant(body.said["imputed_value_floats"]), x, output="y")
    return ["y"]


def _vectorizer(body: Body) -> list[str]:
    shapes = [body.shape(index) for index in range(len(body.call.input))]
    if [shape[-1] if shape else None for shape in shapes] != list(body.said.get("inputdimensions", ())):
        raise UnsupportedError("its inputs may be longer or shorter than the features that it makes of each")
    body.add("Concat", *(body.real(index) for index in range(len(shapes))), output="y", axis=-1)
    return ["y"]


def _extractor(body: Body) -> list[str]:
    shape = body.shape(0)
    if shape is None or len(shape) < 2:  # of one axis it makes two
        raise UnsupportedError("what it chooses from may have a single axis")
    places = body.add("Reshape", "x1", body.constant([-1], np.int64))
    body.add("Gather", "x0", places, output="y", axis=-1)
    return ["y"]


BODIES: dict[str, Callable[[Body], list[str]]] = {
    "ArrayFeatureExtractor": _extractor,
    "FeatureVectorizer": _vectorizer,
    "Imputer": _imputer,
    "LinearClassifier": _classifier,
    "LinearRegressor": _regressor,
    "Normalizer": _normalizer,
}
