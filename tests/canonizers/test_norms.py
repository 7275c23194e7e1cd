"""Normalisations written out: one layer, whose deviation is held, and whose gradient is true."""

import numpy as np
import pytest
from building import relative
from norm_forms import CONSTANTS, FORMS, LAYER, MEAN, RMS, STD, B, X, net

import explainer
from explainer import Explainer, UnsupportedError
from explainer.canonizers import canonize
from explainer.model.graph import Graph

each_form = pytest.mark.parametrize("name", FORMS)


def operators(model) -> list[str]:
    return [step.node.operator for step in Explainer(model).plan.steps]


@each_form
def test_it_is_one_layer_that_computes_what_the_file_does(name):
    operator, body, function = FORMS[name]
    made = Explainer(net(body), keep=["x", "y"], dtype="float64")
    assert [step.node.operator for step in made.plan.steps] == ["MatMul", operator, "MatMul"]
    made.explain(
        X, target=(1, 2)
    )  # whose forward pass in the layer's own body is compared with onnxruntime's
    (bound,) = (step.layer for step in made.plan.steps if step.node.operator == operator)
    x = X.astype(np.float64)
    values = {key: np.asarray(value, np.float64) for key, value in CONSTANTS.items()}
    found = bound.bind(x, None, bound.prepare(values)).forward(x)
    assert relative(found, function(x)) < 1e-6  # constants of float32


@each_form
def test_relevance_holds_the_deviation(name):
    """R_in = x · Aᵀ(R / z), A the map with d as it is at x."""
    operator, body, _ = FORMS[name]
    made = Explainer(net(body), keep=["x", "y"], dtype="float64", eps=1e-12)
    found = made.explain(X, target=(1, 2))
    (layer,) = (step.layer for step in made.plan.steps if step.node.operator == operator)
    x = X.astype(np.float64) @ made.graph.constant("front").astype(np.float64)
    values = {key: np.asarray(value, np.float64) for key, value in CONSTANTS.items()}
    bound = layer.bind(x, None, layer.prepare(values))
    z = bound.forward(x)
    d, w = layer.deviation(x), bound.p.get("w", 1.0)
    s = w * (found.relevances["y"] / z) / d
    if layer.centred:
        s = s - s.mean(tuple(layer.axes(x)), keepdims=True)
    assert relative(found.relevances["x"], x * s) < 1e-9


@each_form
def test_it_conserves_without_a_bias(name):
    body = FORMS[name][1]
    found = explainer.explain(net(body, b=B * 0), X, target=(1, 2), start="one", eps=1e-9, dtype="float64")
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)


@each_form
def test_it_compiles(name):
    explainer.compile(net(FORMS[name][1]))  # which proves it


@each_form
def test_its_gradient_is_the_slope(name):
    made = Explainer(net(FORMS[name][1]), method="gradient", dtype="float64")
    _, _, function = FORMS[name]
    k, v = (made.graph.constant(key).astype(np.float64) for key in ("front", "head"))
    x, step = X.astype(np.float64), 1e-6
    found = made.explain(X, target=(1, 2)).relevance
    for place in np.ndindex(1, 5, 6):
        move = np.zeros_like(x)
        move[place] = step
        up, down = (function((x + sign * move) @ k) @ v for sign in (1, -1))
        assert found[place] == pytest.approx((up - down)[0, 1, 2] / (2 * step), rel=1e-5, abs=1e-6)


def test_keepdims_and_axes_by_attribute():
    text = STD.replace("ReduceMean (x, last)", "ReduceMean <axes=[-1]> (x)").replace(
        "ReduceMean (q, last)", "ReduceMean <axes=[-1], keepdims=1> (q)"
    )
    model = net(f"{text} y = Div (d, s)")
    model.opset_import[0].version = 13
    assert operators(model) == ["MatMul", LAYER, "MatMul"]


def test_statistics_over_the_batch_are_refused_by_name():
    body = STD.replace("last", "batch") + " y = Div (d, s)"
    with pytest.raises(UnsupportedError, match=r"are over the batch \(axis 0\)"):
        Explainer(net(body, batch=np.array([0]))).plan  # noqa: B018
    with pytest.raises(UnsupportedError, match=r"are over the batch \(axis 0\)"):
        Explainer(net(body, batch=np.array([-3]))).plan  # noqa: B018


@pytest.mark.parametrize(
    "body",
    [
        # the length of one, the difference of the other
        "m = ReduceMean (x, last) d = Sub (x, m) q = Mul (x, x) v = ReduceMean (q, last) s = Sqrt (v)"
        " y = Div (d, s)",
        "q = Pow (x, five) v = ReduceMean (q, last) s = Sqrt (v) y = Div (x, s)",
        "q = Mul (x, x) v = ReduceMean (q, last) s = Pow (v, two) y = Div (x, s)",
        "q = Mul (x, x) v = ReduceMean (q, last) s = Sqrt (v) r = Div (two, s) y = Mul (x, r)",
        "n = ReduceL2 (x, last) k = Clip (n, floor, one) y = Div (x, k)",
        "q = Mul (x, x) v = ReduceMean (q) s = Sqrt (v) y = Div (x, s)",
        f"{MEAN} q = Mul (d, d) v = ReduceMean (q, last) e = Sub (v, c) s = Sqrt (e) y = Div (d, s)",
        "n = ReduceL2 (x, last) e = Max (n, floor) k = Add (e, c) a = Max (k, c) y = Div (x, a)",
    ],
)
def test_what_only_looks_like_one_is_none(body):
    view = canonize(Graph.load(net(body)))
    assert not any(node.acts_as == "MeanVarianceNormalization" for node in view.nodes)


def test_a_mean_over_other_axes_is_a_sum_of_its_own():
    body = "m = ReduceMean (x, places) d = Sub (x, m) q = Mul (d, d) v = ReduceMean (q, last) e = Add (v, c)"
    assert operators(net(f"{body} s = Sqrt (e) y = Div (d, s)")) == [
        "MatMul",
        RMS,
        "Sub",
        "ReduceMean",
        "MatMul",
    ]


def test_a_difference_that_somebody_else_reads_stays_visible():
    body = f"{STD} n = Div (d, s) y = Add (n, d)"
    assert operators(net(body)) == ["MatMul", "Add", RMS, "Sub", "ReduceMean", "MatMul"]


def test_a_sum_that_is_no_mean_is_refused_when_it_runs():
    name = FORMS["JAX's"][1]
    with pytest.raises(UnsupportedError, match=r"its mean is a sum of 6 values times 0\.2"):
        explainer.explain(net(name, sixth=np.float32(0.2)), X, target=(1, 2), dtype="float64")


def test_a_number_of_other_places_is_not_taken_for_its_own():
    body = FORMS["unbiased, n of the sizes"][1].replace("Gather (z, last)", "Gather (z, places)")
    assert "Div" in operators(net(body))
