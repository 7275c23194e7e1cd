"""A question as a value: equal when equal, hashable, picklable, and written as Python makes it again."""

import pickle
import re

import numpy as np
import pytest
from residual import picture, residual_net

from explainer import Ask, Explainer, TargetError

ASKS = [
    Ask(),
    Ask(3),
    Ask("cat", start="margin", against="dog"),
    Ask([4, 0, 1], start="probability"),
    Ask(("masks", np.s_[0, ..., 1:3])),
    Ask({"y": [1, 2]}),
    Ask(np.array([[True, False]])),
    Ask("y[1:3]", conditions={"c1": [0, slice(2, 4)], "c2": "1, 3:5", "c3": np.array([True, False])}),
]


@pytest.mark.parametrize("ask", ASKS, ids=repr)
def test_an_ask_is_a_value(ask):
    again = eval(repr(ask), {"np": np, "Ask": Ask})
    assert again == ask and hash(again) == hash(ask)
    kept = pickle.loads(pickle.dumps(ask))
    assert kept == ask and hash(kept) == hash(ask)
    assert "\n" not in repr(ask)
    assert [other == ask for other in ASKS].count(True) == 1
    with pytest.raises(AttributeError):
        ask.target = 1


def test_what_asks_the_same_is_equal():
    assert Ask(np.int64(3)) == Ask(3) == Ask(start="logit", target=3)
    assert Ask([1, 2]) == Ask(np.array([1, 2])) == Ask(range(1, 3)) != Ask((1, 2))
    assert Ask(conditions={}) == Ask() == Ask.of("top")
    assert Ask(conditions={"a": [1], "b": 2}) == Ask(conditions={"b": 2, "a": (1,)})
    assert len({Ask(1), Ask(1), Ask(2)}) == 2


def test_an_ask_does_not_follow_what_it_was_made_of():
    index, channels = np.array([0, 1]), [2]
    ask = Ask(index, conditions={"c1": channels})
    index[0], channels[0] = 7, 7
    assert ask == Ask([0, 1], conditions={"c1": [2]})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start": "loudest"}, "start: 'loudest' is none of output, one"),
        ({"start": 3}, "start: 3 is none of"),
        ({"against": 1}, "against: it belongs to start 'margin', not 'output'"),
        ({"target": [0.5, 1]}, "an index is a whole number, or one per sample, not [0.5, 1]"),
        ({"target": [[1], [2, 3]]}, "an index is a whole number"),
        ({"target": ["cat", "dog"]}, "an index is a whole number, or one per sample, not ['cat', 'dog']"),
        ({"conditions": [3]}, "conditions: a dict of tensor name -> channels, not [3]"),
        ({"conditions": {"c1": 0.5}}, "condition: 'c1' takes a channel"),
    ],
)
def test_what_no_model_can_be_asked_is_refused_at_once(fields, message):
    with pytest.raises(TargetError, match=re.escape(message)):
        Ask(**fields)


@pytest.mark.parametrize(
    "said",
    [
        {"target": 3},
        {"target": [4, 0]},
        {"target": 1, "start": "margin", "against": 2},
        {"target": "y[1:3]", "start": "one"},
        {"target": 1, "conditions": {"c1": [0, 2]}},
    ],
    ids=str,
)
def test_an_ask_takes_the_place_of_a_target(said):
    shared, x = Explainer(residual_net(), dtype="float64"), picture(2)
    wanted, found = shared.explain(x, **said), shared.explain(x, Ask(**said))
    np.testing.assert_array_equal(found.relevance, wanted.relevance)
    assert found.kind == wanted.kind and found.conditions == wanted.conditions
    (several,) = shared.explain_targets(x, [Ask(**said)])
    np.testing.assert_array_equal(several.relevance, wanted.relevance)


def test_several_asks_each_have_a_start_of_their_own():
    shared, x = Explainer(residual_net(), dtype="float64"), picture(1)
    asks = [Ask(1), Ask(1, start="one"), Ask(2, start="probability")]
    for found, ask in zip(shared.explain_targets(x, asks), asks, strict=True):
        assert found.kind == ask.start
        np.testing.assert_array_equal(found.relevance, shared.explain(x, ask).relevance)


def test_what_an_ask_leaves_open_can_be_said_beside_it():
    assert Ask.of(Ask(3), "margin", 2) == Ask(3, "margin", 2)
    assert Ask.of(Ask(3, "margin"), against=2) == Ask(3, "margin", 2)
    assert Ask.of(Ask(3), conditions={"a": 1}) == Ask(3, conditions={"a": 1})
    with pytest.raises(TargetError, match="start: the Ask that is given says it already"):
        Ask.of(Ask(3, "one"), "probability")
    with pytest.raises(TargetError, match="conditions: the Ask"):
        Explainer(residual_net()).explain(picture(1), Ask(3, conditions={"c1": 0}), conditions={"c1": 1})


def test_what_is_said_beside_an_ask_is_said_even_where_it_is_the_default():
    for start in ("output", "logit"):
        with pytest.raises(TargetError, match="start: the Ask that is given says it already"):
            Ask.of(Ask("star", start="margin"), start)
    assert Ask.of(Ask(3, "one")) == Ask(3, "one") and Ask.of(3).start == "output"
