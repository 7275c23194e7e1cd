"""Trained models answer as is known of them, through our preprocessing and out of an explanation."""

from __future__ import annotations

import numpy as np
import pytest
import real_models

import explainer

PHOTOS = [name for name in real_models.CLASSIFIERS if "net" in name and "cifar" not in name]
SMALL = [name for name in real_models.CLASSIFIERS if name not in PHOTOS]


@pytest.mark.parametrize("name", PHOTOS)
def test_photos(name, shared):
    labels = (shared / "data" / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    model = explainer.Explainer(shared / name, preprocess=real_models.preprocess(shared, name), labels=labels)
    for photo, answer in real_models.entry(shared, name)["top1"].items():
        explanation = model.explain(shared / "images" / photo)
        assert explanation.label() == answer
        missing = sum(step.bias + step.epsilon for step in explanation.audit)
        # Sums over float32 relevance.
        assert (1 - explanation.conserved) * explanation.start == pytest.approx(missing, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_accuracy(name, shared):
    x, classes = real_models.samples(shared, name)
    answers = real_models.answers(shared / name, x)
    accuracy = float(np.mean(answers == classes))
    assert round(accuracy, 3) == real_models.entry(shared, name)["accuracy_on_samples"]
    # These files take one picture at a time; an explanation of many is fed so.
    explanation = explainer.explain(shared / name, x[:20])
    np.testing.assert_array_equal(explanation.target, answers[:20])


def test_a_softmax_is_cut(shared):
    """SqueezeNet ends in one: relevance starts from the logits before it."""
    name = real_models.CLASSIFIERS[0]
    model = explainer.Explainer(shared / name)
    assert "Softmax" in str(model.plan) and "Softmax" not in {step.node.operator for step in model.plan.steps}
    explanation = model.explain(real_models.example(shared, name))
    assert explanation.outputs["softmaxout_1"].max() <= 1 < explanation.start.item()
