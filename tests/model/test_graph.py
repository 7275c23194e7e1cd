"""Reading ONNX files of every age and shape; what they declare and what they compute from constants."""

import numpy as np
import onnx
import pytest
from building import parse, relative, rng, run
from onnx import helper, numpy_helper

from explainer import Explainer, UnsupportedError
from explainer.model.graph import Graph

WEIGHTS = {
    "w": rng(1).standard_normal((4, 2, 3, 3)),
    "b": rng(2).standard_normal(4),
    "v": rng(3).standard_normal((4, 3)),
    "k": rng(4).standard_normal(3),
}
BODY = """{ c = Conv (x, w, b) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) y = Gemm (f, v, k) }"""
TEXT = "g (float[N,2,6,6] x) => (float[N,3] y) " + BODY


def net(text: str = TEXT, opset: int = 21, ir_version: int = 10, **more) -> onnx.ModelProto:
    head = f'<ir_version: {ir_version}, opset_import: ["" : {opset}]> '
    return parse(head + text, **{**WEIGHTS, **more})


def x_for(samples: int = 2, size: int = 6) -> np.ndarray:
    return rng(4, samples).standard_normal((samples, 2, size, size)).astype(np.float32)


def check(model, x=None, plain=None, **options) -> Explainer:
    """The relevance is that of the plain model, in float32 and in float64."""
    x = x_for() if x is None else x
    for dtype, tolerance in (("float32", 1e-4), ("float64", 1e-12)):
        explainer = Explainer(model, dtype=dtype, eps=1e-3, **options)
        found = explainer.explain(x)
        wanted = Explainer(plain or net(), dtype="float64", eps=1e-3).explain(x)
        assert relative(found.relevance, wanted.relevance) < tolerance
    return explainer


@pytest.mark.parametrize("opset", range(7, onnx.defs.onnx_opset_version() + 1))
def test_every_opset_from_7_to_the_newest_of_onnxruntime(opset):
    model = net(opset=opset)
    try:
        run(model, {"x": x_for()})
    except Exception:
        if opset <= 21:
            raise
        pytest.skip(f"this onnxruntime does not run opset {opset} yet")
    check(model)


def test_an_older_opset_is_refused():
    from explainer import ModelError

    with pytest.raises(ModelError, match=r"opset 6 is older than 7; raise it with onnx.version_converter"):
        Graph.load(net(opset=6))


def test_ir_3_lists_initializers_as_inputs():
    model = net(opset=8, ir_version=3)
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    assert [value.name for value in Graph.load(model).inputs] == ["x"]
    check(model)


def test_weights_in_constant_nodes():
    model = net()
    nodes = []
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        nodes.append(helper.make_node("Constant", [], [tensor.name], value=numpy_helper.from_array(value)))
    del model.graph.initializer[:]
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    check(model)


def test_weights_computed_from_constants():
    text = TEXT.replace(
        "{", "{ w1 = Mul (w0, two) w = Transpose <perm = [1, 0, 2, 3]> (w1) v = Sub (v0, one) ", 1
    )
    model = net(
        text,
        w0=np.ascontiguousarray((WEIGHTS["w"].astype(np.float32) / 2).transpose(1, 0, 2, 3)),
        v0=WEIGHTS["v"].astype(np.float32) + 1,
        two=np.float32(2),
        one=np.float32(1),
    )
    keep = [t for t in model.graph.initializer if t.name not in ("w", "v")]
    del model.graph.initializer[:]
    model.graph.initializer.extend(keep)
    v = WEIGHTS["v"].astype(np.float32) + np.float32(1) - np.float32(1)
    check(model, plain=net(v=v))
    graph = Graph.load(model)
    assert graph.is_constant("w")
    np.testing.assert_array_equal(graph.constant("w"), WEIGHTS["w"].astype(np.float32))


@pytest.mark.parametrize(
    ("attribute", "value", "wanted"),
    [
        ("value_float", 1.5, np.float32(1.5)),
        ("value_floats", [1.5, 2.0], np.float32([1.5, 2])),
        ("value_int", 3, np.int64(3)),
        ("value_ints", [3, 4], np.int64([3, 4])),
    ],
)
def test_every_form_of_a_numeric_constant(attribute, value, wanted):
    model = net(TEXT.replace("y = Gemm", "f2 = Identity (f) y = Gemm"))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["number"], **{attribute: value}))
    found = Graph.load(model).constant("number")
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


def test_shape_arithmetic_is_folded_and_never_explained():
    text = """g (float[N,2,6,6] x) => (float[N,3] y) {
        c = Conv (x, w, b) r = Relu (c) p = GlobalAveragePool (r)
        s = Shape (p) n = Gather (s, first) m = Gather (s, second)
        a = Mul (n, m) q = Div (a, n) shape = Concat <axis = 0> (n, q)
        f = Reshape (p, shape) y = Gemm (f, v, k)
    }"""
    explainer = check(net(text, first=np.array([0]), second=np.array([1])))
    assert [step.node.operator for step in explainer.plan.steps] == [
        "Gemm",
        "Reshape",
        "GlobalAveragePool",
        "Relu",
        "Conv",
    ]


def test_a_scale_computed_from_a_shape_is_a_parameter():
    text = """g (float[N,2,6,6] x) => (float[N,3] y) {
        c = Conv (x, w, b) r = Relu (c) p = ReduceSum <keepdims = 0> (r, axes)
        s = Shape (r) h = Gather (s, spatial) area = ReduceProd <keepdims = 0> (h)
        count = Cast <to = 1> (area) f = Div (p, count) y = Gemm (f, v, k)
    }"""
    sizes = {"axes": np.array([2, 3]), "spatial": np.array([2, 3]), "sixteen": np.float32(16)}
    plain = text.replace("Div (p, count)", "Div (p, sixteen)")
    check(net(text, **sizes), plain=net(plain, **sizes))


def test_dynamic_spatial_sizes():
    model = net(TEXT.replace("N,2,6,6", "N,2,H,W"))
    explainer = check(model, x_for(2, 6))
    large = x_for(1, 9)
    wanted = Explainer(net(TEXT.replace("6,6", "9,9")), dtype="float64", eps=1e-3).explain(large)
    assert relative(explainer.explain(large).relevance, wanted.relevance) < 1e-12


def test_a_tensor_read_twice_by_one_node_counts_twice():
    twice = "g (float[N,2,6,6] x) => (float[N,3] y) { c = Conv (x, w) d = Add (c, c) r = Relu (d) "
    tail = "p = GlobalAveragePool (r) f = Flatten (p) y = Gemm (f, v, k) }"
    plain = twice.replace("Add (c, c)", "Mul (c, two)") + tail
    check(net(twice + tail), plain=net(plain, two=np.float32(2)))
    joined = "g (float[N,2,6,6] x) => (float[N,3] y) { j = Concat <axis = 1> (x, x) c = Conv (j, w2, b) "
    doubled = np.concatenate([WEIGHTS["w"]] * 2, axis=1)
    explainer = Explainer(net(joined + "r = Relu (c) " + tail, w2=doubled), dtype="float64")
    plain = Explainer(net(w=2 * WEIGHTS["w"].astype(np.float32)), dtype="float64")
    assert relative(explainer.explain(x_for()).relevance, plain.explain(x_for()).relevance) < 1e-12


def test_a_subgraph_off_the_path_is_left_alone_and_on_it_is_named():
    def branch(name: str, operator: str) -> onnx.GraphProto:
        node = helper.make_node(operator, ["c"], [name])
        return helper.make_graph([node], name, [], [helper.make_empty_tensor_value_info(name)])

    choice = helper.make_node(
        "If", ["yes"], ["i"], "choice", then_branch=branch("t", "Relu"), else_branch=branch("e", "Neg")
    )
    aside = net()
    aside.graph.node.insert(1, choice)
    aside.graph.node.insert(1, helper.make_node("Cast", ["sum"], ["yes"], to=onnx.TensorProto.BOOL))
    aside.graph.node.insert(1, helper.make_node("ReduceSum", ["c"], ["sum"], keepdims=0))
    graph = Graph.load(aside)
    assert graph.producers["i"].captures == ("c",)
    assert "i" in graph.carrying
    check(aside)
    # c has a further reader now: the shortcut behind the Relu must see it.
    assert Explainer(aside).plan.steps[-1].layer.signed
    aside.graph.node[4].input[0] = "i"
    with pytest.raises(UnsupportedError, match=r"If x1 .*'choice'"):
        Explainer(aside).plan  # noqa: B018


def test_several_inputs():
    text = """g (float[N,3] a, float[N,3] b) => (float[N,2] y) {
        p = Gemm (a, w) q = Gemm (b, u) s = Add (p, q) y = Relu (s)
    }"""
    w, u = rng(5).standard_normal((3, 2)), rng(6).standard_normal((3, 2))
    model = parse(text, w=w, u=u)
    random = rng(7)
    feeds = {name: random.standard_normal((2, 3)).astype(np.float32) for name in "ab"}
    found = Explainer(model, dtype="float64").explain(feeds)
    joined = parse(
        "g (float[N,6] x) => (float[N,2] y) { s = Gemm (x, w) y = Relu (s) }", w=np.concatenate([w, u])
    )
    x = np.concatenate([feeds["a"], feeds["b"]], axis=1)
    wanted = Explainer(joined, dtype="float64").explain(x).relevance
    assert set(found.relevance) == {"a", "b"}
    assert relative(np.concatenate([found.relevance["a"], found.relevance["b"]], axis=1), wanted) < 1e-5
    only_a = Explainer(model).explain(feeds, target=("p", 0))
    assert set(only_a.relevance) == {"a"}


def test_whole_numbers_as_input_behind_a_cast():
    text = TEXT.replace("float[N,2,6,6] x", "uint8[N,2,6,6] u").replace("{", "{ x = Cast <to = 1> (u) ", 1)
    pixels = rng(8).integers(0, 255, (2, 2, 6, 6)).astype(np.uint8)
    found = Explainer(net(text), dtype="float64").explain(pixels)
    wanted = Explainer(net(), dtype="float64").explain(pixels.astype(np.float32))
    np.testing.assert_array_equal(found.relevance, wanted.relevance)
    assert found.relevance.dtype == np.float64


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_half_precision_inside(dtype):
    text = """g (float[N,64] x) => (float[N,4] y) {
        a = Cast <to = 10> (x) h = Gemm (a, w) r = Relu (h) z = Gemm (r, v) y = Cast <to = 1> (z)
    }"""
    weights = {name: rng(1, size).standard_normal((64, size)) for name, size in (("w", 64), ("v", 4))}
    halves = {name: value.astype(np.float16) for name, value in weights.items()}
    x = rng(3).standard_normal((4, 64)).astype(np.float32)
    found = Explainer(parse(text, **halves), dtype=dtype, eps=1e-2).explain(x)
    wide = {name: value.astype(np.float32) for name, value in halves.items()}
    wanted = Explainer(parse(text.replace("= 10", "= 1"), **wide), dtype="float64", eps=1e-2).explain(x)
    assert relative(found.relevance, wanted.relevance) < (0.1 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize(("to", "bytes_of_a_number"), [(10, 2), (16, 2), (1, 4), (11, 4), (7, 4)])
def test_a_file_is_as_precise_as_what_it_casts_to(to, bytes_of_a_number):
    text = "g (float[N,2] x) => (float[N,2] y) { h = Cast <to = TO> (x) y = Cast <to = 1> (h) }"
    assert Graph.load(parse(text.replace("TO", str(to)))).precision == bytes_of_a_number


def test_both_parts_of_a_split_add_up_and_one_alone_is_enough():
    text = "g (float[N,4] x) => (float[N,2] y) {{ a, b = Split <axis = 1> (x, two) r = Relu (a) {} }}"
    x = rng(5).standard_normal((2, 4)).astype(np.float32)
    both = Explainer(parse(text.format("y = Sub (r, b)"), two=np.array([2, 2])), eps=1e-9).explain(x, "y")
    np.testing.assert_allclose(both.relevance[:, :2], np.maximum(x[:, :2], 0), rtol=1e-5)
    np.testing.assert_allclose(both.relevance[:, 2:], -x[:, 2:], rtol=1e-5)
    alone = Explainer(parse(text.format("y = Neg (r)"), two=np.array([2, 2])), eps=1e-9).explain(x, "y")
    assert not alone.relevance[:, 2:].any()


def test_an_unread_second_output_is_no_matter():
    text = "g (float[N,1,4] x) => (float[N,1,2] y) { y, i = MaxPool <kernel_shape = [2], strides = [2]> (x) }"
    found = Explainer(parse(text)).explain(np.ones((2, 1, 4), np.float32), "y")
    assert found.relevance.tolist() == [[[1, 0, 1, 0]]] * 2


def test_defaults_come_from_the_schema_of_the_nodes_own_opset():
    # Softmax's axis: 1 before opset 13, -1 since.
    for opset, axis in ((12, 1), (13, -1)):
        graph = Graph.load(
            net(TEXT.replace("y = Gemm (f, v, k)", "l = Gemm (f, v, k) y = Softmax (l)"), opset=opset)
        )
        assert graph.nodes[-1].attributes["axis"] == axis
    assert Graph.load(net()).nodes[-1].attributes["alpha"] == 1.0
