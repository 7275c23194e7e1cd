"""Every preset on the shipped network: float32, its float64 reference, and compiled into the file."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from building import relative, run
from zero_biases import zero_biases

import explainer
from explainer import Explainer, composites

MODELS = Path(__file__).resolve().parents[2] / "models"
MODEL, PHOTO = MODELS / "shapes.onnx", MODELS / "shapes.png"
NEEDED = {"sequential_preset_a_flat_until": "/4/Add", "sequential_preset_b_flat_until": "/4/Add"}
PRESETS = list(composites.COMPOSITES)


def composite(name: str):
    return (name, {"until": NEEDED[name]}) if name in NEEDED else name


def photos() -> np.ndarray:
    x, *_ = Explainer(MODEL).prepare(PHOTO)
    return np.concatenate([x, x[:, :, ::-1]])


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_finite_numbers_and_compiles_to_the_same(name):
    x = photos()
    shared = Explainer(MODEL, composite=composite(name))
    found = shared.explain(x, target=3, start="one")
    assert found.relevance.dtype == np.float32
    assert np.isfinite(found.relevance).all()
    assert np.abs(found.relevance).max(axis=(1, 2, 3)).min() > 0
    compiled = explainer.compile(MODEL, composite=composite(name), target=3, start="one")
    names = [output.name for output in compiled.graph.output]
    theirs = dict(zip(names, run(compiled, {"input": x}), strict=True))["relevance"]
    assert relative(theirs, found.relevance) < 1e-5  # the walk on like activations, as in tests/parity


CONSERVING = [
    *("epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1_flat", "epsilon_gamma_box", "zplus"),
    *("deep_taylor", "bounded_deep_taylor", "excitation_backprop", "sequential_preset_a", "recommended"),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSERVING)
def test_what_is_not_conserved_is_accounted_for(name):
    explanation = Explainer(MODEL, composite=composite(name), dtype="float64").explain(PHOTO)
    kept = explanation.start[0] - explanation.relevance.sum()
    shares = sum(float(step.bias[0]) + float(step.epsilon[0]) for step in explanation.audit)
    assert kept == pytest.approx(shares, rel=1e-9, abs=1e-9 * abs(explanation.start[0]))
    assert max(abs(step.residual[0]) for step in explanation.audit) < 1e-9 * abs(explanation.start[0])


@pytest.mark.slow
def test_the_recommended_rules_conserve_where_nothing_is_added():
    bare, tight = zero_biases(onnx.load(MODEL)), {"eps": 1e-9, "stabilizer": 1e-9}
    explanation = explainer.explain(bare, PHOTO, composite=("recommended", tight), dtype="float64")
    assert explanation.conserved == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_presets_differ_where_they_should():
    x = photos()
    maps = {name: Explainer(MODEL, composite=composite(name)).explain(x).relevance for name in PRESETS}
    same = {  # on a network of Relus whose convolutions are all merged with BatchNormalization
        frozenset({"epsilon", "captum", "zero", "cp_lrp", "attnlrp"}),
        frozenset({"zplus", "alpha1_beta0", "excitation_backprop"}),
        frozenset({"gradient", "libragrad"}),
        frozenset({"gamma", "cp_lrp_gamma"}),  # whose γ differs at dense layers, and there is one
    }
    for one, other in ((a, b) for a in PRESETS for b in PRESETS if a < b):
        alike = any({one, other} <= group for group in same)
        assert (relative(maps[one], maps[other]) < 2e-2) == alike, (one, other)
