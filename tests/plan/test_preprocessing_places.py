"""What is normalisation in front of a first layer and what is none, and what its rules are told of it."""

import numpy as np
import pytest
from building import parse, relative, rng
from normalised import (
    AS_IS,
    BODY,
    BYTES,
    CONSTANTS,
    FORMS,
    MEAN,
    REVERSED,
    STD,
    UNPADDED,
    WEIGHTS,
    given,
    inside,
    normal,
    picture,
)

from explainer import CompositeError, Explainer
from explainer.rules import Epsilon, Rule, ZBox

each_form = pytest.mark.parametrize("form", FORMS)


def rules_of(text: str, composite="epsilon_plus_flat", **more) -> dict[str, str]:
    model = parse(text, **WEIGHTS, **CONSTANTS, **{"k8": rng(6).standard_normal((8, 8, 3, 3))})
    return {
        step.node.name: str(step.rule) for step in Explainer(model, composite=composite, **more).plan.steps
    }


HEAD = "g (float[N,3,12,12] x) => (float[N,3] y) {"


def test_a_bias_and_a_scale_behind_the_first_layer_are_a_bias_and_a_scale():
    text = f"""{HEAD} a = Sub(x, mean) n = Div(a, std) c = Conv(n, k) v = Add(c, one) u = Mul(v, one)
        r = Relu(u) d = Conv(r, l) p = GlobalAveragePool(d) f = Flatten(p) y = MatMul(f, w) }}"""
    rules = rules_of(text)
    assert {rules["a"], rules["n"]} == {"pass"}
    assert rules["v"].startswith("norm") and rules["u"].startswith("epsilon")


def two_inputs(shortcut: str, head: str = "") -> tuple:
    """A net with a shortcut from before or behind its normalisation, and the same fed with both."""
    tail = f"""c = Conv<pads=[1,1,1,1]>(n, k3) r = Relu(c) j = {shortcut}
        p = GlobalAveragePool(j) f = Flatten(p) y = MatMul(f, w3) }}"""
    weights = {"k3": rng(7).standard_normal((3, 3, 3, 3)), "w3": rng(8).standard_normal((3, 3))}
    front = "g (float[N,3,12,12] x) => (float[N,3] y) { a = Sub(x, mean) n = Div(a, std)"
    apart = "g (float[N,3,12,12] x, float[N,3,12,12] n) => (float[N,3] y) {"
    return parse(front + tail, **weights, **CONSTANTS), parse(apart + tail, **weights)


@pytest.mark.parametrize(
    "shortcut", ["Add(r, x)", "Add(r, n)", "Concat<axis=1>(r, n)", "Mul(r, n)", "Sub(n, r)"]
)
def test_shortcuts_get_what_they_get_with_the_normalisation_outside(shortcut):
    if "Concat" in shortcut:
        shortcut = "Concat<axis=2>(r, n)"
    model, apart = two_inputs(shortcut)
    x = picture()
    found = Explainer(model, composite="epsilon_plus_flat", dtype="float64").explain(given(x, AS_IS), 1)
    feeds = {"x": given(x, AS_IS), "n": normal(x)}
    if "x" not in shortcut:
        feeds.pop("x")
        apart.graph.input.remove(apart.graph.input[0])
    wanted = Explainer(apart, composite="epsilon_plus_flat", dtype="float64").explain(
        feeds if len(feeds) > 1 else feeds["n"], 1
    )
    maps = wanted.relevance.values() if len(feeds) > 1 else [wanted.relevance]
    assert relative(found.relevance, sum(maps)) < 1e-6


def test_two_first_layers_read_one_normalised_input():
    text = f"""{HEAD} a = Sub(x, mean) n = Div(a, std) c = Conv(n, k) d = Conv(n, k) e = Add(c, d)
        p = GlobalAveragePool(e) h = Conv(p, k1) f = Flatten(h) y = MatMul(f, w) }}"""
    constants = {"k1": rng(9).standard_normal((4, 8, 1, 1))}
    model = parse(text, **WEIGHTS, **CONSTANTS, **constants)
    alone = parse(
        text.replace(" x)", " n)").replace("a = Sub(x, mean) n = Div(a, std)", ""), **WEIGHTS, **constants
    )
    options = {"composite": "epsilon_plus_flat", "dtype": "float64"}
    found = Explainer(model, **options).explain(given(picture(), AS_IS), 1)
    wanted = Explainer(alone, **options).explain(normal(picture()), 1)
    assert relative(found.relevance, wanted.relevance) < 1e-6


def test_a_sum_of_two_inputs_is_no_normalisation():
    text = """g (float[N,3,12,12] x, float[N,3,12,12] z) => (float[N,3] y) { s = Sub(x, z) n = Div(s, std)
        c = Conv(n, k) d = Conv(c, l) p = GlobalAveragePool(d) f = Flatten(p) y = MatMul(f, w) }"""
    rules = rules_of(text)
    assert rules["s"].startswith("norm") and rules["n"].startswith("epsilon")


def test_several_inputs_are_normalised_each_for_itself():
    text = """g (float[N,3,12,12] x, float[N,4] v) => (float[N,3] y) { a = Sub(x, mean) n = Div(a, std)
        c = Conv(n, k) p = GlobalAveragePool(c) f = Flatten(p) m = Mul(v, one) q = MatMul(m, w44)
        j = Concat<axis=1>(f, q) y = MatMul(j, w12) }"""
    extra = {"w44": rng(1).standard_normal((4, 4)), "w12": rng(2).standard_normal((12, 3))}
    model = parse(text, **WEIGHTS, **CONSTANTS, **extra)
    steps = Explainer(model, composite="recommended").plan.steps
    rules = {step.node.name: str(step.rule) for step in steps}
    assert {rules["a"], rules["n"]} == {"pass"}
    assert rules["m"].startswith("epsilon")  # its first layer is dense, and multiplies by what it reads
    assert {step.node.name for step in steps if step.prepares} == {"a", "n"}


def test_a_rule_by_the_nodes_name_is_what_was_asked_for():
    found = Explainer(inside("Sub, Div"), composite="epsilon_plus_flat", rules={"a": "epsilon:1e-3"}).plan
    rules = {step.node.name: str(step.rule) for step in found.steps}
    assert rules["a"] == "epsilon:0.001" and rules["n"] == "pass"


def test_a_rule_of_ones_own_that_does_not_multiply_has_it_too():
    class Even(Rule):
        """One half of R, wherever."""

        def __call__(self, layer, x, R):
            raise NotImplementedError

    for rule, prepares in ((Even(), True), (Epsilon(1e-3), False)):
        plan = Explainer(inside("Sub, Div"), rules=[("first", rule)]).plan
        assert any(step.prepares for step in plan.steps) == prepares


@pytest.mark.parametrize("rule", ["epsilon:1e-3", "flat", "zplus", "gamma:0.25", "zbox:0,1", "wsquare"])
@pytest.mark.parametrize("form", ["depthwise", "reversing Conv"])
def test_a_convolution_that_scales_has_the_rule_that_its_name_was_given(form, rule):
    name = FORMS[form][0].split()[0]
    plan = Explainer(inside(form), composite="epsilon_plus_flat", rules={name: rule}).plan
    (found,) = (step for step in plan.steps if step.node.name == name)
    assert not found.prepares and str(found.rule).split(":")[0] == rule.split(":")[0]


def first_of(text: str, **weights) -> list[str]:
    model = parse(f"g (float[N,3,12,12] x) => (float[N,3] y) {{ {text}", **WEIGHTS, **CONSTANTS, **weights)
    return [
        step.node.name
        for step in Explainer(model, composite="epsilon_plus_flat").plan.steps
        if step.layer.place.first
    ]


@pytest.mark.parametrize(
    ("front", "first"),
    [
        ("n = Conv<group=3>(x, scales, shifts) c = Conv(n, k3)", "c"),
        ("a = Conv<group=3>(x, scales) n = Conv(a, diagonal_3311) c = Conv(n, k3)", "c"),
        ("a = Conv<group=3>(x, scales) c = Conv(a, diagonal_3311)", "c"),  # it has no other behind it
        ("c = Conv<group=3>(x, scales, shifts)", "c"),
        ("c = Conv(x, mixing)", "c"),
        ("c = Conv<group=3, strides=[2,2]>(x, scales) n = Conv(c, k3)", "c"),
        ("c = Conv<group=3, pads=[1,1,1,1]>(x, scales) n = Conv(c, k3)", "c"),
        ("c = Conv(x, half_of_it) n = Conv(c, k3)", "c"),  # one channel of it is nothing
        ("c = Conv(x, summed) n = Conv(c, k3)", "c"),  # one channel of it is two
        ("r = Neg(x) c = Conv(r, k3) n = Conv<group=3>(c, scales)", "c"),  # behind weights it is one of them
    ],
)
def test_where_the_first_layer_lies(front, first):
    half = np.diag([1.0, 0, 2]).reshape(3, 3, 1, 1)
    k3, mixing = rng(1).standard_normal((3, 3, 3, 3)), rng(2).standard_normal((3, 3, 1, 1))
    text = f"{front} p = GlobalAveragePool({front.split(' = ')[-2].split()[-1]}) y = Flatten(p) }}"
    summed = np.array([[1.0, 2, 0], [0, 0, 3], [0, 0, 0]]).reshape(3, 3, 1, 1)
    assert first_of(text, k3=k3, mixing=mixing, half_of_it=half, summed=summed) == [first]


def test_to_rules_that_multiply_it_is_a_layer_with_weights():
    for composite in ("epsilon", "gamma", "alpha2_beta1"):
        plan = Explainer(inside("depthwise twice"), composite=composite).plan
        assert [step.node.name for step in plan.steps if step.layer.place.first] == ["a"]
        assert {step.layer.kind.name for step in plan.steps if step.node.name in "an"} == {"convolution"}


def test_the_plan_says_what_is_preprocessing():
    told = str(Explainer(inside("Transpose first"), composite="epsilon_plus_flat").plan).splitlines()[1]
    nodes = "Transpose 't', Sub 'a', Div 'n'"
    assert told == f"preprocessing in the file, through which relevance goes unchanged: {nodes}"


# The box: its bounds are those of the model's input, and go through its preprocessing.


def box_of(model, **options) -> ZBox:
    (box,) = (step.rule for step in Explainer(model, **options).plan.steps if isinstance(step.rule, ZBox))
    return box


@each_form
def test_bounds_of_the_models_input_become_those_of_what_the_layer_reads(form):
    how = FORMS[form][1]
    high = 255 if how == BYTES else 1
    box = box_of(inside(form, UNPADDED), composite=("epsilon_gamma_box", {"low": 0, "high": high}))
    np.testing.assert_allclose(box.low, -MEAN / STD, rtol=1e-6)
    np.testing.assert_allclose(box.high, (1 - MEAN) / STD, rtol=1e-6)


@pytest.mark.parametrize("form", ["Sub, Div", "Transpose first", "Transpose last", "Gather", "Slice"])
def test_bounds_by_channel_are_those_of_the_inputs_channels(form):
    low, high = np.array([0.125, 0.25, 0.0]), np.array([1.0, 0.5, 0.75])
    turned = slice(None, None, -1 if FORMS[form][1] == REVERSED else 1)
    limits = {"low": tuple(low[turned]), "high": tuple(high[turned])}
    box = box_of(inside(form), composite=("epsilon_gamma_box", limits))
    np.testing.assert_allclose(box.low, (low - MEAN) / STD, rtol=1e-6)
    np.testing.assert_allclose(box.high, (high - MEAN) / STD, rtol=1e-6)


def test_a_negative_scale_exchanges_the_ends():
    text = f"{HEAD} a = Neg(x) n = Mul(a, inverse) {BODY}"
    box = box_of(parse(text, **WEIGHTS, **CONSTANTS), composite=("epsilon_gamma_box", {"low": 0, "high": 1}))
    np.testing.assert_allclose(box.low, -1 / STD)
    np.testing.assert_allclose(box.high, [0, 0, 0])


def test_bounds_that_only_a_run_tells_are_asked_for():
    text = f"""g (float[N,3,H,W] x) => (float[N,3] y) {{ a = Sub(x, mean) q = Reshape(a, flat) n = Div(q, std)
        {BODY}"""
    model = parse(text, **WEIGHTS, **CONSTANTS, flat=np.array([-1, 3, 12, 12]))
    with pytest.raises(CompositeError, match=r"Conv 'c' reads 'n'.*what only a run tells.*\"c=zbox:-1,1\""):
        box_of(model, composite=("epsilon_gamma_box", {"low": 0, "high": 1}))
    assert box_of(model, rules={"c": "zbox:-1,1"}) == ZBox(-1, 1)
    # Of a size that is open, too, where nothing depends on it.
    free = parse(
        text.replace("q = Reshape(a, flat)", "q = Relu(a)").replace("Relu(a)", "Neg(a)"),
        **WEIGHTS,
        **CONSTANTS,
    )
    np.testing.assert_allclose(
        box_of(free, composite=("epsilon_gamma_box", {"low": 0, "high": 1})).high, MEAN / STD
    )
