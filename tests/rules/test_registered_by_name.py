"""Rules and composites become known by name; what is none is refused."""

import pytest

import explainer
from explainer import CompositeError, RegistrationError
from explainer.composites import COMPOSITES, preset
from explainer.rules import RULES, Epsilon, Pass, Rule, ZPlus, parse, register
from explainer.rules.text import FOLDED


@pytest.fixture
def registries():
    """Rules and composites, afterwards as they were."""
    before = [(registry, dict(registry)) for registry in (RULES, FOLDED, COMPOSITES)]
    yield
    for registry, entries in before:
        registry.clear()
        registry.update(entries)


def test_a_rule_is_known_by_its_name_once_registered(registries):
    @register
    class MyOwn(Pass):
        """Another's."""

    assert parse("my_own") == MyOwn() and RULES["my_own"] is MyOwn
    with pytest.raises(RegistrationError, match=r"a rule 'my_own' already, .*MyOwn: .*replace=True"):
        register(type("My_Own", (Pass,), {}))
    other = register(type("MyOwn", (Pass,), {}), replace=True)
    assert type(parse("MyOwn")) is other
    with pytest.raises(RegistrationError, match=r"'epsilon' already, explainer.rules.linear.Epsilon"):
        register(type("Epsilon", (Rule,), {}))
    assert type(parse("epsilon")) is Epsilon


def test_a_composite_is_known_by_its_name_once_registered(registries):
    @preset
    def my_own(dialect, eps: float = 0.1):
        return explainer.composites.get("epsilon", dialect=dialect, eps=eps)

    assert explainer.composites.get("MyOwn", eps=0.5).name == "my_own"
    with pytest.raises(
        RegistrationError, match=r"a composite 'my_own' already, of .*test_registered_by_name"
    ):
        preset(my_own)

    def MyOwn(dialect):
        return explainer.composites.get("gamma", dialect=dialect)

    preset(MyOwn, replace=True)
    assert explainer.composites.get("my_own").name == "MyOwn" and "my_own" not in COMPOSITES


@pytest.mark.parametrize("thing", [int, ZPlus(), "zplus", None])
def test_what_is_no_rule(registries, thing):
    before = dict(RULES)
    with pytest.raises(RegistrationError, match=r"is no rule, .* derives from explainer\.rules\.Rule"):
        register(thing)
    with pytest.raises(RegistrationError, match="'two words' is no name of a rule"):
        register(type("Named", (Pass,), {"name": classmethod(lambda cls: "two words")}))
    assert before == RULES


def without_dialect(eps=1e-6):
    return explainer.composites.get("epsilon", eps=eps)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (without_dialect, r"without_dialect does not take `dialect` as its first parameter; write @comp"),
        ("mine", "'mine' is no function; write @composites"),
        (lambda dialect: None, "'<lambda>' is no name of a composite"),
        (explainer.composites.get("epsilon"), r"is no function; write"),
    ],
)
def test_what_is_no_preset(registries, thing, message):
    before = dict(COMPOSITES)
    with pytest.raises(RegistrationError, match=message):
        preset(thing)
    assert before == COMPOSITES


def test_a_preset_that_makes_no_composite_and_one_that_needs_something(registries):
    @preset
    def nothing(dialect):
        """Nothing."""

    with pytest.raises(
        CompositeError, match=r"composite 'nothing': .*nothing returned None, not a Composite"
    ):
        explainer.composites.get("nothing")

    @preset
    def needy(dialect, strength):
        """ε, of some strength."""
        return explainer.composites.get("epsilon", dialect=dialect, eps=strength)

    with pytest.raises(CompositeError, match="composite 'needy' needs strength"):
        explainer.composites.get("needy")
    assert explainer.composites.get("needy", strength=0.5).name == "needy"
