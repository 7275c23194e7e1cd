"""The largest of several, and sizes of several together: winners and ties, limits, lengths and logarithms."""

import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer, UnsupportedError

CONSTANTS = {
    **{
        "w": rng(1).standard_normal((4, 5)),
        "u": rng(2).standard_normal((4, 5)),
        "v": rng(3).standard_normal((5, 3)),
    },
    **{
        "zero": np.float32(0),
        "half": np.float32(0.5),
        "row": np.float32([0.1, -0.2, 0.3, 0, 1]),
        "last": np.array([-1]),
    },
    "many": np.ones((7, 1, 5), np.float32),
}
X = rng(4).standard_normal((2, 4)).astype(np.float32)
START = "a = MatMul (x, w) b = MatMul (x, u)"


def net(body, end="y = MatMul (z, v)", output="float[N,3] y"):
    used = {
        name: value for name, value in CONSTANTS.items() if name in f"{START} {body} {end}".replace(",", " ")
    }
    return parse(f"g (float[N,4] x) => ({output}) {{ {START} {body} {end} }}", **used)


def values():
    x = X.astype(np.float64)
    return x @ CONSTANTS["w"].astype(np.float32), x @ CONSTANTS["u"].astype(np.float32)


def kept(model, *names, **how):
    return Explainer(model, keep=names, dtype="float64", **how).explain(X, 1)


@pytest.mark.parametrize("operator", ["Max", "Min"])
def test_the_winner_takes_all(operator):
    found = kept(net(f"z = {operator} (a, b)"), "a", "b", "z").relevances
    a, b = values()
    wins = a > b if operator == "Max" else a < b
    np.testing.assert_allclose(found["a"], np.where(wins, found["z"], 0))
    np.testing.assert_allclose(found["b"], np.where(wins, 0, found["z"]))


def test_those_that_tie_share_alike():
    # Of three, two of which are one: a third of the relevance each.
    found = kept(net("c = Identity (a) m = Neg (a) d = Neg (m) z = Max (a, d, c)"), "d", "z").relevances
    np.testing.assert_allclose(found["d"], found["z"] / 3)
    text = "g (float[N,4] x) => (float[N] y) { y = ReduceMax <keepdims = 0> (x, last) }"
    tied = np.float32([[1, 3, 3, 0], [2, 2, 2, 2]])
    model = parse(text, last=np.array([-1]))
    np.testing.assert_allclose(Explainer(model).explain(tied, "y").relevance, [[0, 1.5, 1.5, 0], [0.5] * 4])
    gradient = Explainer(model, method="gradient").explain(tied, "y").relevance
    np.testing.assert_allclose(gradient, [[0, 0.5, 0.5, 0], [0.25] * 4])


@pytest.mark.parametrize("constants", ["zero", "row", "half, row", "zero, row"])
def test_a_constant_is_a_limit_as_a_clips(constants):
    for operator in ("Max", "Min"):
        found = kept(net(f"z = {operator} (a, {constants})"), "a", "z").relevances
        np.testing.assert_array_equal(found["a"], found["z"])


def test_a_limit_of_0_is_a_relu():
    maps = [kept(net(body)).relevance for body in ("z = Max (zero, a)", "z = Relu (a)")]
    assert relative(*maps) < 1e-12


@pytest.mark.parametrize("operator", ["ReduceL1", "ReduceL2", "LpPool"])
def test_a_length_hands_on_all(operator):
    tail = {
        "LpPool": "d = Unsqueeze (a, last) n = LpPool <kernel_shape = [1], p = 3> (d) z = Squeeze (n, last)"
    }
    body = tail.get(operator, f"n = {operator} (a, last) z = Add (n, b)")
    found = kept(net(body), "a", "n", eps=1e-12)
    a = found.relevances["a"].reshape(2, -1).sum(1)
    np.testing.assert_allclose(a, found.relevances["n"].reshape(2, -1).sum(1), rtol=1e-9)
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)


def test_a_sum_of_squares_is_that_of_products():
    bodies = (
        "n = ReduceSumSquare (a, last) z = Add (n, b)",
        "q = Mul (a, a) n = ReduceSum (q, last) z = Add (n, b)",
    )
    maps = [kept(net(body), eps=1e-12).relevance for body in bodies]
    assert relative(*maps) < 1e-9


@pytest.mark.parametrize("body", ["n = ReduceLogSumExp (a, last)", "e = Exp (a) n = ReduceLogSum (e, last)"])
def test_of_a_logarithm_the_intercept_has_a_share(body):
    found = kept(net(f"{body} z = Add (n, b)"), eps=1e-12)
    step = next(step for step in found.audit if step.operator.startswith("ReduceLog"))
    assert step.rule == "linearised" and step.intercept.all()
    np.testing.assert_allclose(step.R_out, step.R_in + step.intercept, rtol=1e-10)


def test_a_mask_of_minus_infinity_is_no_part_of_a_sum_of_exponentials():
    masked = np.float32([0, -np.inf, 0, 0, -np.inf])
    text = "g (float[N,4] x) => (float[N] y) { a = MatMul (x, w) m = Add (a, mask)"
    text += " y = ReduceLogSumExp <keepdims = 0> (m, last) }"
    model = parse(text, w=CONSTANTS["w"], mask=masked, last=CONSTANTS["last"])
    found = Explainer(model, keep=["a"], dtype="float64").explain(X, "y").relevances["a"]
    assert np.isfinite(found).all() and not found[:, [1, 4]].any() and found[:, [0, 2, 3]].all()


@pytest.mark.parametrize(
    "body",
    ["z = Max (a, b)", "z = Min (a, b, a)", "z = Max (a, half)", "n = ReduceMax (a, last) z = Add (n, b)"],
)
def test_deeplift_is_complete(body):
    found = Explainer(net(body), method="deeplift", dtype="float64", baseline=0.3).explain(X, 1)
    assert np.abs(found.delta).max() < 1e-12 * np.abs(found.relevance).sum()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("z = Max (a, b, zero)", "it compares several activations with a constant; write it as two nodes"),
        ("n = ReduceL2 <noop_with_empty_axes = 1> (a) z = Add (n, b)", "it reduces no axis"),
    ],
)
def test_what_is_refused(body, reason):
    with pytest.raises(UnsupportedError, match=reason):
        Explainer(net(body)).plan  # noqa: B018


def test_a_constant_that_spreads_what_it_limits_is_refused():
    model = net("z = Max (a, many)", end="y = ReduceMean <keepdims = 0> (z, last)", output="float y")
    with pytest.raises(UnsupportedError, match="its constant is larger than what it limits"):
        Explainer(model, dtype="float64").explain(X[:1], "y")


@pytest.mark.parametrize(
    "how",
    [{}, {"dialect": "captum"}, {"method": "gradient"}, {"composite": "libragrad"}, {"method": "deeplift"}],
)
@pytest.mark.parametrize(
    "body",
    ["z = Max (a, b)", "n = ReduceMin (a, last) z = Add (n, b)", "n = ReduceL2 (a, last) z = Add (n, b)"],
)
def test_it_compiles(body, how):
    explainer.compile(net(body), target=1, **how)  # which proves it


def test_a_limit_at_infinity_limits_nothing():
    text = "g (float[N,3] x) => (float[N,3] y) { a = Max (x, low)  y = Min (high, a) }"
    model = parse(text, low=np.float32(-np.inf), high=np.float32(np.inf))
    x = rng(0).standard_normal((2, 3)).astype(np.float32)
    for how in ({}, {"composite": "gradient"}, {"dtype": "float64"}):
        found = Explainer(model, **how).explain(x, "y").relevance
        np.testing.assert_allclose(found, np.ones_like(x) if "composite" in how else x, rtol=1e-6)


@pytest.mark.parametrize("zeros", [1, 2])
def test_of_a_product_along_an_axis_one_0_gets_what_the_others_make(zeros):
    model = parse(
        "g (float[N,4] x) => (float[N] y) { y = ReduceProd <keepdims = 0> (x, last) }", last=np.array([-1])
    )
    x = np.float32([[0, 2, 3, 0.5 * (zeros == 1)]])
    found = Explainer(model, method="gradient", dtype="float64").explain(x, "y").relevance
    np.testing.assert_allclose(found, [[3, 0, 0, 0]] if zeros == 1 else np.zeros((1, 4)))
    shared = Explainer(model, dtype="float64", eps=1e-12).explain(x + 1, "y")
    np.testing.assert_allclose(shared.relevance, np.full((1, 4), shared.score / 4))
