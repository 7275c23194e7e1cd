"""Declaring operators and kinds: names that nodes have, one layer each, roles that composites choose by."""

import pickle
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
import pytest
from building import IR_VERSION, NEWEST, parse, rng

import explainer
from explainer import CompositeError, Explainer, RegistrationError, UnsupportedError, composites
from explainer.layers import KINDS, REGISTRY, Kind, Layer, facts_of, kinds, register
from explainer.model.operators import FACTS, NOTHING_KNOWN, Facts, checked, never_negative
from explainer.rules import Handed, Rule

# An operator of somebody else's: its body is a function of the file, so that onnxruntime can run it.
SCALED = f"""
    <ir_version: {IR_VERSION}, opset_import: ["": {NEWEST}, "com.example": 1]>
    g (float[N,3] x) => (float[N,2] y) {{ h = com.example.MyScale (x) y = Gemm (h, w) }}
    <domain: "com.example", opset_import: ["": {NEWEST}]>
    MyScale (a) => (b) {{ two = Constant <value_float = 2.0> () b = Mul (a, two) }}
"""


@pytest.fixture(autouse=True)
def forgotten():
    """Registries that forget what a test declares."""
    registries = (REGISTRY, KINDS, composites.ROLES)
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


def scaled() -> onnx.ModelProto:
    return parse(SCALED, w=rng(1).standard_normal((3, 2)))


def my_scale(kind: Kind) -> type[Layer]:
    """x doubled, as a layer of some kind."""

    class MyScale(Layer):
        def forward(self, x, p):
            return x * 2

        def transpose(self, s, at):
            return s * 2

    MyScale.kind = kind
    return MyScale


X = rng(2).standard_normal((2, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["com.example.MyScale", "com.example::MyScale"])
def test_a_domain_is_written_either_way(name):
    assert [step.node.operator for step in Explainer(scaled()).plan.steps][1] == "Mul"  # its body's
    register(name)(my_scale(kinds.SCALE))
    found = explainer.explain(scaled(), X, dtype="float64", rules={name: "epsilon:0.5"})
    assert found.audit[1].rule == "epsilon:0.5"
    assert "com.example.MyScale" in explainer.supported()


@pytest.mark.parametrize("name", ["Relu", "ai.onnx.Relu", "ai.onnx::Relu"])
def test_a_second_registration_is_refused_unless_it_is_meant(name):
    with pytest.raises(RegistrationError) as caught:
        register(name)(my_scale(kinds.SCALE))
    assert (
        "Relu has a layer already, explainer.layers.activations.Relu: register('Relu', replace=True)"
        in str(caught.value)
    )
    assert REGISTRY["Relu"].__module__ == "explainer.layers.activations"
    mine = register(name, replace=True)(my_scale(kinds.SCALE))
    assert REGISTRY["Relu"] is mine


def test_nothing_is_registered_where_one_name_is_refused():
    with pytest.raises(RegistrationError, match="Relu has a layer already"):
        register("Det", "Relu")(my_scale(kinds.SCALE))
    assert "Det" not in REGISTRY


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Rellu", r"no operator 'Rellu': did you mean Relu"),
        ("ai.onnx.Rellu", "did you mean Relu"),
        ("relu", "did you mean .*Relu"),
        ("MyScale", "one of your own has its domain in front, such as com.example.MyScale"),
        ("ai.onnx.ml.Scalerr", "in ai.onnx.ml: did you mean Scaler"),
        ("", "cannot be an operator's name"),
        (".Relu", "cannot be an operator's name"),
        ("Relu.", "cannot be an operator's name"),
        ("com..MyScale", "cannot be an operator's name"),
        ("com.example:MyScale", "cannot be an operator's name"),
        (" Relu", "cannot be an operator's name"),
        ("My Scale", "cannot be an operator's name"),
        ("com.example.", "cannot be an operator's name"),
        (3, "cannot be an operator's name"),
    ],
)
def test_a_name_that_no_node_can_have(name, message):
    with pytest.raises(RegistrationError, match=message):
        register(name)


@pytest.mark.parametrize("name", ["com.microsoft.FusedConv", "my-domain.v1::Op", "ai.onnx.ml.Scaler"])
def test_other_domains_are_taken_as_they_are(name):
    assert checked(name) == name.replace("::", ".")


def test_every_operator_of_ours_is_one_of_onnx():
    assert [checked(name) for name in (*REGISTRY, *FACTS)] == [*REGISTRY, *FACTS]
    assert not set(REGISTRY) & set(FACTS), "what has a layer says its facts there"


@pytest.mark.parametrize("kind", ["sum", None, Kind("sum", "another of this name")])
def test_a_kind_is_a_kind_and_its_name_is_its_own(kind):
    with pytest.raises(RegistrationError, match=r"its kind is .* take one from explainer\.layers\.kinds"):
        register("com.example.MyScale")(my_scale(kind))
    assert "com.example.MyScale" not in REGISTRY
    assert KINDS["sum"] is kinds.SUM


def test_a_layer_without_a_kind():
    with pytest.raises(RegistrationError, match="its kind is None, no Kind"):
        register("com.example.MyScale")(type("Kindless", (Layer,), {}))


@pytest.mark.parametrize("name", ["", "Sum", "two words", "linear", "shares", "weighted"])
def test_what_a_kind_cannot_be_called(name):
    with pytest.raises(RegistrationError, match="cannot be a kind's name"):
        Kind(name, "?")


def test_a_kind_is_a_value_and_equals_its_name():
    assert pickle.loads(pickle.dumps(kinds.PRODUCT)) == kinds.PRODUCT
    assert {kinds.SUM, Kind("sum", kinds.SUM.meaning, linear=True, shares=True)} == {"sum"}
    assert Kind("sum", "something else") != kinds.SUM
    assert kinds.SUM == "sum" != kinds.PRODUCT
    assert kinds.CONVOLUTION.words == {"convolution", "weighted", "linear", "shares"}


THRESHOLD = Kind("threshold", "what exceeds a level")


@dataclass(frozen=True)
class Keep(Rule):
    """R_in = R, on layers of a kind that no rule of ours is for."""

    kinds: ClassVar = frozenset({"threshold"})

    def __call__(self, layer, x, R):
        return Handed(R.value, R.factor)


def test_a_role_without_a_rule_is_refused_by_its_name():
    register("com.example.MyScale")(my_scale(THRESHOLD))
    for composite in ("epsilon", "recommended", "captum"):
        with pytest.raises(UnsupportedError) as caught:
            Explainer(scaled(), composite=composite).plan  # noqa: B018
        wanted = f"com.example.MyScale x1 (composite '{composite}' has no rule for the role 'threshold'): 'h'"
        assert wanted in str(caught.value)


def test_a_kind_of_ones_own_with_a_rule_of_ones_own():
    register("com.example.MyScale")(my_scale(THRESHOLD))
    by_rule = explainer.explain(scaled(), X, rules={"threshold": Keep()}, eps=1e-9)
    np.testing.assert_allclose(by_rule.conserved, 1, rtol=1e-5)
    composites.ROLES["threshold"] = lambda dialect, eps: Keep()
    for composite in ("epsilon", "recommended", "captum"):
        plan = Explainer(scaled(), composite=composite).plan
        assert [str(step.rule) for step in plan.steps][1] == "keep"
    with pytest.raises(
        CompositeError, match="the rule is for layers of kind threshold; Gemm 'y' is of kind dense"
    ):
        Explainer(scaled(), rules={"Gemm": Keep()}).plan  # noqa: B018
    assert str(Explainer(scaled(), method="gradient").plan.steps[1].rule) == "gradient"


def test_rules_fit_a_new_kind_by_what_it_is_able_to():
    register("com.example.MyScale")(my_scale(Kind("gain", "a factor that is no weight", one_to_one=True)))
    plan = Explainer(scaled(), rules={"gain": "pass"}).plan
    assert str(plan.steps[1].rule) == "pass"
    with pytest.raises(CompositeError) as caught:
        Explainer(scaled(), rules={"gain": "zplus"}).plan  # noqa: B018
    assert "com.example.MyScale 'h' is of kind gain (a factor that is no weight)" in str(caught.value)


def test_an_operator_that_is_cut_is_not_on_the_path():
    model = parse("g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w) y = Softmax (h) }", w=np.ones((3, 2)))
    with pytest.raises(
        CompositeError, match=r"at the end of a model relevance starts before a Softmax \(probability\)"
    ):
        Explainer(model, rules={"Softmax": "pass"}).plan  # noqa: B018


def test_what_is_known_of_an_operator_stays_known_where_a_layer_says_nothing():
    class ArgMax(Layer):
        kind = kinds.ACTIVATION

    register("ArgMax")(ArgMax)
    assert facts_of("ArgMax").chooses == "scores"
    ArgMax.facts = Facts(sign=never_negative)
    assert facts_of("ArgMax").chooses == ""
    assert facts_of("com.example.Unheard") is NOTHING_KNOWN


@pytest.mark.parametrize("thing", [int, 3, "MyScale", Rule, lambda x: x])
def test_what_is_no_layer(thing):
    with pytest.raises(RegistrationError, match=r"is no layer: .* derives from explainer\.layers\.Layer"):
        register("com.example.MyScale")(thing)
    assert "com.example.MyScale" not in REGISTRY


def test_no_operator_is_named():
    with pytest.raises(RegistrationError, match="name the operator"):
        register()
    with pytest.raises(RegistrationError, match="cannot be an operator's name: it is Relu, com"):
        register(my_scale(kinds.SCALE))


@pytest.mark.parametrize(
    ("name", "method", "message"),
    [
        ("forward", lambda self, x: x, r"MyScale\.forward\(self, x\): it is called as forward\(self, x, p\)"),
        ("transpose", lambda self, s: s, r"it is called as transpose\(self, s, at\); see docs/adding-an"),
        ("derivative", lambda self, x: x, r"it is called as derivative\(self, x, p\)"),
        ("bias_share", lambda self, s: s, r"it is called as bias_share\(self, s, at\)"),
    ],
)
def test_methods_of_a_layer_that_cannot_be_called(name, method, message):
    layer = my_scale(kinds.SCALE)
    setattr(layer, name, method)
    with pytest.raises(RegistrationError, match=message):
        register("com.example.MyScale")(layer)
    setattr(layer, name, lambda self, *values: values[0])
    register("com.example.MyScale")(layer)
