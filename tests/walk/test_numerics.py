"""audit="numerics": amounts, and by how much a rounding comes out larger; by hand, and against float32."""

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer, InputError

ROUNDING = 2.0**-24
DENSE = "g (float[N,K] x) => (float[N,M] y) { y = Gemm (x, w, b) }"


def dense(w, b):
    return parse(DENSE, w=np.float32(w), b=np.float32(b))


def amplification(model, x, start="one", **how):
    return Explainer(model, audit="numerics", **how).explain(x, start=start).audit[0].amplification


@pytest.mark.parametrize("left", [0.5, 0.1, 1e-2, 1e-3, 1e-4])
def test_a_sum_that_cancels_by_hand(left):
    """z = 1 − (1 − d) = d: relevance is ±R/d, and an error δ of either term moves it by δ/d of itself."""
    found = amplification(dense([[1], [left - 1]], [0]), np.ones((1, 2), np.float32))
    # ∂R_1 = R_1 (δ_1 − (δ_1 − (1 − d) δ_2) / d), likewise R_2: |δ_1 − δ_2| / d, which is drawn once.
    assert 0.1 < found[0] * left < 3


def test_what_is_divided_by_itself_amplifies_nothing():
    """By its own output relevance is x·w: R = z, s = z / st(z)."""
    model = dense([[1], [1e-3 - 1]], [0])
    assert amplification(model, np.ones((1, 2), np.float32), start="output")[0] < 3


def test_terms_of_one_sign_amplify_nothing():
    random = rng(1)
    for _ in range(5):
        w, x = abs(random.standard_normal((20, 3))), abs(random.standard_normal((4, 20)))
        found = amplification(dense(w, np.zeros(3)), np.float32(x), composite="zplus")
        assert (found > 0.3).all() and (found < 2).all()


def test_it_tells_what_float32_loses():
    """By the median of many layers, within a factor: the error that is measured is one draw of it."""
    ratios = []
    for seed in range(40):
        random = rng(7, seed)
        w, b = random.standard_normal((30, 1)), random.standard_normal(1)
        x = np.float32(random.standard_normal((1, 30)))
        w[0] -= np.float32((x @ w)[0, 0] * (1 - 10.0 ** -(seed % 4)) / x[0, 0])  # what is left of z
        model = dense(w, b * 0)
        exact = Explainer(model, dtype="float64").explain(x, start="one").relevance
        found = Explainer(model, audit="numerics").explain(x, start="one")
        error = np.abs(found.relevance - exact).sum() / np.abs(exact).sum()
        ratios.append(error / (ROUNDING * found.audit[0].amplification[0]))
    assert 0.1 < np.median(ratios) < 3 and np.quantile(ratios, 0.9) < 10


def small_net():
    text = (
        "g (float[N,2,6,6] x) => (float[N,3] y) { c = Conv <pads=[1,1,1,1]> (x, k, o) r = Relu (c)"
        " m = MaxPool <kernel_shape=[2,2],strides=[2,2]> (r) f = Flatten (m) y = Gemm (f, w, b) }"
    )
    random = rng(3)
    shapes = {"k": (4, 2, 3, 3), "o": (4,), "w": (36, 3), "b": (3,)}
    return parse(text, **{name: random.standard_normal(shape) for name, shape in shapes.items()})


X = np.float32(rng(4).standard_normal((3, 2, 6, 6)))


def test_amounts_are_those_of_the_relevance_itself():
    found = Explainer(small_net(), audit="numerics", keep="all", dtype="float64").explain(X)
    steps = {step.node: step for step in found.audit}
    for node, tensor in (("y", "f"), ("f", "m"), ("m", "r"), ("r", "c")):
        expected = np.abs(found.relevances[tensor]).reshape(3, -1).sum(1)
        np.testing.assert_allclose(steps[node].amount, expected, rtol=1e-12)
    np.testing.assert_allclose(steps["c"].amount, np.abs(found.relevance).reshape(3, -1).sum(1))
    for node in ("f", "m", "r"):  # what hands on amplifies nothing
        assert not steps[node].amplification.any()
    assert (steps["y"].amplification > 0).all() and (steps["c"].amplification > 0).all()


def test_a_sample_has_what_it_has_alone_and_everything_else_is_as_it_was():
    made = Explainer(small_net(), audit="numerics")
    whole, plain = made.explain(X), Explainer(small_net()).explain(X)
    np.testing.assert_array_equal(whole.relevance, plain.relevance)
    for place in range(len(X)):
        alone = made.explain(X[place : place + 1])
        for one, other in zip(whole.audit, alone.audit, strict=True):
            assert one.amplification[place] == pytest.approx(other.amplification[0], rel=1e-3)
    for one, other in zip(whole.audit, plain.audit, strict=True):
        np.testing.assert_array_equal(one.bias, other.bias)
        assert other.amount is None and other.amplification is None
    assert "amplification" in str(whole.audit) and "amplification" not in str(plain.audit)
    assert "amplification" in whole.to_dict()["audit"][0]
    assert "amplification" not in plain.to_dict()["audit"][0]
    assert "amplification" in whole.audit._repr_html_()


def test_a_model_of_a_fixed_batch_has_them_joined():
    model = small_net()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    found = Explainer(model, audit="numerics").explain(X)
    assert all(step.amount.shape == step.amplification.shape == (3,) for step in found.audit)


WORDS = "g (float[N,4,6] x) => (float[N,4,6] y) {{ h = MatMul (x, a) {} }}"
OTHERS = {
    "attention": "q = MatMul (x, b) t = Transpose <perm=[0,2,1]> (q) k = MatMul (q, t) p = Softmax (k)"
    " y = MatMul (p, h)",
    "a normalisation": "y = LayerNormalization (h, v)",
    "a gate": "s = Sigmoid (h) g = MatMul (x, b) y = Mul (s, g)",
    "a residual sum": "g = MatMul (x, b) y = Add (h, g)",
}


@pytest.mark.parametrize("composite", ["epsilon", "attnlrp", "zplus", "gamma", "flat"])
@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_of_layer_is_measured(kind, composite):
    constants = {"a": rng(1).standard_normal((6, 6)), "b": rng(2).standard_normal((6, 6)), "v": np.ones(6)}
    body = WORDS.format(OTHERS[kind])
    model = parse(body, **{name: value for name, value in constants.items() if f"{name})" in body})
    x = np.float32(rng(5).standard_normal((2, 4, 6)))
    found = Explainer(model, composite=composite, audit="numerics").explain(x, target=("y", np.s_[0, 1]))
    for step in found.audit:
        assert np.isfinite(step.amplification).all() and np.isfinite(step.amount).all()
    assert any(step.amplification.any() for step in found.audit)


def test_a_condition_is_a_step_without_measures():
    found = Explainer(small_net(), audit="numerics").explain(X, conditions={"r": [1, 2]})
    (gate,) = [step for step in found.audit if step.operator == "Condition"]
    assert gate.amount is None and gate.masked.any()
    assert "Condition" in found.audit._repr_html_() and len(str(found.audit).splitlines()) == 7


def test_gradients_are_not_followed_by_sums():
    assert not Explainer(small_net(), method="gradient", audit="numerics").explain(X).audit


def test_an_example_is_of_the_models_own_shapes():
    made = Explainer(small_net())
    assert made.example()["x"].shape == (1, 2, 6, 6)
    np.testing.assert_array_equal(made.example(1)["x"], made.example(1)["x"])
    assert made.explain(made.example()).relevance.shape == (1, 2, 6, 6)
    with pytest.raises(
        InputError, match=r"no example can be drawn; give an input yourself .*, or the sizes, fix="
    ):
        Explainer(parse("g (float[N,3,H,W] x) => (float[N,3,H,W] y) { y = Relu (x) }")).example()
