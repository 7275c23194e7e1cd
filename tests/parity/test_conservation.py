"""Copies of a model without biases must hand on all relevance: 1 in, 1 ± 1e-6 out, in float64."""

from __future__ import annotations

import onnx
import pytest
import real_models
from zero_biases import zero_biases

import explainer


def check(model, x):
    """Conservation without biases, and the audit of the model as it is."""
    bare = explainer.explain(zero_biases(onnx.load(model)), x, start="one", eps=1e-9, dtype="float64")
    print(f"without biases: 1 {bare.conserved - 1}")
    assert bare.conserved == pytest.approx(1, abs=1e-6)

    whole = explainer.explain(model, x, dtype="float64")
    missing = sum(step.bias + step.epsilon for step in whole.audit)
    print(f"as it is: {whole.conserved}, residual {max(abs(step.residual).max() for step in whole.audit)}")
    assert (1 - whole.conserved) * whole.start == pytest.approx(missing, rel=1e-9, abs=1e-9)
    for step in whole.audit:
        assert abs(step.residual).max() < 1e-10 * max(1, abs(step.R_out).max()), step


@pytest.mark.parametrize(
    ("name", "batchnorm"),
    [
        ("resnet18", "keep"),
        ("resnet18", "fold"),
        ("resnet34", "keep"),
        ("resnet34", "fold"),
        ("resnet50", "keep"),
    ],
)
def test_random_resnets(name, batchnorm, file, x):
    check(file(name, batchnorm=batchnorm), x.numpy()[:1])


@pytest.mark.parametrize("name", real_models.CLASSIFIERS)
def test_trained_models(name, shared):
    check(shared / name, real_models.example(shared, name))


@pytest.mark.parametrize("name", real_models.CLASSIFIERS)
def test_the_recommended_rules_conserve_too(name, shared):
    bare, x = zero_biases(onnx.load(shared / name)), real_models.example(shared, name)
    tight = ("recommended", {"eps": 1e-9, "stabilizer": 1e-9})
    conserved = explainer.explain(bare, x, composite=tight, start="one", dtype="float64").conserved
    print(f"without biases: 1 {conserved - 1}")
    assert conserved == pytest.approx(1, abs=1e-6)
