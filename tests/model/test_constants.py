"""Constants that a file computes from others: once, together, and never more than memory holds."""

import numpy as np
import onnx
import onnxruntime
import pytest
from building import parse, relative, rng, run

from explainer import Explainer, ModelError
from explainer.model.graph import Graph

X = rng(3).random((1, 4)).astype(np.float32)
W = rng(0).standard_normal((4, 4))


@pytest.fixture
def sessions(monkeypatch):
    """How often onnxruntime was started."""
    started = []

    class Counted(onnxruntime.InferenceSession):
        def __init__(self, *arguments, **options):
            started.append(arguments)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Counted)
    return started


def halves(depth):
    """Convolution, BatchNormalization and Relu, `depth` times, every parameter cast from float16."""
    constants, text, last = {}, "", "x"
    for level in range(depth):
        random = rng(level)
        parts = {"k": random.standard_normal((2, 2, 1, 1)), "m": random.random(2) - 0.5}
        parts |= {name: random.random(2) + 0.5 for name in "sbv"}
        for name, value in parts.items():
            constants[f"{name}h{level}"] = value.astype(np.float16)
            text += f"{name}{level} = Cast<to=1>({name}h{level}) "
        scales = ", ".join(f"{name}{level}" for name in "sbmv")
        text += f"c{level} = Conv({last}, k{level}) n{level} = BatchNormalization(c{level}, {scales}) "
        text += f"r{level} = Relu(n{level}) "
        last = f"r{level}"
    text += f"p = GlobalAveragePool({last}) y = Flatten(p)"
    return parse(f"g (float[N,2,3,3] x) => (float[N,2] y) {{ {text} }}", **constants)


@pytest.mark.parametrize("depth", [1, 9])
def test_one_session_computes_all_that_a_plan_needs(sessions, depth):
    net, x = halves(depth), rng(1).random((2, 2, 3, 3)).astype(np.float32)
    score = run(net, {"x": x})[0][:, 1]
    del sessions[:]
    made = Explainer(net)
    assert len(made.plan.steps) == 2 * depth + 2 and len(sessions) <= 1
    explanation = made.explain(x, target=1)
    assert len(sessions) == 2  # the constants, and the model itself
    assert relative(explanation.score, score) < 1e-5


def test_nothing_is_asked_of_what_constants_alone_read(sessions):
    tables = " ".join(
        f"m{n} = MatMul(a, b) q{n} = Reshape(m{n}, shape) y{n} = Add(y{n - 1}, q{n})" for n in range(1, 9)
    )
    text = f"g (float[N,4] x) => (float[N,4] y8) {{ y0 = Relu(x) {tables} }}"
    net = parse(text, a=np.ones((1, 3)), b=np.full((3, 4), 0.5), shape=np.array([4]))
    made = Explainer(net)
    assert made.plan.steps
    assert len(sessions) == 1
    assert {f"q{n}" for n in range(1, 9)} <= made.graph.constants.keys()
    assert not {f"m{n}" for n in range(1, 9)} & made.graph.constants.keys()
    np.testing.assert_allclose(made.explain(X, target=0).score, X[:, 0] + 12)


COMPUTED = {
    "of a constant size": ("b = ConstantOfShape(big)", {"big": np.array([10**5, 10**5])}),
    "of a size that is computed": (
        "s = Mul(large, large) b = ConstantOfShape(s)",
        {"large": np.array([400, 400])},
    ),
    "of a size that only running tells": (
        "e = Exp(log) s = Cast<to=7>(e) b = ConstantOfShape(s)",
        {"log": np.array([11.0, 12.0])},
    ),
    "of a size that a computed value tells": (
        "e = Exp(log) s = Cast<to=7>(e) t = Tile(one, s) n = ReduceSum<keepdims=0>(t) o = Cast<to=7>(n) "
        "f = Exp(n) p = Cast<to=7>(f) q = Unsqueeze(p, zero) b = ConstantOfShape(q)",
        {"log": np.array([1.7, 1.7]), "one": np.ones((1, 1)), "zero": np.array([0])},
    ),
    "spread out": ("u = Expand(one, row) v = Transpose(u) b = Add(u, v)", {"row": np.array([1, 10**5])}),
    "counted": ("b = Range(none, end, step)", {"none": 0.0, "end": 1e10, "step": 1.0}),
    "gathered": (
        "s = ConstantOfShape(many) i = Cast<to=7>(s) b = Gather(wide, i)",
        {"many": np.array([10**5]), "wide": np.ones((1, 10**5))},
    ),
    "many together": (
        " ".join(f"b{n} = ConstantOfShape(some)" for n in range(4))
        + " c = Add(b0, b1) d = Add(b2, b3) b = Add(c, d)",
        {"some": np.array([10**4, 10**4])},
    ),
}


@pytest.mark.parametrize("case", COMPUTED)
def test_a_constant_that_memory_does_not_hold_is_refused_before_it_is_made(case):
    made, constants = COMPUTED[case]
    constants = {"one": np.ones((1, 1)), "w": W, **constants}
    text = f"{made} r = ReduceMax<keepdims=0>(b) h = MatMul(x, w) z = Relu(h) y = Add(z, r)"
    net = parse(f"g (float[N,4] x) => (float[N,4] y) {{ {text} }}", **constants)
    with pytest.raises(ModelError, match=r"'r' is a constant that is not computed: .* makes [\d.e+]+ GB"):
        Explainer(net).explain(X, target=0)


def test_a_plan_looks_at_small_constants_and_leaves_weights_for_the_walk(sessions):
    text = """g (float[N,4] x) => (float[N,90000] y) {
        t = Transpose(w) s = Cast<to=1>(half) m = MatMul(x, t) h = Relu(m) y = Mul(h, s) }"""
    net = parse(text, w=rng(0).standard_normal((90000, 4)), half=np.ones(1, np.float16))
    made = Explainer(net)
    assert len(made.plan.steps) == 3 and len(sessions) == 1
    assert "s" in made.graph.constants and "t" not in made.graph.constants
    explanation = made.explain(X, target=5)
    assert "t" in made.graph.constants and len(sessions) == 3
    np.testing.assert_allclose(explanation.score, run(net, {"x": X})[0][:, 5], rtol=1e-5)


def test_what_no_plan_needs_is_not_computed():
    text = """g (float[N,4] x) => (float[N,4] y, float[N,4] z) {
        t = Cast<to=1>(half) y = MatMul(x, t)
        b = ConstantOfShape(big) r = ReduceMax<keepdims=0>(b) z = Add(y, r) }"""
    net = parse(text, half=W.astype(np.float16), big=np.array([10**5, 10**5]))
    made = Explainer(net)
    assert made.plan.steps[0].node.operator == "MatMul"
    np.testing.assert_array_equal(made.graph.constant("t"), W.astype(np.float16).astype(np.float32))
    assert "r" not in made.graph.constants


def test_what_is_asked_later_is_computed_then(sessions):
    """Tables that no node but another constant reads, as a canonizer may ask for them."""
    text = "g (float[N,4] x) => (float[N,4] y) { a = Exp(w) b = Neg(a) c = Abs(b) y = MatMul(x, c) }"
    graph = Graph.load(parse(text, w=W))
    np.testing.assert_allclose(graph.constant("c"), np.exp(W), rtol=1e-6)
    np.testing.assert_allclose(graph.constant("a"), np.exp(W), rtol=1e-6)
    assert graph.constant("c") is graph.constant("c") and len(sessions) == 2


def test_for_a_dense_layer_no_matrix_is_computed_before_the_walk(sessions):
    w = rng(5).standard_normal((600, 600))
    net = parse(
        "g (float[N,600] x) => (float[N,600] y) "
        "{ t = Transpose(w) u = Transpose(w) c = MatMul(x, t) d = Add(c, b) e = MatMul(d, u) y = Add(e, b) }",
        w=w,
        b=np.ones(600),
    )
    made, x = Explainer(net), rng(1).random((1, 600)).astype(np.float32)
    assert len(made.plan.steps) == 2 and not sessions
    assert {"t", "u"}.isdisjoint(made.graph.constants) and made.graph.shape("t") == (600, 600)
    explanation = made.explain(x, target=1)
    assert relative(explanation.score, run(net, {"x": x})[0][:, 1]) < 1e-5


def test_how_large_constants_are_is_inferred_once(monkeypatch):
    infer, asked = onnx.shape_inference.infer_shapes, []

    def counted(model, **options):
        asked.append(model)
        return infer(model, **options)

    net = parse(
        "g (float[N,600] x) => (float[N,600] y) "
        "{ t = Transpose(w) a = Neg(b) c = MatMul(x, t) d = Add(c, a) y = Relu(d) }",
        w=rng(5).standard_normal((600, 600)),
        b=np.ones(600),
    )
    graph = Graph.load(net)
    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", counted)
    assert graph.constant("a").shape == (600,) and graph.constant("t").shape == (600, 600)
    assert len(asked) == 1
