"""SmoothGrad, SmoothGrad-squared and VarGrad around any method, on the noise that the method drew."""

import captum.attr
import numpy as np
import pytest
import torch
import zennit.attribution
from building import relative
from captum.attr import NoiseTunnel
from precision import double_precision
from twins import CLASSES, EXACT, picture, twin, two_feeds, two_inputs

import explainer
from explainer import InputError
from explainer.methods import KINDS, Noise
from explainer.methods.paths import noise_for
from explainer.model.told import Axes

COUNT = 6


def made_of(kind, maps):
    """The statistic of maps (K, ...), and captum's name for it."""
    if kind == "vargrad":
        return maps.var(0)
    return maps.mean(0) if kind == "smoothgrad" else (maps**2).mean(0)


def noisy_points(net, x, seed=0, level=None, stdev=None):
    """The points that are asked: (K, N, ...)."""
    name = explainer.Explainer(net.model).graph.inputs[0].name
    noise = noise_for(name, x, COUNT, seed)[:, None]
    axes = tuple(range(1, x.ndim))
    sigma = stdev if level is None else level * (x.max(axes, keepdims=True) - x.min(axes, keepdims=True))
    return x + noise * sigma


@pytest.mark.parametrize("how", [{"noise_level": 0.2}, {"stdev": 0.3}])
@pytest.mark.parametrize("kind", KINDS)
def test_around_the_gradient(kind, how):
    net, x = twin("residual"), picture(3).astype(np.float64)
    points = noisy_points(net, x, seed=3, level=how.get("noise_level"), stdev=how.get("stdev"))
    wanted = made_of(kind, np.stack([net.gradient(point, 1) for point in points]))
    found = net.explain(x, kind, 1, n_samples=COUNT, seed=3, **how)
    assert relative(found.relevance, wanted) < EXACT
    assert found.delta is None
    same = net.explain(x, "gradient", 1, noise=(kind, {"n_samples": COUNT, "seed": 3, **how}))
    np.testing.assert_array_equal(found.relevance, same.relevance)
    shared = net.explain(x, "gradient", 1, noise=kind, n_samples=COUNT, seed=3, **how)
    np.testing.assert_array_equal(found.relevance, shared.relevance)


AROUND = {
    "lrp": {},
    "guided_backprop": {},
    "input_x_gradient": {},
    "integrated_gradients": {"n_steps": 4, "baseline": 0.1},
    "deeplift": {"baseline": 0.1},
    "grad_cam": {},
    "occlusion": {"window": 3},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", AROUND)
def test_around_any_method(method, kind):
    net, x, how = twin("relus"), picture(2), AROUND[method]
    maps = [net.explain(p, method, 1, **how).relevance for p in noisy_points(net, x, level=0.1)]
    found = net.explain(x, method, 1, noise=kind, n_samples=COUNT, **how)
    # What a user asks at is rounded to the model's float32 first, the noisy points within are not.
    assert relative(found.relevance, made_of(kind, np.stack(maps))) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_in_distribution_it_is_captums_noise_tunnel(kind):
    net, x = twin("relus"), picture(1).astype(np.float64)
    runs = 50
    ours = np.stack(
        [net.explain(x, kind, 2, n_samples=8, stdev=0.4, seed=seed).relevance for seed in range(runs)]
    )
    tunnel = NoiseTunnel(captum.attr.Saliency(net.module))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        theirs = np.stack(
            [
                tunnel.attribute(
                    torch.from_numpy(x), nt_type=kind, nt_samples=8, stdevs=0.4, target=2, abs=False
                ).numpy()
                for _ in range(runs)
            ]
        )
    deviation = np.sqrt((ours.var(0) + theirs.var(0)) / runs) + 1e-12
    assert np.abs((ours.mean(0) - theirs.mean(0)) / deviation).max() < 5  # of 297 nearly normal ones


def test_the_noise_is_as_strong_as_zennits():
    """zennit's last sample has no noise; without it, the same σ gives the same spread."""
    net, x = twin("residual"), picture(2).astype(np.float64)
    x[1] *= 3  # each sample has a range of its own
    asked = []
    module = net.module
    with double_precision(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        hook = module.register_forward_pre_hook(lambda m, given: asked.append(given[0].detach().numpy()))
        with zennit.attribution.SmoothGrad(
            module, noise_level=0.3, n_iter=60, attr_output=lambda output: torch.eye(CLASSES)[[1, 1]]
        ) as attributor:
            attributor(torch.from_numpy(x))
        hook.remove()
    theirs = np.stack([point - x for point in asked])
    theirs = theirs[[np.abs(noise).max() > 0 for noise in theirs]].std((0, 2, 3, 4))
    method = Noise(n_samples=60, noise_level=0.3)
    rows = method.table("x", x, Axes((2, 3), 1))["noise"]
    ours = np.stack([method.point(x, 0.0, {"noise": row}) - x for row in rows]).std((0, 2, 3, 4))
    np.testing.assert_allclose(ours, theirs, rtol=0.03)
    assert 2.5 < ours[1] / ours[0] < 3.5


def test_each_input_has_its_own_noise():
    net, feeds = two_inputs(), two_feeds()
    found = net.explain(feeds, "smoothgrad", 1, n_samples=COUNT, stdev=0.2)
    noise = {name: noise_for(name, x, COUNT, 0) for name, x in feeds.items()}
    assert (noise["image"].reshape(COUNT, -1)[:, :3] != noise["facts"]).all()
    total = dict.fromkeys(feeds, 0.0)
    for step in range(COUNT):
        points = [torch.tensor(x + 0.2 * noise[name][step], requires_grad=True) for name, x in feeds.items()]
        gradients = torch.autograd.grad(net.module(*points)[:, 1].sum(), points)
        for name, gradient in zip(feeds, gradients, strict=True):
            total[name] = total[name] + gradient.numpy() / COUNT
    for name in feeds:
        assert relative(found.relevance[name], total[name]) < EXACT


@pytest.mark.parametrize("kind", KINDS)
def test_neither_batch_mates_nor_the_batch_size_matter(kind):
    net, x = twin("residual"), picture(3)
    wanted = net.explain(x, kind, 1, n_samples=COUNT).relevance
    for batch_size in (1, 4, 100):
        found = net.explain(x, kind, 1, n_samples=COUNT, batch_size=batch_size).relevance
        assert relative(found, wanted) < EXACT
    assert relative(net.explain(x[1], kind, 1, n_samples=COUNT).relevance[0], wanted[1]) < EXACT


def test_a_variance_is_not_lost_in_float32():
    """E[a²] − E[a]² of gradients that hardly change: float32 sums would keep no digit of it."""
    net, x = two_inputs(), two_feeds()
    how = {"n_samples": 30, "stdev": 1e-2}
    wanted = net.explain(x, "vargrad", 1, **how).relevance
    found = net.explain(x, "vargrad", 1, dtype="float32", **how).relevance
    for name, value in wanted.items():
        mean = net.explain(x, "smoothgrad", 1, **how).relevance[name]
        assert value.max() < 1e-3 * (mean**2).max()
        assert relative(found[name], value) < 1e-3


def test_no_noise_is_the_method_itself():
    net, x = twin("residual"), picture(2)
    for method in ("gradient", "grad_cam"):
        wanted = net.explain(x, method, 1).relevance
        found = net.explain(x, method, 1, noise="smoothgrad", noise_level=0.0, n_samples=3).relevance
        assert relative(found, wanted) < EXACT
        none = net.explain(x, method, 1, noise="vargrad", stdev=0, n_samples=3).relevance
        assert np.abs(none).max() < 1e-20 + 1e-12 * np.abs(wanted).max() ** 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "gaussian"}, "noise: no kind 'gaussian'; there are: smoothgrad, smoothgrad_sq, vargrad"),
        (
            {"noise": ("smoothgrad", {"sigma": 1})},
            "method 'smoothgrad' takes no sigma; it takes batch_size, n_",
        ),
        ({"noise": ("smoothgrad", {"around": 1})}, "takes no around"),
        ({"noise": ("smoothgrad", {"kind": "vargrad"})}, "takes no kind"),
        (
            {"method": "smoothgrad", "sigma": 1},
            "method 'smoothgrad' takes no sigma; it takes batch_size, n_samples",
        ),
        ({"method": "smoothgrad", "noise": "vargrad"}, "is itself noise='smoothgrad' around the gradient"),
        ({"noise": "smoothgrad", "n_samples": 0}, "n_samples must be a whole number from 1 on"),
        ({"noise": "smoothgrad", "noise_level": -0.1}, "noise_level must be 0 or more, not -0.1"),
        ({"noise": "smoothgrad", "stdev": np.nan}, "stdev must be 0 or more, not nan"),
        ({"noise": "smoothgrad", "keep": "all"}, "keep: Noise gives inner tensors no relevance"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        explainer.Explainer(twin("chain").model, **options)
