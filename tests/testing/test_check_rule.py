"""check_rule passes what is right, and says of what is wrong what and where."""

from dataclasses import dataclass
from typing import ClassVar

import oracle
import pytest
from building import parse, rng

from explainer.errors import CompositeError
from explainer.rules import RULES, Division, Epsilon, Gradient, Handed, Rule, Stabilized, ZBox, ZPlus
from explainer.rules.text import FOLDED
from explainer.tensor import negative, positive
from explainer.testing import check_rule

EPS = 0.03


# What is for recurrent nets is proved in tests/layers/test_recurrent.py: their steps come before samples.
@pytest.mark.parametrize("name", [name for name in RULES if name != "signal_takes_all"])
def test_every_rule_here_passes(name):
    check_rule(ZBox(-3, 4) if name == "zbox" else RULES[name]())


def test_a_formula_with_shares_and_one_without():
    check_rule(Epsilon(EPS), lambda d: oracle.epsilon(d.W, d.b, d.x, d.R, EPS))
    check_rule(ZPlus(eps=EPS), lambda d: oracle.zplus(d.W, d.b, d.x, d.R, EPS).R_in)


def size(x):
    """|x|."""
    return positive(x) - negative(x)


@dataclass(frozen=True)
class Magnitude(Stabilized):
    """As docs/adding-a-rule.md has it."""

    def __call__(self, layer, x, R):
        sized = self.counted(layer).with_params(size)
        z = self.stabilize(sized(size(x)))
        s = R / z
        return Handed(None, size(x) * sized.transpose(s), (Division(sized, z, s),))


def magnitude(d):
    contributions = abs(d.W * d.x)
    s = d.R / (contributions.sum(1) + abs(d.b) + EPS)
    return contributions.T @ s, abs(d.b) * s, EPS * s


def fails(message: str, rule: Rule, *formula, **how):
    with pytest.raises(AssertionError, match=message):
        check_rule(rule, *formula, **how)


def test_a_rule_of_ones_own_passes():
    check_rule(Magnitude(eps=EPS), magnitude)
    check_rule(Magnitude(eps=EPS, zero_params="bias"))


def test_another_formula():
    fails(
        r"magnitude:eps=0.03 on Conv 'y': it differs from the formula by", Magnitude(eps=EPS), lambda d: d.x
    )
    wrong = Magnitude(eps=EPS * 1.0001)
    fails("it differs from the formula", wrong, magnitude)


def test_shares_that_are_not_the_formulas():
    def swapped(d):
        R_in, bias, epsilon = magnitude(d)
        return R_in, epsilon, bias

    fails("it differs from the formula", Magnitude(eps=EPS), swapped)


def test_a_forgotten_division():
    class Forgetful(Epsilon):
        def __call__(self, layer, x, R):
            handed = super().__call__(layer, x, R)
            return Handed(handed.value, handed.factor)

    fails("forgetful:1e-06 on Conv 'y': it is handed .* say what was divided", Forgetful())


def test_relevance_that_is_made_of_nothing():
    class Twice(Epsilon):
        def __call__(self, layer, x, R):
            return super().__call__(layer, x, R).times(2)

    fails("it is handed .* and accounts for", Twice())

    class Declared(Twice):
        conserving: ClassVar[bool] = False

    check_rule(Declared())


def test_an_answer_of_the_old_form():
    class Old(Epsilon):
        def __call__(self, layer, x, R):
            return super().__call__(layer, x, R).whole

    fails("it answers with ndarray, not with Handed", Old())


def test_an_answer_of_another_shape():
    class Flattened(Gradient):
        def __call__(self, layer, x, R):
            return Handed(None, R.whole.ravel())

    fails(r"it hands on \[\(\d+,\)\] to inputs of", Flattened())


def test_relevance_that_is_taken_apart_wrongly():
    class Half(Gradient):
        def __call__(self, layer, x, R):
            return Handed(None, layer.transpose(R.factor))

    fails("of R = z·c it makes another answer than of R itself", Half())


def test_an_input_of_0_that_gets_something():
    class Everywhere(Gradient):
        proportional: ClassVar[bool] = True

    fails("an input of 0 gets relevance", Everywhere())


def test_a_rule_that_asks_for_values_while_it_is_recorded():
    class Asking(Gradient):
        def __call__(self, layer, x, R):
            return Handed(None, layer.transpose(R.whole if abs(R.whole).max() < 1e9 else R.whole * 0))

    with pytest.raises(TypeError):
        check_rule(Asking())


def test_parameters_that_its_text_forgets(monkeypatch):
    class Cut(Epsilon):
        def __str__(self):
            return "cut"

    for registry in (RULES, FOLDED):
        monkeypatch.setitem(registry, "cut", Cut)
    check_rule(Cut())
    fails("read back from its own text it is cut", Cut(0.5))


def test_a_kind_that_nothing_here_has_needs_examples():
    class Odd(Gradient):
        kinds: ClassVar[frozenset[str]] = frozenset({"attention"})

    fails("no layer here is of kind attention; give examples", Odd())
    model = parse("g (float[N,5] x) => (float[N,5] y) { y = Tanh (x) }")
    check_rule(Gradient(), lambda d: d.W.T @ d.R, examples=[model, (model, {"x": rng(1).random((3, 5))})])


def test_a_parameter_out_of_range_is_the_rules_own_error():
    with pytest.raises(CompositeError):
        check_rule(Epsilon(-1))


def test_what_is_no_rule_and_what_is_text():
    fails(r"Magnitude is a class: give a rule, Magnitude\(\.\.\.\)", Magnitude)
    fails("3 is no rule: derive from explainer", 3)
    check_rule("gamma:0.1")
    with pytest.raises(CompositeError, match="no rule 'gama'"):
        check_rule("gama")


@pytest.mark.parametrize(
    ("formula", "given"),
    [
        (lambda d: None, "NoneType"),
        (lambda d: d.R, r"\(\d+,\)"),
        (lambda d: d.W, r"\(\d+, \d+\)"),
        (lambda d: (d.x, None, None), r"\(\d+,\), NoneType, NoneType"),
        (lambda d: (d.x, d.b), r"\(\d+,\), \(\d+,\)"),
        (lambda d: (d.x, d.b[:1], d.b), r"\(\d+,\), \(1,\), \(\d+,\)"),
    ],
)
def test_a_formula_that_is_none(formula, given):
    fails(rf"the formula returns {given}: it is R_in, of shape \(\d+,\), or \(R_in, ", Magnitude(), formula)
