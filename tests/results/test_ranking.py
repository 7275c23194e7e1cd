"""Which channels matter: their relevance, their ranking, and a map for each of the first."""

import numpy as np
import pytest
from building import relative
from residual import picture, residual_net

import explainer
from explainer import Explainer, InputError, concepts


@pytest.fixture
def found() -> explainer.Explanation:
    return Explainer(residual_net(), dtype="float64", keep=["r2", "h3", "y"]).explain(picture(3), 3)


def test_a_channels_relevance_is_the_sum_over_its_places(found):
    R = found.relevances["r2"]
    sums = found.channels("r2")
    assert sums.shape == (3, 4) and sums.dtype == np.float64
    for sample in range(3):
        for channel in range(4):
            assert np.isclose(sums[sample, channel], R[sample, channel].sum(), rtol=1e-12)
    np.testing.assert_array_equal(found.channels("h3"), found.relevances["h3"])
    np.testing.assert_allclose(found.channels("r2", axis=-1), R.sum((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.channels("r2", axis=2), R.sum((1, 3)), rtol=1e-12)


def test_a_ranking_by_amount_and_one_by_sign(found):
    R = found.channels("h3")
    assert (R > 0).any() and (R < 0).any()
    for sample in range(3):
        by_amount = found.ranking("h3", sample, top=None)
        assert len(by_amount) == R.shape[1]
        assert [entry.channel for entry in by_amount] == sorted(range(6), key=lambda c: -abs(R[sample, c]))
        for channel, relevance, share in by_amount:
            assert relevance == R[sample, channel]
            assert np.isclose(share, relevance / np.abs(R[sample]).sum())
        signed = found.ranking("h3", sample, top=2, signed=True)
        assert [entry.channel for entry in signed] == sorted(range(6), key=lambda c: -R[sample, c])[:2]
    assert len(found.ranking("r2", top=3)) == 3


def test_where_nothing_has_relevance_shares_are_zero():
    found = Explainer(residual_net(), keep="y").explain(picture(1), 3, conditions={"y": 2})
    assert [entry.share for entry in found.ranking("y")] == [0.0] * 5


def test_a_ranking_is_what_the_conditions_find():
    """Each channel's relevance is what its own conditional map starts with."""
    model, x = Explainer(residual_net(), dtype="float64"), picture(1)
    whole = model.explain(x, 3, conditions={"r2": slice(None)})
    for channel, relevance, _ in whole.ranking("r2"):
        alone = model.explain(x, 3, conditions={"r2": channel})
        assert np.isclose(alone.relevances["r2"].sum(), relevance, rtol=1e-12)


@pytest.mark.parametrize(
    ("tensor", "axis", "message"),
    [
        ("r1", 1, r"'r1' was not kept \(keep=\[...\]\); kept: 'r2', 'h3', 'y'"),
        ("r2", 0, "has no channels on axis 0"),
        ("r2", 4, r"'r2', \[3, 4, 6, 6\], has no channels on axis 4"),
        ("r2", -4, "has no channels on axis -4"),
    ],
)
def test_what_has_no_channels(found, tensor, axis, message):
    with pytest.raises(InputError, match=message):
        found.channels(tensor, axis)
    with pytest.raises(InputError, match=message):
        found.ranking(tensor, axis=axis)


@pytest.mark.parametrize("signed", [False, True])
def test_concepts_are_the_first_channels_maps(signed):
    model, x = Explainer(residual_net(), dtype="float64"), picture(1)
    maps = concepts(model, x, "r2", target=3, start="one", top=3, signed=signed)
    kept = Explainer(residual_net(), dtype="float64", keep="r2").explain(x, 3, "one")
    ranking = kept.ranking("r2", top=3, signed=signed)
    assert len(maps) == 3
    for explanation, entry in zip(maps, ranking, strict=True):
        wanted = model.explain(x, 3, "one", conditions={"r2": entry.channel})
        assert relative(explanation.relevance, wanted.relevance) < 1e-12
        assert explanation.title() == f"3 through r2[{entry.channel}]"
    assert explainer.grid(maps).size[0] > explainer.grid(maps[:1]).size[0]
    with pytest.raises(InputError, match="one sample at a time, not 2"):
        concepts(model, picture(2), "r2")


def test_a_grid_says_what_each_map_passed_through():
    from explainer.results.grids import cells_of

    maps = concepts(Explainer(residual_net()), picture(1), "r2", target=3, top=2)
    titles = [cell.title for one in maps for cell in cells_of(one)]
    assert titles == [explanation.title() for explanation in maps]
