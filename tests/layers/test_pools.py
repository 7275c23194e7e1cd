"""Pools of every padding, dilation and rounding: onnxruntime's values, and slopes by its own differences."""

import itertools

import numpy as np
import onnx
import pytest
from building import NEWEST, one_node, parse, relative, rng, run
from compiled import CLOSE
from compiled import run as run_compiled
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException
from versions import before

import explainer
from explainer import Explainer, UnsupportedError, explain
from explainer.layers import REGISTRY
from explainer.model.graph import Graph

REFUSED_BY_ONNXRUNTIME = (Fail, InvalidArgument, RuntimeException)
PADS = ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]
GRID = list(itertools.product((1, 2, 3), (1, 2, 3, 4), (1, 2, 3), PADS, (0, 1)))  # kernel, stride, dilation


def net(operator: str, x: np.ndarray, opset: int = NEWEST, **attributes) -> onnx.ModelProto:
    return one_node(operator, [("x", x)], {}, ["y"], attributes, opset=opset)


def checked(operator: str, shape: tuple[int, ...], opset: int = NEWEST, **attributes) -> bool:
    """Whether a pool's values and slopes were compared: a window may find no place, or no cell."""
    size = int(np.prod(shape))
    x = (rng(size, *attributes["strides"]).permutation(size) + 1).reshape(1, 1, *shape).astype(np.float32)
    model = net(operator, x, opset, **attributes)
    steps = np.eye(size, dtype=np.float32).reshape(size, 1, *shape) / 4  # changes no order
    try:
        (z,) = run(model, {"x": np.concatenate([x, x + steps])})
    except REFUSED_BY_ONNXRUNTIME:
        return False
    graph = Graph.load(model)
    layer = REGISTRY[operator].of(graph.nodes[0], graph)
    if z.size == 0:
        return False
    try:
        found = layer.bind(x, None, {})(x)
    except UnsupportedError:
        return False
    np.testing.assert_allclose(found, z[:1], rtol=1e-5, err_msg=str(attributes))
    s = rng(size).standard_normal(found.shape).astype(np.float32)
    slopes = (s * (z[1:] - z[:1]) * 4).sum(axis=tuple(range(1, z.ndim)))
    c = layer.transpose(s, layer.bind(x, found, {}))
    np.testing.assert_allclose(c.ravel(), slopes, atol=2e-4, err_msg=str(attributes))
    return True


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 5, 6])
def test_max_pools(size):
    compared = [
        checked(
            "MaxPool", (size,), kernel_shape=[k], strides=[s], dilations=[d], auto_pad=pad, ceil_mode=ceil
        )
        for k, s, d, pad, ceil in GRID
    ]
    assert np.mean(compared) > (0.9 if size > 1 else 0.4)


@pytest.mark.slow
@pytest.mark.parametrize("count_include_pad", [0, 1])
def test_average_pools(count_include_pad):
    if count_include_pad and before("onnxruntime", "1.25"):
        pytest.skip("onnxruntime before 1.25 leaves the pad out of AveragePool's count since opset 19")
    compared = [
        checked(
            "AveragePool",
            (6,),
            kernel_shape=[k],
            strides=[s],
            dilations=[d],
            auto_pad=pad,
            ceil_mode=ceil,
            count_include_pad=count_include_pad,
        )
        for k, s, d, pad, ceil in GRID
    ]
    assert np.mean(compared) > 0.9


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool", "LpPool"])
def test_windows_that_reach_beyond_cells_that_none_begins_at(operator, pad):
    """A stride of more than the kernel takes cells off the end: a mean ends there, another pool does not."""
    x = (2.0 ** np.arange(8, dtype=np.float32)).reshape(1, 1, 8)
    for size, stride, ceil_mode in itertools.product((3, 5, 8), (3, 4), (0, 1)):
        attributes = {"kernel_shape": [2], "strides": [stride], "dilations": [2], "ceil_mode": ceil_mode}
        model = net(operator, x[..., :size], auto_pad=pad, **attributes)
        found = explain(model, x[..., :size], target="y")  # the audit sees a window of other cells
        assert found.conserved == pytest.approx(1, abs=1e-5)
        assert explain(model, x[..., :size], target="y", dtype="float64").conserved == pytest.approx(
            1, abs=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("opset", [10, 12, 19, 22])
def test_planes(operator, opset):
    """Axes with kernels, strides and dilations of their own, and pads of all sizes."""
    draw, compared = rng(opset), []
    for _ in range(300):
        attributes = {
            "kernel_shape": draw.integers(1, 5, 2).tolist(),
            "strides": draw.integers(1, 4, 2).tolist(),
            "auto_pad": str(draw.choice(PADS)),
            "ceil_mode": int(draw.integers(2)),
        }
        if operator == "MaxPool" or opset >= 19:
            attributes["dilations"] = draw.integers(1, 4, 2).tolist()
        if attributes["auto_pad"] == "NOTSET":
            attributes["pads"] = [int(draw.integers(k)) for k in attributes["kernel_shape"] * 2]
        compared.append(checked(operator, tuple(draw.integers(3, 9, 2).tolist()), opset, **attributes))
    assert np.mean(compared) > 0.5


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("strides", [[1, 1], [3, 3], [4, 5]])
def test_the_map_is_of_what_onnxruntime_computes(pad, ceil_mode, strides):
    x = rng(0).permutation(42).reshape(1, 1, 7, 6).astype(np.float32) + 1
    attributes = {"kernel_shape": [3, 2], "dilations": [2, 2], "strides": strides, "ceil_mode": ceil_mode}
    model = net("MaxPool", x, auto_pad=pad, **attributes)
    steps = np.eye(42, dtype=np.float32).reshape(42, 1, 7, 6) / 4
    (z,) = run(model, {"x": np.concatenate([x, x + steps])})
    slopes = ((z[1:] - z[:1]).sum((1, 2, 3)) * 4).reshape(x.shape)
    for dtype in ("float32", "float64"):
        gradient = explainer.explain(model, x, target="y", method="gradient", dtype=dtype)
        np.testing.assert_allclose(gradient.relevance, slopes, atol=1e-4)
        lrp = explainer.explain(model, x, target="y", dtype=dtype)
        np.testing.assert_allclose(lrp.relevance, slopes * x, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_compiled(ceil_mode):
    """With pads as large as the kernel in it, which onnxruntime takes of no node that is written so."""
    x = rng(3).standard_normal((2, 1, 7, 6)).astype(np.float32)
    model = parse(f"""g (float[N,1,7,6] x) => (float[N,1] y) {{ p = MaxPool <auto_pad = "SAME_UPPER",
        kernel_shape = [2, 3], strides = [2, 1], dilations = [2, 2], ceil_mode = {ceil_mode}> (x)
        s = Mul (p, p) y = ReduceMean <keepdims = 0> (s, axes) }}""", axes=np.array([2, 3]))  # fmt: skip
    for method in ("lrp", "gradient"):
        compiled = explainer.compile(model, method=method)
        wanted = Explainer(model, method=method).explain(x).relevance
        assert relative(run_compiled(compiled, x)["relevance"], wanted) < CLOSE


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"kernel_shape": [4], "strides": [1]}, "a window of 4 places is larger than the 3 there are"),
        (
            {"kernel_shape": [2], "strides": [1], "dilations": [4], "pads": [1, 1]},
            "a window holds padding alone",
        ),
    ],
)
def test_windows_without_a_place_or_a_cell_are_refused(attributes, reason):
    x = np.ones((1, 1, 3), np.float32)
    with pytest.raises(UnsupportedError, match=f"MaxPool 'node': {reason}"):
        explainer.explain(net("MaxPool", x, **attributes), x, target="y", method="gradient")


@pytest.mark.parametrize("operator", ["ReduceMean", "ReduceSum"])
@pytest.mark.parametrize("axes", ["[2, 2]", "[-2, 2]", "[2, -2, 2]"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_axis_that_is_named_twice_is_summed_over_once(operator, axes, dtype):
    def explained(axes):
        body = f"y = {operator} <axes = {axes}, keepdims = 0> (x)"
        head = '<ir_version: 8, opset_import: ["" : 11]>'
        model = parse(f"{head} g (float[N,2,3,3] x) => (float[N,2,3] y) {{ {body} }}")
        return explain(model, rng(1).standard_normal((2, 2, 3, 3)).astype(np.float32), target=1, dtype=dtype)

    assert relative(explained(axes).relevance, explained("[2]").relevance) < 1e-6


def test_a_window_beyond_all_values_takes_no_room():
    # transformers' EfficientNet takes its mean by a window of as many places as it has channels.
    text = """g (float[N,64,7,7] x) => (float[N,64,1,1] y) {
        y = AveragePool <kernel_shape = [160, 160], strides = [160, 160], ceil_mode = 1> (x)
    }"""
    compiled = explainer.compile(parse(text), target="y[0,0,0]")
    assert compiled.ByteSize() < 1e6
