"""A quotient of two activations: the divisor is held, and the numerator gets all."""

import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer

WEIGHTS = {name: rng(seed).standard_normal((4, 4)) for seed, name in enumerate(("k", "l", "h"), start=1)}
X = rng(5).standard_normal((3, 4)).astype(np.float32)
# A cosine's parts among them: a·b over its length.
BODIES = {
    "by value": "a = MatMul (x, k) b = Softplus (x) z = Div (a, b)",
    "spread": "a = MatMul (x, k) b = ReduceSum (p, last) p = Softplus (x) z = Div (a, b)",
    "the same": "a = MatMul (x, k) p = Softplus (a) b = MatMul (p, m) z = Div (a, b)",
}
each = pytest.mark.parametrize("name", BODIES)


def net(name: str, body: str = ""):
    constants = {**WEIGHTS, "last": np.array([1]), "m": np.abs(WEIGHTS["l"]), "one": np.float32(1)}
    nodes = f"{body or BODIES[name]} y = MatMul (z, h)"
    used = {key: value for key, value in constants.items() if f" {key})" in nodes or f"({key}," in nodes}
    return parse(f"g (float[N,4] x) => (float[N,4] y) {{ {nodes} }}", **used)


@each
@pytest.mark.parametrize("dialect", [None, "zennit", "captum", "innvestigate", "cp_lrp"])
def test_all_goes_to_the_numerator(name, dialect):
    keep = ["a", "z"]
    found = Explainer(net(name), composite="epsilon", dialect=dialect, keep=keep, eps=1e-12, dtype="float64")
    relevances = found.explain(X, target=1).relevances
    assert relative(relevances["a"], relevances["z"]) < 1e-9 or name == "the same"


@each
def test_it_conserves_and_compiles(name):
    found = explainer.explain(net(name), X, target=1, start="one", eps=1e-9, dtype="float64")
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    explainer.compile(net(name))


@each
def test_by_its_tangent_the_intercept_takes_all(name):
    """Of degree 0: what the numerator gets the divisor loses."""
    made = Explainer(net(name), dtype="float64", keep=["z"], dialect="attnlrp", composite="epsilon")
    found = made.explain(X, target=1)
    (step,) = (step for step in found.audit if step.operator == "Div")
    scale = np.abs(found.relevances["z"]).sum()
    assert abs(step.intercept - step.R_out).max() < 1e-10 * scale
    assert abs(step.residual).max() < 1e-10 * scale


@each
def test_its_gradient_is_the_slope(name):
    made, step = Explainer(net(name), method="gradient", dtype="float64"), 1e-6
    found = made.explain(X.astype(np.float64), target=1).relevance
    matrices = {key: np.asarray(value, np.float32).astype(np.float64) for key, value in WEIGHTS.items()}

    def y(x):
        a = x @ matrices["k"]
        soft = np.log1p(np.exp(a if name == "the same" else x))
        b = {"by value": soft, "spread": soft.sum(-1, keepdims=True)}.get(name, soft @ np.abs(matrices["l"]))
        return (a / b) @ matrices["h"]

    for column in range(4):
        move = np.zeros_like(X, np.float64)
        move[:, column] = step
        x = X.astype(np.float64)
        np.testing.assert_allclose(
            found[:, column], (y(x + move) - y(x - move))[:, 1] / (2 * step), rtol=1e-5
        )


@each
@pytest.mark.parametrize("body", ["r = Reciprocal (b) z = Mul (a, r)", "r = Div (one, b) z = Mul (r, a)"])
def test_a_reciprocal_times_a_signal_is_the_same_map(name, body):
    """However the exporter wrote it."""
    written = net(name, BODIES[name].replace("z = Div (a, b)", body))
    wanted, found = (
        explainer.explain(model, X, target=1, dtype="float64", eps=1e-12).relevance
        for model in (net(name), written)
    )
    assert relative(found, wanted) < 1e-6


def test_a_divisor_that_is_held_need_not_be_explained():
    body = "a = MatMul (x, k) t = Mod <fmod = 1> (x, one) b = Softplus (t) z = Div (a, b)"
    made = Explainer(net("spread", body))
    assert [step.node.operator for step in made.plan.steps] == ["MatMul", "Div", "MatMul"]


def test_a_constant_divided_by_an_activation_follows_its_tangent():
    """w/x is of degree −1: −R is x's, and 2R the intercept's."""
    text = "b = Softplus (x) z = Div (one, b)"
    made = Explainer(net("spread", text), dtype="float64", keep=["z", "b"], eps=1e-12)
    found = made.explain(X, target=1)
    assert relative(found.relevances["b"], -found.relevances["z"]) < 1e-12
    (step,) = (step for step in found.audit if step.operator == "Div")
    np.testing.assert_allclose(step.intercept, 2 * np.asarray(step.R_out), rtol=1e-12)


def test_libragrad_holds_the_divisor():
    found = Explainer(net("spread"), composite="libragrad", dtype="float64").explain(X, target=1)
    held = explainer.explain(net("spread"), X, target=1, composite="cp_lrp", dtype="float64")
    assert relative(found.relevance * X, held.relevance) < 1e-9


def test_deeplift_is_complete():
    found = Explainer(net("spread"), method="deeplift", dtype="float64", baseline=0.2).explain(X, target=1)
    assert np.abs(found.delta).max() < 1e-12 * np.abs(found.relevance).sum()
