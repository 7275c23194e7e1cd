"""What is of another type than was meant is refused by its name, before anything is computed."""

import numpy as np
import pytest
from residual import picture, residual_net

import explainer
from explainer import Explainer, ExplainerError, Recipe, explain

# What is given instead, and what the message begins with.
WRONG = {
    "preprocess": (3, "preprocess: a Preprocess, a dict or the path of a file, not 3"),
    "labels": (3, "labels: a list of class names"),
    "providers": (3, "providers: a list, not 3"),
    "custom_ops": (3, "custom_ops: a list, not 3"),
    "fix": (3, "fix: a dict of inputs and axes by their names"),
    "threads": (100_000_000, "threads is 100000000; give a whole number from 1 to 4096"),
    "noise": (("smoothgrad",), "noise: a name or"),
    "audit": ("no", "audit is 'no'; there is: True, False, 'numerics'"),
    "eps": (True, "epsilon: eps must be a positive number, not True"),
    "keep": (3, "keep: tensor names or 'all', not 3"),
    "stop": (3, "stop: tensor names, not 3"),
    "options": (3, "options: a dict"),
    "method": (3, "no method 3"),
    "composite": (3, "no composite 3"),
    "dialect": (3, "no dialect 3"),
    "rules": (3, "rules are "),
    "engine": (["numpy"], "engine is "),
    "forward": (3, "forward is 3"),
    "dtype": (3, "dtype is "),
    "recipe": (3, "recipe: an explainer.Recipe"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_explainer_made_of_something_else(name):
    value, message = WRONG[name]
    with pytest.raises(ExplainerError) as error:
        explain(residual_net(), picture(1), **{name: value})
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("composite", "options"), [(("epsilon", {"eps": True}), {}), ("gamma", {"gamma": True})]
)
def test_true_is_no_number(composite, options):
    with pytest.raises(explainer.CompositeError, match="not True"):
        Explainer(residual_net(), composite=composite, options=options)
    for rule in ("epsilon:true", "gamma:true", "alpha_beta:true,false"):
        with pytest.raises(explainer.CompositeError, match="True"):
            Explainer(residual_net(), rules={"Conv": rule})


def test_names_of_tensors_can_come_one_by_one():
    made = Explainer(residual_net(), keep=(name for name in ("c1",)))
    assert list(made.explain(picture(1)).relevances) == ["c1"] == list(made.explain(picture(1)).relevances)
    assert Recipe(keep=iter(["c1"])) == Recipe(keep=["c1"])


@pytest.mark.parametrize("start", [np.ones(3), ["output"], 3, None])
def test_what_is_no_start(start):
    with pytest.raises(explainer.TargetError, match=r"^start: "):
        explain(residual_net(), picture(1), start=start)


@pytest.mark.parametrize("targets", [3, "star", {"y": 1}, explainer.Ask(1), None])
def test_what_are_no_targets(targets):
    with pytest.raises(explainer.TargetError, match=r"^targets: a list of targets"):
        Explainer(residual_net()).explain_targets(picture(1), targets)


@pytest.mark.parametrize("conditions", [3, "c1[3]"])
def test_what_are_no_conditions(conditions):
    with pytest.raises(explainer.TargetError, match=r"^conditions: "):
        Explainer(residual_net()).explain_targets(picture(1), [1], conditions=conditions)
    with pytest.raises(explainer.TargetError, match=r"^conditions: "):
        explain(residual_net(), picture(1), conditions=conditions)


@pytest.mark.parametrize("path", [3, True, ["map.png"], object()])
def test_what_is_no_path(path):
    with pytest.raises(explainer.OutputError, match="is no path"):
        explain(residual_net(), picture(1)).save(path)
    with pytest.raises(explainer.OutputError, match="is no path"):
        explainer.compile(residual_net(), path)


ANYTHING = [
    3,
    -1,
    True,
    None,
    "zz",
    (),
    [],
    {},
    [None],
    {"a": 1},
    {1: 2},
    np.ones(3),
    object(),
    1.5,
    b"x",
    {3},
]
HOW = ("method", "noise", "composite", "rules", "dialect", "eps", "keep", "dtype", "engine", "forward")
HOW += ("stop", "audit", "options", "recipe", "preprocess", "labels", "providers", "threads", "custom_ops")
HOW += ("fix",)
DRAWN = ("style", "sign", "colormap", "scale", "percentile", "outlier_perc", "pool", "alpha_overlay", "title")
DRAWN += ("min_size", "photo", "layout", "sample")
FIELDS = ("size", "crop", "channels", "layout", "scale", "mean", "std", "resample")


def kept():
    return Explainer(residual_net(), keep=["c1"]).explain(picture(1))


DOORS = {
    **{name: lambda name, value: Explainer(residual_net(), **{name: value}) for name in HOW},
    **{f"heatmap {name}": lambda name, value: kept().heatmap(**{name: value}) for name in DRAWN},
    **{f"Preprocess {name}": lambda name, value: explainer.Preprocess(**{name: value}) for name in FIELDS},
    "target": lambda name, value: Explainer(residual_net()).explain(picture(1), value),
    "start": lambda name, value: Explainer(residual_net()).explain(picture(1), start=value),
    "against": lambda name, value: explainer.Ask(0, "margin", value),
    "conditions": lambda name, value: Explainer(residual_net()).explain(picture(1), conditions=value),
    "targets": lambda name, value: Explainer(residual_net()).explain_targets(picture(1), value),
    "progress": lambda name, value: Explainer(residual_net()).explain(picture(1), progress=value),
    "image": lambda name, value: Explainer(residual_net()).explain(value),
    "model": lambda name, value: Explainer(value),
    "image_size": lambda name, value: explainer.compile(residual_net(), image_size=value),
    "grid": lambda name, value: explainer.grid(value),
    "columns": lambda name, value: explainer.grid([[[1.0]]], columns=value),
    "titles": lambda name, value: explainer.grid([[[1.0]]], titles=value),
    "channels": lambda name, value: kept().channels(value),
    "concepts": lambda name, value: explainer.concepts(Explainer(residual_net()), picture(1), value),
    "top": lambda name, value: explainer.compare([[1.0]], [[1.0]], top=value),
    "config": lambda name, value: explainer.Preprocess.from_config({"do_rescale": True, "size": value}),
}


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_whatever_is_given_is_read_or_refused(door):
    for value in ANYTHING:
        try:
            DOORS[door](door.split()[-1], value)
        except ExplainerError as error:
            assert str(error)
