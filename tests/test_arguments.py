"""Whatever is given to whatever is public is read, or refused by an error of ours, and never by another's.

Every public function and class, and every public method, is called with wrong values for each of its
parameters; and values that mean nothing anywhere are never taken in silence.
"""

import inspect

import numpy as np
import pytest
from residual import picture, residual_net
from wrong_values import NONSENSE, VALUES

import explainer
from explainer import Ask, Explainer, ExplainerError, Preprocess, Recipe

NET, X = residual_net(), picture(1)
MADE = Explainer(NET, keep=["c1"])
FOUND = MADE.explain(picture(2))
MAP = np.ones((3, 4, 4))
RECIPE = {name: getattr(Recipe(), name) for name in inspect.signature(Recipe).parameters}
PREPROCESS = {name: getattr(Preprocess(), name) for name in inspect.signature(Preprocess).parameters}
CONFIG = ("size", "resample", "crop_size", "rescale_factor", "image_mean", "image_std", "data_format")
CONFIG += ("do_resize", "do_rescale", "do_normalize", "do_center_crop", "do_grayscale", "crop_pct")
RULES = ("AlphaBeta", "Average", "BetaSmooth", "Epsilon", "Flat", "Gamma", "Norm", "PlainGamma", "PlainZPlus")
RULES += ("Rescale", "WSquare", "ZPlus")
METHODS = ("DeepLift", "GradCam", "GradCamPlusPlus", "GradientShap", "IntegratedGradients", "Noise")
METHODS += ("Occlusion", "Rise")


def of_config(name):
    return lambda value: Preprocess.from_config({"rescale_factor": 1.0, "size": 3, name: value})


def of_preset(name, parameter):
    return lambda value: Explainer(NET, composite=(name, {parameter: value}))


def of_dict(made, fields):
    """A function that takes any of these fields by name, as a signature that can be read."""

    def call(**given):
        return made.replace(**given)

    kind = inspect.Parameter.KEYWORD_ONLY
    call.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in fields])
    return call


# Each with what makes a right call of it.
DOORS = {
    "Explainer": (Explainer, {"model": NET}),
    "explain": (explainer.explain, {"model": NET, "image": X}),
    "compile": (explainer.compile, {"model": NET}),
    "Explainer.explain": (MADE.explain, {"x": X}),
    "Explainer.explain_targets": (MADE.explain_targets, {"x": X, "targets": [1]}),
    "Explainer.prepare": (MADE.prepare, {"image": X}),
    "Explainer.plan_for": (MADE.plan_for, {"target": 1}),
    "Explainer.start_of": (MADE.start_of, {"target": 1}),
    "Explainer.check_target": (MADE.check_target, {}),
    "Explainer.check_first": (MADE.check_first, {"asks": [], "error": ExplainerError("x")}),
    "Explainer.check_image": (MADE.check_image, {"name": "x"}),
    "Explainer.axis_of_samples": (MADE.axis_of_samples, {"name": "x"}),
    "Explainer.example": (MADE.example, {}),
    **{
        f"Explanation.{name}": (getattr(FOUND, name), {})
        for name in ("label", "title", "rival", "remark", "heatmap")
    },
    "Explanation.channels": (FOUND.channels, {"tensor": "c1"}),
    "Explanation.ranking": (FOUND.ranking, {"tensor": "c1"}),
    "Explanation.save": (FOUND.save, {"path": "map.png"}),
    "Ask": (Ask, {}),
    "Ask.of": (Ask.of, {"target": 1}),
    "Ask.replace": (of_dict(Ask(), ("target", "start", "against", "conditions")), {}),
    "Recipe": (Recipe, {}),
    "Recipe.of": (Recipe.of, {}),
    "Recipe.made": (Recipe().made, {}),
    "Recipe.replace": (of_dict(Recipe(), RECIPE), {}),
    "Preprocess": (Preprocess, {}),
    "Preprocess.replace": (of_dict(Preprocess(), PREPROCESS), {}),
    "Preprocess.from_config": (Preprocess.from_config, {"config": {"do_rescale": False}}),
    "Preprocess.from_metadata": (Preprocess.from_metadata, {"text": '{"do_rescale": false}'}),
    "Preprocess.from_file": (Preprocess.from_file, {}),
    **{f"config {name}": (of_config(name), {}) for name in CONFIG},
    "printable": (explainer.printable, {"text": "zz"}),
    "compare": (explainer.compare, {"a": MAP, "b": MAP}),
    "concepts": (explainer.concepts, {"explained": MADE, "x": X, "tensor": "c1"}),
    "grid": (explainer.grid, {"maps": [FOUND]}),
    "render": (explainer.render, {"relevance": MAP}),
    "imgify": (explainer.imgify, {"array": np.eye(4)}),
    "normalize_relevance": (explainer.normalize_relevance, {"relevance": MAP}),
    "shared_scale": (explainer.shared_scale, {"relevances": [MAP]}),
    "imgify in a table": (explainer.imgify, {"array": np.arange(24).reshape(2, 3, 4), "grid": (1, 2)}),
    "ColorMap": (explainer.ColorMap, {"indices": [0, 255], "colours": [[0, 0, 0], [255, 255, 255]]}),
    "ColorMap.of": (explainer.ColorMap.of, {}),
    "ColorMap.parse": (explainer.ColorMap.parse, {}),
    "ColorMap.sampled": (explainer.ColorMap.sampled, {}),
    "ColorMap.at": (explainer.ColorMap.of("bwr").at, {}),
    "ColorMap.palette": (explainer.ColorMap.of("bwr").palette, {}),
    "Composite": (explainer.Composite, {"name": "mine", "rules": ()}),
    "Composite.rule_for": (explainer.composites.get().rule_for, {}),
    "Composite.behind": (explainer.composites.get().behind, {}),
    "composites.get": (explainer.composites.get, {}),
    "composites.dialect": (explainer.composites.dialect, {}),
    "composites.parameters": (explainer.composites.parameters, {}),
    "composites.first_of": (explainer.composites.first_of, {}),
    "composites.Selector": (explainer.composites.Selector, {}),
    **{
        f"{name} {parameter}": (of_preset(name, parameter), {})
        for name in explainer.composites.COMPOSITES
        for parameter in explainer.composites.parameters(name)
    },
    "canonizers.get": (explainer.canonizers.get, {}),
    "canonizers.resolve": (explainer.canonizers.resolve, {}),
    "methods.get": (explainer.methods.get, {}),
    "rules.parse": (explainer.rules.parse, {}),
    "layers.kinds_of": (explainer.layers.kinds_of, {}),
    "layers.facts_of": (explainer.layers.facts_of, {}),
    **{f"rules.{name}": (getattr(explainer.rules, name), {}) for name in RULES},
    "rules.ZBox": (explainer.rules.ZBox, {"low": -1.0, "high": 1.0}),
    **{f"methods.{name}": (getattr(explainer.methods, name), {}) for name in METHODS},
}
# Errors and registries are not called; `compared` and `files` have tests of their own.
ELSEWHERE = {"Comparison", "Explanation", "Missing", "Way", "colormaps", "supported", "register"}
ELSEWHERE |= {
    "files",
    "plugins",
    "testing",
    "canonizers",
    "composites",
    "layers",
    "methods",
    "rules",
}
DEEP = [NONSENSE["deep list"](), NONSENSE["list of itself"]()]
# What takes it: whose names are looked up later, or what is called when it is needed.
TAKEN = {
    ("printable", "text"),
    ("Recipe", "rules"),
    ("Recipe", "composite"),
    ("Recipe.replace", "rules"),
    ("Recipe.replace", "composite"),
}


def test_every_public_thing_has_a_door_here():
    errors = {name for name in explainer.__all__ if name.endswith("Error")}
    assert set(explainer.__all__) - errors - ELSEWHERE <= {name.partition(".")[0] for name in DOORS}


def test_every_public_method_with_a_parameter_has_a_door_here():
    """Those of the classes that users hold; a dict's own and properties take nothing of theirs."""
    missing = [
        f"{kind.__name__}.{name}"
        for kind in (Explainer, explainer.Explanation, Ask, Recipe, Preprocess, explainer.ColorMap)
        for name, made in inspect.getmembers(kind, callable)
        if not name.startswith("_") and len(inspect.signature(made).parameters) > inspect.isfunction(made)
        if f"{kind.__name__}.{name}" not in DOORS
    ]
    assert missing == []


@pytest.mark.parametrize("check", ["adjoint", "derivative", "weights", "forward", "layer", "rule"])
@pytest.mark.parametrize("value", [None, 3, [], object, *DEEP])
def test_what_is_no_layer_does_not_pass_a_proof(check, value):
    """The proofs say so as they say all else: by an AssertionError, or our own where a name is unknown."""
    proof = getattr(explainer.testing, f"check_{check}")
    with pytest.raises((AssertionError, ExplainerError)):
        proof(*([value, X] if check == "forward" else [value]))


@pytest.mark.parametrize("value", [None, 3, "zz", [], *DEEP])
def test_what_is_no_graph_is_not_seen_through(value):
    for door in (explainer.canonizers.see_through, explainer.canonizers.canonize):
        with pytest.raises(ExplainerError, match="is no graph"):
            door(value)


@pytest.mark.parametrize("value", [*DEEP, None, 3])
def test_what_has_no_name_is_not_registered(value):
    for door in (explainer.register, explainer.composites.preset, explainer.plugins.origin):
        with pytest.raises(ExplainerError):
            door(value)


def parameters_of(door):
    return inspect.signature(DOORS[door][0]).parameters.values()


def call(door, parameter, value):
    function, right = DOORS[door]
    if parameter.kind is parameter.VAR_POSITIONAL:
        return function(value, **right)
    name = "zz" if parameter.kind is parameter.VAR_KEYWORD else parameter.name
    return function(**{**right, name: value})


def throw(door, values):
    for parameter in parameters_of(door):
        for name, make in values:
            try:
                call(door, parameter, make())
            except ExplainerError as error:
                assert str(error)
            except Exception as error:
                raise AssertionError(f"{door}({parameter.name}={name}): {error!r}") from error


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
def test_some_wrong_values_for_every_parameter(door, tmp_path, monkeypatch):
    """Each door another few, so that all are thrown somewhere in the fast tests."""
    monkeypatch.chdir(tmp_path)
    first = sorted(DOORS).index(door)
    throw(door, list(VALUES.items())[first % 12 :: 12])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
def test_all_wrong_values_for_every_parameter(door, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    throw(door, VALUES.items())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
def test_what_means_nothing_is_refused_everywhere(door, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for parameter in parameters_of(door):
        if (door, parameter.name) in TAKEN or parameter.name == "progress":
            continue
        for name, make in NONSENSE.items():
            try:
                taken = call(door, parameter, make())
            except ExplainerError as error:
                assert str(error)
            except Exception as error:
                raise AssertionError(f"{door}({parameter.name}={name}): {error!r}") from error
            else:
                raise AssertionError(f"{door}({parameter.name}={name}) is taken: {taken!r:.80}")


@pytest.mark.parametrize(
    "call",
    [
        lambda: explainer.explain(),
        lambda: explainer.explain(NET),
        lambda: explainer.explain(NET, X, 1),
        lambda: MADE.explain(),
        lambda: MADE.explain(X, 1, "output", None, None, None, 7),
        lambda: explainer.compile(),
        lambda: explainer.compare(MAP),
        lambda: FOUND.label(0, 1),
        lambda: FOUND.channels(),
        lambda: explainer.printable(),
        lambda: FOUND.label(zz=1),
    ],
)
def test_a_call_that_no_function_has_is_pythons_own_error(call):
    """As the README has it: too few or too many are the caller's code, not a value."""
    with pytest.raises(TypeError, match="argument"):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: explainer.explain(NET, X, method="integrated_gradients", baseline=m), "baseline"),
        (
            lambda m: explainer.compile(NET, method="integrated_gradients", options={"baseline": {"x": m}}),
            "baseline: x",
        ),
        (lambda m: explainer.explain(NET, X, composite=("epsilon", {"eps": m})), "composite: eps"),
        (lambda m: explainer.explain(NET, X, rules={"Conv": m}), "rules: Conv"),
        (
            lambda m: explainer.explain(NET, X, method="gradient", noise=("smoothgrad", {"n_samples": m})),
            "noise: n_samples",
        ),
        (lambda m: explainer.explain(NET, X, method="occlusion", window=[2, m]), "window"),
        (lambda m: FOUND.heatmap(percentile=m), "percentile"),
    ],
)
def test_what_is_masked_is_said_by_its_name(call, said):
    with pytest.raises(ExplainerError) as error:
        call(np.ma.masked_array([1.0, 2], mask=[1, 0]))
    assert str(error.value).startswith(f"{said} is masked, and nothing here knows a mask")
