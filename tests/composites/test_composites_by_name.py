"""Composites by name, from data, with rules of one's own in front: what is understood and what is refused."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from branching import NET, body, net, rules_of, x_for
from building import relative, run

import explainer
from explainer import Composite, CompositeError, Explainer, UnsupportedError, composites
from explainer.rules import Epsilon, Flat, Gamma, Gradient, ZPlus

NO_KIND = Composite("dense alone", ((lambda layer: layer.kind == "dense", Epsilon()),))


def first_rule(composite: Composite):
    return composite.rules[0][1]


def test_by_name_with_parameters():
    assert first_rule(composites.get()) == Epsilon(1e-6)
    assert first_rule(composites.get("epsilon", eps=0.5)) == Epsilon(0.5)
    assert first_rule(composites.get(("epsilon", {"eps": 0.25}))) == Epsilon(0.25)
    assert first_rule(composites.get("epsilon", eps=None)) == Epsilon(1e-6)
    assert first_rule(composites.get("gamma", gamma=0.1)) == Gamma(0.1)
    own = Composite("own", ())
    assert composites.get(own) is own


def test_every_preset_says_what_it_is_and_knows_its_name():
    needed = {"low": -1, "high": 1, "until": "c1"}
    for name, make in composites.COMPOSITES.items():
        assert len(make.__doc__.strip().splitlines()[0]) > 20
        takes = make.__wrapped__.__code__.co_varnames[: make.__wrapped__.__code__.co_argcount]
        found = composites.get(name, **{key: value for key, value in needed.items() if key in takes})
        assert found.name == name


ZENNITS = [
    *("EpsilonGammaBox", "EpsilonPlus", "EpsilonPlusFlat", "EpsilonAlpha2Beta1", "EpsilonAlpha2Beta1Flat"),
    *("ExcitationBackprop", "GuidedBackprop", "Deconvnet", "BetaSmooth"),
]
INNVESTIGATES = {
    "lrp.z": "zero",
    "lrp.epsilon": "epsilon",
    "lrp.z_plus": "zplus",
    "lrp.z_plus_fast": "zplus",
    "lrp.w_square": "wsquare",
    "lrp.flat": "flat",
    "lrp.alpha_1_beta_0": "alpha1_beta0",
    "lrp.alpha_2_beta_1": "alpha2_beta1",
    "lrp.sequential_preset_a": "sequential_preset_a",
    "lrp.sequential_preset_b": "sequential_preset_b",
    "lrp.sequential_preset_a_flat": "sequential_preset_a_flat",
    "lrp.sequential_preset_b_flat": "sequential_preset_b_flat",
    "lrp.sequential_preset_b_flat_until_idx": "sequential_preset_b_flat_until",
    "LRPSequentialPresetA": "sequential_preset_a",
    "deep_taylor": "deep_taylor",
    "deep_taylor.bounded": "bounded_deep_taylor",
    "BoundedDeepTaylor": "bounded_deep_taylor",
    "guided_backprop": "guided_backprop",
    "LRP-epsilon": "epsilon",
    "LRP-0": "zero",
    "z+": "zplus",
    "w²": "wsquare",
    "GammaRule": "gamma",
}


@pytest.mark.parametrize("name", ZENNITS)
def test_zennits_names_are_understood(name):
    found = composites.get((name, {"low": -1, "high": 1} if name == "EpsilonGammaBox" else {}))
    assert found.name.replace("_", "") == name.lower()


@pytest.mark.parametrize("name", INNVESTIGATES)
def test_innvestigates_names_are_understood(name):
    wanted = INNVESTIGATES[name]
    needed = {"until": "c1"} if "until" in wanted else {"low": -1, "high": 1} if "bounded" in wanted else {}
    assert composites.get((name, needed)).name == wanted


@pytest.mark.parametrize(
    ("composite", "message"),
    [
        ("epsilom", "no composite 'epsilom'; did you mean 'epsilon'"),
        ("EpsilonPlusFlatt", "epsilon_plus_flat"),
        ("magic", "there are: epsilon, zero.*or a file"),
        ("lrp", "no composite 'lrp'"),
        ("zennit", "no composite 'zennit': it is a dialect, .* give dialect='zennit'"),
        ("iNNvestigate", "it is a dialect, .* give dialect='innvestigate'"),
        ("", "no composite ''"),
        (("epsilon",), "name or"),
        (("epsilon", 3), "name or"),
        (("epsilon", {"alpha": 1}), "takes no alpha; it takes eps"),
        (("gradient", {"eps": 1}), "it takes no parameters"),
        (("epsilon", {"eps": -1}), "eps must be a positive number"),
        (("epsilon", {"eps": "much"}), "eps must be a positive number, not 'much'"),
        (("epsilon", {"eps": [1, 2]}), "eps must be a positive number, not"),
        (
            ("epsilon_gamma_box", {"low": "a", "high": 1}),
            "low must be a finite number, or one per channel, not 'a'",
        ),
        (("epsilon_gamma_box", {"low": 1, "high": -1}), "low must be below high"),
        (("gamma", {"gamma": -1}), "gamma must be 0 or more"),
        ("epsilon_gamma_box", "needs low, the least value .* high, the largest"),
        (("bounded_deep_taylor", {"low": 0}), "needs high"),
        ("sequential_preset_a_flat_until", "needs until, the name of the last node that is flat"),
        (7, "no composite 7"),
        ([], "no composite"),
        (None, "no composite None"),
        ({"base": "epsilon", "rule": {}}, "rule = {} is not understood"),
        ({"base": 3}, "base = 3"),
        ({"parameters": [1]}, "parameters"),
        ({"base": "epsilon", "dialect": "torch"}, "no dialect 'torch'; there are: zennit, captum"),
    ],
)
def test_a_wrong_composite_says_what_there_is(composite, message):
    with pytest.raises(CompositeError, match=message):
        composites.get(composite)


@pytest.mark.parametrize("rule", ["alpha_beta:2,0.5", "alpha_beta:0.5,-0.5", "AlphaBeta:1,1"])
def test_alpha_and_beta_that_do_not_conserve_are_refused_with_the_reason(rule):
    with pytest.raises(
        CompositeError, match=r"must be 1, or relevance is not conserved|must not be negative"
    ):
        composites.get(rules={"Conv": rule})


def test_a_composite_is_taken_as_it_is():
    for more in ({"eps": 3}, {"dialect": "captum"}):
        with pytest.raises(CompositeError, match="taken as it is"):
            composites.get(Composite("own", ()), **more)
    own = composites.get(Composite("own", ()), rules={"Conv": "zplus"})
    assert [rule for _, rule in own.rules] == [ZPlus()]


RULES = {
    "a dict": {"Conv": "zplus", "dense": Epsilon(0.5)},
    "pairs": [("Conv", ZPlus()), ("dense", "epsilon:0.5")],
    "texts": ["Conv=zplus", "dense = epsilon:eps=0.5"],
    "functions": {
        (lambda layer: layer.node.operator == "Conv"): "ZPlus",
        (lambda layer: layer.kind == "dense"): "Epsilon:0.5",
    },
    "a mixture": [
        ("Conv", "zplus"),
        "MatMul=epsilon:0.5",
        (lambda layer: layer.kind == "dense", Epsilon(0.5)),
    ],
}


@pytest.mark.parametrize("form", RULES)
def test_rules_in_all_their_forms(form):
    found = rules_of(net(), rules=RULES[form])
    assert {node: found[node] for node in ("c0", "c1", "h", "y", "s1")} == {
        **{"c0": "zplus", "c1": "zplus", "h": "epsilon:0.5", "y": "epsilon:0.5"},
        "s1": "norm:1e-06",  # the preset's own
    }


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (3, "rules are"),
        (None, "rules are"),
        ([3], "rules are"),
        ([("Conv", "zplus", 1)], "rules are"),
        ([(3, "zplus")], "a selector is a text or a function"),
        ({"Conv": "zpluss"}, "no rule 'zpluss'; did you mean 'zplus'?"),
        ({"Conv": 3}, "no rule '3'"),
        (["Conv"], "'Conv': a rule is SELECTOR=RULE, such as Conv=zplus"),
        ("Conv=magic", "no rule 'magic'"),
        (["Conv=epsilon:0"], "positive"),
    ],
)
def test_wrong_rules(rules, message):
    with pytest.raises(CompositeError, match=message):
        composites.get(rules=rules)


@pytest.mark.parametrize(
    ("text", "selector", "rule"),
    [
        ("Conv=zplus", "Conv", ZPlus()),
        (" Conv = epsilon:eps=0.5 ", "Conv", Epsilon(0.5)),
        ("a=b=gamma:gamma=0.1", "a=b", Gamma(0.1)),
        ("step=flat/conv=flat", "step=flat/conv", Flat()),
        ("until:a=1=flat", "until:a=1", Flat()),
        ("a=gamma:0=flat", "a=gamma:0", Flat()),
    ],
)
def test_a_rule_is_split_at_the_last_sign_before_a_rules_name(text, selector, rule):
    ((match, found), *_) = composites.get(rules=[text]).rules
    assert (match.text, found) == (selector, rule)


NARROWER = {"y": "epsilon:0.1", "*h*": "epsilon:0.2", "Gemm": "epsilon:0.3", "dense": "epsilon:0.4"}


@pytest.mark.parametrize("order", [*itertools.permutations(NARROWER)], ids=" ".join)
def test_the_narrowest_selector_wins_in_any_order(order):
    text = NET.replace("y = MatMul (rh, wb)", "k = Gemm (rh, wb) j = MatMul (k, wc) y = MatMul (j, wc)")
    found = rules_of(net(text), rules={text: NARROWER[text] for text in order})
    assert [found[node] for node in ("y", "h", "k", "j")] == [
        *("epsilon:0.1", "epsilon:0.2", "epsilon:0.3", "epsilon:0.4")
    ]


def test_of_two_alike_the_first_wins():
    assert rules_of(net(), rules=["c*=gamma:0.1", "*=zplus"])["c0"] == "gamma:0.1"
    assert rules_of(net(), rules=["*=zplus", "c*=gamma:0.1"])["c0"] == "zplus"


def test_rules_of_ones_own_come_before_those_of_a_file():
    data = {"base": "epsilon_plus", "rules": {"c0": "flat", "c1": "flat"}}
    found = rules_of(net(), composite=data, rules=["Conv=gamma:0.1"])
    assert found["c0"] == found["c1"] == "gamma:0.1"
    assert rules_of(net(), composite=data, rules=["c0=gamma:0.1"])["c1"] == "flat"


def test_parameters_by_tuple_before_those_by_keyword_before_those_of_a_file():
    data = {"base": "gamma", "parameters": {"gamma": 0.1, "eps": 1e-3}, "dialect": "captum"}
    assert str(first_rule(composites.get(data))) == "plain_gamma:0.1,eps=0.001"
    assert str(first_rule(composites.get(data, eps=1e-4, dialect="zennit"))) == "gamma:0.1,eps=0.0001"
    assert (
        str(first_rule(composites.get((data, {"eps": 1e-5}), eps=1e-4, gamma=1))) == "plain_gamma:1,eps=1e-05"
    )


def test_a_layer_without_a_rule_is_an_error_before_anything_runs():
    with pytest.raises(
        UnsupportedError,
        match=r"Relu x3 \(composite 'dense alone' has no rule for the role 'activation'\): the first is 'r0'",
    ):
        rules_of(net(), composite=NO_KIND)


def test_operators_without_a_layer_are_told_before_rules_that_meet_nothing():
    text = body("s = com.microsoft.SampleOp (x) c0 = Conv (s, w0, b0) y = ReduceMean <keepdims = 0> (c0)")
    for options in (
        {"composite": ("epsilon_gamma_box", {"low": 0, "high": 1})},
        {"rules": ["com.microsoft.SampleOp=pass"]},
    ):
        with pytest.raises(UnsupportedError, match=r"com\.microsoft\.SampleOp x1"):
            rules_of(net(text), **options)


def test_a_function_does_not_put_a_rule_where_it_does_not_fit():
    anywhere = Composite("anywhere", ((lambda layer: True, ZPlus()),))
    with pytest.raises(CompositeError, match=r"zplus: the rule is for layers of kind .*Relu 'rh' is of kind"):
        rules_of(net(), composite=anywhere)
    assert set(rules_of(net(), composite=Composite("all", ((lambda _: True, Gradient()),))).values()) == {
        "gradient"
    }


@pytest.mark.parametrize(
    "composite", [("gamma", {"gamma": 0.5}), {"base": "gamma", "parameters": {"gamma": 0.5}}]
)
def test_explain_explainer_and_compile_take_the_same(composite, tmp_path):
    wanted = Explainer(net(), composite="gamma", rules={"c1": "zplus"}).composite
    assert wanted != Explainer(net(), composite=composite, rules={"c1": "zplus"}).composite
    model, x, options = net(), x_for(), {"composite": composite, "rules": {"c1": "flat"}, "dialect": "zennit"}
    one = explainer.explain(model, x, **options)
    two = Explainer(model, **options).explain(x)
    np.testing.assert_array_equal(one.relevance, two.relevance)
    path = tmp_path / "compiled.onnx"
    explainer.compile(model, path, **options)
    *_, compiled = run(path.read_bytes(), {"x": x})
    assert relative(compiled, one.relevance) < 1e-4
    assert relative(compiled, Explainer(model).explain(x).relevance) > 1e-2


def test_a_path_is_a_file(tmp_path):
    path = Path(tmp_path / "own.json")
    path.write_text('{"base": "epsilon_plus", "rules": {"first": "flat"}}', encoding="utf-8")
    for form in (path, str(path), (path, {"eps": 0.5})):
        found = rules_of(net(), composite=form)
        assert found["c0"] == "flat"
        assert found["c1"] == "zplus"
        assert found["y"] == ("epsilon:0.5" if isinstance(form, tuple) else "epsilon:1e-06")


def test_a_preset_that_makes_no_composite_is_told_so(monkeypatch):
    monkeypatch.setattr(composites.base, "COMPOSITES", {})

    def mine(dialect):
        return None

    made = composites.preset(mine)
    with pytest.raises(CompositeError, match=r"composite 'mine': .*mine returned None, not a Composite"):
        made(composites.dialect(None))

    def broken(dialect):
        raise ValueError("no luck")

    monkeypatch.setitem(composites.COMPOSITES, "broken", broken)
    with pytest.raises(CompositeError, match=r"^composite 'broken': no luck"):
        composites.get("broken")
