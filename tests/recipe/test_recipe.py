"""A recipe as a value: equal when equal, hashable, picklable, and written as Python makes it again."""

import inspect
import pickle
import re

import numpy as np
import pytest
from branching import net, x_for

import explainer
from explainer import CompositeError, Explainer, InputError, Recipe, explain
from explainer.composites import COMPOSITES, OF_METHODS
from explainer.methods import METHODS, Noise
from explainer.recipe import Options, Settings, option_names
from explainer.rules import Gamma

RECIPES = [
    Recipe(),
    Recipe(composite="epsilon_plus", eps=0.1, dialect="zennit"),
    Recipe(composite=("gamma", {"gamma": 0.1}), rules={"Conv": "zplus", "/layer1/*": Gamma(0.1)}),
    Recipe(composite={"base": "gamma", "rules": ["Conv=zplus"]}, keep="all", dtype="float64"),
    Recipe(rules=["Conv=zplus"], keep=["a", "b"]),
    Recipe(
        method="integrated_gradients", options={"n_steps": 20, "baseline": np.array([0.5, 1], np.float32)}
    ),
    Recipe(method="occlusion", options={"window": (2, 3), "baseline": {"x": np.zeros((1, 2))}}),
    Recipe(method="grad_cam", noise=("smoothgrad", {"n_samples": 3}), engine="numpy"),
    Recipe(composite=explainer.composites.get("recommended", rules={"Conv": "zplus"})),
    Recipe(composite=explainer.composites.get("guided_backprop", dialect="zennit")),
    Recipe(composite=explainer.composites.get("epsilon_gamma_box", low=(-1.0, -2.0), high=(1.0, 2.0))),
    Recipe(eps=float("inf"), options={"gamma": float("-inf")}),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
def test_a_recipe_is_a_value(recipe):
    names = {"np": np, **vars(explainer.rules), **vars(explainer.composites), "Recipe": Recipe}
    for again in (eval(repr(recipe), names), pickle.loads(pickle.dumps(recipe)), recipe.replace()):
        assert again == recipe and hash(again) == hash(recipe) and repr(again) == repr(recipe)
    assert "\n" not in repr(recipe)
    assert [other == recipe for other in RECIPES].count(True) == 1
    with pytest.raises(AttributeError):
        recipe.eps = 1


def test_what_says_the_same_is_equal():
    assert Recipe(dtype=np.float64) == Recipe(dtype="float64")
    assert Recipe(keep={"b", "a"}) == Recipe(keep=["a", "b"]) and Recipe(keep="a") == Recipe(keep=["a"])
    assert Recipe(rules={"Conv": "zplus"}) == Recipe(rules=[("Conv", "zplus")])
    assert Recipe(rules=[("a", "zplus"), ("b", "flat")]) != Recipe(rules=[("b", "flat"), ("a", "zplus")])
    assert Recipe(options={"low": 1, "high": 2}) == Recipe.of({"high": 2, "low": 1})
    assert Recipe().replace(eps=0.1) == Recipe(eps=0.1) != Recipe(eps=0.2)


def test_keywords_make_the_same_recipe():
    model = net()
    said = {
        "composite": "gamma",
        "gamma": 0.3,
        "keep": ["c1"],
        "dtype": "float64",
        "rules": {"Gemm": "zplus"},
    }
    made = Explainer(model, **said)
    assert made.recipe == Recipe(
        composite="gamma", keep=["c1"], dtype="float64", rules={"Gemm": "zplus"}, options={"gamma": 0.3}
    )
    other = Explainer(model, recipe=made.recipe)
    assert other.how == made.how == {"rules": "Gemm=zplus", "gamma": "0.3"}
    found, wanted = other.explain(x_for()), explain(model, x_for(), **said)
    np.testing.assert_array_equal(found.relevance, wanted.relevance)
    np.testing.assert_array_equal(found.relevances["c1"], wanted.relevances["c1"])


def test_a_recipe_compiles_as_it_explains():
    recipe = Recipe(composite="epsilon_plus", keep=["c1"])
    made = explainer.compile(net(), recipe=recipe, target=explainer.Ask(2))
    assert [value.name for value in made.graph.output] == ["y", "relevance", "relevance/c1"]
    with pytest.raises(InputError, match="a file walks in float32, not float64; leave dtype out"):
        explainer.compile(net(), recipe=recipe.replace(dtype="float64"))


def test_a_recipe_with_more_beside_it_is_refused():
    with pytest.raises(InputError, match="it says how; eps, gamma beside it"):
        Explainer(net(), recipe=Recipe(), eps=0.1, gamma=0.2)
    with pytest.raises(InputError, match="it says how; dtype beside it"):  # though it is the default
        Explainer(net(), recipe=Recipe(dtype="float64"), dtype="float32")
    assert Explainer(net(), recipe=Recipe(eps=0.1), composite=None).recipe == Recipe(eps=0.1)
    with pytest.raises(InputError, match=r"recipe: an explainer\.Recipe, not 'gamma'"):
        Explainer(net(), recipe="gamma")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"compsite": "gamma"}, "method 'lrp' takes no compsite; did you mean composite?"),
        ({"n_step": 3}, "method 'lrp' takes no n_step; n_steps is an option of integrated_gradients"),
        ({"n_steps": 3}, "method 'lrp' takes no n_steps; it is an option of integrated_gradients"),
        ({"n_samples": 3}, "method 'lrp' takes no n_samples; it is an option of gradient_shap, noise 'smoo"),
        ({"gama": 3}, "method 'lrp' takes no gama; did you mean gamma?"),
        (
            {"method": "occlusion", "gama": 3},
            "method 'occlusion' takes no gama; it takes groups, baseline, batch_size, window, stride, hold; "
            "gamma is an option of composite 'gamma'",
        ),
        ({"noise": "smoothgrad", "n_sample": 3}, "method 'lrp' takes no n_sample; did you mean n_samples?"),
        ({"preproces": {}}, "method 'lrp' takes no preproces; did you mean preprocess?"),
        ({"method": "gradient", "zzz": 1}, "takes no zzz; onnx-lrp methods and composites list the options"),
        (
            {"method": "deeplift", "basline": 1},
            "method 'deeplift' takes no basline; it takes baseline, hold; did you mean baseline?",
        ),
        ({"options": {"eps": 1}}, "options: eps belongs beside them"),
        ({"options": {"gamma": 1}, "gamma": 1}, "options: gamma is said beside them too"),
        ({"options": 3}, "options: a dict of option -> value, not 3"),
        ({"engine": "warp"}, "engine is 'warp'"),
        ({"dtype": "float16"}, "dtype is 'float32' or 'float64'"),
    ],
)
def test_what_nothing_reads_is_refused(said, message):
    for door in (Explainer, lambda model, **how: explain(model, x_for(), **how), explainer.compile):
        with pytest.raises(InputError, match=re.escape(message)):
            door(net(), **said)


def test_options_can_be_given_in_a_dict():
    assert Recipe.of({"composite": "gamma", "options": {"gamma": 2}}) == Recipe.of(
        {"composite": "gamma", "gamma": 2}
    )


def test_the_options_with_names_are_those_of_methods_and_presets():
    there = set()
    for method in (*METHODS.values(), Noise):
        there |= set(method.options()) - {"kind", "around"}
    for preset in (COMPOSITES | OF_METHODS).values():
        there |= inspect.signature(preset).parameters.keys() - {"dialect", "eps"}
    assert set(Options.__annotations__) == there == set(option_names())
    fields = set(inspect.signature(Recipe).parameters)
    assert Settings.__annotations__.keys() - Options.__annotations__.keys() == fields | {"recipe"}
    assert not fields & Options.__annotations__.keys()


def test_options_of_a_method_that_is_registered_later_are_known(monkeypatch):
    monkeypatch.setitem(
        METHODS, "louder", type("Louder", (Noise,), {"options": classmethod(lambda _: ["volume"])})
    )
    assert "volume" in option_names()


def test_a_composites_file_is_read_when_the_recipe_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.toml"
    path.write_text('base = "gamma"\nparameters = {gamma = 0.5}\n[rules]\nGemm = "zplus"\n')
    recipes = [Recipe(composite=name) for name in (path, "mine.toml")]
    path.unlink()
    data = {"base": "gamma", "parameters": {"gamma": 0.5}, "rules": {"Gemm": "zplus"}}
    assert recipes[0] == recipes[1] == Recipe(composite=data)
    assert str(tmp_path) not in repr(recipes[0])
    assert Explainer(net(), recipe=recipes[0]).composite.name == "gamma"
    with pytest.raises(CompositeError, match=r"mine\.toml cannot be read"):
        Recipe(composite="mine.toml")


def own_match(layer):
    return layer.kind == "dense"


def test_functions_that_choose_layers_are_pickled_by_their_names():
    recipe = Recipe(rules=[(own_match, "zplus")])
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    for said in (
        {"rules": {lambda layer: layer.kind == "dense": "zplus"}},
        {"rules": [(lambda layer: layer.kind == "dense", "zplus")]},
    ):
        with pytest.raises(CompositeError, match=r"rules: .*lambda.*can be pickled where.*selectors"):
            pickle.dumps(Recipe(**said))
        assert Explainer(net(), **said).plan


def test_an_option_is_replaced_as_a_field_is():
    recipe = Recipe(method="integrated_gradients", options={"n_steps": 20, "baseline": 0.5})
    assert recipe.replace(n_steps=3).options == {"n_steps": 3, "baseline": 0.5}
    assert recipe.replace(options={"n_steps": 3}).options == {"n_steps": 3}
    assert recipe.replace(n_steps=3, dtype="float64").dtype == "float64"
    for door in (recipe.replace, lambda **how: Recipe.of({"recipe": recipe} | how)):
        with pytest.raises(InputError, match="options: n_steps is said beside them too"):
            door(options={"n_steps": 3}, n_steps=3)
    with pytest.raises(InputError, match=r"takes no compsite.*did you mean composite\?"):
        recipe.replace(compsite="gamma")


@pytest.mark.parametrize(
    ("door", "name", "who"),
    [
        (explainer.compile, "preprocess", "Explainer or explain"),
        (Explainer, "target", "explain or compile"),
        (Explainer, "image_size", "compile"),
    ],
)
def test_what_another_door_takes_is_said_to_be_its(door, name, who):
    with pytest.raises(InputError, match=f"method 'lrp' takes no {name}; {who} takes it, as a keyword"):
        door(net(), **{name: 1})


def test_a_recipe_is_printed_as_a_table():
    recipe = Recipe(
        composite="gamma", rules={"Conv": "zplus"}, dtype="float64", options={"gamma": 0.1}, keep="all"
    )
    rows = [line.split(None, 1) for line in str(recipe).splitlines()[2:]]
    assert dict(rows) == {
        "method": "lrp",
        "composite": "gamma",
        "rules": "Conv=zplus",
        "keep": "all",
        "dtype": "float64",
        "gamma": "0.1",
    }
    assert "<td>Conv=zplus</td>" in recipe._repr_html_()
    plain = [line.split(None, 1) for line in str(Recipe(method="rise")).splitlines()[2:]]
    assert plain == [["method", "rise"], ["composite", "the method's own"]]
    assert "recommended" in str(Recipe(composite=explainer.composites.get("recommended")))


@pytest.mark.parametrize("name", sorted(COMPOSITES))
def test_a_preset_is_written_as_python_makes_it_again(name):
    needs = {"low": -1, "high": 1, "until": "c1"}
    takes = inspect.signature(COMPOSITES[name]).parameters
    made = explainer.composites.get(name, **{key: value for key, value in needs.items() if key in takes})
    again = eval(repr(made), {**vars(explainer.rules), **vars(explainer.composites)})
    assert again == made
    assert made.box is None or any(again.box is rule for _, rule in again.rules)


def test_an_explanation_says_how_it_was_made():
    recipe, asks = (
        Recipe(composite="gamma", options={"gamma": 0.1}),
        [explainer.Ask(1), explainer.Ask(1, "one")],
    )
    found = Explainer(net(), recipe=recipe).explain_targets(x_for(), asks)
    assert [one.recipe for one in found] == [recipe] * 2 and [one.ask for one in found] == asks
    said = found[1].to_dict()
    assert said["recipe"] == repr(recipe) and said["ask"] == repr(asks[1])
    assert pickle.loads(pickle.dumps(found[0])).recipe == recipe
    hand = {"relevances": {}, "outputs": {}, "target": None, "target_name": "", "start": np.zeros(0)}
    hand |= {
        "relevance": np.zeros(0),
        "conserved": np.zeros(0),
        "audit": (),
        "kind": "",
        "score": np.zeros(0),
    }
    made = explainer.Explanation(**hand)
    assert made.recipe is made.ask is made.to_dict()["recipe"] is made.to_dict()["ask"] is None


def test_the_order_of_a_composites_rules_is_part_of_it():
    one = {"/a/*": "zplus", "/b/*": "flat"}
    other = dict(reversed(one.items()))
    assert Recipe(composite={"rules": one}) == Recipe(composite={"rules": dict(one)})
    assert Recipe(composite={"rules": one}) != Recipe(composite={"rules": other})
    made = Recipe(composite={"rules": one}).made(lambda: None)[1]
    assert [str(rule) for _, rule in made.rules[:2]] == ["zplus", "flat"]
    again = eval(repr(Recipe(composite={"rules": one})))
    assert again == Recipe(composite={"rules": one})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"composite": "gamma"}, "leave out composite"),
        ({"rules": {"Conv": "gamma"}, "eps": 0.1}, "leave out rules, eps"),
        ({"dialect": "captum", "engine": "numpy"}, "leave out dialect, engine"),
    ],
)
@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_scores_alone_are_asked_by_no_rules(method, said, message):
    with pytest.raises(
        InputError, match=f"method '{method}' asks for scores alone, and walks by no rules: {message}"
    ):
        Explainer(net(), method=method, **said)
    with pytest.raises(InputError, match="asks for scores alone"):
        Explainer(net(), method=method, noise="smoothgrad", **said)


def test_a_name_says_what_was_done():
    for said in ({"composite": "epsilon"}, {"rules": {"Conv": "gamma"}}):
        for method in ("gradient", "smoothgrad"):
            with pytest.raises(
                CompositeError, match=f"method '{method}' is made of gradients, and .* relevance"
            ):
                Explainer(net(), method=method, **said)
    for method, composite in (("guided_backprop", "epsilon"), ("excitation_backprop", "gamma")):
        with pytest.raises(CompositeError, match=f"method '{method}' is itself a composite"):
            Explainer(net(), method=method, composite=composite)
    assert Explainer(net(), method="gradient", composite="beta_smooth").composite.gradient
    assert Explainer(net(), method="excitation_backprop", composite="excitation_backprop").composite
