"""An If whose condition is the same in every run is the branch that is taken; another one is named."""

import numpy as np
import pytest
from building import parse, rng, run

import explainer
from explainer import Explainer, ModelError, UnsupportedError
from explainer.model.graph import Graph
from explainer.model.notes import told
from explainer.model.skeleton import skeleton

X = rng(7).standard_normal((3, 4)).astype(np.float32)
# The derivatives of the two branches.
DOWN, UP = np.tanh(X) ** 2 - 1, 1 + (X > 0)
BRANCHES = """If <then_branch = t () => (float[N,4] o) { k = Neg (x) o = Tanh (k) },
    else_branch = e () => (float[N,4] o) { k = Relu (x) o = Add (k, x) }>"""


def model(condition: str, inputs: str = "float[N,4] x", **constants):
    """y is tanh(−x) where the condition c holds, max(x, 0) + x elsewhere."""
    return parse(f"g ({inputs}) => (float[N,4] y) {{ {condition} y = {BRANCHES} (c) }}", **constants)


def operators(graph: Graph) -> list[str]:
    return [node.operator for node in graph.nodes]


@pytest.mark.parametrize(
    ("condition", "inputs", "constants", "taken"),
    [
        ("", "float[N,4] x", {"c": np.array(True)}, True),
        ("", "float[N,4] x", {"c": np.array([False])}, False),
        ("c = Constant <value = bool {1}> ()", "float[N,4] x", {}, True),
        ("d = Add (a, a) c = Equal (d, b)", "float[N,4] x", {"a": np.array(2), "b": np.array(4)}, True),
        # Sizes that the file tells, beside one that is open.
        ("s = Shape (x) n = Gather (s, a) c = Equal (n, b)", "float[N,4] x", {"a": 1, "b": 4}, True),
        ("s = Shape <start = 1> (x) n = Squeeze (s) c = Equal (n, b)", "float[N,4] x", {"b": 5}, False),
        ("s = Shape (x) t = Slice (s, a, b) n = Squeeze (t) c = Equal (n, e)", "float[N,4] x",
         {"a": [1], "b": [2], "e": 4}, True),
        ("s = Shape (x) r = Size (s) c = Equal (r, b)", "float[N,4] x", {"b": 2}, True),
        # All sizes are known, and how they are computed is no matter.
        ("h = Relu (x) s = Shape (h) p = ReduceProd <keepdims = 0> (s) c = Equal (p, b)", "float[3,4] x",
         {"b": 12}, True),
        ("s = Shape (x) z = ConstantOfShape (s) t = Shape (z) n = Gather (t, a) c = Equal (n, b)",
         "float[3,4] x", {"a": 0, "b": 4}, False),
    ],
)  # fmt: skip
def test_a_condition_that_is_the_same_in_every_run(condition, inputs, constants, taken):
    constants = {
        name: value if isinstance(value, np.ndarray) else np.array(value, np.int64)
        for name, value in constants.items()
    }
    given = model(condition, inputs, **constants)
    graph = Graph.load(given)
    assert "If" not in operators(graph)
    np.testing.assert_array_equal(run(graph.source.data, {"x": X})[0], run(given, {"x": X})[0])
    found = Explainer(given, composite="gradient").explain(X, "y").relevance
    np.testing.assert_allclose(found, DOWN if taken else UP, rtol=1e-5)
    (line,) = told(graph.notes)
    assert (
        line
        == f"branches: If, explained as its {'then' if taken else 'else'}_branch, the same in every run ('y')"
    )


OPEN = "s = Shape (x) n = Gather (s, zero) c = Equal (n, three)"
SIZES = {"zero": np.array(0), "three": np.array(3)}


def test_an_open_size_is_said_or_asked_for():
    given = model(OPEN, **SIZES)
    with pytest.raises(UnsupportedError, match=r"sizes that are open.*fix=\{'N': \.\.\.\} \(--fix N=SIZE\)"):
        Explainer(given).plan_for("y")
    for name in ("N", "x[0]"):
        assert operators(Graph.load(given, fix={name: 3}))[-2:] == ["Neg", "Tanh"]
        assert operators(Graph.load(given, fix={name: 2}))[-2:] == ["Relu", "Add"]


def test_an_input_is_held_or_asked_for():
    given = model("c = Equal (rate, known)", "float[N,4] x, int64 rate", known=np.array(16000))
    with pytest.raises(UnsupportedError, match=r"'rate'.*fix=\{'rate': \.\.\.\} \(--fix rate=VALUE\)"):
        Explainer(given).plan_for("y")
    made = Explainer(given, composite="gradient", fix={"rate": 16000})
    assert [value.name for value in made.graph.inputs] == ["x"]
    np.testing.assert_allclose(made.explain(X, "y").relevance, DOWN, rtol=1e-5)
    compiled = explainer.compile(given, target="y", composite="gradient", fix={"rate": 8000})
    assert [value.name for value in compiled.graph.input] == ["x"]
    np.testing.assert_allclose(run(compiled, {"x": X})[1], UP, rtol=1e-5)


@pytest.mark.parametrize(
    "condition",
    [
        "m = ReduceSum <keepdims = 0> (x) c = Greater (m, low)",
        # A size that values tell: run at zeros it would be another one.
        "z = NonZero (x) s = Shape (z) n = Gather (s, zero) c = Equal (n, two)",
        "z = NonZero (x) s = Shape (z) n = Gather (s, two) c = Equal (n, zero)",
        "m = ReduceSum <keepdims = 0> (x) i = Cast <to = 7> (m) j = Unsqueeze (i, ax) e = Expand (low, j) "
        "s = Shape (e) n = Squeeze (s) c = Equal (n, zero)",
    ],
)  # fmt: skip
def test_a_condition_that_data_tells_is_refused_by_name(condition):
    given = model(
        f"h = Sigmoid (x) {condition}",
        "float[3,4] x",
        low=np.float32(0),
        zero=np.array(0),
        two=np.array(2 if "two) c" in condition else 1),
        ax=np.array([0]),
    )
    if "n = Gather (s, zero)" in condition:  # how many axes there are: that is known
        assert "If" not in operators(Graph.load(given))
        return
    with pytest.raises(UnsupportedError, match=r"If x1 \(.* computed from data, 'x'\)"):
        Explainer(given).plan_for("y")


def test_the_nearest_tensor_before_an_undecided_if_is_offered():
    text = BRANCHES.replace("(x)", "(h)").replace("(k, x)", "(k, h)")
    given = parse(
        f"g (float[N,4] x) => (float[N,4] y) {{ h = MatMul (x, w) m = ReduceSum <keepdims = 0> (h) "
        f"c = Greater (m, low) y = {text} (c) }}",
        w=rng(8).standard_normal((4, 4)),
        low=np.float32(0),
    )
    with pytest.raises(UnsupportedError) as error:
        Explainer(given).plan_for("y")
    assert "h" in error.value.before


def test_loops_are_refused_by_name():
    text = """g (float[N,4] x, int64 n) => (float[N,4] y) {
        h = Relu (x)
        y = Loop (n, c, h) <body = b (int64 i, bool d, float[N,4] v) => (bool e, float[N,4] w)
            { e = Identity (d) w = Sigmoid (v) }>
    }"""
    with pytest.raises(UnsupportedError, match=r"Loop x1 \(its body runs as often as data says") as error:
        Explainer(parse(text, c=np.array(True))).plan_for("y")
    assert "h" in error.value.before


def test_branches_in_branches_and_names_that_both_have():
    inner = "If <then_branch = a () => (float[N,4] o) { k = Relu (q) o = Add (k, b) }, " \
        "else_branch = u () => (float[N,4] o) { o = Identity (q) }>"  # fmt: skip
    text = f"""g (float[N,4] x) => (float[N,4] y, float[N,4] z) {{
        y = If <then_branch = t () => (float[N,4] p) {{ q = Neg (x) p = {inner} (c) }},
                else_branch = e () => (float[N,4] p) {{ p = Identity (x) }}> (c)
        z = If <then_branch = v () => (float[N,4] p) {{ q = Exp (x) p = {inner} (c) }},
                else_branch = f () => (float[N,4] p) {{ p = Identity (x) }}> (c)
    }}"""
    for choice in (True, False):
        given = parse(text, c=np.array(choice), b=np.float32(1))
        graph = Graph.load(given)
        assert "If" not in operators(graph)
        for found, wanted in zip(run(graph.source.data, {"x": X}), run(given, {"x": X}), strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_branch_that_hands_out_what_it_holds():
    text = """g (float[N,4] x) => (float[4] z, float[N,4] u) {
        z, u = If <
            then_branch = t () => (float[4] s, float[N,4] p) <float[4] s = {1, 2, 3, 4}> { p = Neg (x) },
            else_branch = e () => (float[4] s, float[N,4] p) <float[4] s = {0, 0, 0, 0}> { p = Exp (x) }
        > (c)
    }"""
    held, moved = run(Graph.load(parse(text, c=np.array(True))).source.data, {"x": X})
    np.testing.assert_array_equal(held, [1, 2, 3, 4])
    np.testing.assert_array_equal(moved, -X)


def test_a_condition_that_is_drawn_anew_is_not_known():
    given = model(
        "r = RandomUniform <shape = [1]> () c = Greater (r, low)",
        low=np.array([0.5], np.float32),
    )
    assert "If" in operators(Graph.load(given))


def test_a_size_that_values_tell_inside_of_a_branch():
    condition = """h = Relu (x) s = Shape (h) p = ReduceProd <keepdims = 0> (s) d = Equal (p, twelve)
        e = If <then_branch = a () => (int64[2,M] f) { f = NonZero (x) },
                else_branch = b () => (int64[2,M] f) { f = NonZero (h) }> (d)
        t = Shape (e) n = Gather (t, one) c = Equal (n, zero)"""
    sizes = {"twelve": np.array(12), "one": np.array(1), "zero": np.array(0)}
    graph = Graph.load(model(condition, "float[3,4] x", **sizes))
    assert operators(graph).count("If") == 1 and "NonZero" in operators(graph)


@pytest.mark.parametrize("c", [np.array(1, np.uint8), np.array(1.0)])
def test_a_file_that_onnxruntime_does_not_open_is_refused_whatever_is_left_of_it(c):
    with pytest.raises(ModelError, match="onnxruntime cannot load it"):
        Graph.load(model("", c=c))


def test_weights_are_not_read_to_see_whether_a_file_opens():
    made = model("w = MatMul (x, v)", c=np.array(True), v=np.ones((4, 400)))
    bare = skeleton(made)
    assert [value.name for value in bare.graph.input] == ["x", "v"]
    assert [tensor.name for tensor in bare.graph.initializer] == ["c"]
    Graph.load(made)
