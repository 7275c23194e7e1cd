"""What values are rounded to: whole numbers of 4 to 16 bits, floating ones of 8; from and to bytes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from quantising import fused

import explainer

SIZE = 32
RNG = np.random.default_rng(0)
X = RNG.standard_normal((1, SIZE)).astype(np.float32)
BYTES = RNG.integers(0, 255, (1, SIZE)).astype(np.uint8)
V = (RNG.integers(1, 9, (SIZE, 3)) / 8).astype(np.float32)  # so that sums are exact
FIRST = "q = QuantizeLinear {told} (x, s, z) d = DequantizeLinear {told} (q, s, z)"


def model(body, kind="float", out="float", **constants):
    text = f"""
        <ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>
        net ({kind}[N,{SIZE}] x) => ({out}[N,3] y) {{ {body} }}"""
    made = onnx.parser.parse_model(text)
    for name, value in {"v": V, "s": np.float32(0.25), **constants}.items():
        held = (
            value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        )
        made.graph.initializer.append(held)
    return made


def of_type(name, kind, values, shape=()):
    return helper.make_tensor(name, TensorProto.DataType.Value(kind), shape, np.ravel(values).tolist())


def read(made, x):
    """What a DequantizeLinear makes in the deployed file."""
    part = onnx.ModelProto()
    part.CopyFrom(made)
    del part.graph.output[:]
    part.graph.output.add().name = "d"
    return fused(part, {"x": x})


def check(made, x, folder, v=V):
    """A map under epsilon is d·v for a product of d and v, and the prediction the deployed file's."""
    expected = read(made, x) * v[:, 1]
    for dtype in ("float64", "float32"):
        mine = explainer.explain(made, {"x": x}, target=1, composite="epsilon", dtype=dtype)
        np.testing.assert_allclose(mine.relevance, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(mine.outputs["y"], fused(made, {"x": x}))
    explainer.compile(made, folder / "compiled.onnx", target=1)


# The largest number of each.
KINDS = {
    **{"INT4": 7, "UINT4": 15, "INT8": 127, "UINT8": 255, "INT16": 32767, "UINT16": 65535},
    **{"FLOAT8E4M3FN": 448, "FLOAT8E5M2": 57344},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_type_rounds_to_is_what_is_explained(kind, tmp_path):
    made = model(FIRST.format(told="") + " y = MatMul (d, v)", z=of_type("z", kind, [0]))
    check(made, X, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_values_at_the_ends_of_a_type_are_closed(kind):
    made = model(FIRST.format(told="") + " y = MatMul (d, v)", z=of_type("z", kind, [0]))
    x = X * KINDS[kind] / 4
    d = read(made, x)
    slope = explainer.explain(made, {"x": x}, target=1, composite="gradient").relevance
    closed = (d == d.max()) | (d == d.min())
    assert 2 < closed.sum() < SIZE
    np.testing.assert_allclose(slope, np.where(closed, 0, V[:, 1]), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_rounds_as_onnxruntime_does(kind):
    from explainer.layers import REGISTRY

    made = model(FIRST.format(told="") + " y = MatMul (d, v)", z=of_type("z", kind, [0]))
    graph = explainer.Explainer(made).graph
    layer = REGISTRY["QuantizeLinear"].of(graph.nodes[0], graph, 0)
    x = np.concatenate([X * 10.0**power for power in range(-4, 5)])
    parameters = layer.prepare({"s": np.float32(0.25), "z": graph.constant("z")})
    z = layer.bind(x, None, parameters).forward(x)
    np.testing.assert_array_equal(z, read(made, x))


@pytest.mark.parametrize("told", ["", "<output_dtype=3>", "<output_dtype=17>"])
def test_a_zero_point_may_be_left_out(told, tmp_path):
    made = model(f"q = QuantizeLinear {told} (x, s) d = DequantizeLinear (q, s) y = MatMul (d, v)")
    check(made, X, tmp_path)


@pytest.mark.parametrize(("first", "second"), [(1, 1), (-1, -1), (1, -1)])
def test_scales_lie_along_an_axis(first, second, tmp_path):
    body = f"""
        q = QuantizeLinear <axis={first}> (x, s, z)
        d = DequantizeLinear <axis={second}> (q, s, z)
        y = MatMul (d, v)"""
    scales = (2.0 ** -RNG.integers(1, 5, SIZE)).astype(np.float32)
    check(model(body, s=scales, z=np.full(SIZE, 3, np.int8)), X, tmp_path)


def test_scales_of_blocks_of_activations_are_refused():
    told = "<axis=1, block_size=8>"
    made = model(
        FIRST.format(told=told) + " y = MatMul (d, v)",
        s=np.full((1, 4), 0.25, np.float32),
        z=np.zeros((1, 4), np.int8),
    )
    with pytest.raises(explainer.UnsupportedError, match="a scale for each block"):
        explainer.explain(made, {"x": X})


@pytest.mark.parametrize("kind", ["INT4", "UINT4"])
def test_weights_have_scales_for_blocks(kind, tmp_path):
    low, high = (0, 16) if kind == "UINT4" else (-8, 8)
    q = RNG.integers(low, high, (SIZE, 3))
    scales, zeros = np.array([[0.5] * 3, [0.25] * 3], np.float32), np.array([[1, 2, 3], [0, 1, 2]])
    body = "w = DequantizeLinear <axis=0, block_size=16> (wq, ws, wz) y = MatMul (d, w)"
    made = model(
        f"{FIRST.format(told='')} {body}",
        z=np.int8(0),
        ws=scales,
        wq=of_type("wq", kind, q, (SIZE, 3)),
        wz=of_type("wz", kind, zeros, (2, 3)),
    )
    check(made, X, tmp_path, (q - zeros.repeat(16, 0)) * scales.repeat(16, 0))


def test_bytes_go_in(tmp_path):
    made = model("d = DequantizeLinear (x, s, z) y = MatMul (d, v)", kind="uint8", z=np.uint8(3))
    check(made, BYTES, tmp_path)


def test_bytes_come_out(tmp_path):
    """The target's numbers are real."""
    made = model(
        "d = DequantizeLinear (x, s, z) a = MatMul (d, v) y = QuantizeLinear (a, ys, z)",
        kind="uint8",
        out="uint8",
        z=np.uint8(3),
        ys=np.float32(8),
    )
    mine = explainer.explain(made, {"x": BYTES}, target=1, composite="epsilon")
    assert mine.score[0] == 8 * (float(fused(made, {"x": BYTES})[0, 1]) - 3)
    parts = (read(made, BYTES) * V[:, 1]).astype(np.float64)
    np.testing.assert_allclose(mine.relevance, mine.score * parts / parts.sum(), rtol=1e-5)
    explainer.compile(made, tmp_path / "compiled.onnx", target=1)


def test_a_zero_point_that_is_computed_is_refused():
    body = """
        none = Sub (x, x) of = ReduceMax <keepdims=0> (none) z = Cast <to=3> (of)
        q = QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z) y = MatMul (d, v)"""
    with pytest.raises(explainer.UnsupportedError, match="its zero point is computed from the input"):
        explainer.explain(model(body), {"x": X})
