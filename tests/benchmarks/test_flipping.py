"""Pixel-flipping, on a model whose right map is known: the softmax of two sums of pixels."""

import flipping
import maps
import numpy as np
import pytest

from explainer import Preprocess

SIDE, PATCH = 28, 2
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.standard_normal((SIDE, SIDE))


def classify(x):
    """Two classes: a weighted sum of the pixels, and nothing."""
    score = 1 / (1 + np.exp(-(x[:, 0] * WEIGHTS).sum((1, 2)) / 20))
    return np.stack([score, 1 - score], axis=1)


def task(x):
    return flipping.Task("sum", None, Preprocess(size=SIDE), x)


@pytest.fixture
def pictures():
    x = RANDOM.uniform(0, 1, (4, 1, SIDE, SIDE))
    return x + 0.2 * np.sign(WEIGHTS)  # so that the first class is told


def test_patches_are_ranked_by_their_sums():
    values = np.array([[[1.0, 0, 5, 5], [0, 0, 5, 5], [-9, 0, 2, 0], [0, 0, 0, 1]]])
    place = flipping.ranked(values, 2)
    assert np.array_equal(place[0, ::2, ::2], [[2, 0], [3, 1]])
    assert np.array_equal(place[0, 1::2, 1::2], place[0, ::2, ::2])


def test_a_curve_goes_from_the_picture_to_what_replaces_it(pictures):
    fill = flipping.mean_colour(pictures)
    place = flipping.ranked(WEIGHTS[None], PATCH)[0]
    curve = flipping.curve(classify, pictures[0], fill[0], place, 0)
    assert len(curve) == flipping.STEPS + 1
    assert curve[0] == pytest.approx(classify(pictures[:1])[0, 0])
    assert curve[-1] == pytest.approx(classify(fill[:1])[0, 0])
    # Half of the patches are gone in the middle, the more relevant half.
    half = np.where(place < (SIDE // PATCH) ** 2 / 2, fill[0], pictures[0])
    assert curve[flipping.STEPS // 2] == pytest.approx(classify(half[None])[0, 0])


def gain(values, x):
    first, last = flipping.areas(task(x), classify, values, np.zeros(len(x), int)).swapaxes(0, 1)
    return (last - first).mean()


def test_the_right_map_gains_most_and_upside_down_it_loses_as_much(pictures):
    right = WEIGHTS * (pictures - pictures.mean((2, 3), keepdims=True))[:, 0]
    chance = RANDOM.standard_normal(right.shape)
    assert gain(right, pictures) > 0.3
    assert gain(-right, pictures) == pytest.approx(-gain(right, pictures))
    assert abs(gain(chance, pictures)) < 0.1


def test_a_blur_is_a_mean_that_keeps_what_is_even(pictures):
    even = np.full_like(pictures, 0.3)
    assert np.allclose(flipping.blurred(even), even)
    assert flipping.blurred(pictures).std() < pictures.std() / 2


def test_likeness_is_one_of_a_map_with_itself_and_minus_one_upside_down(pictures):
    values = RANDOM.standard_normal((4, SIDE, SIDE))
    assert np.allclose(flipping.likeness(task(pictures), values, 3 * values), 1)
    assert np.allclose(flipping.likeness(task(pictures), values, -values), -1)


@pytest.mark.slow
def test_real_digits_twice(shared):
    digits = next(task for task in flipping.tasks(shared, 6) if task.name == "mnist-8")
    found, again = (flipping.measured(maps.named(["epsilon"]), digits) for _ in range(2))
    assert found["epsilon"].gain.mean() > found["random"].gain.mean() + 0.2
    assert np.abs(found["epsilon"].alike).max() <= 1 + 1e-9
    assert np.array_equal(found["epsilon"].gain, again["epsilon"].gain)


def test_the_table_is_sorted_and_leaves_out_what_one_network_refused():
    good, bad = (flipping.Result(np.full(4, gain), np.ones(4)) for gain in (0.5, 0.1))
    lines = flipping.table(
        ["a", "b"], [{"bad": bad, "good": good, "half": good}, {"good": good, "bad": bad}]
    ).splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["| map", "| ---", "| `good`", "| `bad`"]
    assert lines[2] == "| `good` | 0.50 | 0.50 | 0.500 ± 0.000 | 1.00 |"


def test_without_the_models_it_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(flipping, "SHARED", tmp_path)
    monkeypatch.setattr("sys.argv", ["flipping.py"])
    flipping.main()
    assert "not here" in capsys.readouterr().out
