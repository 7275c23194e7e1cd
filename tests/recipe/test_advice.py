"""The ways that a refusal prints are Python that works, whatever was asked and however."""

import numpy as np
import pytest
from building import parse, rng

import explainer
from explainer import Recipe, rules

K, W = rng(0).standard_normal((4, 3, 3, 3)) / 5, np.eye(4)
X = rng(1).standard_normal((2, 3, 8, 8))
LAYERS = "c = Conv <pads=[1,1,1,1]> (x, k) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p)"
# Nothing of it has a layer; all but the end has.
GELU = "com.microsoft.SampleOp"
NOTHING = (
    f"s = {GELU} (x) t = com.microsoft.SampleOp (s) c = Conv <pads=[1,1,1,1]> (t, k) r = {GELU} (c)"
    " p = GlobalAveragePool (r)"
)
MODELS = {
    "at its end": f"g (float[N,3,8,8] x) => (float[N,4] y) {{ {LAYERS} l = MatMul (f, w) y = {GELU} (l) }}",
    "everywhere": f"g (float[N,3,8,8] x) => (float[N,4] y) {{ {NOTHING} f = Flatten (p) y = MatMul (f, w) }}",
}
TARGETS = (
    *([1, 2], (1, 2), np.array([1, 2]), np.int64(1), np.uint64(1), [True, False, True, False], 1, "top"),
    *((np.array([0, 1]),), ("y", [1, 2]), ("y", np.array([1, 2])), {"y": np.array([1, 2])}, {"y": 1}),
    *(np.s_[0, 1], np.s_[:, 1], np.s_[..., 1:3], np.s_[::2], slice(1, 3), ("y", np.s_[:, 1:2]), ...),
    *(np.eye(4, dtype=bool)[0], ("y", np.eye(4, dtype=bool)[1]), np.ones((2, 4), bool)),
)


def own(layer):
    return layer.node.operator == "Conv"


def refusal(model, **asked):
    with pytest.raises(explainer.ExplainerError) as caught:
        explainer.explain(model, X, **asked)
    return caught.value


def tried(error, model, **names):
    """The ways as the message prints them, each called."""
    lines = str(error).partition("does answer:\n")[2].splitlines()
    assert len(lines) == len(error.ways) > 0
    for line in lines:
        known = {"explainer": explainer, "np": np, "model": model, "image": X, **names}
        assert isinstance(eval(line.strip(), known), explainer.Explanation), line
    return [way.call for way in error.ways]


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=repr)
@pytest.mark.parametrize("name", MODELS)
def test_any_form_of_a_target(name, target):
    model = parse(MODELS[name], k=K, w=W)
    try:
        explainer.explain(model, X, target=target, method="occlusion", window=4)
    except explainer.TargetError:  # refused before anything else is looked for
        with pytest.raises(explainer.TargetError):
            explainer.explain(model, X, target=target)
        return
    error = refusal(model, target=target)
    assert isinstance(error, explainer.UnsupportedError)
    calls = tried(error, model)
    assert ("target=" in calls[-1]) == (not isinstance(target, str))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"composite": "gamma", "gamma": 0.3}, "gamma=0.3"),
        ({"composite": ("gamma", {"gamma": 0.3})}, "composite=('gamma', {'gamma': 0.3})"),
        ({"recipe": Recipe(composite="gamma", options={"gamma": 0.3})}, "gamma=0.3"),
        ({"options": {"gamma": 0.3}, "composite": "gamma"}, "gamma=0.3"),
        ({"method": "integrated_gradients", "n_steps": 2}, "n_steps=2"),
        ({"method": "integrated_gradients", "baseline": np.ones(3)}, "baseline=np.array([1.0, 1.0, 1.0])"),
        ({"method": "gradient", "noise": "smoothgrad", "n_samples": 2}, "n_samples=2"),
        ({"noise": ("smoothgrad", {"n_samples": 2})}, "noise=('smoothgrad', {'n_samples': 2})"),
        ({"method": "grad_cam", "signed": True}, "signed=True"),
        ({"rules": {"Conv": rules.ZPlus()}}, "rules=(('Conv', 'zplus"),
        ({"rules": {"Conv": rules.Gamma(0.1, eps=0.5)}}, "rules=(('Conv', 'gamma:0.1"),
        ({"rules": [(own, "zplus")]}, "rules=rules"),
        ({"rules": {"Conv": rules.ZBox((-1.0, -2.0, -1.0), 1.0)}}, "rules="),
        ({"composite": explainer.composites.get("zplus")}, "composite=composite"),
        ({"composite": {"base": "gamma", "rules": {"Conv": rules.ZPlus()}}}, "composite={'base': 'gamma'"),
        ({"dialect": "captum", "eps": 0.5, "keep": ["c"], "dtype": np.float64}, "keep=('c',)"),
        ({"audit": False, "conditions": {"c": [1]}}, "explain("),
    ],
)
def test_whatever_was_said_is_said_once_and_works(how, said):
    model = parse(MODELS["at its end"], k=K, w=W)
    how = {"target": "y[1]", **how}
    names = {name: how.get(name) for name in ("rules", "composite")}
    calls = tried(refusal(model, **how), model, **names)
    assert any(said in call for call in calls), calls
    for call in calls:
        assert "options=" not in call and len(call) < 2000


@pytest.mark.slow
def test_what_is_long_is_called_by_its_name():
    model = parse(MODELS["at its end"], k=K, w=W)
    baseline = rng(2).standard_normal((3, 8, 8))
    error = refusal(model, method="integrated_gradients", baseline=baseline, n_steps=2)
    assert any("baseline=baseline" in call for call in tried(error, model, baseline=baseline))


def test_a_recipe_says_its_options_once():
    said = Recipe.of({"method": "ig", "n_steps": 2})
    assert said.keywords == {"method": "integrated_gradients", "n_steps": 2}


def test_a_walk_may_end_where_it_meets_what_has_no_layer():
    text = f"g (float[N,4] x) => (float[N,4] y) {{ r = Relu (x) s = {GELU} (r) t = {GELU} (s)"
    text += " h = MatMul (s, w)"
    text += " i = MatMul (t, w) j = Add (h, i) y = MatMul (j, w) }"
    net, x = parse(text, w=rng(0).standard_normal((4, 4))), rng(1).random((2, 4), np.float32)
    with pytest.raises(explainer.UnsupportedError) as caught:
        explainer.explain(net, x, target=1, composite="gamma", gamma=0.1)
    assert caught.value.behind == ("s", "t")
    way = caught.value.ways[0]
    assert (way.why, way.settings) == (
        "what lies behind com.microsoft.SampleOp 's' and com.microsoft.SampleOp 't'",
        {"stop": ("s", "t")},
    )
    found = eval(way.call, {"explainer": explainer, "model": net, "image": x})
    assert list(found.relevance) == ["s", "t"] and found.recipe.composite == "gamma"
