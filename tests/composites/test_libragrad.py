"""LibraGrad: gradients with what scales a signal held; x times it is CP-LRP without ε."""

import numpy as np
import pytest
from building import parse, relative, rng
from residual import residual_net
from vits import vit

import explainer
from explainer import Explainer

EXACT = 1e-12


def image(model, samples=2):
    shape = Explainer(model).graph.inputs[0].shape
    return rng(3).standard_normal((samples, *shape[1:])).astype(np.float32)


def input_term(model, x):
    how = {"method": "input_x_gradient", "composite": "libragrad", "dtype": "float64"}
    return explainer.explain(model, x, target=1, **how)


@pytest.mark.parametrize("model", [vit(), residual_net()], ids=["vit", "residual"])
def test_x_times_it_is_cp_lrp(model):
    x = image(model)
    wanted = explainer.explain(model, x, target=1, composite="cp_lrp", dtype="float64").relevance
    assert relative(input_term(model, x).relevance, wanted) < EXACT
    plain = explainer.explain(model, x, target=1, method="input_x_gradient", dtype="float64").relevance
    if model.graph.name == "vit":
        assert relative(plain, wanted) > 0.1


def test_it_is_a_method_too():
    model = vit()
    x = image(model)
    named = explainer.explain(model, x, target=1, method="libragrad", dtype="float64").relevance
    assert relative(named * x, input_term(model, x).relevance) < EXACT


@pytest.mark.parametrize(
    ("body", "by_hand"),
    [
        ("y = Gelu (x)", None),
        ("y = Tanh (x)", None),
        ("s = Sigmoid (x) y = Mul (s, w)", lambda x: (1 / (1 + np.exp(-x)) - 0.5) / x),
        ("y = Mul (x, x)", lambda x: x),  # half of 2x to each, twice
        ("y = LayerNormalization (x, w)", None),
    ],
)
def test_every_layer_by_hand(body, by_hand):
    weights = {"w": np.ones(4)} if "w)" in body else {}
    model = parse(f"g (float[N,4] x) => (float[N,4] y) {{ {body} }}", **weights)
    x = rng(1).standard_normal((3, 4)).astype(np.float32)
    found = explainer.explain(model, x, target="y[2]", method="libragrad", dtype="float64")
    z = found.outputs["y"].astype(np.float64)[:, 2]
    if "Layer" in body:  # linear in x − mean
        assert relative((found.relevance * x).sum(1), z) < 1e-6
        np.testing.assert_allclose(found.relevance.sum(1), 0, atol=1e-12)
        return
    slope = z / x[:, 2] if by_hand is None else by_hand(x.astype(np.float64))[:, 2]
    wanted = np.zeros((3, 4))
    wanted[:, 2] = slope
    assert relative(found.relevance, wanted) < 1e-6


def test_at_0_it_is_the_gradient():
    model = parse("g (float[N,2] x) => (float[N,2] y) { t = Tanh (x) y = Mul (t, two) }", two=np.array([2.0]))
    found = explainer.explain(model, np.zeros((1, 2)), target="y[0]", method="libragrad").relevance
    np.testing.assert_array_equal(found, [[2, 0]])


def test_lxts_vision_transformer(shared):
    folder = shared / "reference" / "attnlrp"
    if not folder.exists():
        pytest.skip("LXT's reference files are not here")
    wanted = np.load(folder / "vit_tiny_cp_lrp.npz")
    model, x, target = str(folder / "vit_tiny.onnx"), wanted["x"], int(wanted["target"])
    how = {"target": target, "dtype": "float64"}
    found = explainer.explain(model, x, method="input_x_gradient", composite="libragrad", **how).relevance
    ours = explainer.explain(model, x, composite="cp_lrp", **how).relevance
    assert relative(found, ours) < EXACT
    # The file computes the scale of its scores from a shape, in float32.
    assert relative(found, wanted["relevance"]) < 1e-6
