"""The walk alone, on equal activations: float32, and what is emitted, against float64 and NumPy."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import walks

import explainer
from explainer.model.session import Session
from explainer.targets import Target, choose, put_relevance

FLOAT32 = np.dtype(np.float32)
SMALL = 1e-5


def started(plan, activations, samples):
    target = Target(plan.anchor, "top")
    return put_relevance(target, choose(target, activations, samples), activations, samples)


@pytest.mark.parametrize(
    ("name", "batchnorm"),
    [
        ("resnet18", "keep"),
        ("resnet18", "fold"),
        ("resnet34", "keep"),
        ("resnet50", "keep"),
        ("vgg11_bn", "keep"),
    ],
)
def test_float32_walks_as_float64_does(name, batchnorm, file, x, agree):
    plan = explainer.Explainer(file(name, batchnorm=batchnorm), keep="all").plan
    activations = walks.forward(plan, {"input": x.numpy()})
    R = started(plan, activations, len(x))
    narrow, wide = (walks.walk(plan, activations, R, dtype) for dtype in (FLOAT32, walks.FLOAT64))
    assert {value.dtype for value in narrow.values()} == {FLOAT32}
    comparison = explainer.compare(narrow, wide)
    assert len(comparison) > 20
    agree(comparison, SMALL)


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_emitted_walks_as_numpy_does(name, file, x, agree):
    """The emitted file's own activations, read out of the same run, and NumPy's walk on them."""
    model = explainer.Explainer(file(name))
    emitted = explainer.compile(file(name))
    plan = model.plan
    names = [name for name in plan.reads if name != "input"]
    outputs = {value.name for value in emitted.graph.output}
    extended = onnx.ModelProto.FromString(emitted.SerializeToString())
    extended.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in outputs)
    values = Session(extended.SerializeToString(), [*names, "relevance"]).run({"input": x.numpy()})
    relevance = values.pop("relevance")
    activations = {**values, "input": x.numpy()}
    R = started(plan, activations, len(x))
    comparison = explainer.compare(relevance, walks.walk(plan, activations, R, FLOAT32))
    agree(comparison, SMALL)


def test_emitted_answers_as_the_model_does(file, x):
    """A file for `start="one"` and one class, run as it is by onnxruntime."""
    options = {"target": 4, "start": "one", "keep": ["output"]}
    emitted = explainer.compile(file("resnet18"), **options)
    values = Session(emitted.SerializeToString(), ["output", "relevance", "relevance/output"]).run(
        {"input": x.numpy()}
    )
    explanation = explainer.explain(file("resnet18"), x.numpy(), **options)
    np.testing.assert_allclose(values["output"], explanation.outputs["output"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(values["relevance/output"], np.eye(10)[[4, 4]])
    comparison = explainer.compare(values["relevance"], explanation)
    assert comparison["relevance"].cosine > 0.999
