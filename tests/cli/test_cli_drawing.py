"""What the command line draws: every option on its way to the picture, and its mistakes."""

import os

import click
import numpy as np
import pytest
from command_line import fails, folder, run
from PIL import Image

import explainer
from explainer.cli import main

__all__ = ["folder"]  # an automatic fixture: importing it is using it

ONE = ("explain", "full.onnx", "photos/one.png", "-o", "map.png")
BOTH = ("explain", "full.onnx", "photos", "-o", "maps")


def drawn(*options: str) -> np.ndarray:
    result = run(*ONE, *options)
    assert result.exit_code == 0, result.output
    return pixels("map.png")


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize(
    "options",
    [
        {"style": "overlay", "sign": "negative"},
        {"style": "heat_map", "sign": "positive", "outlier_perc": 1.0, "colormap": "fff,40:000,000"},
        {"style": "blended_heat_map", "alpha_overlay": 0.25, "colormap": "coldnhot"},
        {"style": "masked_image", "sign": "absolute_value"},
        {"style": "map", "pool": 3, "percentile": 90.0},
        {"style": "original_image"},
    ],
)
def test_the_options_are_the_librarys(options):
    arguments = [
        text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))
    ]
    explanation = explainer.explain("full.onnx", "photos/one.png")
    title = f"target: {int(explanation.target[0])} {explanation.label()}"
    expected = explanation.heatmap(title=title, **options)
    np.testing.assert_array_equal(drawn(*arguments), np.asarray(expected))
    given = {name: value for name, value in options.items() if name not in ("percentile", "outlier_perc")}
    if given == options and options["style"] != "original_image":
        arguments += ["--fixed-scale", "0.5"]
        given["scale"] = 0.5
    else:
        given = options
    np.testing.assert_array_equal(
        drawn(*arguments, "--no-colorbar"),
        np.asarray(explanation.heatmap(title=title, colorbar=False, **given)),
    )


def test_the_help_names_every_colour_map_and_style():
    options = {p.name: p for p in main.commands["explain"].params if isinstance(p, click.Option)}
    text = options["colormap"].help
    assert set(explainer.colormaps()) <= set(text.replace(",", "").split())
    for style in options["style"].type.choices:
        explanation = explainer.explain("full.onnx", "photos/one.png")
        explanation.heatmap(style=style, sign="positive")
    with pytest.raises(explainer.InputError) as error:
        explainer.render([[1.0]], style="none")
    assert str(error.value).endswith(", ".join(options["style"].type.choices))
    with pytest.raises(explainer.InputError) as error:
        explainer.render([[1.0]], sign="none")
    assert str(error.value).endswith(", ".join(options["sign"].type.choices))


def test_all_images_in_one_picture(monkeypatch):
    grids = []
    grid = explainer.grid

    def spy(explanations, **options):
        grids.append((len(explanations), options["scale"], options["titles"]))
        return grid(explanations, **options)

    monkeypatch.setattr(explainer, "grid", spy)
    result = run(*BOTH, "--grid", "all.png")
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir("maps")) == ["one.png.png", "two.jpg.png"]
    assert result.output.splitlines()[-1] == "all of them: all.png"
    assert pixels("all.png").shape[1] > 1.2 * pixels("maps/one.png.png").shape[1]
    run(*BOTH, "--grid", "all.png", "--fixed-scale", "2", "--json", "--style", "map")
    run(*ONE, "--grid", "all.png", "--target", "cat", "--target", "2")
    (_, first, titles), (_, second, _), (several, _, targets) = grids
    assert several == 2 and targets == ["one.png: 0 cat", "one.png: 2 fox"]
    assert (first, second) == ("shared", 2)
    assert [title.partition(":")[0] for title in titles] == ["one.png", "two.jpg"]


def test_a_shared_scale_is_of_what_is_drawn(monkeypatch):
    scales = []
    save = explainer.Explanation.save

    def spy(self, path, **options):
        scales.append(options.get("scale"))
        save(self, path, **options)

    monkeypatch.setattr(explainer.Explanation, "save", spy)
    options = {"sign": "negative", "outlier_perc": 5.0, "pool": 2}
    arguments = [
        text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))
    ]
    assert run(*BOTH, "--shared-scale", *arguments).exit_code == 0
    maps = [explainer.explain("full.onnx", f"photos/{name}").relevance[0] for name in ("one.png", "two.jpg")]
    assert scales == [explainer.shared_scale(maps, **options)] * 2


def test_mistakes():
    fails(2, "at character 5: 'f0' is not a colour", *ONE, "--colormap", "fff,f0,000")
    fails(2, "there are gray, wred", *ONE, "--colormap", "jett")
    fails(2, "cannot show both signs", *ONE, "--style", "alpha_scaling")
    fails(2, "exclude each other", *BOTH, "--shared-scale", "--fixed-scale", "1")
    fails(2, "'--fixed-scale'", *ONE, "--fixed-scale", "0")
    fails(2, "'--outlier-perc'", *ONE, "--outlier-perc", "100")
    fails(2, "'--pool'", *ONE, "--pool", "0")
    fails(2, "is a .png", *ONE, "--grid", "all.jpg")
    for path in ("photos/one.png", "map.png"):
        fails(2, "would overwrite", *ONE, "--grid", path)
