"""Normalisation by a length or by the channels around, in nets: relevance holds the divisor and sums to 1."""

import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer

WEIGHTS = {"k": rng(1).standard_normal((6, 2, 3, 3)), "l": rng(2).standard_normal((6, 3))}
X = rng(3).standard_normal((2, 2, 5, 5)).astype(np.float32)
NORMS = {
    "LRN": "LRN <size = 3, alpha = 0.9, beta = 0.75, bias = 1.5> (c)",
    "one": "LpNormalization <p = 1, axis = 1> (c)",
    "two": "LpNormalization <axis = 1> (c)",
}
each = pytest.mark.parametrize("name", NORMS)


def net(name: str):
    nodes = f"c = Conv (x, k) n = {NORMS[name]} p = GlobalAveragePool (n) f = Flatten (p) y = MatMul (f, l)"
    return parse(f"g (float[N,2,5,5] x) => (float[N,3] y) {{ {nodes} }}", **WEIGHTS)


@each
def test_it_conserves_and_compiles(name):
    found = explainer.explain(net(name), X, target=1, start="one", eps=1e-9, dtype="float64")
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    explainer.compile(net(name))


@each
def test_relevance_passes_where_every_value_has_a_divisor_of_its_own(name):
    """Binder et al. 2016: a held divisor is as good as the identity."""
    found = Explainer(net(name), keep=["c", "n"], dtype="float64", eps=1e-12).explain(X, target=1)
    assert relative(found.relevances["c"], found.relevances["n"]) < 1e-9


def messages(x: np.ndarray, size: int, alpha: float, beta: float, bias: float) -> np.ndarray:
    """z_jk of Binder et al. 2016 for the channels of one place: from their formula alone, by differences."""
    reach = (size - 1) // 2, size - 1 - (size - 1) // 2

    def f(v: np.ndarray, k: int) -> float:
        around = v[max(0, k - reach[0]) : k + reach[1] + 1]
        return v[k] / (bias + alpha / size * (around**2).sum()) ** beta

    z, h = np.zeros((len(x), len(x))), 1e-5 * np.eye(len(x))
    for k in range(len(x)):
        for j in range(len(x)):
            slope = (f(x + h[j], k) - f(x - h[j], k)) / 2e-5
            z[j, k] = slope * x[j] if j != k else f(x * (np.arange(len(x)) == k), k)
    return z


@pytest.mark.parametrize("size", [1, 3, 5])
def test_expanded_round_each_value_alone_is_the_second_treatment_of_binder_2016(size):
    how = {"size": size, "alpha": 0.9, "beta": 0.75, "bias": 1.5}
    said = ", ".join(f"{name} = {value}" for name, value in how.items())
    nodes = f"n = LRN <{said}> (x) p = GlobalAveragePool (n) f = Flatten (p) y = MatMul (f, l)"
    model = parse(f"g (float[N,6,1,2] x) => (float[N,3] y) {{ {nodes} }}", l=WEIGHTS["l"])
    x, eps = rng(4).standard_normal((1, 6, 1, 2)).astype(np.float32), 1e-2
    ex = Explainer(model, rules={"LRN": f"taylor:{eps}"}, keep=["n"], dtype="float64")
    found = ex.explain(x, target=1)
    for place in range(2):
        z = messages(x[0, :, 0, place].astype(np.float64), **how)
        whole = z.sum(axis=0)
        wanted = z @ (found.relevances["n"][0, :, 0, place] / (whole + np.where(whole < 0, -eps, eps)))
        assert relative(found.relevance[0, :, 0, place], wanted) < 1e-8


def test_so_it_conserves_and_compiles_where_it_is_asked_for():
    how = {"rules": {"normalization": "taylor:1e-9"}}
    for name in NORMS:  # all but the LRN are held
        found = explainer.explain(net(name), X, target=1, eps=1e-9, dtype="float64", **how)
        np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    explainer.compile(net("LRN"), **how)
    held = explainer.explain(net("LRN"), X, target=1, eps=1e-9, dtype="float64")
    taylor = explainer.explain(net("LRN"), X, target=1, eps=1e-9, dtype="float64", **how)
    assert relative(held.relevance, taylor.relevance) > 1e-2


@each
def test_grad_cam_looks_through_it(name):
    found = Explainer(net(name), method="grad_cam", dtype="float64").explain(X, target=1).relevance
    assert np.isfinite(found).all() and found.any()


@each
def test_deeplift_is_complete(name):
    found = Explainer(net(name), method="deeplift", dtype="float64", baseline=0.2).explain(X, target=1)
    assert (abs(found.delta) / abs(found.relevance).sum((1, 2, 3))).max() < 1e-9


def test_zero_stays_zero_and_its_slope_is_finite():
    model = net("two")
    assert not Explainer(model, dtype="float64").explain(X * 0, target=1).relevance.any()
    assert np.isfinite(
        Explainer(model, method="gradient", dtype="float64").explain(X * 0, target=1).relevance
    ).all()
