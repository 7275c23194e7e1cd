"""Keywords that a TypedDict lists: shown in a signature, refused where nothing reads them."""

import inspect

import pytest

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
