"""Composites, selectors and matches are values: equal when equal, hashable, pickled and read back."""

import pickle

import numpy as np
import pytest
from branching import net, rules_of, x_for

from explainer import CompositeError, Explainer, composites
from explainer.composites import DIALECTS, OF_METHODS, Composite, Selector, first_of, last_of, of_kind
from explainer.layers import kinds
from explainer.rules import Epsilon, Gradient

NAMES = sorted({*composites.COMPOSITES, *OF_METHODS})


def made(name: str, dialect: str | None = None) -> Composite:
    needs = {"low": -1, "high": (1.0, 2.0, 3.0)} if "box" in name or "bounded" in name else {}
    needs |= {"until": "c1"} if name.endswith("until") else {}
    try:
        return composites.get(name, dialect=dialect, rules={"c*": "gamma:0.1"}, **needs)
    except CompositeError as error:
        assert "alpha_beta with alpha 1 and beta 0 alone" in str(error)
        pytest.skip("captum has no such rule")


@pytest.mark.parametrize("dialect", [None, *DIALECTS])
@pytest.mark.parametrize("name", NAMES)
def test_a_preset_made_twice_is_the_same_and_survives_a_pickle(name, dialect):
    one, other = made(name, dialect), made(name, dialect)
    assert one is not other
    assert one == other
    assert hash(one) == hash(other)
    read = pickle.loads(pickle.dumps(one))
    assert read == one
    assert hash(read) == hash(one)
    assert repr(read) == repr(one)
    assert " at 0x" not in repr(one)
    assert (read.box is None) == (one.box is None)
    # The box is told from an equal rule of the user's by being the one among the rules.
    assert read.box is None or any(rule is read.box for _, rule in read.rules)


def test_different_presets_are_different():
    everything = [made(name) for name in NAMES]
    assert len(set(everything)) == len(NAMES)
    assert composites.get("epsilon", eps=0.1) != composites.get("epsilon")
    assert composites.get("epsilon", dialect="captum") != composites.get("epsilon")


def test_matches_are_values():
    assert of_kind("sum", kinds.DENSE) == of_kind("dense", "sum") != of_kind("sum")
    assert first_of() == first_of() != last_of()
    assert first_of("dense") != of_kind("dense")
    assert Selector("Conv") == Selector("Conv") != Selector("Gemm")
    assert repr(of_kind("sum", "dense")) == "of_kind('dense', 'sum')"


def test_of_kind_knows_names_and_what_kinds_are_able_to():
    rules = ((of_kind("weighted"), Epsilon(0.1)), (of_kind(kinds.SUM), Epsilon(0.2)), (of_kind(), Gradient()))
    found = rules_of(net(), composite=Composite("own", rules))
    assert {node for node, rule in found.items() if rule == "epsilon:0.1"} == {"c0", "c1", "h", "y"}
    assert {node for node, rule in found.items() if rule == "epsilon:0.2"} == {"s1", "m"}


def is_last(layer) -> bool:
    return layer.place.last


def test_a_function_of_ones_own_is_pickled_by_its_name():
    own = composites.get("epsilon", rules=[(is_last, "epsilon:0.5")])
    read = pickle.loads(pickle.dumps(own))
    assert read == own
    assert rules_of(net(), composite=read)["y"] == "epsilon:0.5"
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(composites.get("epsilon", rules=[(lambda layer: True, "epsilon:0.5")]))


def test_a_list_of_rules_is_as_good_as_a_tuple():
    pair = (of_kind("dense"), Epsilon())
    assert Composite("own", [list(pair)]) == Composite("own", (pair,))
    assert hash(Composite("own", [pair])) == hash(Composite("own", (pair,)))


@pytest.mark.parametrize("name", ["epsilon", "epsilon_plus_flat", "recommended"])
def test_the_layers_of_a_plan_survive_a_pickle(name):
    made = Explainer(net(), composite=name, rules={"until:p0": "flat"})
    for step in made.plan.steps:
        layer = pickle.loads(pickle.dumps(step.layer))
        assert type(layer) is type(step.layer)
        assert (layer.inputs, layer.output, layer.kind) == (
            step.layer.inputs,
            step.layer.output,
            step.layer.kind,
        )
        assert layer.place == step.layer.place
        for node in ("p0", "y", "nowhere"):
            assert layer.place.ancestors(node) == step.layer.place.ancestors(node)
        assert made.composite.rule_for(layer) == step.rule


def test_a_pickled_composite_explains_alike():
    composite = made("recommended")
    wanted = Explainer(net(), composite=composite).explain(x_for())
    found = Explainer(net(), composite=pickle.loads(pickle.dumps(composite))).explain(x_for())
    np.testing.assert_array_equal(found.relevance, wanted.relevance)
