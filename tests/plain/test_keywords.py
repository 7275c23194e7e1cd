"""Keywords that a TypedDict lists: shown in a signature, refused where nothing reads them."""

import inspect
import re

import pytest
from residual import picture, residual_net

import explainer
from explainer import Explainer, Explanation, InputError, compile, explain, grid, render
from explainer.drawing.grids import Look
from explainer.drawing.options import Colouring, Drawing
from explainer.plain.keywords import check_known
from explainer.recipe import Options, Recipe, Settings


def keywords(function):
    return {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize("function", [Explainer, explain])
def test_the_doors_show_every_field_and_option(function):
    assert keywords(function) >= {*Settings.__annotations__, "preprocess", "labels"}


def test_compile_shows_what_makes_sense_for_a_file():
    walked = {"dtype", "engine", "forward", "audit"}  # by NumPy or onnxruntime, here and now
    assert keywords(compile) >= Settings.__annotations__.keys() - walked
    assert not keywords(compile) & {*walked, "preprocess"}


def test_defaults_are_shown():
    parameters = inspect.signature(Explainer).parameters
    for name in ("method", "noise", "composite", "rules", "keep", "dtype", "engine"):
        assert parameters[name].default == getattr(Recipe(), name)
    assert all(parameters[name].default is ... for name in Options.__annotations__)


def test_drawing_options_are_those_that_are_read():
    assert Drawing.__annotations__.keys() == inspect.signature(render).parameters.keys() - {"relevance"}
    both = keywords(grid) | {"maps"}
    assert set(inspect.signature(Look).parameters) <= both
    assert Colouring.__annotations__.keys() <= set(inspect.signature(Look).parameters)
    for method in (Explanation.save, Explanation.heatmap):
        assert inspect.signature(method).parameters.keys() >= Drawing.__annotations__.keys()


def test_an_unknown_keyword_is_refused_with_a_near_one():
    check_known("draw", ["colormap"], Drawing)
    with pytest.raises(InputError, match=r"draw takes no colormpa; did you mean colormap\?"):
        check_known("draw", ["colormpa"], Drawing)
    with pytest.raises(InputError, match=r"draw takes no colums; did you mean columns\?"):
        check_known("draw", ["colums"], Drawing, "columns")
    with pytest.raises(InputError, match="draw takes no zzz; it takes own, layout, sign"):
        check_known("draw", ["zzz"], Drawing, "own")


def one_sample():
    return Explainer(residual_net()).explain(picture(1))


DOORS = {
    "explain": lambda **how: Explainer(residual_net()).explain(picture(1), **how),
    "explain_targets": lambda **how: Explainer(residual_net()).explain_targets(picture(1), [1], **how),
    "render": lambda **how: render([[1.0]], **how),
    "imgify": lambda **how: explainer.imgify([[1.0]], **how),
    "shared_scale": lambda **how: explainer.shared_scale([[[1.0]]], **how),
    "normalize_relevance": lambda **how: explainer.normalize_relevance([[1.0]], **how),
    "compare": lambda **how: explainer.compare([[1.0]], [[1.0]], **how),
    "concepts": lambda **how: explainer.concepts(Explainer(residual_net()), picture(1), "c1", **how),
    "grid": lambda **how: grid([[[1.0]]], **how),
    "heatmap": lambda **how: one_sample().heatmap(**how),
    "save": lambda **how: one_sample().save("map.png", **how),
    "channels": lambda **how: one_sample().channels("c1", **how),
    "ranking": lambda **how: one_sample().ranking("c1", **how),
    "Recipe": Recipe,
    "Ask": explainer.Ask,
    "Preprocess": explainer.Preprocess,
}


@pytest.mark.parametrize("door", DOORS)
def test_no_door_takes_a_keyword_that_it_does_not_know(door):
    with pytest.raises(InputError, match=f"{door} takes no zzz; it takes "):
        DOORS[door](zzz=1)


@pytest.mark.parametrize(
    ("door", "name", "hint"),
    [
        ("explain", "composite", "explain takes no composite; it belongs to Explainer(model, composite=...)"),
        ("explain", "compsite", "did you mean composite? it belongs to Explainer(model, composite=...)"),
        ("explain", "n_steps", "it belongs to Explainer(model, n_steps=...)"),
        ("explain", "stat", "did you mean start?"),
        ("explain_targets", "target", "did you mean targets?"),
        ("render", "cmap", "did you mean colormap?"),
        ("Recipe", "compsite", "did you mean composite?"),
        ("Recipe", "n_steps", "it is an option: options={'n_steps': ...}"),
        ("Recipe", "n_step", "did you mean n_steps? it is an option: options={'n_steps': ...}"),
        ("Ask", "tagret", "did you mean target?"),
        ("Preprocess", "sise", "did you mean size?"),
    ],
)
def test_a_mistyped_keyword_is_told_what_was_meant(door, name, hint):
    with pytest.raises(InputError, match=re.escape(hint)):
        DOORS[door](**{name: 1})


@pytest.mark.parametrize("name", ["threads", "providers", "labels", "composite", "n_steps"])
def test_what_an_explainer_was_made_with_is_said_where_it_is_made(name):
    made = Explainer(residual_net())
    with pytest.raises(AttributeError, match=re.escape(f"Explainer(model, {name}=...)")):
        setattr(made, name, 2)


def test_what_is_checked_keeps_its_signature():
    assert list(inspect.signature(explainer.Ask).parameters) == ["target", "start", "against", "conditions"]
    assert list(inspect.signature(Explainer.explain).parameters)[-1] == "conditions"
    assert inspect.signature(render).parameters["style"].default == "side_by_side"
    assert render.__doc__.startswith("Draw the relevance of one sample.")
