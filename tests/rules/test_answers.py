"""Mistakes in somebody's rule: what is said names the rule and the node, and how a rule is written."""

from dataclasses import dataclass

import numpy as np
import pytest
from building import parse, rng

import explainer
from explainer import CompositeError
from explainer.rules import Division, Epsilon, Handed, Rule, Stabilized, Zero
from explainer.tensor import Bundle
from explainer.testing import check_rule

MODEL = "g (float[N,3] x) => (float[N,3] y) { h = Gemm (x, w, b) y = Add (h, x) }"
X = rng(5).standard_normal((2, 3)).astype(np.float32)


def model():
    return parse(MODEL, w=rng(6).standard_normal((3, 3)), b=rng(7).standard_normal(3))


def rule(body) -> Rule:
    return dataclass(frozen=True)(type("Mine", (Stabilized,), {"__call__": body}))()


def appends(self, layer, x, R):
    z = layer(x)
    s = R / self.stabilize(z)
    layer.divisions.append(Division(layer, z, s))
    return x * layer.transpose(s)


def forgets_the_comma(self, layer, x, R):
    z = self.stabilize(layer(x))
    s = R / z
    return Handed(x, layer.transpose(s), Division(layer, z, s))


MISTAKES = {
    "the list of old": (appends, "AttributeError: .* no attribute 'divisions'"),
    "relevance as an array": (
        lambda self, layer, x, R: Handed(None, x * layer.transpose(R)),
        "TypeError: .*'Relevance'",
    ),
    "x times relevance": (lambda self, layer, x, R: Handed(None, x * R), "TypeError: unsupported operand"),
    "sizes that do not meet": (
        lambda self, layer, x, R: Handed(None, R.whole * np.ones(7, x.dtype)),
        "ValueError: operands could not be broadcast",
    ),
    "another shape": (
        lambda self, layer, x, R: Handed(None, layer.transpose(R.whole)[:, :2]),
        r"hands on \[2, 2\] to 'x', which is \[2, 3\]",
    ),
    "a shape that would broadcast": (
        lambda self, layer, x, R: Handed(None, R.whole[:1]),
        r"hands on \[1, 3\] to 'x', which is \[2, 3\]",
    ),
    "an array": (lambda self, layer, x, R: R.whole, "returned ndarray"),
    "nothing": (lambda self, layer, x, R: None, "returned NoneType"),
    "relevance itself": (lambda self, layer, x, R: Handed(None, R), "hands on Relevance to 'x', not a value"),
    "two for one": (
        lambda self, layer, x, R: Handed(None, Bundle((R.whole, R.whole))),
        "hands on 2 values to 1 inputs",
    ),
    "an account that is no tuple": (forgets_the_comma, r"TypeError: the account is a tuple, \(Division"),
    "an account of arrays": (
        lambda self, layer, x, R: Handed(x, x, (x,)),
        r"TypeError: the account is a tuple, \(Division",
    ),
    "another signature": (lambda self, layer, R: Handed(None, R), "TypeError: .*positional argument"),
}
each = pytest.mark.parametrize(("body", "message"), MISTAKES.values(), ids=MISTAKES)


@each
def test_in_a_walk(body, message):
    said = rf"rule mine:?\S* at Gemm 'h':? .*{message}.*a rule reads.*docs/adding-a-rule\.md"
    with pytest.raises(CompositeError, match=said) as caught:
        explainer.explain(model(), X, target=1, rules={"Gemm": rule(body)})
    if "Error:" in message:  # and a debugger finds the line
        assert caught.value.__cause__ is not None


@each
def test_in_check_rule(body, message):
    with pytest.raises(AssertionError, match=r"mine.* on Conv 'y': "):
        check_rule(rule(body))


def test_one_value_for_two_inputs():
    mine = type("Mine", (Epsilon,), {"__call__": lambda self, layer, x, R: Handed(None, R.whole)})()
    with pytest.raises(CompositeError, match="at Add 'y' hands on 1 values to 2 inputs"):
        explainer.explain(model(), X, target=1, rules={"Add": mine})


def test_a_rule_that_says_nothing():
    with pytest.raises(CompositeError, match=r"rule mute: it has no __call__\(self, layer, x, R\)"):
        explainer.explain(model(), X, target=1, rules={"Gemm": type("Mute", (Rule,), {})()})


def test_what_goes_wrong_in_a_rule_of_ours_is_not_the_users(monkeypatch):
    def broken(self, layer, x, R):
        raise ValueError("ours")

    monkeypatch.setattr(Epsilon, "__call__", broken)
    with pytest.raises(ValueError, match=r"^ours$"):
        explainer.explain(model(), X, target=1)


def test_a_plain_z_divides_as_rule_zero_has_it():
    def plain(self, layer, x, R):
        z = layer(x)
        s = R / z
        return Handed(x, layer.transpose(s), (Division(layer, z, s),))

    found, zero = (
        explainer.explain(model(), X, target=1, rules={"Gemm": one}, dtype="float64").relevance
        for one in (rule(plain), Zero())
    )
    np.testing.assert_allclose(found, zero, rtol=1e-12)
    check_rule(rule(plain))
