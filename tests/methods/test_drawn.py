"""What is drawn anew each time has no scores to compare; what only looks so has."""

import numpy as np
import pytest
from building import parse, rng

import explainer

X = rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
GIVEN = {
    "k": rng(1).standard_normal((2, 3, 3, 3)),
    "half": np.float32(0.5),
    "nil": np.float32(0),
    "true": np.array(True),
    "false": np.array(False),
    "one": np.ones(2),
    "zero": np.zeros(2),
    "no": np.array(0.0),
}
POOLED = "c = Conv (x, k) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p)"
DRAWN = {
    "noise": ("e = RandomNormalLike (f) y = Add (f, e)", "RandomNormalLike 'e' draws numbers"),
    "noise behind another": (
        "e = RandomUniformLike (f) s = com.microsoft.SampleOp (e) y = Mul (f, s)",
        "RandomUniformLike 'e'",
    ),
    "a dropout": ("y = Dropout (f, half, true)", "Dropout 'y' is in training mode"),
    "before more": ("d = Dropout (f, half, true) y = Relu (d)", "Dropout 'd' is in training mode"),
    "in a branch": (
        "m = ReduceMax <keepdims=0> (f) t = Greater (m, no) y = If <then_branch = g () => (float[N,2] a)"
        " { n = RandomNormalLike (f) a = Add (f, n) }, else_branch = h () => (float[N,2] b)"
        " { b = Identity (f) }> (t)",
        "If 'y' draws numbers",
    ),
}
STEADY = {
    "its shape": "e = RandomNormalLike (f) h = Shape (e) z = ConstantOfShape (h) y = Add (f, z)",
    "beside": "y = Relu (f) e = RandomNormalLike (f) unread = Add (f, e)",
    "evaluated": "y = Dropout (f, half, false)",
    "without a mode": "y = Dropout (f, half)",
    "of nothing": "y = Dropout (f, nil, true)",
}


def model_of(end):
    text = f"g (float[N,3,8,8] x) => (float[N,2] y) {{ {POOLED} {end} }}"
    return parse(text, **{name: value for name, value in GIVEN.items() if f" {name}" in text})


@pytest.mark.parametrize("method", ["occlusion", "rise"])
@pytest.mark.parametrize("kind", DRAWN)
def test_what_is_drawn_is_refused_by_the_name_of_its_node(kind, method):
    end, message = DRAWN[kind]
    made = explainer.Explainer(model_of(end), method=method)
    for asked in (made.check_target, lambda: made.explain(X)):
        with pytest.raises(explainer.InputError, match="answers something else") as caught:
            asked()
        assert message in str(caught.value)
        for way in caught.value.ways:
            found = eval(way.call, {"explainer": explainer, "model": model_of(end), "image": X})
            assert isinstance(found, explainer.Explanation)
    assert made.explain(X, "f").relevance.shape == made.explain(X, "r").relevance.shape == X.shape


@pytest.mark.parametrize("kind", STEADY)
def test_what_only_looks_so_is_not(kind):
    made = explainer.Explainer(model_of(STEADY[kind]), method="occlusion")
    assert made.check_target() is None
    same = explainer.Explainer(model_of("y = Identity (f)"), method="occlusion")
    np.testing.assert_allclose(made.explain(X).relevance, same.explain(X).relevance, atol=1e-6)


def test_a_mode_that_is_an_input_is_asked():
    text = f"""g (float[N,3,8,8] x, bool mode) => (float[N,2] y) {{ {POOLED} y = Dropout (f, half, mode) }}"""
    made = explainer.Explainer(parse(text, k=GIVEN["k"], half=GIVEN["half"]), method="occlusion")
    assert made.check_target() is None
    assert made.explain({"x": X, "mode": np.array(False)}).relevance["x"].shape == X.shape
    with pytest.raises(explainer.InputError, match="asked again about the same input"):
        for _ in range(30):  # two answers of one may be the same
            made.explain({"x": X, "mode": np.array(True)})


@pytest.mark.parametrize("kind", ["evaluated", "without a mode", "of nothing"])
def test_a_dropout_that_drops_nothing_is_the_identity(kind):
    made = explainer.Explainer(model_of(STEADY[kind]), dtype="float64")
    assert "Dropout" not in str(made.plan)
    same = explainer.Explainer(model_of("y = Identity (f)"), dtype="float64")
    np.testing.assert_array_equal(made.explain(X).relevance, same.explain(X).relevance)


def test_a_gate_that_a_dropout_of_nothing_hands_on_is_one():
    ends = [f"s = Sigmoid (f) g = {how} y = Mul (f, g)" for how in ("Dropout (s, nil, true)", "Identity (s)")]
    maps = [explainer.explain(model_of(end), X).relevance for end in ends]
    np.testing.assert_array_equal(*maps)


def test_a_weight_that_is_dropped_in_part_is_no_constant():
    model = model_of("w = Dropout ( one, half, true) y = Mul (f, w)")
    graph = explainer.model.graph.Graph.load(model)
    assert not graph.is_constant("w") and graph.is_constant("one")
    for _ in range(10):  # whatever is drawn is what is walked with
        found = explainer.explain(model, X, target=("y", 0))
        w = found.start[0]
        assert found.conserved[0] == pytest.approx(1, abs=1e-4) or w == 0
