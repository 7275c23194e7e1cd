"""DeepLIFT of a probability: a last Softmax or Sigmoid is rescaled, and the sums are differences of p."""

import numpy as np
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run

import explainer
from explainer import Explainer

W = rng(1).standard_normal((4, 5)).astype(np.float32).astype(np.float64)
X = rng(2).standard_normal((3, 4)).astype(np.float32)
ENDS = ["Sigmoid (z)", "Softmax <axis = 1> (z)", "LogSoftmax <axis = -1> (z)", "Identity (z)"]


def net(end: str, scale: float = 1.0):
    return parse(f"g (float[N,4] x) => (float[N,5] y) {{ z = MatMul (x, w) y = {end} }}", w=W * scale)


def probabilities(end: str, z: np.ndarray) -> np.ndarray:
    if end.startswith("Sigmoid"):
        return np.exp(-np.logaddexp(0, -z))
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def sums(found: explainer.Explanation) -> np.ndarray:
    return found.relevance.sum(axis=tuple(range(1, found.relevance.ndim)))


def with_one_layer(end: str):
    made = Explainer(net(end), method="deeplift", dtype="float64")
    return made.explain(X, [0, 1, 4], "probability").relevance


def test_a_sigmoid_by_hand():
    z, hit = X @ W, np.eye(5)[[0, 1, 4]]
    slope = (hit * (probabilities("Sigmoid", z) - 0.5) / z).sum(1, keepdims=True)
    wanted = X * slope * W.T[[0, 1, 4]]
    assert relative(with_one_layer("Sigmoid (z)"), wanted) < 1e-12


@pytest.mark.parametrize("end", ENDS[1:])
def test_a_softmax_is_the_rescale_rule_of_exp_log_and_exp(end):
    """The same probability with every function a layer of its own, each rescaled by hand."""
    z, hit = X @ W, np.eye(5)[[0, 1, 4]]
    e, e0, z0 = np.exp(z), np.ones_like(z), np.zeros_like(z)
    S, S0 = e.sum(1, keepdims=True), np.full((3, 1), 5.0)
    log_p, log_p0 = z - np.log(S), z0 - np.log(S0)
    last = hit * (np.exp(log_p) - np.exp(log_p0)) / (log_p - log_p0)
    through_log = -last.sum(1, keepdims=True) * (np.log(S) - np.log(S0)) / (S - S0)
    wanted = X * ((last + through_log * (e - e0) / (z - z0)) @ W.T)
    assert relative(with_one_layer(end), wanted) < 1e-12


@pytest.mark.parametrize("scale", [1e-4, 1.0, 300.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("end", ENDS)
def test_sums_are_differences_of_probabilities(end, dtype, scale):
    """With logits that hardly move too, and with sure ones, of which the gradient is 0."""
    baseline = rng(3).standard_normal((3, 4)).astype(np.float32)
    made = Explainer(net(end, scale), method="deeplift", dtype=dtype, baseline=baseline)
    weights = (W * scale).astype(np.float32).astype(np.float64)
    p, p0 = (probabilities(end, x.astype(np.float64) @ weights) for x in (X, baseline))
    for target in range(5):
        for start in ("probability", "sglrp"):
            found = made.explain(X, target, start)
            moved = np.abs(found.relevance).sum(1)
            tolerance = (1e-9 if dtype == "float64" else 1e-4) * np.maximum(moved, 1e-6)
            assert (np.abs(sums(found) - (p - p0)[:, target]) <= tolerance).all()
            assert (np.abs(found.delta) <= tolerance + np.finfo(dtype).eps).all()


def test_where_nothing_changed_the_gradient_holds():
    for end in ENDS:
        found = Explainer(net(end), method="deeplift", dtype="float64", baseline=X).explain(
            X, 1, "probability"
        )
        np.testing.assert_array_equal(found.relevance, 0)
        close = Explainer(net(end), method="deeplift", dtype="float64", baseline=X - 2.0**-20)
        gradient = Explainer(net(end), method="gradient", dtype="float64").explain(X, 1, "probability")
        slope = close.explain(X, 1, "probability").relevance / (X - (X - np.float32(2.0**-20)))
        assert relative(slope, gradient.relevance) < 1e-5


def test_regions_and_places_of_their_own():
    """Classes on axis 1 at each of four places; the sum of what several classes gained."""
    text = "g (float[N,3,4] x) => (float[N,3,4] y) { z = Mul (x, w) y = Softmax <axis = 1> (z) }"
    x = 3 * rng(4).standard_normal((2, 3, 4)).astype(np.float32)
    made = Explainer(parse(text, w=np.full((1,), 2.0)), method="deeplift", dtype="float64")
    p = probabilities("", 2 * x.astype(np.float64))
    found = made.explain(x, ("y", np.s_[:2, 1:3]), "probability")
    np.testing.assert_allclose(sums(found), (p - 1 / 3)[:, :2, 1:3].sum((1, 2)), rtol=1e-9)
    assert not found.relevance[:, :, [0, 3]].any()


def test_an_old_softmax_runs_over_all_axes_behind_its_own():
    text = """<ir_version: 8, opset_import: ["" : 11]> g (float[N,2,3] x) => (float[N,2,3] y) {
        z = Neg (x) y = Softmax <axis = 1> (z) }"""
    x = rng(5).standard_normal((2, 2, 3)).astype(np.float32)
    found = Explainer(parse(text), method="deeplift", dtype="float64").explain(x, 4, "probability")
    p = probabilities("", -x.reshape(2, 6).astype(np.float64))
    np.testing.assert_allclose(sums(found), p[:, 4] - 1 / 6, rtol=1e-9)


def test_a_batch_is_its_samples():
    made = Explainer(net(ENDS[1]), method="deeplift", dtype="float64")
    alone = [made.explain(X[i : i + 1], 2, "probability").relevance[0] for i in range(3)]
    assert relative(made.explain(X, 2, "probability").relevance, np.stack(alone)) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_compiled(end):
    options = {"method": "deeplift", "start": "probability", "baseline": 0.25}
    compiled = explainer.compile(net(end), target=1, **options)
    wanted = explainer.explain(net(end), X, target=[1, 3, 0], **options)
    assert relative(run(compiled, X, target=[1, 3, 0])["relevance"], wanted.relevance) < CLOSE
