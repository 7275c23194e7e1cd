"""Relevance mass and rank accuracy, on maps whose numbers are counted by hand."""

import localisation
import numpy as np
import pytest

MASK = np.array([[[True, True, False], [False, False, False]]])


def test_mass_is_the_share_of_what_is_positive():
    relevance = np.array([[[3.0, -5.0, 1.0], [-7.0, 0.0, 2.0]]])
    assert localisation.mass_accuracy(relevance, MASK) == pytest.approx([3 / 6])


def test_rank_is_the_share_of_the_k_largest():
    relevance = np.array([[[3.0, -5.0, 1.0], [-7.0, 0.0, 2.0]]])  # the two largest: 3 inside, 2 outside
    assert localisation.rank_accuracy(relevance, MASK) == pytest.approx([1 / 2])


def test_a_map_on_the_mask_has_all_and_one_beside_it_none():
    inside = MASK.astype(float)
    for accuracy in (localisation.mass_accuracy, localisation.rank_accuracy):
        assert accuracy(inside, MASK) == pytest.approx([1])
        assert accuracy(1 - inside, MASK) == pytest.approx([0])


def test_nothing_positive_is_nothing_found():
    assert localisation.mass_accuracy(-np.ones((1, 2, 3)), MASK) == pytest.approx([0])


def test_chance_is_the_share_that_the_mask_covers():
    masks = np.zeros((200, 20, 20), bool)
    masks[:, :5, :8] = True  # a tenth
    values = np.random.default_rng(0).standard_normal(masks.shape)
    assert localisation.mass_accuracy(values, masks).mean() == pytest.approx(0.1, abs=0.01)
    assert localisation.rank_accuracy(values, masks).mean() == pytest.approx(0.1, abs=0.01)
