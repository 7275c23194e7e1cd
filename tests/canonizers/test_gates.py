"""Which factor of a product carries the signal."""

import numpy as np
import onnx
import pytest
from building import parse, rng

import explainer
from explainer import Explainer
from explainer.composites import DIALECTS

HOLDING = [None, "zennit", "captum", "innvestigate", "cp_lrp"]
X = rng(5).standard_normal((2, 4, 6)).astype(np.float32)
CONSTANTS = {
    **{name: rng(6, i).standard_normal((6, 6)) for i, name in enumerate("abc")},
    **{"one": np.float32(1), "two": np.array(2), "half": np.float32(0.5), "last": np.array([2])},
}
# A signal h and a gate: what the product is written as.
GATED = {
    "sigmoid": "g = Sigmoid (q) y = Mul (h, g)",
    "on the left": "g = Sigmoid (q) y = Mul (g, h)",
    "hard": "g = HardSigmoid (q) y = Mul (h, g)",
    "taken from 1": "s = Sigmoid (q) g = Sub (one, s) y = Mul (h, g)",
    "scaled": "s = Sigmoid (q) g = Mul (s, half) y = Mul (h, g)",
    "moved": "s = Sigmoid (q) t = Transpose <perm=[2,1,0]> (s) g = Transpose <perm=[2,1,0]> (t)"
    " y = Mul (h, g)",
    "of a mean": "m = ReduceMean <axes=[1]> (q) g = Sigmoid (m) y = Mul (h, g)",
    "attention": "t = Transpose <perm=[0,2,1]> (q) k = MatMul (q, t) g = Softmax (k) y = MatMul (g, h)",
}


def net(body: str):
    used = {name: value for name, value in CONSTANTS.items() if f"({name}," in body or f", {name})" in body}
    inner = f"h = MatMul (x, a) q = MatMul (x, b) {body} o = MatMul (y, c)"
    text = f'<ir_version: 8, opset_import: ["": 13]> g (float[N,4,6] x) => (float[N,4,6] o) {{ {inner} }}'
    weights = {name: CONSTANTS[name] for name in "abc"}
    return parse(text, **{**weights, **used})


@pytest.mark.parametrize("dialect", HOLDING)
@pytest.mark.parametrize("name", GATED)
def test_all_relevance_goes_to_the_signal(name, dialect):
    made = Explainer(net(GATED[name]), dialect=dialect, dtype="float64", eps=1e-12, keep=["y", "h"])
    assert all("q" not in step.layer.inputs for step in made.plan.steps)
    found = made.explain(X, target=("o", (1, 2)))
    for tensor in ("y", "h"):
        np.testing.assert_allclose(found.relevances[tensor].sum((1, 2)), found.score, rtol=1e-6)
    # Linear in x with the gate held: x·∂/∂x through h alone.
    assert found.conserved == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["sigmoid", "hard", "of a mean"])
def test_attnlrp_shares_it(name):
    found = Explainer(net(GATED[name]), dialect="attnlrp", dtype="float64", keep=["y", "h", "q"]).explain(
        X, target=("o", (1, 2))
    )
    half = found.relevances["y"].sum((1, 2)) / 2
    np.testing.assert_allclose(found.relevances["h"].sum((1, 2)), half, rtol=1e-3)
    np.testing.assert_allclose(found.relevances["q"].sum((1, 2)), half, rtol=1e-3)


@pytest.mark.parametrize("name", GATED)
def test_gradients_hold_nothing(name):
    made = Explainer(net(GATED[name]), method="gradient", dtype="float64")
    assert any("q" in step.layer.inputs for step in made.plan.steps)
    x = np.round(X * 1024) / 1024
    gradient, h = made.explain(x, target=("o", (1, 2))).relevance, 1 / 1024
    for place in ((0, 1, 2), (1, 3, 0)):
        ahead, behind = x.copy(), x.copy()
        ahead[place] += h
        behind[place] -= h
        slope = (
            made.explain(ahead, target=("o", (1, 2))).score - made.explain(behind, target=("o", (1, 2))).score
        )
        np.testing.assert_allclose(slope[place[0]] / (2 * h), gradient[place], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dialect", [None, "attnlrp"])
@pytest.mark.parametrize("name", GATED)
def test_it_compiles(name, dialect):
    explainer.compile(net(GATED[name]), target=("o", (1, 2)), dialect=dialect)  # which proves it


def test_two_gates_share_and_two_signals_too():
    for body in (
        "g = Sigmoid (h) k = Sigmoid (q) y = Mul (g, k)",
        "g = Relu (h) k = Relu (q) y = Mul (g, k)",
    ):
        products = [s.layer for s in Explainer(net(body)).plan.steps if s.node.operator == "Mul"]
        assert [layer.degree for layer in products] == [2]


def test_a_gate_that_is_read_elsewhere_has_relevance_from_there():
    body = "g = Sigmoid (q) m = Mul (h, g) n = MatMul (g, a) y = Add (m, n)"
    found = Explainer(net(body), dtype="float64", eps=1e-12, keep=["h", "q"]).explain(X, target=("o", (1, 2)))
    assert np.any(found.relevances["q"])
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)


def test_every_dialect_says_whether_it_holds():
    assert {name for name, entry in DIALECTS.items() if not entry.holds} == {"attnlrp"}


@pytest.mark.parametrize(
    "body", ["d = Dropout (q, half, yes) g = Sigmoid (d)", "s = Sigmoid (q) g = Dropout (s, half, yes)"]
)
def test_a_gate_that_is_drawn_anew_is_refused_as_it_would_be_elsewhere(body):
    model = net(f"{body} y = Mul (h, g)")
    for name, value in (("yes", np.array(True)), ("half", np.float32(0.5))):
        if name not in {entry.name for entry in model.graph.initializer}:
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    with pytest.raises(explainer.UnsupportedError, match="Dropout in training mode"):
        Explainer(model).plan  # noqa: B018
