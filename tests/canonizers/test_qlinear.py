"""Every operator on whole numbers, one at a time: its map is that of the operator it stands for.

Scales are powers of two, so that kernels and twins round the same sums to the same whole numbers.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from quantising import fused, rounding, twin
from versions import before

import explainer

# Zero points of each type: of x, of weights, of what is made.
TYPES = {"uint8": (np.uint8, 120, 128, 100), "int8": (np.int8, -9, 0, -20)}
PICTURE, ROWS = (4, 6, 6), (5, 8)
SCALES = "xs, xz", "ws, wz", "ys, yz"
X, W, Y = SCALES
# Name -> the shape of a sample, what makes z of q, and constants: shapes of whole numbers, or arrays.
CASES = {
    "Conv": (PICTURE, f"z = QLinearConv <pads=[1,1,1,1]> (q, {X}, w, {W}, {Y}, b)", {"w": (3, 4, 3, 3)}),
    "Conv without a bias": (PICTURE, f"z = QLinearConv (q, {X}, w, {W}, {Y})", {"w": (3, 4, 3, 3)}),
    "Conv, groups and strides": (
        PICTURE,
        f"z = QLinearConv <group=2, strides=[2,2], dilations=[2,2]> (q, {X}, w, {W}, {Y}, b)",
        {"w": (6, 2, 3, 3)},
    ),
    "Conv, SAME_UPPER": (
        PICTURE,
        f'z = QLinearConv <auto_pad="SAME_UPPER", strides=[2,2]> (q, {X}, w, {W}, {Y}, b)',
        {"w": (3, 4, 3, 3)},
    ),
    "Conv of one axis": (
        (4, 9),
        f"z = QLinearConv <pads=[1,0]> (q, {X}, w, {W}, {Y}, b)",
        {"w": (3, 4, 3)},
    ),
    "Conv of three axes": (
        (2, 4, 4, 4),
        f"z = QLinearConv (q, {X}, w, {W}, {Y}, b)",
        {"w": (3, 2, 2, 2, 2)},
    ),
    "Conv, channels last": (
        (6, 6, 4),
        f"z = com.microsoft.QLinearConv <channels_last=1, pads=[1,1,1,1]> (q, {X}, w, {W}, {Y}, b)",
        {"w": (3, 4, 3, 3)},
    ),
    "MatMul": (ROWS, f"z = QLinearMatMul (q, {X}, w, {W}, {Y})", {"w": (8, 4)}),
    "MatMul, a constant first": (ROWS, f"z = QLinearMatMul (w, {W}, q, {X}, {Y})", {"w": (3, 5)}),
    "MatMul of two activations": (
        ROWS,
        f"t = Transpose <perm=[0,2,1]> (q) z = QLinearMatMul (q, {X}, t, {X}, {Y})",
        {},
    ),
    "Gemm": (
        (8,),
        f"z = com.microsoft.QGemm <transB=1, alpha=0.5> (q, {X}, w, {W}, b, {Y})",
        {"w": (3, 8)},
    ),
    "Gemm, transA": (
        (8,),
        f"t = Transpose <perm=[1,0]> (q) z = com.microsoft.QGemm <transA=1> (t, {X}, w, {W}, b, {Y})",
        {"w": (8, 3)},
    ),
    "Gemm of real numbers": (
        (8,),
        f"d = com.microsoft.QGemm <alpha=0.5> (q, {X}, w, {W}, b)",
        {"w": (8, 3)},
    ),
    "Add": (PICTURE, f"z = com.microsoft.QLinearAdd (q, {X}, q, {X}, {Y})", {}),
    "Add, a constant behind": (
        PICTURE,
        f"z = com.microsoft.QLinearAdd (q, {X}, w, {W}, {Y})",
        {"w": (4, 1, 1)},
    ),
    "Add, a constant first": (
        PICTURE,
        f"z = com.microsoft.QLinearAdd (w, {W}, q, {X}, {Y})",
        {"w": (1, 4, 6, 6)},
    ),
    "Add, widened": (
        ROWS,
        f"t = Slice (q, begin, end, axis) z = com.microsoft.QLinearAdd (q, {X}, t, {X}, {Y})",
        {"begin": np.array([1]), "end": np.array([2]), "axis": np.array([1])},
    ),
    "Mul": (PICTURE, f"z = com.microsoft.QLinearMul (q, {X}, q, {X}, {Y})", {}),
    "Mul, a constant behind": (PICTURE, f"z = com.microsoft.QLinearMul (q, {X}, w, {W}, {Y})", {"w": (6,)}),
    "Mul, a constant first": (
        PICTURE,
        f"z = com.microsoft.QLinearMul (w, {W}, q, {X}, {Y})",
        {"w": (4, 1, 1)},
    ),
    "Concat": (
        PICTURE,
        f"m = MaxPool <kernel_shape=[3,3], pads=[1,1,1,1]> (q)"
        f" z = com.microsoft.QLinearConcat <axis=1> ({Y}, q, {X}, m, {X})",
        {},
    ),
    "AveragePool": (
        PICTURE,
        f"z = com.microsoft.QLinearAveragePool <kernel_shape=[2,2], strides=[2,2]> (q, {X}, {Y})",
        {},
    ),
    "AveragePool, pads that count": (
        PICTURE,
        "z = com.microsoft.QLinearAveragePool <kernel_shape=[4,2], pads=[1,1,1,1], strides=[2,2],"
        f" count_include_pad=1> (q, {X}, {Y})",
        {},
    ),
    "AveragePool, pads that do not": (
        PICTURE,
        "z = com.microsoft.QLinearAveragePool <kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2],"
        f" ceil_mode=1> (q, {X}, {Y})",
        {},
    ),
    "AveragePool, channels last": (
        (6, 6, 4),
        f"z = com.microsoft.QLinearAveragePool <kernel_shape=[2,2], channels_last=1> (q, {X}, {Y})",
        {},
    ),
    "GlobalAveragePool": (
        (4, 8, 8),
        f"z = com.microsoft.QLinearGlobalAveragePool (q, {X}, {Y})",
        {},
    ),
    "GlobalAveragePool, channels last": (
        (8, 8, 4),
        f"z = com.microsoft.QLinearGlobalAveragePool <channels_last=1> (q, {X}, {Y})",
        {},
    ),
    "LeakyRelu": (PICTURE, f"z = com.microsoft.QLinearLeakyRelu <alpha=0.25> (q, {X}, {Y})", {}),
    "LeakyRelu, its slope left out": (PICTURE, f"z = com.microsoft.QLinearLeakyRelu (q, {X}, {Y})", {}),
    "Sigmoid": (PICTURE, f"z = com.microsoft.QLinearSigmoid (q, {X}, {Y})", {}),
    "Softmax": (ROWS, f"z = com.microsoft.QLinearSoftmax <opset=13, axis=1> (q, {X}, {Y})", {}),
    "Softmax before opset 13": (
        ROWS,
        f"z = com.microsoft.QLinearSoftmax <opset=11, axis=1> (q, {X}, {Y})",
        {},
    ),
    "ReduceMean": (
        PICTURE,
        f"z = com.microsoft.QLinearReduceMean <axes=[2,3], keepdims=0> (q, {X}, {Y})",
        {},
    ),
    "Where": (
        PICTURE,
        f"z = com.microsoft.QLinearWhere (c, q, {X}, w, {W}, {Y})",
        {"c": np.arange(6) % 2 == 0, "w": (4, 6, 6)},
    ),
}
# What onnxruntime has no kernel of.
LACKING = {
    ("ReduceMean", "uint8"),
    ("ReduceMean", "int8"),
}


def single(case, kind, channels=False, opset=17):
    """A file of one operator on whole numbers, and a product of real ones behind it."""
    shape, body, constants = CASES[case]
    dtype, *zeros = TYPES[kind]
    rng = np.random.default_rng(3)
    values = {"xs": 1 / 32, "ws": 1 / 64, "ys": 1 / 256 if "Softmax" in case or "Sigmoid" in case else 1 / 16}
    values = {name: np.float32(value) for name, value in values.items()}
    values |= {name: dtype(zero) for name, zero in zip(("xz", "wz", "yz"), zeros, strict=True)}
    for name, given in constants.items():
        is_shape = isinstance(given, tuple)
        values[name] = zeros[1] + rng.integers(-60, 60, given) if is_shape else given
        values[name] = values[name].astype(dtype) if is_shape else given
    if "b" in body.split("(")[-1].replace(")", "").replace(" ", "").split(","):
        of = values["w"].shape[-1 if "Gemm" in body and "transB" not in body else 0]
        values["b"] = rng.integers(-900, 900, of).astype(np.int32)
        if channels:
            values["ws"] = (2.0 ** -rng.integers(4, 8, of)).astype(np.float32)
            values["wz"] = np.full(of, values["wz"])
    sizes = ",".join(["N", *map(str, shape)])
    text = f"""
        <ir_version: 8, opset_import: ["": {opset}, "com.microsoft": 1]>
        net (float[{sizes}] x) => (float[N,K] y) {{
            q = QuantizeLinear (x, xs, xz)
            {body}
            {"" if body.startswith("d =") else "d = DequantizeLinear (z, ys, yz)"}
            f = Flatten (d)
            y = MatMul (f, v)
        }}"""
    model = onnx.parser.parse_model(text)
    x = rng.standard_normal((1, *shape)).astype(np.float32)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(v), n) for n, v in values.items())
    model.graph.initializer.append(onnx.numpy_helper.from_array(_last(model, x, rng), "v"))
    return model, {"x": x}


def _last(model, x, rng):
    """A matrix for as many numbers as the operator makes."""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.node[-1], part.graph.output[:]
    part.graph.output.add().name = "f"
    session = onnxruntime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])
    size = session.run(None, {"x": x})[0].shape[1]
    return (rng.integers(-8, 9, (size, 3)) / 8).astype(np.float32)  # so that its sums are exact


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def check(model, feeds, folder):
    """Map, prediction and compiled file."""
    other = twin(model)
    theirs = explainer.Explainer(
        other, composite="epsilon", rules=rounding(other), dtype="float64", forward="onnxruntime"
    ).explain(feeds, target=1)
    assert np.abs(theirs.relevance).max() > 0
    for dtype, within in (("float64", 1e-6), ("float32", 1e-5)):
        mine = explainer.Explainer(model, composite="epsilon", dtype=dtype).explain(feeds, target=1)
        assert relative(mine.relevance, theirs.relevance) < within
        np.testing.assert_array_equal(mine.outputs["y"], fused(model, feeds))
    explainer.compile(model, folder / "compiled.onnx", target=1, composite="epsilon")


@pytest.mark.parametrize("case", ["Conv", "Conv, groups and strides", "Conv, channels last", "Gemm"])
def test_weights_that_have_a_scale_for_each_channel(case, tmp_path):
    check(*single(case, "int8", channels=True), tmp_path)


@pytest.mark.parametrize("opset", [11, 13, 21])
@pytest.mark.parametrize("case", ["Conv", "Softmax before opset 13", "AveragePool, pads that do not", "Add"])
def test_other_opsets(case, opset, tmp_path):
    check(*single(case, "uint8", opset=opset), tmp_path)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("case", CASES)
def test_an_operator_is_the_one_it_stands_for(case, kind, tmp_path):
    if (case, kind) in LACKING:
        pytest.skip("onnxruntime has no kernel of it")
    if (case, kind) == ("Softmax", "int8") and before("onnxruntime", "1.32"):
        pytest.skip(
            "of int8 along another axis than the last 1.21 computes something else, and 1.32 does not"
        )
    check(*single(case, kind), tmp_path)


def changed(model, name, value):
    """The model with another value of an initializer."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(value), name))
    return model


def test_numbers_that_are_read_in_another_scale_are_refused():
    model, feeds = single("Conv", "uint8")
    model.graph.node[1].input[1] = "other"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.1), "other"))
    with pytest.raises(explainer.UnsupportedError, match="it reads whole numbers in another scale"):
        explainer.explain(model, feeds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ws", np.ones(2, np.float32)),
        ("ws", np.ones((2, 2), np.float32)),
        ("ws", np.ones(0, np.float32)),
        ("wz", np.zeros(5, np.uint8)),
        ("wz", np.zeros((), np.int8)),
        ("b", np.zeros(7, np.int32)),
        ("b", np.zeros((2, 2), np.int32)),
        ("ys", np.ones(3, np.float32)),
        ("yz", np.zeros((), np.int32)),
        ("xs", np.ones(4, np.float32)),
        ("xs", np.float32(np.nan)),
    ],
)
@pytest.mark.parametrize("case", ["Conv", "Gemm"])
def test_a_file_whose_parts_do_not_fit_is_told_of(case, name, value):
    model, feeds = single(case, "uint8")
    with pytest.raises(explainer.ExplainerError, match=r"Q|z|scale|channels"):
        explainer.explain(changed(model, name, value), feeds)
