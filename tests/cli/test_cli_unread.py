"""No option is ignored without a word: each changes what comes out, or is refused."""

import json
import os
from pathlib import Path

import click
import numpy as np
import onnx
import pytest
from building import parse, rng
from command_line import PHOTO, fails, folder, run

from explainer.cli import main

__all__ = ["folder"]  # an automatic fixture: importing it is using it

NUMBERS = (*PHOTO, "--save-relevance")
ROWS = ("explain", "full.onnx", "--input", "image=image.npy", "-o", "map.png", "--save-relevance")
LINES = "lines.jsonl"
# Where an option may be given; in each of them it does something, or is refused.
PLACES = {
    "as it is": NUMBERS,
    "arrays": ROWS,
    "a photo alone": (*NUMBERS, "--style", "original_image"),
    "masked": (*NUMBERS, "--style", "masked_image", "--sign", "positive"),
    "alpha": (*NUMBERS, "--style", "alpha_scaling", "--sign", "negative"),
    "blended": (*NUMBERS, "--style", "blended_heat_map"),
    "fixed": (*NUMBERS, "--fixed-scale", "0.01"),
    "captum's scale": (*NUMBERS, "--outlier-perc", "20"),
    "scores": (*NUMBERS, "--method", "occlusion", "--option", "window=2"),
    "gradients": (*NUMBERS, "--method", "integrated_gradients", "--option", "n_steps=3"),
    "a box": (*ROWS, "--composite", "epsilon_gamma_box"),
}
# Another value than the default of every option that takes one, and that nothing else has to be given for.
OTHER = {
    "target": "fox",
    "method": "gradient",
    "noise": "smoothgrad",
    "composite": "epsilon_plus",
    "rule": "Conv=zplus",
    "option": "gamma=0.3",
    "eps": "0.3",
    "start": "margin",
    "against": "dog",
    "keep": "c",
    "condition": "c[1]",
    "stop": "c",
    "rank": "c",
    "dtype": "float64",
    "input": "image=photos/two.jpg",
    "labels": "names.txt",
    "preprocess": "other.json",
    "size": "10",
    "crop": "6",
    "scale": "0.01",
    "mean": "0.3",
    "std": "0.7",
    "layout": "NHWC",
    "channels": "BGR",
    "max-pixels": "4",
    "style": "overlay",
    "sign": "absolute_value",
    "colormap": "coldnhot",
    "percentile": "80",
    "outlier-perc": "40",
    "fixed-scale": "3",
    "pool": "2",
    "alpha-overlay": "0.1",
    "no-colorbar": None,
    "json": None,
    "grid": "grid.png",
    "json-lines": LINES,
    "skip-existing": None,
}
# What changes only how it is computed, or nothing for the one map that these commands draw.
SILENT = {
    "output",
    "dialect",
    "provider",
    "threads",
    "custom-ops",
    "fix",
    "shared-scale",
    "save-relevance",
    "debug",
}
# What has nothing to change there: no bar to leave out, no layers for a rule, channels that are alike.
NOTHING = {
    *(("no-colorbar", place) for place in ("a photo alone", "masked", "alpha")),
    *(("option", "a box"), ("channels", "a box")),
}
SAID = ("seconds", "recipe", "how", "ask", "written", "image")


@pytest.fixture(autouse=True)
def files(folder):
    np.save("image.npy", rng(2).random((1, 3, 8, 8)).astype(np.float32))
    (folder / "names.txt").write_text("\n".join("abcd"))
    (folder / "other.json").write_text(
        json.dumps({"size": 8, "crop_size": 8, "do_rescale": False, "data_format": "channels_last"})
    )


def options_of(command):
    return {o.removeprefix("--"): p for p in main.commands[command].params if isinstance(p, click.Option)
            for o in (*p.opts, *p.secondary_opts) if o.startswith("--")}  # fmt: skip


def what_comes_of(arguments):
    """Everything that a command says and writes, but for its time and what it repeats of the question."""
    result = run(*arguments)
    if result.exit_code:
        assert result.exit_code in (1, 2) and "internal" not in result.output, result.output
        return None
    told = []
    for line in result.output.splitlines():
        if line.startswith("{"):
            told.append({name: value for name, value in json.loads(line).items() if name not in SAID})
        elif not line.startswith("  time"):
            told.append(line)
    made = {path.name: path.is_dir() or path.read_bytes() for path in Path().iterdir() if path.name != LINES}
    return told, made, os.path.exists(LINES)


def test_the_table_has_every_option():
    names = set(options_of("explain"))
    assert names - {"colorbar"} == {*OTHER, *SILENT}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "place"),
    [(option, place) for option in OTHER for place in PLACES if (option, place) not in NOTHING],
)
def test_it_changes_what_comes_out_or_is_refused(option, place):
    before = what_comes_of(PLACES[place])
    assert before is not None
    if option == "skip-existing":
        os.utime("map.png", (0, 0))
    given = [f"--{option}", *filter(None, [OTHER[option]])]
    after = what_comes_of([*PLACES[place], *given])
    assert after is None or after != before


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("--alpha-overlay: only --style blended_heat_map", ("--alpha-overlay", "0.2")),
        ("--alpha-overlay: only", ("--alpha-overlay", "0.5", "--style", "overlay")),  # the default, said
        ("--percentile: --fixed-scale says the scale", ("--fixed-scale", "1", "--percentile", "90")),
        ("--outlier-perc: --fixed-scale says the scale", ("--fixed-scale", "1", "--outlier-perc", "2")),
        ("--percentile: --outlier-perc finds", ("--outlier-perc", "2", "--percentile", "90")),
        ("--sign, --pool: --style original_image draws the photo alone",
         ("--style", "original_image", "--pool", "2", "--sign", "positive")),
        ("--colormap, --colorbar: --style masked_image",
         ("--style", "masked_image", "--sign", "positive", "--colormap", "hot", "--colorbar")),
        ("--threads", ("--threads", "0")),
    ],
)  # fmt: skip
def test_what_nothing_reads_is_refused_in_a_plain_sentence(message, more):
    fails(2, message, *PHOTO, *more)


@pytest.mark.parametrize("option", ["size", "crop", "max-pixels", "scale", "mean", "std", "channels"])
def test_how_a_picture_is_prepared_is_refused_where_there_is_none(option):
    given = (f"--{option}", {"max-pixels": "100"}.get(option, OTHER[option]))
    fails(2, f"--{option}: no image is given", *ROWS, *given)
    if option in ("scale", "mean", "std"):  # some rules ask for the values that an input can have
        assert run(*ROWS, *given, "--composite", "epsilon_gamma_box").exit_code == 0
    pictured = ("explain", "full.onnx", "--input", "image=photos/one.png", "-o", "map.png", *given)
    assert run(*pictured).exit_code in (0, 1)


def test_a_layout_alone_says_where_an_arrays_channels_are():
    onnx.save(parse("g (float[N,6,6,4] x) => (float[N,4] y) { y = ReduceMean <keepdims=0> (x, a) }",
                    a=np.array([1, 2])), "last.onnx")  # fmt: skip
    np.save("x.npy", rng(0).random((1, 6, 6, 4)).astype(np.float32))
    asked = ("explain", "last.onnx", "--input", "x=x.npy", "-o", "map.png", "--method", "occlusion")
    result = run(*asked, "--layout", "NHWC", "--option", "window=2", "--save-relevance")
    assert result.exit_code == 0, result.output
    with np.load("map.npz") as arrays:
        relevance = arrays["relevance"]
    assert np.allclose(relevance, relevance[..., :1])  # one amount for a place, in all its channels
    fails(2, "--layout NHWC: the model itself", *ROWS, "--layout", "NHWC")
    assert run(*ROWS, "--layout", "NCHW").exit_code == 0


@pytest.mark.parametrize("size", [8, 9, 1000])
def test_a_pool_that_leaves_one_sum_is_refused(size):
    fails(1, f"pool is {size}, and the map has 8x8 pixels", *PHOTO, "--pool", str(size))
    assert run(*PHOTO, "--pool", "7").exit_code == 0


def texts_of(command):
    return [name for name, param in options_of(command).items() if not getattr(param, "is_flag", False)]


@pytest.mark.parametrize(
    ("command", "option"),
    [(command, option) for command in ("explain", "check", "compile") for option in texts_of(command)],
)
def test_an_empty_text_is_refused(command, option):
    first = {"explain": PHOTO[:3], "check": ("check", "full.onnx"), "compile": ("compile", "full.onnx")}
    to = () if option == "output" or command == "check" else ("-o", "map.png")
    result = run(*first[command], *to, f"--{option}", "")
    assert result.exit_code == 2 and "is given an empty text" in result.output, result.output
    assert not os.path.exists("map.png")


def test_an_empty_argument_is_refused():
    fails(2, "MODEL is given an empty text", "explain", "", "photos/one.png", "-o", "map.png")
    fails(2, "given an empty text", "explain", "full.onnx", "photos/one.png", "", "-o", "maps")
    fails(2, "given an empty text", "check", "full.onnx", "")


def test_check_reads_no_picture_and_takes_no_limit_for_one():
    fails(2, "No such option", "check", "full.onnx", "--max-pixels", "5")


def test_an_image_size_of_a_model_that_has_its_own_is_refused():
    fails(1, "leave image_size out", "compile", "full.onnx", "-o", "c.onnx", "--image-size", "16")
