"""What operators of ai.onnx.ml are in operators of ONNX's own: linear models, what is done to their inputs.

As onnxruntime computes them, which says more than ONNX does: what becomes of a row of zeros, or that two
classes may have one row of weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from ..errors import UnsupportedError
from .signature import attributes_of
from .types import Types
from .written import Body

DOMAIN = "ai.onnx.ml"
# The first onnxruntime in which one row for two classes ends in a Sigmoid; before, it was left out.
SQUASHES = (1, 27)
# Of a model that has no operators of ONNX's own.
OPSET = 13
FLOAT = onnx.TensorProto.FLOAT
# Behind a linear map; with two classes and more, or one.
ENDS = {"NONE": "", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}


def body_of(node: onnx.NodeProto, opset: int, types: Types) -> onnx.FunctionProto:
    """A node of `BODIES` by operators of ONNX's own, in float32: see `Body`.

    Raises
    ------
    UnsupportedError
        It cannot be; the message is the reason alone.
    """
    made = Body(node, opset or OPSET, types, FLOAT, attributes_of(node, DOMAIN, 1))
    BODIES[node.op_type](made)
    return made.function()


def linear_regressor(b: Body) -> None:
    """xWᵀ + b."""
    targets = b.attributes["targets"]
    z = _linear(b, targets)
    b.give(0, z if targets == 1 else _ended(b, z))


def linear_classifier(b: Body) -> None:
    """The same for every class, and which one has the most."""
    given = b.attributes
    labels = given.get("classlabels_ints") or given.get("classlabels_strings") or []
    rows = len(given.get("intercepts", ())) or len(labels)
    z = _linear(b, rows)
    if (rows, len(labels)) != (1, 2):
        scores = _ended(b, z)
    else:  # the second class's row: the first one has what is left
        both = b("Concat", b("Neg", z), z, axis=-1)
        if given["post_transform"] == "LOGISTIC":
            from .session import release

            if release() < SQUASHES:
                raise UnsupportedError("this onnxruntime leaves out its Sigmoid; take 1.27 or newer")
            scores = b("Sigmoid", both)
        else:
            _end_of(b)
            scores = b("Concat", b("Sub", b.constant([1]), z), z, axis=-1)
        z = both
    best = b("ArgMax", z, axis=1, keepdims=0)
    named = b.names(labels) if labels and isinstance(labels[0], bytes) else b.whole(labels)
    b.give(0, b("Gather", named, best, axis=0))
    b.give(1, scores)


def _linear(b: Body, rows: int) -> str:
    weights = np.asarray(b.attributes.get("coefficients", ()), np.float32)
    if not rows or len(weights) % rows:
        raise UnsupportedError(f"{len(weights)} coefficients are no {rows} rows")
    z = b("MatMul", b.real(0), b.constant(weights.reshape(rows, -1).T))
    shifts = b.attributes.get("intercepts", ())
    return b("Add", z, b.constant(shifts)) if len(shifts) else z


def _end_of(b: Body) -> str:
    end = b.attributes["post_transform"]
    if end not in ENDS:
        raise UnsupportedError(f"its post_transform is {end}")
    return ENDS[end]


def _ended(b: Body, z: str) -> str:
    """What a linear model does at its end."""
    end = _end_of(b)
    return b(end, z, **({"axis": -1} if end == "Softmax" else {})) if end else z


def normalizer(b: Body) -> None:
    """x over its norm."""
    norm, x = b.attributes["norm"], b.real(0)
    if norm in ("L1", "L2"):
        b.give(0, b("LpNormalization", x, axis=-1, p=int(norm[1])))
        return
    axes = {"axes": [-1]} if b.opset < 18 else {}
    largest = b("ReduceMax", x, *([] if axes else [b.whole([-1])]), keepdims=1, **axes)
    b.give(0, b("Div", x, b("Where", _equal(b, largest, 0), b.constant(1), largest)))


def imputer(b: Body) -> None:
    """x, and something else where it is missing."""
    if "imputed_value_floats" not in b.attributes:
        raise UnsupportedError("what it puts in are whole numbers")
    x, missing = b.real(0), b.attributes["replaced_value_float"]
    is_missing = b("IsNaN", x) if np.isnan(missing) else _equal(b, x, missing)
    b.give(0, b("Where", is_missing, b.constant(b.attributes["imputed_value_floats"]), x))


def _equal(b: Body, x: str, number: float) -> str:
    """Where x is a number; floats have no Equal before opset 11."""
    c = b.constant(number)
    if b.opset >= 11:
        return b("Equal", x, c)
    return b("Not", b("Or", b("Less", x, c), b("Greater", x, c)))


def feature_vectorizer(b: Body) -> None:
    """Features side by side."""
    places = range(len(b.node.input))
    found = [dims[-1] if (dims := b.dims(place)) else None for place in places]
    if found != list(b.attributes.get("inputdimensions", ())):
        raise UnsupportedError("its inputs may be longer or shorter than the features that it makes of each")
    b.give(0, b("Concat", *(b.real(place) for place in places), axis=-1))


def array_feature_extractor(b: Body) -> None:
    """Some of the features."""
    dims = b.dims(0)
    if dims is None or len(dims) < 2:  # of one axis it makes two
        raise UnsupportedError("what it chooses from may have a single axis")
    b.give(0, b("Gather", b.input(0), b.shaped(b.input(1), -1), axis=-1))


BODIES: dict[str, Callable[[Body], None]] = {
    "ArrayFeatureExtractor": array_feature_extractor,
    "FeatureVectorizer": feature_vectorizer,
    "Imputer": imputer,
    "LinearClassifier": linear_classifier,
    "LinearRegressor": linear_regressor,
    "Normalizer": normalizer,
}
