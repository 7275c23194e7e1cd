"""GradientSHAP: its formula on what it drew itself, and captum's in distribution."""

import captum.attr
import numpy as np
import pytest
import torch
from building import relative, rng
from twins import EXACT, SHAPE, picture, twin, two_feeds, two_inputs

import explainer
from explainer import InputError
from explainer.methods import GradientShap
from explainer.model.told import Axes

POOL = rng(9).standard_normal((4, *SHAPE))


def by_formula(net, x, target, drawn):
    """mean over steps of (x̃ − x')·∂f/∂x (x' + u(x̃ − x'))."""
    total = 0
    for u, origin, noise in zip(drawn["alpha"], drawn["origin"], drawn["noise"], strict=True):
        noisy = x + noise
        total = total + (noisy - origin) * net.gradient(origin + u * (noisy - origin), target)
    return total / len(drawn["alpha"])


@pytest.mark.parametrize("baselines", [0.3, (0.1, -0.2, 0.3), POOL, POOL[0]])
@pytest.mark.parametrize("stdev", [0.0, 0.2])
def test_the_formula(baselines, stdev):
    net, x = twin("residual"), picture(3).astype(np.float64)
    how = {"n_samples": 6, "baselines": baselines, "stdev": stdev, "seed": 5}
    drawn = GradientShap(**how).table(explainer.Explainer(net.model).graph.inputs[0].name, x, Axes((2, 3), 1))
    assert (drawn["noise"] != 0).all() == (stdev > 0)
    ours = net.explain(x, "gradient_shap", 1, **how)
    assert relative(ours.relevance, by_formula(net, x, 1, drawn)) < EXACT


def test_what_is_drawn():
    x = picture(2).astype(np.float64)
    drawn = GradientShap(n_samples=4000, baselines=POOL, stdev=0.5, seed=1).table("x", x, Axes((2, 3), 1))
    u = drawn["alpha"].ravel()
    assert abs(u.mean() - 0.5) < 0.02 and abs(u.var() - 1 / 12) < 0.005 and 0 <= u.min() < u.max() < 1
    which = np.array([int(np.flatnonzero((origin == POOL).all((1, 2, 3)))[0]) for origin in drawn["origin"]])
    assert (abs(np.bincount(which) / 4000 - 0.25) < 0.03).all()
    assert abs(np.corrcoef(which, u)[0, 1]) < 0.05
    assert abs(drawn["noise"].mean()) < 0.01 and abs(drawn["noise"].std() - 0.5) < 0.01
    again = GradientShap(n_samples=4000, baselines=POOL, stdev=0.5, seed=1).table("x", x, Axes((2, 3), 1))
    other = GradientShap(n_samples=4000, baselines=POOL, stdev=0.5, seed=2).table("x", x, Axes((2, 3), 1))
    for key in drawn:
        np.testing.assert_array_equal(drawn[key], again[key])
        assert (drawn[key] != other[key]).any()


def test_in_distribution_it_is_captums():
    net, x = twin("relus"), picture(1).astype(np.float64)
    runs = 40
    ours = np.stack(
        [
            net.explain(x, "gradient_shap", 2, n_samples=10, baselines=POOL, stdev=0.3, seed=seed).relevance
            for seed in range(runs)
        ]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        np.random.seed(0)  # captum draws from NumPy's global state
        method = captum.attr.GradientShap(net.module)
        theirs = np.stack(
            [
                method.attribute(
                    torch.from_numpy(x), torch.from_numpy(POOL), n_samples=10, stdevs=0.3, target=2
                ).numpy()
                for _ in range(runs)
            ]
        )
    deviation = np.sqrt((ours.var(0) + theirs.var(0)) / runs)
    assert np.abs((ours.mean(0) - theirs.mean(0)) / deviation).max() < 5  # of 297 normal ones
    assert 0.8 < (ours.var(0).mean() / theirs.var(0).mean()) < 1.25


def test_several_inputs_share_u_and_the_row_but_not_the_noise():
    net, feeds = two_inputs(), two_feeds()
    pools = {"image": rng(1).standard_normal((4, 2, 4, 4)), "facts": rng(2).standard_normal((4, 3))}
    method = GradientShap(n_samples=7, baselines=pools, stdev=0.1)
    drawn = {name: method.table(name, x.astype(np.float64), Axes((2, 3), 1)) for name, x in feeds.items()}
    rows = [
        [int(np.flatnonzero((pools[name] == origin).reshape(4, -1).all(1))[0]) for origin in d["origin"]]
        for name, d in drawn.items()
    ]
    assert rows[0] == rows[1] and len(set(rows[0])) > 1
    np.testing.assert_array_equal(drawn["image"]["alpha"].ravel(), drawn["facts"]["alpha"].ravel())
    assert (drawn["image"]["noise"].reshape(7, -1)[:, :3] != drawn["facts"]["noise"]).all()

    total = dict.fromkeys(feeds, 0.0)
    for step in range(7):
        noisy = {name: feeds[name] + drawn[name]["noise"][step] for name in feeds}
        origin = {name: drawn[name]["origin"][step] for name in feeds}
        u = float(drawn["facts"]["alpha"].ravel()[step])
        points = {
            name: torch.tensor(origin[name] + u * (noisy[name] - origin[name]), requires_grad=True)
            for name in feeds
        }
        gradients = torch.autograd.grad(net.module(*points.values())[:, 3].sum(), list(points.values()))
        for name, gradient in zip(feeds, gradients, strict=True):
            total[name] = total[name] + (noisy[name] - origin[name]) * gradient.numpy() / 7
    found = net.explain(feeds, "gradient_shap", 3, n_samples=7, baselines=pools, stdev=0.1)
    for name in feeds:
        assert relative(found.relevance[name], total[name]) < EXACT


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_neither_batch_mates_nor_the_batch_size_matter(batch_size):
    net, x = twin("residual"), picture(3)
    how = {"n_samples": 5, "baselines": POOL, "stdev": 0.2}
    wanted = net.explain(x, "gradient_shap", 1, **how).relevance
    found = net.explain(x, "gradient_shap", 1, batch_size=batch_size, **how).relevance
    assert relative(found, wanted) < EXACT
    assert relative(net.explain(x[2], "gradient_shap", 1, **how).relevance[0], wanted[2]) < EXACT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples must be a whole number from 1 on, not 0"),
        ({"seed": -1}, "seed must be a whole number from 0 on, not -1"),
        ({"stdev": -1.0}, "stdev must be 0 or more, not -1.0"),
        ({"stdev": "a"}, "stdev must be 0 or more, not 'a'"),
        ({"baselines": "mean"}, "the same for all samples, not 'mean'"),
        ({"baselines": "black"}, "baselines can be a finite number"),
        ({"baselines": np.zeros((4, 3, 9, 12))}, "is neither a number, nor one per channel"),
        ({"baselines": (0.0,) * 11}, "baseline has 11 numbers, input '.*' has 3 channels"),
        ({"baselines": {"y": 1.0}}, "'y' is none of the inputs"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        twin("chain").explain(picture(), "gradient_shap", 0, **options)
