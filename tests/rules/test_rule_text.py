"""Rules as text: what is written is read back, what other tools write is understood, mistakes are told."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer import CompositeError, rules
from explainer.rules import AlphaBeta, BetaSmooth, Epsilon, Flat, Gamma, Rule, WSquare, ZBox, ZPlus

positive = st.floats(1e-12, 1e6)
finite = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def boxes(draw) -> Rule:
    size = draw(st.sampled_from([1, 3]))
    low = draw(st.lists(finite, min_size=size, max_size=size))
    high = [value + 1 + abs(value) for value in low]
    return ZBox(*(tuple(v) if size > 1 else v[0] for v in (low, high)), eps=draw(positive))


RULES = st.one_of(
    st.builds(Epsilon, positive, norm_scale=st.booleans(), clip=st.booleans()),
    st.builds(Gamma, positive, eps=positive, zero_params=st.sampled_from(["bias", ()])),
    st.builds(
        lambda alpha, eps: AlphaBeta(1 + alpha, alpha, eps=eps), st.sampled_from([0.0, 0.5, 2.5]), positive
    ),
    boxes(),
)


@settings(derandomize=True, database=None)
@given(RULES)
def test_any_rule_is_read_back_from_its_text(rule):
    assert rules.parse(str(rule)) == rule


@pytest.mark.parametrize("kind", rules.RULES.values(), ids=lambda kind: kind.name())
def test_every_parameter_can_be_written(kind):
    required = {"low": -2.5, "high": 2.5} if kind is ZBox else {}
    for entry in dataclasses.fields(kind):
        changed = {
            "eps": 0.125,
            "zero_params": "bias",
            "alpha": None,
            "beta": None if kind is AlphaBeta else 3.5,
            "gamma": 0.75,
            "signed": False,
        }.get(entry.name, True)
        if changed is not None and entry.name not in required:
            rule = kind(**required, **{entry.name: changed})
            assert rules.parse(str(rule)) == rule != kind(**required)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ZPlus", ZPlus()),
        ("z_plus", ZPlus()),
        ("AlphaBeta:2,1", AlphaBeta(2, 1)),
        ("alpha_beta:alpha=3, beta=2", AlphaBeta(3, 2)),
        (" Gamma: 0.1 ", Gamma(0.1)),
        ("gamma:", Gamma()),
        ("w_square", WSquare()),
        ("FLAT", Flat()),
        ("epsilon:1e-4,clip=TRUE", Epsilon(1e-4, clip=True)),
        ("zbox:-2.1/-2.0/-1.8,2.2/2.4/2.6", ZBox((-2.1, -2.0, -1.8), (2.2, 2.4, 2.6))),
        ("Alpha1_Beta0_Rule", AlphaBeta(1, 0)),  # captum's
        ("Alpha2Beta1Rule:eps=0.5", AlphaBeta(2, 1, eps=0.5)),  # iNNvestigate's
        ("EpsilonRule:0.1", Epsilon(0.1)),
        ("LRP-ε", Epsilon()),
        ("BoundedRule:-1,1", ZBox(-1, 1)),
        ("z+", ZPlus()),
        ("ReLUBetaSmooth:3", BetaSmooth(3)),  # zennit's
    ],
)
def test_what_is_understood(text, rule):
    assert rules.parse(text) == rule
    assert rules.parse(rule) is rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rule ''; there are: alpha_beta"),
        ("gama", "no rule 'gama'"),
        ("gamma:x", "'x' is no number"),
        ("gamma:0.1/0.2", "gamma must be 0 or more, not"),
        ("gamma:0.1,0.2", "takes"),
        ("gamma:beta=2", "takes"),
        ("gamma:gamma=0.1,0.2", "a value without a name after one with a name"),
        ("gamma:gamma=0.1,gamma=0.2", "gamma is given twice"),
        ("zbox", "takes low, high, eps, zero_params"),
        ("zbox:bias,1", "low must be a finite number, or one per channel"),
        ("zbox:1,1", "low must be below high"),
        ("zbox:0/1,1/2/3", "low has 2 channels and high 3"),
        ("epsilon:-1", "positive"),
        ("epsilon:nan", "positive"),
        ("zplus:zero_params=2", "zero_params can be 'bias', not 2.0"),
        ("alpha_beta:2,0.5", "alpha - beta must be 1, or relevance is not conserved; 2 - 0.5 is not"),
        ("pass:1", "takes no parameters"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(CompositeError, match=message):
        rules.parse(text)
