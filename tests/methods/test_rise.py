"""RISE, against exact expectations."""

import itertools

import numpy as np
import pytest
import torch
from building import parse, relative, rng
from perturbed import Problem, mass_inside, scenes, smooth

from explainer import InputError, explain
from explainer.methods.rise import Rise

SIGMAS = 5  # how far chance may carry a mean: once in 3.5 million


def every_mask(sizes, cells, p):
    """All masks that the paper's recipe can give, enlarged by PyTorch: [(probability, mask)]."""
    pixels = [-(-size // cells) for size in sizes]
    offsets = list(itertools.product(*map(range, pixels)))
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(sizes)]
    found = []
    for grid in itertools.product([0.0, 1.0], repeat=cells ** len(sizes)):
        tensor = torch.tensor(grid, dtype=torch.float64).reshape(1, 1, *[cells] * len(sizes))
        size = [(cells + 1) * count for count in pixels]
        large = torch.nn.functional.interpolate(tensor, size, mode=mode, align_corners=False)[0, 0].numpy()
        chance = p ** sum(grid) * (1 - p) ** (len(grid) - sum(grid)) / len(offsets)
        for offset in offsets:
            cut = tuple(slice(at, at + size) for at, size in zip(offset, sizes, strict=True))
            found.append((chance, large[cut]))
    assert np.isclose(sum(chance for chance, _ in found), 1)
    return found


def masks_of(method, *sizes):
    """The masks themselves: what becomes of an input of ones."""
    problem = Problem(lambda feeds, rows: np.zeros(len(rows)), x=np.ones((1, 1, *sizes)))
    method(problem)
    return problem.everything("x")[:, 0]


@pytest.mark.parametrize(("sizes", "cells", "p"), [((5, 4), 2, 0.3), ((7,), 3, 0.5), ((2, 3, 2), 2, 0.6)])
def test_masks_are_the_papers_in_form_and_frequency(sizes, cells, p):
    n = 10000
    chances = {}
    for chance, mask in every_mask(sizes, cells, p):
        key = mask.round(9).tobytes()
        chances[key] = chances.get(key, 0) + chance
    seen = dict.fromkeys(chances, 0)
    for mask in masks_of(Rise(n, cells, p), *sizes):
        seen[(mask.round(9) + 0.0).tobytes()] += 1  # a KeyError is a mask that cannot be
    for key, chance in chances.items():
        assert abs(seen[key] - n * chance) <= SIGMAS * np.sqrt(n * chance * (1 - chance)) + 1


@pytest.mark.parametrize("baseline", [0.0, -0.7, "mean"])
def test_saliency_tends_to_the_mean_score_given_that_the_pixel_is_visible(baseline):
    sizes, cells, p, runs = (5, 4), 2, 0.3, 40
    x = rng(1).standard_normal((1, 2, *sizes))
    function = smooth(3, (2, *sizes))
    hidden = x.mean((2, 3), keepdims=True) if baseline == "mean" else baseline
    wanted = np.zeros(sizes)
    for chance, mask in every_mask(sizes, cells, p):
        score = function({"x": x * mask + hidden * (1 - mask)}, np.zeros(1))[0]
        wanted += chance * score * mask / p
    maps = np.stack(
        [
            Rise(300, cells, p, seed=seed, baseline=baseline, centered=False)(Problem(function, x=x))["x"][0]
            for seed in range(runs)
        ]
    )
    np.testing.assert_array_equal(maps[:, 0], maps[:, 1])  # every channel has the pixel's saliency
    maps = maps[:, 0]
    error = maps.std(0, ddof=1) / np.sqrt(runs)
    assert (np.abs(maps.mean(0) - wanted) <= SIGMAS * error).all()
    assert (error < 0.1 * (wanted.max() - wanted.min())).all()  # so the comparison says something


def test_saliency_of_an_additive_model_in_closed_form():
    # M(λ) = Σ_c u_λc g_c with independent g: S(λ) = p Σ w x + (1 − p) Σ_μ w_μ x_μ E_offset[u_μ·u_λ]
    size, cells, p, runs = 9, 3, 0.5, 40
    x, w = rng(2).standard_normal(size), rng(3).standard_normal(size)
    pixels = size // cells
    units = torch.eye(cells, dtype=torch.float64)[:, None]  # one visible cell each
    u = torch.nn.functional.interpolate(units, (cells + 1) * pixels, mode="linear")[:, 0].numpy()
    overlap = np.mean([u[:, at : at + size].T @ u[:, at : at + size] for at in range(pixels)], axis=0)
    wanted = p * (w @ x) + (1 - p) * overlap @ (w * x)
    problem = Problem(lambda feeds, rows: feeds["x"][:, 0] @ w, x=x[None, None])
    maps = np.stack(
        [Rise(500, cells, p, seed=seed, centered=False)(problem)["x"][0, 0] for seed in range(runs)]
    )
    error = maps.std(0, ddof=1) / np.sqrt(runs)
    assert (np.abs(maps.mean(0) - wanted) <= SIGMAS * error).all()
    assert np.corrcoef(maps.mean(0), wanted)[0, 1] > 0.99


def test_the_sum_is_equation_6_over_the_masks_that_were_shown():
    x = np.ones((2, 1, 6, 6))  # the masked input is the mask
    problem = Problem(smooth(4, (1, 6, 6)), x=x)
    got = Rise(50, 3, 0.4, batch_size=8, centered=False)(problem)["x"]
    masks = problem.everything("x").reshape(2, 50, 6, 6)
    np.testing.assert_array_equal(masks[0], masks[1])  # every sample has the same masks
    for sample in range(2):
        scores = problem.function({"x": masks[sample][:, None]}, np.full(50, sample))
        wanted = np.einsum("i,ihw->hw", scores, masks[sample]) / (50 * 0.4)
        assert relative(got[sample, 0], wanted) < 1e-12


def test_the_mean_score_is_taken_away_by_default():
    x = rng(7).standard_normal((2, 2, 6, 6))
    nothing = Problem(lambda feeds, rows: 3.0 + rows, x=x)  # no pixel matters
    assert np.abs(Rise(40, 3)(nothing)["x"]).max() < 1e-12
    assert np.abs(Rise(40, 3, centered=False)(nothing)["x"]).min() > 1
    problem = Problem(smooth(6, (1, 6, 6)), x=np.ones((1, 1, 6, 6)))
    got = Rise(50, 3, 0.4)(problem)["x"]
    masks = problem.everything("x")
    scores = problem.function({"x": masks}, np.zeros(50))
    assert relative(got[0, 0], np.einsum("i,ihw->hw", scores - scores.mean(), masks[:, 0]) / 20) < 1e-12


def test_batch_size_changes_nothing_and_bounds_the_batch():
    x = rng(5).standard_normal((3, 2, 7, 9))
    rows_alone = Problem(lambda feeds, rows: np.tanh(feeds["x"]).sum((1, 2, 3)) + rows, x=x)
    wanted = Rise(20, 4)(rows_alone)["x"]
    masked = rows_alone.everything("x")
    for batch_size in (1, 7, 1000):
        problem, seen = Problem(rows_alone.function, x=x), []
        got = Rise(20, 4, batch_size=batch_size)(
            problem, lambda done, total, seen=seen: seen.append((done, total))
        )
        np.testing.assert_array_equal(problem.everything("x"), masked)
        assert relative(got["x"], wanted) < 1e-12
        sizes = [len(rows) for _, rows in problem.asked]
        assert sizes[:-1] == [batch_size] * (len(sizes) - 1) and sizes[-1] <= batch_size
        assert seen == [(done, 60) for done in np.cumsum(sizes)]


def test_memory_does_not_grow_with_the_number_of_masks():
    import tracemalloc

    peaks = []
    for n_masks in (64, 640):
        problem = Problem(lambda feeds, rows: np.zeros(len(rows)), x=np.ones((1, 3, 64, 64), np.float32))
        problem.score = lambda feeds, rows: np.zeros(len(rows))  # remembers nothing
        tracemalloc.start()
        Rise(n_masks, batch_size=16)(problem)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_the_seed_decides():
    first, again, other = (masks_of(Rise(5, 4, seed=seed), 8, 8) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(masks_of(Rise(3, 4, seed=1), 8, 8), first[:3])


def test_channels_last_is_the_same_transposed():
    x = rng(6).standard_normal((2, 3, 6, 8))
    function = smooth(5, (3, 6, 8))
    last = Problem(
        lambda feeds, rows: function({"x": np.moveaxis(feeds["x"], -1, 1)}, rows),
        layout="NHWC",
        x=np.moveaxis(x, 1, -1),
    )
    method = Rise(30, 3, baseline=(0.1, 0.2, 0.3))
    wanted = method(Problem(function, x=x))["x"]
    assert relative(method(last)["x"], np.moveaxis(wanted, 1, -1)) < 1e-12


@pytest.mark.parametrize("perm", [(0, 3, 2, 1), (0, 1, 3, 2), (0, 2, 3, 1), (0, 2, 1, 3)])
def test_a_model_that_turns_its_picture_round_has_the_same_map(perm):
    weights = {"k": rng(7).standard_normal((4, 3, 3, 3)), "w": rng(8).standard_normal((4, 2))}
    tail = "c = Conv (t, k) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) y = MatMul (f, w)"
    x = rng(9).standard_normal((1, 3, 8, 12)).astype(np.float32)
    turned = np.transpose(x, np.argsort(perm))
    maps = []
    for head, picture in (("t = Identity (x)", x), (f"t = Transpose <perm = {list(perm)}> (x)", turned)):
        sizes = ",".join(map(str, picture.shape[1:]))
        model = parse(f"g (float[N,{sizes}] x) => (float[N,2] y) {{ {head} {tail} }}", **weights)
        maps.append(explain(model, picture, method="rise", n_masks=50, target=1).relevance)
    np.testing.assert_allclose(np.transpose(maps[1], perm), maps[0], rtol=1e-4, atol=1e-6)


def test_several_inputs_have_masks_of_their_own():
    a, b = np.ones((1, 1, 6, 6)), np.ones((1, 1, 6, 6))
    problem = Problem(lambda feeds, rows: feeds["a"][:, 0, 0, 0], a=a, b=b)
    got = Rise(400, 3)(problem)
    assert (problem.everything("a") != problem.everything("b")).any()
    # Only a's corner matters, so the map of b is flat but for chance.
    assert np.ptp(got["b"]) < 0.5 * np.ptp(got["a"])
    assert got["a"][0, 0].argmax() == 0


def test_it_finds_the_shape_that_decides():
    problem, masks = scenes(6, probability=True)
    (x,) = problem.feeds.values()
    (saliency,) = Rise(1000, batch_size=100, centered=False)(problem).values()
    assert saliency.shape == x.shape and saliency.dtype == np.float32
    # Of the pixels with the largest saliency, as many as the shape has, the share that lies on it.
    hits = [
        mask[values >= np.sort(values, axis=None)[-mask.sum()]].mean()
        for values, mask in zip(saliency[:, 0], masks, strict=True)
    ]
    # Three times what a map that knows nothing would have, in the mean over the scenes.
    assert np.mean(hits) > 3 * masks.mean()
    (centered,) = Rise(1000, batch_size=100)(problem).values()
    assert mass_inside(centered, masks).mean() > 3 * masks.mean()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"n_masks": 0}, "n_masks must be a whole number from 1 on"),
        ({"n_masks": 10.0}, "n_masks must be a whole number"),
        ({"cells": 0}, "cells can be a positive whole number, one per axis, or None; not 0"),
        ({"cells": (4, 0)}, "cells can be a positive whole number"),
        ({"cells": {"x": 1.5}}, "cells can be a positive whole number"),
        ({"seed": -1}, "seed must be a whole number from 0 on"),
        ({"centered": 1}, "centered can be True or False"),
        ({"seed": None}, "seed must be a whole number"),
        ({"p_keep": 0.0}, "p_keep is the probability that a cell is visible, between 0 and 1"),
        ({"p_keep": 1}, "p_keep is the probability"),
        ({"p_keep": float("nan")}, "p_keep is the probability"),
        ({"p_keep": None}, "p_keep is the probability"),
        ({"batch_size": -3}, "batch_size must be a whole number from 1 on"),
        ({"baseline": float("inf")}, "baseline can be a finite number"),
    ],
)
def test_options_that_can_never_work_are_refused_at_once(options, reason):
    with pytest.raises(InputError, match=f"^Rise: {reason}"):
        Rise(**options)


@pytest.mark.parametrize(
    ("shape", "options", "reason"),
    [
        (
            (1, 3, 9, 5),
            {"cells": 6},
            r"6 x 6 cells are more than the pixels of input 'x', \(9, 5\)",
        ),
        ((1, 3, 9, 5), {"cells": (9, 6)}, r"9 x 6 cells are more than the pixels of input 'x', \(9, 5\)"),
        ((1, 3, 9, 5), {"cells": (3, 9, 5)}, r"cells has 3 numbers; input 'x' has 2 spatial axes, \(9, 5\)"),
        ((1, 3, 9, 9), {"baseline": (0.0, 1.0)}, "baseline has 2 numbers, input 'x' has 3 channels"),
    ],
)
def test_options_that_do_not_fit_the_input_are_refused_before_the_model_is_asked(shape, options, reason):
    problem = Problem(lambda feeds, rows: np.zeros(len(rows)), x=np.ones(shape))
    with pytest.raises(InputError, match=reason):
        Rise(**options)(problem)
    assert not problem.asked
