"""Rules and composites: arithmetic that knows no operator."""

import dataclasses
import math

import numpy as np
import oracle
import pytest
from building import parse, relative, rng
from onnx import numpy_helper

from explainer import CompositeError, Explainer, rules
from explainer.rules import (
    AlphaBeta,
    Average,
    BetaSmooth,
    Deconvnet,
    Epsilon,
    Flat,
    Gamma,
    Gradient,
    GuidedBackprop,
    Held,
    HeldGradient,
    Linearised,
    Norm,
    Pass,
    PlainGamma,
    PlainZPlus,
    Relevance,
    Route,
    Taylor,
    Winner,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
)

RULES = [
    rules.SignalTakesAll(eps=0.25),
    *(Zero(), Epsilon(), ZPlus(), AlphaBeta(), Gamma(), ZBox(-1, 1), WSquare(), Flat(), Norm()),
    *(Pass(), Route(), Winner(), Average(), Gradient(), GuidedBackprop(), Deconvnet(), BetaSmooth()),
    *(Held(), HeldGradient(), Linearised(), Taylor(), PlainGamma(), PlainZPlus()),
]


class Dense:
    """z = W x + b, all that a rule may know of a layer."""

    signed = True
    degree = 1
    nonnegative = False
    has_constants = is_decided = False
    degree = 1
    z = None

    def __init__(self, W, b, x):
        self.W, self.b, self.x = np.asarray(W, dtype=float), np.asarray(b, dtype=float), x

    def __call__(self, x):
        return self.W @ x + self.b

    def transpose(self, s):
        return self.W.T @ s

    def bias_share(self, s):
        return s * self.b

    def intercept_share(self, s):
        return None


@pytest.mark.parametrize("eps", [1e-9, 1e-6, 0.3])
def test_epsilon_is_equation_58(eps):
    W, b, x, R = (rng(1).standard_normal(shape) for shape in ((4, 3), (4,), (3,), (4,)))
    W[0], b[0] = 0, 0  # z = 0: sign(0) is +1
    layer, rule = Dense(W, b, x), Epsilon(eps)
    wanted = oracle.epsilon(W, b, x, R, eps)
    handed = rule(layer, x, Relevance(None, R))
    got, ((bias, share, _),) = handed.whole, [entry.shares() for entry in handed.account]
    assert relative(got, wanted.R_in) < 1e-12
    assert relative(bias, wanted.bias) < 1e-12
    assert relative(share.ravel(), wanted.epsilon) < 1e-12
    assert math.isclose(R.sum(), got.sum() + bias.sum() + share.sum(), rel_tol=1e-9)


def test_epsilon_by_hand():
    # z = 1*2 + 3*1 - 1 = 4, and -1*2 + 0*1 + 1 = -1
    layer = Dense([[2, 1], [-2, 0]], [-1, 1], np.array([1.0, 3.0]))
    R_in = Epsilon(1.0)(layer, layer.x, Relevance(None, np.array([10.0, 6.0]))).whole
    np.testing.assert_allclose(R_in, [2 * 10 / 5 - 2 * 6 / -2, 3 * 10 / 5])


@pytest.mark.parametrize("eps", [0, -1e-6, math.nan, math.inf])
def test_epsilon_refuses_what_is_no_stabiliser(eps):
    with pytest.raises(CompositeError, match="positive"):
        Epsilon(eps)


def test_pass_changes_nothing_and_route_transposes():
    layer = Dense(np.eye(3)[[2, 0]], [0, 0], np.ones(3))
    R = Relevance(None, np.array([5.0, 7.0]))
    assert Pass()(layer, layer.x, R).whole is R.factor
    assert Pass()(layer, layer.x, R).account == ()
    routed = Route()(layer, layer.x, R)
    np.testing.assert_array_equal(routed.whole, [7, 0, 5])
    assert [entry.shares() for entry in routed.account] == [(None, None, None)]


def test_every_rule_is_here():
    assert {type(rule) for rule in RULES} == set(rules.RULES.values())


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules_are_frozen_comparable_and_read_back_from_their_text(rule):
    again = rules.parse(str(rule))
    assert again == rule
    assert hash(again) == hash(rule)
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.anything = 1


def test_what_rules_say_of_themselves():
    assert [str(rule) for rule in (Epsilon(0.25), Epsilon(), Pass(), Route())] == [
        "epsilon:0.25",
        "epsilon:1e-06",
        "pass",
        "route",
    ]
    assert Epsilon.reads == {"x", "z"}
    assert Epsilon.proportional
    assert not Pass.reads


NET = "g (float[N,3] x) => (float[N,2] y) { h = Gemm(x, w, b) a = Relu(h) y = Gemm(a, v) }"


def net():
    random = rng(4)
    weights = {"w": (3, 5), "b": (5,), "v": (5, 2)}
    return parse(NET, **{name: random.standard_normal(shape) for name, shape in weights.items()})


def test_a_network_is_the_formula_layer_by_layer():
    model, x = net(), rng(5).standard_normal((1, 3)).astype(np.float32)
    weights = {t.name: numpy_helper.to_array(t).astype(float) for t in model.graph.initializer}
    h = weights["w"].T @ x[0] + weights["b"]
    a = np.maximum(h, 0)
    y = weights["v"].T @ a
    R = np.where(np.arange(2) == y.argmax(), y, 0)
    above = oracle.epsilon(weights["v"].T, np.zeros(2), a, R, 0.1)
    below = oracle.epsilon(weights["w"].T, weights["b"], x[0].astype(float), above.R_in, 0.1)
    explanation = Explainer(model, eps=0.1, dtype="float64").explain(x)
    assert relative(explanation.relevance[0], below.R_in) < 1e-12
    audit = {step.node: step for step in explanation.audit}
    assert math.isclose(audit["y"].epsilon[0], above.epsilon.sum(), rel_tol=1e-12)
    assert math.isclose(audit["h"].bias[0], below.bias.sum(), rel_tol=1e-12)
