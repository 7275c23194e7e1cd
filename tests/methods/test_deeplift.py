"""DeepLIFT's rescale rule: against captum where that is right, by hand, and by its completeness."""

import captum.attr
import numpy as np
import pytest
import torch
from building import parse, relative, rng
from residual import picture as residual_picture
from residual import residual_net
from twins import EXACT, picture, twin, two_feeds, two_inputs

import explainer
from explainer import CompositeError, Explainer

BASELINE = picture(1, seed=3)


def by_captum(module, feeds, target, baselines):
    points, origins = (
        tuple(torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values)
        for values in (feeds, baselines)
    )
    with pytest.warns(UserWarning, match="hooks"):
        found = captum.attr.DeepLift(module).attribute(points, origins, target=target)
    return [part.detach().numpy() for part in found]


@pytest.mark.parametrize("target", [0, 3])
def test_a_chain_of_layers_is_captums(target):
    net, x = twin("chain"), picture(3)
    ours = net.explain(x, "deeplift", target, baseline=BASELINE)
    (theirs,) = by_captum(net.module, [x], target, [BASELINE])
    assert relative(ours.relevance, theirs) < EXACT
    np.testing.assert_allclose(ours.delta, 0, atol=1e-9)


def test_where_captum_is_wrong_the_sums_are_complete():
    """Windows that overlap, a ReLU before a max pool, a residual sum, a concatenation."""
    net, x = twin("residual"), picture(3)
    ours = net.explain(x, "deeplift", 1, baseline=BASELINE)
    difference = net.score(x, 1) - net.score(BASELINE, 1)
    np.testing.assert_allclose(ours.relevance.sum((1, 2, 3)), difference, rtol=1e-9)
    np.testing.assert_allclose(ours.delta, 0, atol=1e-9)
    assert relative(ours.relevance, net.gradient(x, 1) * (x - BASELINE)) > 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_residual_net_with_pools_of_all_kinds_is_complete(dtype):
    x = residual_picture(3)
    found = Explainer(residual_net(), method="deeplift", dtype=dtype, baseline=0.2).explain(x)
    scale = np.abs(found.relevance).sum((1, 2, 3))
    assert np.abs(found.delta / scale).max() < (1e-5 if dtype == "float32" else 1e-12)


def test_a_max_pool_by_hand():
    """p, q: the largest of a window in the sample and in the reference; m the larger of both."""
    text = """g (float[N,1,6] x) => (float[N,3] y) {
        p = MaxPool <kernel_shape = [3], strides = [1]> (x) f = Flatten (p) y = Gemm (f, w) }"""
    w, x, origin = (
        rng(1).standard_normal((4, 3)),
        rng(2).standard_normal((2, 1, 6)),
        rng(3).standard_normal((1, 6)),
    )
    x, origin, w = (value.astype(np.float32).astype(np.float64) for value in (x, origin, w))
    wanted = np.zeros_like(x)
    for sample in range(2):
        a, b = x[sample, 0], origin[0]
        for window in range(4):
            here = slice(window, window + 3)
            p, q, R = a[here].max(), b[here].max(), w[window, 1]
            m = max(p, q)
            wanted[sample, 0, window + a[here].argmax()] += R * (m - q)
            wanted[sample, 0, window + b[here].argmax()] += R * (p - m)
    found = Explainer(parse(text, w=w), method="deeplift", dtype="float64", baseline=origin).explain(x, 1)
    assert relative(found.relevance, wanted) < EXACT


def test_where_nothing_changed_the_gradient_holds():
    text = "g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, v) t = Tanh (h) y = Gemm (t, w) }"
    model = parse(text, v=rng(1).standard_normal((3, 4)), w=rng(2).standard_normal((4, 2)))
    x = rng(3).standard_normal((2, 3)).astype(np.float32)
    nudged = x.astype(np.float64) + 1e-12
    found = Explainer(model, method="deeplift", dtype="float64", baseline=nudged).explain(x, 0)
    gradient = Explainer(model, method="gradient", dtype="float64").explain(x, 0)
    assert relative(found.relevance, gradient.relevance * (x - nudged)) < 1e-6


def test_two_inputs_are_captums():
    net, feeds = two_inputs(), two_feeds()
    baselines = {"image": rng(1).standard_normal((2, 4, 4)), "facts": np.array([0.3, -0.1, 0.2])}
    found = net.explain(feeds, "deeplift", 2, baseline=baselines)
    theirs = by_captum(Modular(net.module), feeds.values(), 2, [value[None] for value in baselines.values()])
    for name, value in zip(feeds, theirs, strict=True):
        assert relative(found.relevance[name], value) < EXACT
    np.testing.assert_allclose(found.delta, 0, atol=1e-9)


class Modular(torch.nn.Module):
    """The net with its activations as modules, where captum looks for them."""

    def __init__(self, net):
        super().__init__()
        self.w, self.seen, self.known, self.both = (
            net.weights,
            torch.nn.Tanh(),
            torch.nn.Sigmoid(),
            torch.nn.Tanh(),
        )

    def forward(self, image, facts):
        seen = self.seen(torch.nn.functional.conv2d(image, self.w["w"], padding=1)).mean((2, 3))
        known = self.known(facts @ self.w["v"] + self.w["b"])
        return self.both(torch.cat([seen, known], 1)) @ self.w["u"]


def test_a_margin_is_the_difference_of_two_maps():
    net, x = twin("chain"), picture(2)
    found = net.explain(x, "deeplift", 1, start="margin", baseline=BASELINE)
    maps = np.stack([net.explain(x, "deeplift", t, baseline=BASELINE).relevance for t in range(5)])
    with torch.no_grad():
        best = np.argsort(net.module(torch.from_numpy(x).double()).numpy(), 1)
    share = np.eye(5)[1] - np.eye(5)[np.where(best[:, -1] == 1, best[:, -2], best[:, -1])]
    assert relative(found.relevance, np.einsum("nt,tnchw->nchw", share, maps)) < EXACT


def test_a_last_sigmoid_is_captums():
    w, x = (
        rng(1).standard_normal((3, 4)).astype(np.float32),
        rng(2).standard_normal((2, 3)).astype(np.float32),
    )
    text = "g (float[N,3] x) => (float[N,4] y) { z = MatMul (x, w) y = Sigmoid (z) }"
    linear = torch.nn.Linear(3, 4, bias=False)
    linear.weight.data = torch.from_numpy(w.T.copy())
    (theirs,) = by_captum(
        torch.nn.Sequential(linear, torch.nn.Sigmoid()).double(), [x], 2, [np.zeros((1, 3))]
    )
    ours = Explainer(parse(text, w=w), method="deeplift", dtype="float64").explain(x, 2, "probability")
    assert relative(ours.relevance, theirs) < EXACT


def test_samples_do_not_mix_whatever_the_batch():
    net, x = twin("residual"), picture(4)
    origins = picture(4, seed=8)
    together = net.explain(x, "deeplift", [0, 1, 2, 3], baseline=origins).relevance
    for i in range(4):
        alone = net.explain(x[i], "deeplift", i, baseline=origins[i]).relevance
        assert relative(alone[0], together[i]) < EXACT


def test_the_rule_alone_has_nothing_to_compare_with():
    with pytest.raises(CompositeError, match="it belongs to method 'deeplift'"):
        explainer.explain(twin("chain").model, picture(), composite="deeplift")
