"""Normalisation by a length or by the channels around, in nets: relevance holds the divisor and sums to 1."""

import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer, UnsupportedError

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


@each
def test_grad_cam_looks_through_it(name):
    found = Explainer(net(name), method="grad_cam", dtype="float64").explain(X, target=1).relevance
    assert np.isfinite(found).all() and found.any()


@each
def test_deeplift_refuses_it_by_name(name):
    """By a gradient, as other tools have it, its sums would not be the difference any more."""
    with pytest.raises(UnsupportedError, match="no rule for the role 'normalization'"):
        Explainer(net(name), method="deeplift").explain(X, target=1)


def test_zero_stays_zero_and_its_slope_is_finite():
    model = net("two")
    assert not Explainer(model, dtype="float64").explain(X * 0, target=1).relevance.any()
    assert np.isfinite(
        Explainer(model, method="gradient", dtype="float64").explain(X * 0, target=1).relevance
    ).all()
