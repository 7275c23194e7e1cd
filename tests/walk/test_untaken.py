"""What a Where does not take may be infinite, or no number: logarithms of −1, roots, quotients by 0."""

import compiled
import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer, NumericalError

X = np.array([[-1.5, 0.0, 0.25, 3.0], [2.0, -0.5, 1.0, 0.0]], np.float32)
V = rng(1).standard_normal((4, 2)).astype(np.float32)
# Name -> nodes from x to e, what e is and its slope where x > 0.
BRANCHES = {
    "Log": ("e = Log (x)", np.log, lambda x: 1 / x),
    "Sqrt": ("e = Sqrt (x)", np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "Pow": ("e = Pow (x, power)", lambda x: x**0.75, lambda x: 0.75 * x**-0.25),
    "Reciprocal": ("e = Reciprocal (x)", lambda x: 1 / x, lambda x: -1 / x**2),
    "a quotient by itself": ("q = Div (x, x) e = Add (q, x)", lambda x: 1 + x, np.ones_like),
    "several, one behind the other": (
        "l = Log (x) m = Mul (l, two) s = Sub (m, x) e = Mul (s, l)",
        lambda x: (2 * np.log(x) - x) * np.log(x),
        lambda x: 4 * np.log(x) / x - np.log(x) - 1,
    ),
}
TWICE = "l = Log (x) d = Greater (x, two) j = Where (d, l, x) e = Mul (j, two)"
CONSTANTS = {
    "power": np.float32(0.75),
    "two": np.float32(2),
    "zero": np.float32(0),
    "v": V,
    "square": np.eye(4),
}


def net(nodes: str, choice: str = "w = Where (c, e, x)"):
    text = f"""g (float[N,4] x) => (float[N,2] y) {{
        c = Greater (x, zero) {nodes} {choice} y = MatMul (w, v) }}"""
    return parse(text, **{name: value for name, value in CONSTANTS.items() if name in text})


every = pytest.mark.parametrize("name", BRANCHES)


@every
def test_its_gradient_is_that_of_the_branch_that_was_taken(name):
    nodes, f, slope = BRANCHES[name]
    x = X.astype(np.float64)
    some = np.where(x > 0, x, 1)
    found = Explainer(net(nodes), method="gradient", dtype="float64").explain(X, target=1)
    np.testing.assert_allclose(found.score, np.where(x > 0, f(some), x) @ V[:, 1].astype(float), rtol=1e-12)
    np.testing.assert_allclose(found.relevance, np.where(x > 0, slope(some), 1) * V[:, 1], rtol=1e-12)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_relevance_is_accounted_for(name, dtype):
    found = Explainer(net(BRANCHES[name][0]), dtype=dtype).explain(X, target=1)
    assert np.isfinite(found.relevance).all()
    for step in found.audit:
        assert np.all(abs(step.residual) < 1e-5 * (abs(step.R_out) + abs(step.R_in) + 1))


@pytest.mark.parametrize("nodes", [BRANCHES["Pow"][0], BRANCHES["a quotient by itself"][0], TWICE])
@pytest.mark.parametrize("method", ["lrp", "gradient"])
def test_it_is_compiled(nodes, method):
    model = net(nodes)
    wanted = explainer.explain(model, X, target=1, method=method).relevance
    found = compiled.run(explainer.compile(model, target=1, method=method), X)["relevance"]
    assert relative(found, wanted) < compiled.CLOSE


@pytest.mark.parametrize(
    ("nodes", "choice"),
    [
        ("e = Log (x)", "w = Where (c, x, e)"),  # taken
        ("e = Log (x)", "u = Where (c, e, x) r = Exp (e) w = Add (u, r)"),  # read by others
        ("d = MatMul (x, square) l = Log (d) e = MatMul (l, square)", "w = Where (c, e, x)"),
    ],
)
def test_what_is_taken_and_what_others_read_is_refused_as_ever(nodes, choice):
    model = net(nodes, choice)
    with pytest.raises(NumericalError, match="NaN or infinity"):
        explainer.explain(model, X, target=1)


def test_deeplift_is_complete_where_sample_and_baseline_take_the_same_branch():
    baseline = np.where(X > 0, 0.5, -0.25).astype(np.float32)
    model = net(BRANCHES["several, one behind the other"][0])
    found = explainer.explain(model, X, target=1, method="deeplift", baseline=baseline, dtype="float64")
    np.testing.assert_allclose(found.delta, 0, atol=1e-10)


def test_a_mask_of_finite_scores_costs_nothing():
    model = net("d = MatMul (x, square) h = Div (d, two) e = Add (h, x)")
    assert not Explainer(model).plan.untaken
    assert Explainer(net("d = MatMul (x, square) e = Log (d)")).plan.untaken == {"e"}
