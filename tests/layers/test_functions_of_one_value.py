"""Functions of one value: what passes, what an intercept takes, what a gradient ends at, what is refused."""

import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer, UnsupportedError
from explainer.composites import DIALECTS

CONSTANTS = {
    **{"w": rng(1).standard_normal((4, 4)), "v": rng(2).standard_normal((4, 3))},
    **{f"c{n}".replace(".", "_").replace("-", "m"): np.float32(n) for n in (-1, -0.5, 0.5, 0, 1, 2, 3)},
}
X = rng(3).standard_normal((2, 4)).astype(np.float32)


def net(body):
    used = {name: value for name, value in CONSTANTS.items() if f"{name})" in body or name in "wv"}
    return parse(
        f"g (float[N,4] x) => (float[N,3] y) {{ a = MatMul (x, w) {body} y = MatMul (b, v) }}", **used
    )


@pytest.mark.parametrize("how", [{"method": "gradient"}, *({"dialect": name} for name in (None, *DIALECTS))])
@pytest.mark.parametrize("product", ["b = Mul (a, a)", "s = Mul (a, a) b = Mul (s, a)"])
def test_a_whole_power_is_the_product_that_it_stands_for(product, how):
    n = 2 if "s" not in product else 3
    how = how | ({} if "method" in how or how["dialect"] == "cp_lrp" else {"eps": 1e-12})
    maps = [
        Explainer(net(body), dtype="float64", **how).explain(X, 1) for body in (product, f"b = Pow (a, c{n})")
    ]
    assert relative(maps[0].relevance, maps[1].relevance) < (1e-12 if n == 2 or "method" in how else 1e-6)


def test_what_is_0_at_0_hands_relevance_on_unchanged():
    for body in (
        "b = Abs (a)",
        "b = Sin (a)",
        "b = Erf (a)",
        "b = Pow (a, c1)",
        "s = Abs (a) b = Pow (s, c0_5)",
    ):
        found = Explainer(net(body), keep=["a", "b"], dtype="float64").explain(X, 1)
        np.testing.assert_array_equal(found.relevances["a"], found.relevances["b"])


CURVES = {
    "b = Exp (a)": lambda a: a,
    "b = Cosh (a)": lambda a: a * np.tanh(a),
    "b = Reciprocal (a)": lambda a: -1 + 0 * a,
    "b = Pow (a, cm1)": lambda a: -1 + 0 * a,
    "s = Abs (a) b = Pow (s, cm0_5)": lambda a: -0.5 + 0 * a,
    "s = Abs (a) b = Log (s)": lambda a: 1 / np.log(abs(a)),
}


@pytest.mark.parametrize("body", CURVES)
def test_what_is_not_follows_its_tangent_and_the_intercept_has_the_rest(body):
    found = Explainer(net(body), keep=["a", "b"], dtype="float64").explain(X, 1)
    a = X.astype(np.float64) @ CONSTANTS["w"].astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(found.relevances["a"], CURVES[body](a) * found.relevances["b"], rtol=1e-5)
    step = next(step for step in found.audit if step.rule == "linearised")
    np.testing.assert_allclose(step.R_out, step.R_in + step.intercept, rtol=1e-12)
    assert not step.epsilon.any() and not step.bias.any()
    for step in found.audit:
        assert abs(step.residual).max() < 1e-10 * max(1, abs(step.R_out).max())


@pytest.mark.parametrize("operator", ["Sign", "Round", "Floor", "Ceil"])
def test_steps_pass_relevance_and_a_gradient_that_ends_there_is_said(operator, tmp_path):
    model = net(f"b = {operator} (a)")
    found = Explainer(model, keep=["a", "b"]).explain(3 * X, 1)
    np.testing.assert_array_equal(found.relevances["a"], found.relevances["b"])
    assert "gradient" not in found.remark()
    said = f"no gradient passes what is flat between its steps: {operator} 'b'"
    for method in ("gradient", "guided_backprop", "integrated_gradients"):
        made = Explainer(model, method=method)
        ended = made.explain(3 * X, 1)
        assert not ended.relevance.any()
        assert ended.remark() == f"the map is 0 everywhere; {said}"
        assert said in str(made.plan)


def test_beside_a_way_past_it_too():
    found = Explainer(net("r = Round (a) b = Add (r, a)"), method="gradient").explain(X, 1)
    assert found.relevance.any()
    assert found.remark() == "no gradient passes what is flat between its steps: Round 'r'"


@pytest.mark.parametrize("exponent", ["c2", "c3"])
def test_deeplift_is_complete_at_squares_and_cubes(exponent):
    body = f"b = Pow (a, {exponent})"
    found = Explainer(net(body), method="deeplift", dtype="float64", baseline=0.3).explain(X, 1)
    assert np.abs(found.delta).max() < 1e-12 * np.abs(found.relevance).sum()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("b = Pow (a, a)", "its exponent is computed from the input"),
        ("b = Pow (w, a)", "its exponent is computed from the input"),
        ("s = Shape (a) n = ReduceSum (s) f = Cast <to=1> (n) b = Pow (a, f)", "not the same in every run"),
        ("b = Mod <fmod=1> (a, c2)", "Mod"),
    ],
)
def test_what_is_refused(body, reason):
    with pytest.raises(UnsupportedError, match=reason):
        Explainer(net(body)).plan  # noqa: B018


@pytest.mark.parametrize(
    "how", [{}, {"dialect": "attnlrp"}, {"method": "gradient"}, {"composite": "libragrad"}]
)
@pytest.mark.parametrize(
    "body", ["b = Exp (a)", "b = Pow (a, c2)", "b = Round (a)", "t = Tanh (a) s = Sigmoid (t) b = Log (s)"]
)
def test_it_compiles(body, how):
    explainer.compile(net(body), target=1, **how)  # which proves it
