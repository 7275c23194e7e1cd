"""Models that cannot be explained to their end, and the commands that a refusal ends with."""

import shlex

import numpy as np
import onnx
from building import parse, rng

EYE = np.eye(4)
KERNEL = rng(0).standard_normal((4, 3, 3, 3)) / 5
UNKNOWN = "com.microsoft.SampleOp"  # onnxruntime runs it
IMAGE = "g (float[N,3,8,8] x) => "
POOL = "p = GlobalAveragePool (r) f = Flatten (p)"
LOGITS = f"c = Conv <pads=[1,1,1,1]> (x, k) r = Relu (c) {POOL} logits = MatMul (f, w)"
LABEL = np.array([[1, 0, 0, 0]] * 4)

# name -> (graph, constants); what comes in is chosen by the inputs' shapes and types.
ZOO = {
    "nothing before it": (
        IMAGE + "(float[N,3,1,1] y) { s = com.microsoft.SampleOp (x) y = GlobalAveragePool (s) }",
        {},
    ),
    "a layer before it": (IMAGE + f"(float[N,4] y) {{ {LOGITS} y = com.microsoft.SampleOp (logits) }}", {}),
    "in the middle": (
        IMAGE
        + f"(float[N,4] y) {{ c = Conv (x, k) s = {UNKNOWN} (c) r = Relu (s) {POOL} y = MatMul (f, w) }}",
        {},
    ),
    "argmax first": (
        IMAGE
        + f"(int64[N] label, float[N,4] logits) {{ {LOGITS} label = ArgMax <axis=1, keepdims=0> (logits) }}",
        {},
    ),
    "argmax alone": (
        IMAGE + f"(int64[N] label) {{ {LOGITS} label = ArgMax <axis=1, keepdims=0> (logits) }}",
        {},
    ),
    "argmax of a softmax": (
        IMAGE
        + f"(int64[N] label) {{ {LOGITS} s = Softmax (logits) label = ArgMax <axis=1, keepdims=0> (s) }}",
        {},
    ),
    "argmax of what has no layer": (
        IMAGE
        + f"(int64[N] label) {{ {LOGITS} s = {UNKNOWN} (logits) label = ArgMax <axis=1, keepdims=0> (s) }}",
        {},
    ),
    "top two": (
        IMAGE + f"(float[N,2] v, int64[N,2] i) {{ {LOGITS} v, i = TopK (logits, two) }}",
        {"two": np.array([2])},
    ),
    "whole numbers": (IMAGE + f"(int64[N,4] y) {{ {LOGITS} y = Cast <to=7> (logits) }}", {}),
    "the shape first": (IMAGE + f"(int64[4] shape, float[N,4] logits) {{ shape = Shape (x) {LOGITS} }}", {}),
    "a constant first": (
        IMAGE + f"(float[4] same, float[N,4] logits) {{ same = Identity (same4) {LOGITS} }}",
        {"same4": np.ones(4)},
    ),
    "in training": (
        IMAGE + f"(float[N,4] y) {{ {LOGITS} y = Dropout (logits, half, true) }}",
        {"half": np.float32(0.5), "true": np.array(True)},
    ),
    "normalised by the batch": (
        IMAGE + f"(float[N,4] y) {{ {LOGITS}"
        " y, m, v = BatchNormalization <training_mode=1> (logits, ones4, ones4, nil4, ones4) }",
        {"ones4": np.ones(4), "nil4": np.zeros(4)},
    ),
    "suppressed": (
        "g (float[1,3,8,8] x) => (int64[M,3] kept, float[1,4,4] boxes) {"
        f" {LOGITS} boxes = Mul (logits, corners) scores = Mul (logits, ones)"
        " kept = NonMaxSuppression (boxes, scores, two) }",
        {"corners": np.ones((1, 4, 4)), "ones": np.ones((1, 1, 4)), "two": np.array([2])},
    ),
    "odd names": (
        IMAGE + "(float[N,4] y) { " + LOGITS.replace("logits", "ODD") + " y = com.microsoft.SampleOp (ODD) }",
        {},
    ),
    "numbers as names": (
        IMAGE + "(float[N,4] y) { " + LOGITS.replace("logits", "ODD") + " y = com.microsoft.SampleOp (ODD) }",
        {},
    ),
    "a branch": (
        IMAGE
        + f"(float[N,4] y, float[N,4] logits) {{ {LOGITS} t = {UNKNOWN} (logits) y = Add (t, logits) }}",
        {},
    ),
    "words": (
        "g (int64[N,5] ids) => (float[N,4] y) { t = Gather (table, ids) u = Transpose <perm=[0,2,1]> (t)"
        " m = MatMul (t, u) s = com.microsoft.SampleOp (m) v = MatMul (s, t)"
        " y = ReduceMean <axes=[1], keepdims=0> (v) }",
        {"table": rng(1).standard_normal((9, 4))},
    ),
    "a table": (
        "g (float[N,4] x) => (float[N,4] y) { s = com.microsoft.SampleOp (x) y = MatMul (s, w) }",
        {},
    ),
    "a series": (
        "g (float[N,6,4] x) => (float[N,4] y) { s = com.microsoft.SampleOp (x)"
        " m = ReduceMean <axes=[1], keepdims=0> (s)"
        " y = MatMul (m, w) }",
        {},
    ),
    "two inputs": (
        "g (float[N,3,8,8] rgb, float[N,1,8,8] depth) => (float[N,3,1,1] y) { s = Add (rgb, depth)"
        " t = com.microsoft.SampleOp (s) y = GlobalAveragePool (t) }",
        {},
    ),
    "bytes": (
        "g (uint8[N,3,8,8] x) => (float[N,3,1,1] y) { f = Cast <to=1> (x) s = com.microsoft.SampleOp (f)"
        " y = GlobalAveragePool (s) }",
        {},
    ),
    "rescaled": (
        IMAGE + "(float[N,4] y) { q = QuantizeLinear (x, scale, zero) d = DequantizeLinear (q, other, zero)"
        f" {LOGITS.replace('(x, k)', '(d, k)')} y = Relu (logits) }}",
        {"scale": np.float32(0.1), "other": np.float32(0.2), "zero": np.uint8(128)},
    ),
}
ODD = {"odd names": 'a [0]\'s "$x" #1', "numbers as names": "24"}


def model_of(name):
    text, constants = ZOO[name]
    given = {"k": KERNEL, "w": EYE, **constants}
    model = parse(
        f'<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> {text}',
        **{n: v for n, v in given.items() if f"{n})" in text or f"{n}," in text},
    )
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, tensor in enumerate(names):
                names[place] = ODD.get(name, tensor) if tensor == "ODD" else tensor
    return model


def inputs_of(model):
    found = {}
    for value in model.graph.input:
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        found[value.name] = rng(2).integers(0, 9, shape).astype(kind)
    return found


def commands(output):
    """The commands that a message ends with, as their arguments."""
    lines = output.partition("What this model does answer:\n")[2].splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines]


# Models of which another method is asked.
OTHERS = {
    "bytes of a layer": (
        "g (uint8[N,3,8,8] x) => (float[N,4,6,6] y) { f = Cast <to=1> (x) y = Conv (f, k) }",
        {"k": KERNEL},
    ),
    "a table of a layer": ("g (float[N,4] x) => (float[N,4] y) { y = MatMul (x, w) }", {"w": EYE}),
    "a number for all": (
        "g (float[2,3,8,8] x, float s) => (float[2,4,6,6] y) { c = Conv (x, k) y = Mul (c, s) }",
        {"k": KERNEL},
    ),
}
