"""What the benchmarks compare: everything there is, each pooled as its numbers mean."""

from pathlib import Path

import maps
import numpy as np
import pytest

from explainer import Explainer, composites, methods

ROOT = Path(__file__).resolve().parent.parent.parent
SHAPES, CANDIDATES = ROOT / "models" / "shapes.onnx", ROOT / "benchmarks" / "candidates"


def test_every_method_and_every_preset_is_compared_once():
    names = [way.name for way in maps.every()]
    assert len(names) == len(set(names))
    assert set(names) == {*methods.NAMES, *composites.COMPOSITES} - {"lrp"}


@pytest.mark.parametrize("way", maps.every(), ids=lambda way: way.name)
def test_every_way_can_be_made_for_the_shipped_model(way):
    explainer = way.explainer(SHAPES)
    assert not explainer.method.walks or explainer.plan.steps


def test_ways_are_named_in_ones_own_order_and_files_among_them():
    file = str(CANDIDATES / "zplus.toml")
    assert [way.name for way in maps.named(["occlusion", file, "epsilon"])] == [
        "occlusion",
        "zplus",
        "epsilon",
    ]
    assert len(maps.named([])) == len(maps.every())


@pytest.mark.parametrize("file", sorted(CANDIDATES.glob("*.toml")), ids=lambda file: file.stem)
def test_every_candidate_for_recommended_differs_from_it(file):
    (way,) = maps.named([str(file)])
    rules, recommended = (
        [str(step.rule) for step in explainer.plan.steps]
        for explainer in (way.explainer(SHAPES), Explainer(SHAPES, composite="recommended"))
    )
    assert rules != recommended
    assert rules[0] == recommended[0] == "epsilon:1e-06"


GRADIENTS = {
    "gradient",
    "smoothgrad",
    "smoothgrad_sq",
    "vargrad",
    "guided_backprop",
    "deconvnet",
    "beta_smooth",
    "libragrad",
}


def test_gradients_are_told_from_attributions():
    assert {way.name for way in maps.every() if maps.is_gradient(way.explainer(SHAPES))} == GRADIENTS


def test_channels_are_summed_and_the_sizes_of_gradients():
    values = np.array([[[[1.0, -1.0]], [[2.0, -3.0]], [[-1.0, 1.0]]]])
    assert np.array_equal(maps.pooled(values, magnitudes=False), [[[2.0, -3.0]]])
    assert np.array_equal(maps.pooled(values, magnitudes=True), [[[4.0, 5.0]]])


@pytest.mark.slow
def test_a_batch_in_parts_is_the_batch_with_each_sample_its_own_target():
    x = np.random.default_rng(0).standard_normal((maps.BATCH + 1, 3, 64, 64)).astype(np.float32)
    targets = np.arange(len(x)) % 8
    explainer = Explainer(SHAPES)
    found, conserved = maps.maps_of(explainer, x, targets)
    one = explainer.explain(x[-1:], target=int(targets[-1]))
    assert found.shape == (len(x), 64, 64)
    assert np.allclose(found[-1], one.relevance[0].sum(0), rtol=1e-3, atol=1e-3 * np.abs(found[-1]).max())
    assert np.isclose(conserved[-1], one.conserved[0], rtol=1e-3)
