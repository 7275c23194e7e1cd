"""Whatever is given to whatever is public is read, or refused by an error of ours, and never by another's.

Every public function and class, and every public method, is called with wrong values for each of its
parameters; and values that mean nothing anywhere are never taken in silence.
"""

import collections
import datetime
import decimal
import fractions
import inspect
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from residual import picture, residual_net

import explainer
from explainer import Ask, Explainer, ExplainerError, Preprocess, Recipe

# Made anew for every call: iterators are used up.
VALUES = {
    "None": lambda: None,
    "True": lambda: True,
    **{
        repr(n): lambda n=n: n
        for n in (5, 0, -1, 0.5, float("nan"), float("inf"), -(2**63), "", "zz", "a\0b")
    },
    "10**400": lambda: 10**400,
    "long": lambda: "x" * 10000,
    "surrogate": lambda: "\ud800",
    "no bytes": lambda: b"",
    "bytearray": lambda: bytearray(b"x"),
    "class": lambda: Explainer,
    "class of pictures": lambda: Image.Image,
    "function": lambda: lambda *values: 1 / 0,
    **{repr(v): lambda v=v: v for v in ([], [None], [[1], [1, 2]], (), (None, None), ("zz", {}), ("zz", 3))},
    **{
        repr(v): lambda v=v: v
        for v in (
            ("zz", {3: 4}),
            ("gamma", {1: 2}),
            ("smoothgrad", {1: 2}),
            ({}, {}),
            ([], {}),
            {},
            {1: 2},
            {None: None},
        )
    },
    **{repr(v): lambda v=v: v for v in ({"zz": [[1], [2, 3]]}, {"rules": 3}, {"y": "zz"}, {1, "a"})},
    "dict of objects": lambda: {"x": object()},
    "frozenset": lambda: frozenset({b"x"}),
    "generator": lambda: (one for one in (1, "a", None)),
    "iterator": lambda: itertools.repeat("zz", 5),
    "range": lambda: range(3),
    "slice": lambda: slice(None),
    "...": lambda: ...,
    "objects": lambda: np.array([object(), None]),
    "texts": lambda: np.array(["a", "b"]),
    "complex": lambda: np.array([1j, 2]),
    "durations": lambda: np.array([1], "timedelta64[s]"),
    "empty": lambda: np.empty(0),
    "empty of axes": lambda: np.empty((0, 3, 2)),
    **{f"0-d {v!r}": lambda v=v: np.array(v) for v in (3.0, 3, None)},
    **{repr(v): lambda v=v: np.array(v) for v in ([np.nan, 1], [1, 2], [True, False], [[1.0, 1], [1, 1]])},
    **{f"{kind.__name__}(1)": lambda kind=kind: kind(1) for kind in (np.float16, np.float32, np.longdouble)},
    **{f"{kind.__name__}(2)": lambda kind=kind: kind(2) for kind in (np.int64, np.uint8, np.bool_, np.str_)},
    "Fraction": lambda: fractions.Fraction(1, 2),
    "Decimal": lambda: decimal.Decimal("0.5"),
    "Path": lambda: Path("zz"),
    "picture": lambda: Image.new("RGB", (3, 3)),
    "Ask": lambda: Ask(1),
    "Recipe": Recipe,
    "Preprocess": Preprocess,
    "dtype": lambda: np.dtype("f4"),
    "defaultdict": lambda: collections.defaultdict(list),
}


def holding_itself(kind):
    held = kind()
    if kind is dict:
        held["x"] = held
    else:
        held.append(held)
    return held


def nested(wrap, held=1.0):
    for _ in range(5000):
        held = wrap(held)
    return held


MASKED = {
    "all masked": lambda: np.ma.masked,
    "masked": lambda: np.ma.masked_array([1.0, 2], mask=[1, 0]),
    "masked whole numbers": lambda: np.ma.masked_array([1, 2]),
    "masked in a list": lambda: [np.ma.masked_array([1, 2], mask=[1, 0])],
    "masked in a tuple": lambda: (np.ma.masked, 1),
    "masked in a dict": lambda: {"x": np.ma.masked_array([[1.0]], mask=True)},
}
# What means nothing wherever it is given.
NONSENSE = {
    **MASKED,
    "list of itself": lambda: holding_itself(list),
    "dict of itself": lambda: holding_itself(dict),
    "list in a dict": lambda: {"x": holding_itself(list)},
    "name beside it": lambda: ("y", holding_itself(list)),
    "deep list": lambda: nested(lambda held: [held]),
    "deep tuple": lambda: nested(lambda held: (held,)),
    "deep dict": lambda: nested(lambda held: {"x": held}),
    "object": object,
    "1j": lambda: 1j,
    "bytes": lambda: b"\xff\0zz",
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "date": lambda: datetime.datetime(2020, 1, 1),
    "module": lambda: os,
    "records": lambda: np.zeros(2, [("a", "f4")]),
    "NotImplemented": lambda: NotImplemented,
    "exception": lambda: ValueError("x"),
    "slice of objects": lambda: slice("a", object()),
}

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
