"""Transformers against LXT's own numbers, where the reference files are: see their sums and traps there."""

import numpy as np
import pytest
from building import relative, rng
from vits import vit

from explainer import Explainer
from explainer.composites import DIALECTS
from explainer.composites.dialects import BELOW_ROUNDING


@pytest.fixture
def reference(shared):
    """A model's path and what LXT says of it, by name."""
    folder = shared / "reference" / "attnlrp"
    if not folder.exists():
        pytest.skip("LXT's reference files are not here")

    def load(model: str, numbers: str):
        return str(folder / model), dict(np.load(folder / numbers))

    return load


def off(found, wanted) -> float:
    return float(abs(found - wanted).max() / abs(wanted).max())


def test_a_block_under_attnlrp(reference):
    path, wanted = reference("block.onnx", "block_lxt.npz")
    made = Explainer(path, composite="attnlrp", dtype="float64")
    found = made.explain(wanted["x"], target=[int(t) for t in wanted["target"]])
    assert off(found.relevance, wanted["relevance"]) < 1e-9
    for step in found.audit:
        assert abs(step.residual).max() < 1e-10 * max(1, abs(step.R_out).max()), step
    assert any(step.intercept.any() for step in found.audit)


def test_a_vision_transformer_under_cp_lrp(reference):
    path, wanted = reference("vit_tiny.onnx", "vit_tiny_cp_lrp.npz")
    found = Explainer(path, composite="cp_lrp", dtype="float64").explain(wanted["x"], int(wanted["target"]))
    # The file computes the scale of its scores from a shape, in float32: 3e-8, squared in each of two layers.
    assert off(found.relevance, wanted["relevance"]) < 1e-6
    shared_alike = Explainer(path, composite="attnlrp", dtype="float64").explain(wanted["x"])
    assert off(shared_alike.relevance, wanted["relevance"]) > 0.1


def test_gpt_2_under_attnlrp_without_an_epsilon(reference):
    path, wanted = reference("gpt2_tiny.onnx", "gpt2_tiny_attnlrp.npz")
    exact = {"eps": BELOW_ROUNDING}
    assert DIALECTS["attnlrp"].other_eps == 1e-8
    made = Explainer(path, composite="attnlrp", **exact, dtype="float64")
    found = made.explain(wanted["x"], int(wanted["target"]))
    assert off(found.relevance, wanted["relevance"]) < 1e-5


def test_gamma_with_the_attention_held():
    """LXT's for vision transformers: γ at layers with weights, all else as CP-LRP has it."""
    x = rng(3).standard_normal((2, 3, 12, 8)).astype(np.float32)

    def walked(composite, **how):
        return Explainer(vit(), composite=composite, dtype="float64", **how).explain(x, 1)

    found = walked(("cp_lrp_gamma", {"conv_gamma": 0.1, "lin_gamma": 0.5}))
    rules = {"convolution": "gamma:0.1,eps=1e-30", "dense": "gamma:0.5,eps=1e-30"}
    assert relative(found.relevance, walked("cp_lrp", rules=rules).relevance) < 1e-12
    plain = walked("cp_lrp")
    none = walked(("cp_lrp_gamma", {"conv_gamma": 0.0, "lin_gamma": 0.0}))
    assert relative(none.relevance, plain.relevance) < 1e-9
    assert relative(found.relevance, plain.relevance) > 0.1
    assert {step.rule for step in found.audit if step.operator == "Softmax"} == set()
    for step in found.audit:
        assert (abs(step.residual) <= 1e-10 * (abs(step.R_out) + abs(step.R_in))).all(), step
