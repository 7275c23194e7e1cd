"""Gradients, gradient × input and Integrated Gradients, against autograd, captum and zennit in float64."""

import captum.attr
import numpy as np
import pytest
import torch
import zennit.attribution
from building import relative, rng
from precision import double_precision
from twins import CLASSES, EXACT, SHAPE, picture, twin, two_feeds, two_inputs

import explainer
from explainer import InputError
from explainer.methods import IntegratedGradients
from explainer.walk.forward import SessionForward

NETS = ["chain", "residual"]
QUADRATURES = ["gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]


def by_captum(module, x, target, n_steps, quadrature, baseline=0.0):
    """captum's answer; of its trapezoids, n points for n − 1 intervals, the weights sum to (n − 1)/n."""
    with double_precision():
        found, delta = captum.attr.IntegratedGradients(module).attribute(
            torch.as_tensor(x).double(),
            baselines=baseline if isinstance(baseline, float) else torch.tensor(baseline).double(),
            target=target,
            n_steps=n_steps,
            method=quadrature,
            return_convergence_delta=True,
        )
    scale = n_steps / (n_steps - 1) if quadrature == "riemann_trapezoid" else 1
    return found.numpy() * scale, delta.numpy()


@pytest.mark.parametrize("name", NETS)
def test_gradient_and_gradient_times_input_are_autograds(name):
    net, x = twin(name), picture()
    gradient = net.gradient(x, 3)
    assert relative(net.explain(x, "gradient", 3).relevance, gradient) < EXACT
    assert relative(net.explain(x, "input_x_gradient", 3).relevance, gradient * x) < EXACT
    # Another name for it.
    assert relative(net.explain(x, "lrp", 3, composite="gradient").relevance, gradient) < EXACT


@pytest.mark.parametrize("n_steps", [2, 7, 20])
@pytest.mark.parametrize("quadrature", QUADRATURES)
def test_integrated_gradients_are_captums(quadrature, n_steps):
    net, x = twin("residual"), picture()
    ours = net.explain(x, "integrated_gradients", 2, n_steps=n_steps, quadrature=quadrature, baseline=0.3)
    theirs, delta = by_captum(net.module, x, 2, n_steps, quadrature, 0.3)
    assert relative(ours.relevance, theirs) < EXACT
    if quadrature != "riemann_trapezoid":
        np.testing.assert_allclose(ours.delta, delta, atol=1e-9)


@pytest.mark.parametrize("n_steps", [1, 5])
def test_right_riemann_is_zennits(n_steps):
    net, x = twin("chain"), picture()
    baseline = torch.as_tensor(picture(seed=4)).double()
    with (
        double_precision(),
        zennit.attribution.IntegratedGradients(
            net.module,
            attr_output=lambda output: torch.eye(CLASSES)[[1, 1]],
            n_iter=n_steps,
            baseline_fn=lambda x: baseline,
        ) as attributor,
    ):
        _, theirs = attributor(torch.as_tensor(x).double())
    how = {"n_steps": n_steps, "quadrature": "riemann_right", "baseline": baseline.numpy()}
    assert relative(net.explain(x, "integrated_gradients", 1, **how).relevance, theirs.numpy()) < EXACT


def test_every_form_of_baseline_is_captums_with_these_numbers():
    net, x = twin("chain"), picture(3)
    one = rng(5).standard_normal(SHAPE)
    all_ = rng(6).standard_normal((3, *SHAPE))
    channels = np.array([0.1, -0.2, 0.3]).reshape(1, 3, 1, 1)
    for baseline, captums in (
        (0.5, 0.5),
        ((0.1, -0.2, 0.3), np.broadcast_to(channels, x.shape)),
        (channels, np.broadcast_to(channels, x.shape)),
        (one, one[None]),
        (one[None], one[None]),
        (all_, all_),
        ("mean", np.broadcast_to(x.astype(np.float64).mean((2, 3), keepdims=True), x.shape)),
        ({"x": 0.5}, 0.5),
    ):
        if isinstance(baseline, dict):
            baseline = {explainer.Explainer(net.model).graph.inputs[0].name: 0.5}
        ours = net.explain(x, "integrated_gradients", 0, n_steps=6, baseline=baseline)
        theirs, delta = by_captum(net.module, x, 0, 6, "gausslegendre", captums)
        assert relative(ours.relevance, theirs) < EXACT
        np.testing.assert_allclose(ours.delta, delta, atol=1e-9)


def test_two_inputs_move_together():
    net, feeds = two_inputs(), two_feeds()
    baselines = {"image": rng(1).standard_normal((2, 4, 4)), "facts": np.array([0.3, -0.1, 0.2])}
    ours = net.explain(feeds, "integrated_gradients", 1, n_steps=9, baseline=baselines)
    with double_precision():
        theirs, delta = captum.attr.IntegratedGradients(net.module).attribute(
            tuple(torch.from_numpy(feeds[name]).double() for name in feeds),
            tuple(torch.from_numpy(baselines[name])[None] for name in feeds),
            target=1,
            n_steps=9,
            return_convergence_delta=True,
        )
    for name, found in zip(feeds, theirs, strict=True):
        assert relative(ours.relevance[name], found.numpy()) < EXACT
    np.testing.assert_allclose(ours.delta, delta.numpy(), atol=1e-9)


def test_the_sum_is_the_difference_of_the_scores():
    """Gauss-Legendre is exact to rounding where the network is smooth, and converges at kinks."""
    net, feeds = two_inputs(), two_feeds()
    found = net.explain(feeds, "integrated_gradients", 2, n_steps=40, baseline=-0.2)
    with torch.no_grad():
        at, below = (
            net.module(*(torch.as_tensor(x).double() for x in points.values()))[:, 2].numpy()
            for points in (feeds, {name: np.full_like(x, -0.2) for name, x in feeds.items()})
        )
    sums = sum(value.reshape(3, -1).sum(1) for value in found.relevance.values())
    np.testing.assert_allclose(sums, at - below, atol=1e-6)  # -0.2 is not the same in float32
    np.testing.assert_allclose(found.delta, 0, atol=1e-9)
    deltas = [
        np.abs(twin("chain").explain(picture(), "integrated_gradients", 4, n_steps=n).delta).max()
        for n in (5, 50, 500)
    ]
    assert deltas[0] > 4 * deltas[1] > 16 * deltas[2]


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
def test_the_batch_size_bounds_what_is_asked_at_once_and_changes_no_number(engine, monkeypatch):
    net, x = twin("residual"), picture(3)
    sizes = []
    real = SessionForward.__call__

    def counted(self, feeds):
        sizes.append(len(next(iter(feeds.values()))))
        return real(self, feeds)

    monkeypatch.setattr(SessionForward, "__call__", counted)
    wanted = net.explain(x, "integrated_gradients", 2, n_steps=11).relevance
    for batch_size in (1, 3, 16, 1000):
        sizes.clear()
        how = {"n_steps": 11, "batch_size": batch_size, "dtype": "float32", "engine": engine}
        found = net.explain(x, "integrated_gradients", 2, **how)
        assert max(sizes) == min(batch_size, 33)
        if engine == "numpy":
            assert sum(sizes) == 33
        assert found.relevance.dtype == np.float32
        assert relative(found.relevance, wanted) < 1e-5


@pytest.mark.parametrize("start", ["probability", "margin", "sglrp", "one"])
def test_other_starts_have_the_gradient_of_what_they_explain(start):
    net, x = twin("chain"), picture()

    def explained(points):
        z = net.module(points)
        if start == "margin":
            return z[:, 1] - z[:, 4]
        return torch.softmax(z, 1)[:, 1] if start in ("probability", "sglrp") else z[:, 1]

    places, weights = np.polynomial.legendre.leggauss(7)
    wanted = 0
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        points = (torch.as_tensor(x).double() * place).requires_grad_()
        wanted = wanted + weight * torch.autograd.grad(explained(points).sum(), points)[0].numpy() * x
    against = {"against": 4} if start == "margin" else {}
    found = net.explain(x, "integrated_gradients", 1, n_steps=7, start=start, **against)
    assert relative(found.relevance, wanted) < EXACT
    with torch.no_grad():
        score = explained(torch.as_tensor(x).double()).numpy()
    np.testing.assert_allclose(found.score, score, rtol=1e-9)


def test_the_class_that_is_on_top_at_the_input_is_explained_on_the_whole_way():
    net, x = twin("chain"), 4 * picture(6)
    top = net.module(torch.as_tensor(x).double()).argmax(1)
    on_the_way = net.module(torch.as_tensor(x).double() * 0.1).argmax(1)
    assert (top != on_the_way).any()
    found = net.explain(x, "integrated_gradients", n_steps=5)
    assert found.target.tolist() == top.tolist()
    each = net.explain(x, "integrated_gradients", top.numpy(), n_steps=5)
    np.testing.assert_array_equal(found.relevance, each.relevance)


def test_weights_of_all_quadratures_sum_to_one():
    for quadrature in QUADRATURES:
        for n_steps in (2, 3, 50):
            places, weights = IntegratedGradients(n_steps=n_steps, quadrature=quadrature).nodes()
            assert len(places) == len(weights) == n_steps
            assert places.min() >= 0 and places.max() <= 1
            np.testing.assert_allclose(weights.sum(), 1)
            # An integral of a straight line is exact by points that lie evenly.
            if quadrature not in ("riemann_left", "riemann_right"):
                np.testing.assert_allclose((places * weights).sum(), 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 0}, "n_steps must be a whole number from 1 on, not 0"),
        ({"n_steps": 2.5}, "n_steps must be a whole number from 1 on, not 2.5"),
        ({"n_steps": "many"}, "n_steps must be a whole number"),
        ({"n_steps": 1, "quadrature": "riemann_trapezoid"}, "whole number from 2 on, not 1"),
        ({"quadrature": "simpson"}, "quadrature is 'simpson'; there is: gausslegendre, riemann_left"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 on, not 0"),
        ({"baseline": "black"}, "baseline can be a finite number, one per channel, an array or 'mean'"),
        ({"baseline": np.nan}, "baseline can be a finite number"),
        ({"baseline": [[1], [2, 3]]}, "baseline can be a finite number"),
        (
            {"steps": 3},
            "method 'integrated_gradients' takes no steps; it takes batch_size, n_steps, baseline",
        ),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        explainer.Explainer(twin("chain").model, method="integrated_gradients", **options)


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ((0.0,) * SHAPE[-1], "baseline has 11 numbers, input '.*' has 3 channels"),  # not one per column
        ((0.0,) * SHAPE[-2], "baseline has 9 numbers, input '.*' has 3 channels"),
        (np.zeros((4, *SHAPE)), r"baseline: shape \(4, 3, 9, 11\) is neither a number"),
        (np.zeros((3, 9, 12)), "is neither a number, nor one per channel"),
        ({"nothing": 1.0}, "baseline: 'nothing' is none of the inputs that are explained"),
        (1e39, "baseline 1e[+]39 is beyond float32"),
    ],
)
@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift", "occlusion"])
def test_baselines_that_fit_nothing(method, baseline, message):
    with pytest.raises(InputError, match=message):
        twin("chain").explain(picture(), method, 0, baseline=baseline, dtype="float32")
