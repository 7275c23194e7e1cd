"""float64 beside onnxruntime: what rounding explains is no disagreement, and what it does not is found."""

import numpy as np
import pytest
from building import parse, rng
from residual import picture, residual_net

from explainer import Explainer, NumericalError
from explainer.layers import activations, affine, elementwise, pooling
from explainer.walk import agreement

CANCELLING = {
    "1 - relu(1 - x)": "a = Sub (one, x) r = Relu (a) y = Sub (one, r)",
    "relu(x + 1000) - 1000": "a = Add (x, thousand) r = Relu (a) y = Sub (r, thousand)",
    "a dense bias": "a = Gemm (x, eye, thousands) r = Relu (a) y = Gemm (r, eye, minus)",
    "a product": "s = Mul (x, x) a = Add (s, thousand) r = Relu (a) y = Sub (r, thousand)",
    "sigmoid(x) - 1/2": "s = Sigmoid (x) y = Sub (s, half)",
    "a BatchNormalization that takes a mean away": """a = Gemm (x, eye, thousands)
        y = BatchNormalization <epsilon=0.0> (a, ones, zeros, thousands, tiny)""",
    "softplus(x) - log 2": "s = Softplus (x) y = Sub (s, log2)",
}
CONSTANTS = {
    "one": np.float32(1),
    "half": np.float32(0.5),
    "log2": np.float32(np.log(2)),
    "thousand": np.float32(1000),
    "eye": np.eye(3),
    "ones": np.ones(3),
    "zeros": np.zeros(3),
    "thousands": np.full(3, 1000.0),
    "minus": np.full(3, -1000.0),
    "tiny": np.full(3, 1e-4),
}


def net(form: str):
    return parse(f"g (float[N,3] x) => (float[N,3] y) {{ {CANCELLING[form]} }}", **CONSTANTS)


@pytest.mark.parametrize("size", [3e-8, 1e-6, 1e-4, 1e-2, 0.3])
@pytest.mark.parametrize("form", CANCELLING)
def test_sums_that_cancel_are_explained(form, size):
    """The gradient is the slope between two answers of the layers in float64."""
    x = size * np.array([[1, 0.5, 0.75]], np.float32)
    for method in ("gradient", "lrp", "deeplift", "integrated_gradients"):
        made = Explainer(net(form), method=method, dtype="float64")
        found = made.explain(x, "y")
        assert np.isfinite(found.relevance).all()
        if method == "gradient" and size >= 1e-4:
            ahead, behind = (
                Explainer(net(form), dtype="float64").explain(x * (1 + h), "y") for h in (0.5, -0.5)
            )
            slope = (ahead.score - behind.score) / x.astype(np.float64).sum()
            along = (found.relevance * x).sum() / x.astype(np.float64).sum()
            assert abs(slope - along) < 0.2 * abs(along)


@pytest.mark.parametrize("form", CANCELLING)
def test_only_where_the_answers_differ_are_layers_asked(form, monkeypatch):
    asked = []
    monkeypatch.setattr("explainer.walk.forward.check_layers", lambda *given: asked.append(given))
    Explainer(net(form), dtype="float64").explain(np.array([[3.0, -2, 5]], np.float32), "y")
    assert not asked


# A layer that computes something else than onnxruntime.


def scaled(body):
    def wrong(self, x, p):
        return body(self, x, p) * 1.01

    return wrong


def leaking(body):
    def wrong(self, x, p):
        return np.maximum(x, 0.01 * x)

    return wrong


BROKEN = {
    "Conv": (affine.Conv, scaled),
    "Relu": (activations.Relu, leaking),
    "MaxPool": (pooling.MaxPool, scaled),
    "Div": (elementwise.Scale, scaled),
}


@pytest.mark.parametrize("operator", BROKEN)
def test_a_layer_that_computes_something_else_is_found_by_its_name(operator, monkeypatch):
    layer, breaking = BROKEN[operator]
    monkeypatch.setattr(layer, "forward", breaking(layer.forward))
    made = Explainer(residual_net(), dtype="float64")
    with pytest.raises(
        NumericalError, match=f"{operator} '.*' differs from onnxruntime's by .* of what it adds up"
    ):
        made.explain(picture(2))


@pytest.mark.parametrize(
    ("form", "layer", "breaking", "node"),
    [
        ("1 - relu(1 - x)", elementwise.Add, scaled, "Sub 'a'"),
        ("1 - relu(1 - x)", activations.Relu, scaled, "Relu 'r'"),
        ("sigmoid(x) - 1/2", activations.SigmoidLayer, scaled, "Sigmoid 's'"),
    ],
)
def test_it_is_found_where_sums_cancel_too(form, layer, breaking, node, monkeypatch):
    monkeypatch.setattr(layer, "forward", breaking(layer.forward))
    with pytest.raises(NumericalError, match=f"{node} differs from onnxruntime's"):
        Explainer(net(form), dtype="float64").explain(np.full((1, 3), 1e-3, np.float32), "y")


def test_layers_agree_to_rounding(monkeypatch):
    """With no limit on the answer all layers are asked: what they add up is off by rounding alone."""
    monkeypatch.setattr("explainer.walk.forward.agrees", lambda *given: False)
    monkeypatch.setattr(agreement, "ROUNDING", {4: 1e-6})
    made = Explainer(residual_net(), dtype="float64")
    assert np.isfinite(made.explain(picture(2)).relevance).all()
    for form in CANCELLING:
        x = rng(1).standard_normal((2, 3)).astype(np.float32)
        assert np.isfinite(Explainer(net(form), dtype="float64").explain(x, "y").relevance).all()
