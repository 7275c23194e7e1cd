"""Pools of which other windows are inferred than onnxruntime computes: they compile, to the same bits."""

from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException
from versions import before

import explainer
from explainer import Explainer
from explainer.compiler.pools import told
from explainer.model.graph import Graph
from explainer.model.raising import raised

REFUSED_BY_ONNXRUNTIME = (Fail, InvalidArgument, RuntimeException)
OPSETS = {"MaxPool": [10, 11, 12, 16, 22], "AveragePool": [10, 11, 12, 16, 19, 22], "LpPool": [18, 22]}
older = pytest.mark.skipif(
    before("onnxruntime", "1.25"), reason="an older onnxruntime counts an AveragePool's pads otherwise"
)


def net(operator: str, sizes: list[int], opset: int, places: bool = False, **attributes) -> onnx.ModelProto:
    pool = onnx.helper.make_node(operator, ["x"], ["p", "i"] if places else ["p"], **attributes)
    shapes = {"x": ["N", 2, *sizes], "y": ["N", None], "i": ["N", 2, *[None] * len(sizes)]}
    values = {
        name: onnx.helper.make_tensor_value_info(
            name, onnx.TensorProto.INT64 if name == "i" else onnx.TensorProto.FLOAT, shape
        )
        for name, shape in shapes.items()
    }
    outputs = [values["y"], *([values["i"]] if places else [])]
    flat = onnx.helper.make_node("Flatten", ["p"], ["y"])
    graph = onnx.helper.make_graph([pool, flat], "g", [values["x"]], outputs)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


def drawn(seed: int) -> tuple[onnx.ModelProto, np.ndarray]:
    """Windows of any kind on one to three axes of any size."""
    draw = rng(seed)
    operator, rank = str(draw.choice([*OPSETS])), int(draw.integers(1, 4))
    opset = int(draw.choice(OPSETS[operator]))
    kernel, sizes = draw.integers(1, 4, rank).tolist(), draw.integers(2, 10, rank).tolist()
    attributes = {
        "kernel_shape": kernel,
        "strides": draw.integers(1, 5, rank).tolist(),
        "ceil_mode": int(draw.integers(2)),
        "auto_pad": str(draw.choice(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])),
    }
    if attributes["auto_pad"] == "NOTSET":
        attributes["pads"] = [int(draw.integers(size)) for size in kernel * 2]
    if operator == "AveragePool":
        attributes["count_include_pad"] = int(draw.integers(2))
    if operator != "AveragePool" or opset >= 19:
        attributes["dilations"] = draw.integers(1, 4, rank).tolist()
    places = operator == "MaxPool" and seed % 4 == 0
    return net(operator, sizes, opset, places, **attributes), draw.standard_normal((3, 2, *sizes))


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level, settings.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession(model.SerializeToString(), settings)


@older
@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 200), marks=pytest.mark.slow)])
def test_what_is_written_anew_has_the_same_values_and_the_inferred_shape(seeds):
    compared = changed = 0
    for seed in seeds:
        model, x = drawn(seed)
        feeds = {"x": x.astype(np.float32)}
        try:
            wanted = session_of(model).run(None, feeds)
        except REFUSED_BY_ONNXRUNTIME:
            continue
        if wanted[0].size == 0:
            continue
        graph = Graph.load(model)
        proto = raised(graph)
        made = told(proto, graph, feeds)
        compared, changed = compared + 1, changed + (made is not proto)
        onnx.checker.check_model(made, full_check=True)
        session = session_of(made)
        found = session.run(None, feeds)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)  # bit for bit
        assert session.get_outputs()[0].shape[1] == wanted[0].shape[1], str(model.graph.node[0])
    assert compared > 0.7 * len(seeds) and changed > len(seeds) / 4


def test_a_pool_that_is_counted_rightly_stays_as_it_is():
    for attributes in ({"ceil_mode": 1}, {"auto_pad": "SAME_UPPER"}, {"dilations": [2, 2]}):
        model = net("MaxPool", [8, 9], 16, kernel_shape=[3, 3], strides=[2, 2], **attributes)
        graph = Graph.load(model)
        proto = raised(graph)
        assert told(proto, graph, {"x": np.zeros((1, 2, 8, 9), np.float32)}) is proto


SAME = list(product(("MaxPool", "AveragePool", "LpPool"), ("SAME_UPPER", "SAME_LOWER")))


@pytest.mark.parametrize(("operator", "auto_pad"), SAME)
@pytest.mark.parametrize("behind", ["f = Flatten (p)", "g = GlobalAveragePool (p) f = Flatten (g)"])
def test_same_padding_with_a_dilation_compiles(operator, auto_pad, behind):
    text = f"""g (float[N,1,9,10] x) => (float[N,K] y) {{
        p = {operator} <auto_pad = "{auto_pad}", kernel_shape = [3, 2], dilations = [2, 2],
                        strides = [1, 4]> (x) {behind} y = Mul (f, w) }}"""
    model = parse(text, w=np.array([2.0]))
    model.opset_import[0].version = 19
    compiled = explainer.compile(model)
    x = rng(5).standard_normal((3, 1, 9, 10)).astype(np.float32)
    found, wanted = run(compiled, x), Explainer(model).explain(x)
    np.testing.assert_array_equal(found["y"], run(model, x)["y"])
    assert relative(found["relevance"], wanted.relevance) < CLOSE


@pytest.mark.parametrize("how", [{}, {"method": "smoothgrad", "n_samples": 3}, {"stop": "r"}])
def test_one_pool_behind_another(how):
    """Of the second the sizes are inferred wrongly too, and the loop's copy of the model is written anew."""
    text = """g (float[N,1,11,12] x) => (float[N,K] y) { r = Relu (x)
        p = MaxPool <auto_pad = "SAME_LOWER", kernel_shape = [2, 2], dilations = [2, 2], strides = [1, 3]> (r)
        q = AveragePool <kernel_shape = [2, 1], strides = [3, 2], ceil_mode = 1> (p)
        f = Flatten (q) t = Tanh (f) y = Mul (t, w) }"""
    model = parse(text, w=np.array([2.0]))
    model.opset_import[0].version = 12
    compiled = explainer.compile(model, target=1, **how)
    x = rng(6).standard_normal((3, 1, 11, 12)).astype(np.float32)
    wanted = Explainer(model, **how).explain(x, 1).relevance
    for name, value in wanted.items() if isinstance(wanted, dict) else [("", wanted)]:
        assert relative(run(compiled, x)["/".join(filter(None, ("relevance", name)))], value) < CLOSE


@pytest.mark.slow
@older
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_any_windows_compile(seed):
    model, x = drawn(seed)
    x = x.astype(np.float32)
    try:
        (z, *_) = session_of(model).run(None, {"x": x})
        wanted = Explainer(model).explain(x)
    except (*REFUSED_BY_ONNXRUNTIME, explainer.ExplainerError) as error:
        pytest.skip(f"there is nothing to explain: {error}")
    if z.size == 0:
        pytest.skip("no window has a place")
    assert relative(run(explainer.compile(model), x)["relevance"], wanted.relevance) < CLOSE
