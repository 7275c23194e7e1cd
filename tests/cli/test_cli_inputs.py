"""Models of several inputs on the command line, and inputs that are no images."""

import json
import os
import shlex
import subprocess
import sys

import numpy as np
import onnx
import pytest
from building import parse, rng
from command_line import fails, folder, run
from PIL import Image

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it

TWO = """g (float[N,3,8,8] rgb, float[N,1,8,8] depth) => (float[N,3,1,1] y) {
    s = Add (rgb, depth) p = Mul (s, w) y = GlobalAveragePool (p)
}"""
SCALE = ("--scale", "0.0039")
PAIR = ("explain", "pair.onnx", "photos/8.png", "-o", "map.png", *SCALE)


@pytest.fixture(autouse=True)
def files(folder):
    onnx.save(parse(TWO, w=rng(0).standard_normal((3, 1, 1))), "pair.onnx")
    onnx.save(
        parse("g (int64[N,5] ids) => (float[N,5] y) { f = Cast <to=1> (ids) y = Relu (f) }"), "ids.onnx"
    )
    for name in ("8.png", "9.png"):
        pixels = rng(len(name) + ord(name[0])).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"photos/{name}")
    depth = rng(3).standard_normal((2, 1, 8, 8)).astype(np.float32)
    for name, array in {
        "both": depth,
        "one": depth[:1],
        "alone": depth[0],
        "three": np.ones((3, 1, 8, 8)),
    }.items():
        np.save(f"{name}.npy", array)
    np.savez("all.npz", rgb=rng(4).standard_normal((2, 3, 8, 8)).astype(np.float32), depth=depth)
    np.savez("lone.npz", whatever=depth[:1])
    np.save("object.npy", np.array([{}], dtype=object), allow_pickle=True)
    (folder / "short.npy").write_bytes((folder / "both.npy").read_bytes()[:-4])
    (folder / "text.npy").write_text("no numbers")
    (folder / "text.npz").write_text("no numbers")


def explained(*arguments, how=SCALE):
    result = run("explain", "pair.onnx", *arguments, *how, "--json", "--save-relevance")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def loaded(path):
    with np.load(path) as arrays:
        return dict(arrays)


AS_SCALED = {"preprocess": explainer.Preprocess(scale=0.0039)}


def wanted(picture, depth):
    return explainer.explain("pair.onnx", {"rgb": picture, "depth": depth}, **AS_SCALED)


@pytest.mark.parametrize("depth", ["one.npy", "alone.npy", "lone.npz"])
def test_a_picture_and_an_array(depth):
    explained("photos/8.png", "-o", "map.png", "--input", f"depth={depth}")
    found, want = loaded("map.npz"), wanted("photos/8.png", np.load("one.npy"))
    for name in ("rgb", "depth"):
        np.testing.assert_allclose(found[f"relevance/{name}"], want.relevance[name], rtol=1e-6)
    drawn = explainer.explain("pair.onnx", {"rgb": "photos/8.png", "depth": np.load("one.npy")}, **AS_SCALED)
    assert drawn.pictured == "rgb" and os.path.exists("map.png")


def test_a_picture_by_its_inputs_name():
    explained("-o", "map.png", "--input", "rgb=photos/8.png", "--input", "depth=one.npy")
    explained("photos/8.png", "-o", "same.png", "--input", "depth=one.npy")
    assert loaded("map.npz")["relevance/rgb"].tobytes() == loaded("same.npz")["relevance/rgb"].tobytes()


def test_each_picture_has_its_own_sample_of_an_array_or_one_for_all():
    images = ("photos/8.png", "photos/9.png")
    explained(*images, "-o", "each", "--input", "depth=both.npy")
    explained(*images, "-o", "all", "--input", "depth=one.npy")
    depth = np.load("both.npy")
    for place, name in enumerate("89"):
        for results, sample in (("each", place), ("all", 0)):
            want = wanted(f"photos/{name}.png", depth[sample : sample + 1])
            found = loaded(f"{results}/{name}.png.npz")["relevance/depth"]
            np.testing.assert_allclose(found, want.relevance["depth"], rtol=1e-6)


def test_samples_without_pictures():
    one, two = explained("-o", "out", "--input", "all.npz", how=())
    assert sorted(os.listdir("out")) == ["all-0.npz", "all-0.png", "all-1.npz", "all-1.png"]
    want = explainer.explain("pair.onnx", loaded("all.npz"))
    for place, numbers in enumerate((one, two)):
        assert numbers["score"] == pytest.approx(float(want.score[place]), rel=1e-6)
    np.save("ids.npy", np.array([[3, 1, 4, 1, 5]]))
    assert run("explain", "ids.onnx", "-o", "ids.png", "--input", "ids=ids.npy").exit_code == 0


@pytest.mark.parametrize(
    ("code", "message", "arguments"),
    [
        (1, "1 of the model's inputs is not given, beside photos/8.png for 'rgb':", ()),
        (1, "--input depth=FILE.npy # float32, N x 1 x 8 x 8", ()),
        (1, "there is no input 'dept'; did you mean 'depth'?", ("--input", "dept=one.npy")),
        (1, "its 3 samples are neither one for all nor", ("photos/9.png", "--input", "depth=three.npy")),
        (1, "different numbers of samples, 'depth' 3, 'rgb' 1", ("--input", "depth=three.npy")),
        (1, "object.npy is no file of numbers", ("--input", "depth=object.npy")),
        (1, "short.npy is no file of numbers", ("--input", "depth=short.npy")),
        (1, "text.npy is no file of numbers", ("--input", "depth=text.npy")),
        (1, "text.npz is no file of numbers", ("--input", "text.npz")),
        (1, "none.npy cannot be read", ("--input", "depth=none.npy")),
        (1, "holds 2 arrays (rgb, depth); give it without the name", ("--input", "depth=all.npz")),
        (1, "there is no input 'whatever'", ("--input", "lone.npz")),
        (1, "'depth' has shape (N, 1, 8, 8), the array (2, 3, 8, 8)", ("--input", "depth=wide.npy")),
        (2, "depth is given twice", ("--input", "depth=one.npy", "--input", "depth=both.npy")),
        (2, "every input is given by --input: leave photos/8.png out", ("--input", "all.npz")),
        (2, "'depth' is neither NAME=FILE", ("--input", "depth")),
    ],
)
def test_mistakes(code, message, arguments):
    np.save("wide.npy", np.ones((2, 3, 8, 8)))
    to = ("-o", "out") if "photos/9.png" in arguments else ()
    os.makedirs("out")
    fails(code, message, *PAIR, *to, *arguments)
    assert "dict" not in run(*PAIR, *to, *arguments).output


def test_what_is_missing_is_listed_without_the_image():
    text = """g (float[N,3,H,W] image, float[N,5] state, float[N,T] trace) => (float[N,3,1,1] y) {
        p = GlobalAveragePool (image) m = ReduceMean (state) t = ReduceMean (trace)
        s = Add (p, m) y = Add (s, t) }"""
    onnx.save(parse(text), "three.onnx")
    command = ("explain", "three.onnx", "-o", "map.png")
    given = run(*command, "photos/8.png").output
    assert "2 of the model's inputs are not given, beside photos/8.png for 'image':" in given
    assert "--input image=" not in given and "--input state=FILE.npy  # float32, N x 5\n" in given
    assert "--input trace=FILE.npy  # float32, N x ?\n" in given
    none = run(*command, "--input", "state=one.npy").output
    assert "2 of the model's inputs are not given:" in none and "N x 3 x ? x ?\n" in none
    one = run(*command, "--input", "state=one.npy", "--input", "trace=one.npy").output
    assert "1 of the model's inputs is not given:" in one
    onnx.save(parse(TWO.replace("1,8,8", "3,8,8"), w=rng(0).standard_normal((3, 1, 1))), "alike.onnx")
    alike = run("explain", "alike.onnx", "photos/8.png", "-o", "map.png").output
    assert "is not given; photos/8.png is for the one of these that is left out:" in alike


def test_numbers_in_an_images_place():
    onnx.save(parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"), "table.onnx")
    rows = np.abs(rng(5).standard_normal((2, 4))).astype(np.float32)
    np.save("row.npy", rows[:1]), np.save("alone.npy", rows[0]), np.save("rows.npy", rows)
    np.savez("row.npz", x=rows[:1])
    table = ("explain", "table.onnx")
    for name in ("row.npy", "alone.npy", "row.npz"):
        result = run(*table, name, "-o", "map.png", "--save-relevance", "--json")
        assert result.exit_code == 0, result.output
        assert loaded("map.npz")["relevance"].shape == (1, 4)
    want = explainer.explain("table.onnx", rows)
    lone = run(*table, "rows.npy", "-o", "out", "--json")
    named = run(*table, "--input", "x=rows.npy", "-o", "out", "--json")
    several = run(*table, "row.npy", "alone.npy", "-o", "out", "--json")
    for result in (lone, named, several):
        assert result.exit_code == 0, result.output
    scores = [json.loads(line)["score"] for line in lone.stdout.splitlines()]
    assert scores == pytest.approx(list(want.score))
    assert [json.loads(line)["score"] for line in several.stdout.splitlines()] == [scores[0], scores[0]]
    fails(1, "rows.npy holds 2 samples, not one; give it alone", *table, "rows.npy", "row.npy", "-o", "out")
    fails(1, "is no picture: give its numbers as --input x=FILE.npy", *table, *PAIR[2:])
    explained("one.npy", "-o", "map.png", "--input", "rgb=photos/8.png")
    fails(1, "1 of the model's inputs is not given", "explain", "pair.onnx", "one.npy", "-o", "map.png")


def test_what_no_picture_would_do_for_is_said_once():
    onnx.save(parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"), "table.onnx")
    for model, how in (("table.onnx", ()), ("pair.onnx", ("--input", "depth=one.npy", "--size", "9,9"))):
        result = run("explain", model, "photos", "-o", "out", *SCALE, *how)
        assert result.exit_code == 1 and result.output.count("Error: ") == 1, result.output
        assert "could not be explained" not in result.output and "photos/" not in result.output


def test_mistakes_without_a_picture():
    fails(2, "Missing argument 'IMAGE...', or --input", "explain", "pair.onnx", "-o", "map.png")
    fails(1, "--input rgb=FILE.npy", "explain", "pair.onnx", "-o", "map.png", "--input", "depth=one.npy")
    fails(2, "need a folder", "explain", "pair.onnx", "-o", "map.png", "--input", "all.npz")


def test_a_result_does_not_replace_an_input():
    fails(2, "one.npz", *PAIR[:3], "-o", "lone.png", *SCALE, "--input", "depth=lone.npz", "--save-relevance")


ROWS = ("explain", "rows.onnx", "--input", "x=rows.npy")


@pytest.fixture
def rows():
    onnx.save(
        parse("g (float[N,5] x) => (float[N,3] y) { y = MatMul(x, w) }", w=np.ones((5, 3))), "rows.onnx"
    )
    np.save("rows.npy", rng(1).standard_normal((4, 5)).astype(np.float32))


@pytest.mark.parametrize("name", ["t.npz", "t.npy", "x.json", "x.JSONL", "a.csv", "a.png", "a.jpg"])
def test_several_results_go_to_no_folder_that_is_called_like_a_file(rows, name):
    fails(2, f"several samples need a folder: -o {name} names", *ROWS, "-o", name)
    photos = ("explain", "full.onnx", "photos/one.png", "photos/two.jpg")
    fails(2, f"several images need a folder: -o {name} names", *photos, "-o", name)
    assert run(*ROWS, "-o", f"{name}/").exit_code == 0  # said to be one
    assert run(*ROWS, "-o", name).exit_code == 0  # it is one


@pytest.mark.parametrize(("name", "where"), [("t.npz", "--save-relevance"), ("x.json", "--json-lines")])
def test_where_numbers_go_instead(rows, name, where):
    fails(2, where, *ROWS, "-o", name)
    fails(2, where, "explain", "full.onnx", "photos/one.png", "-o", name)


def test_samples_are_called_samples(rows):
    values = np.load("rows.npy")
    values[2] = np.inf
    np.save("rows.npy", values)
    result = run(*ROWS, "-o", "maps")
    assert result.exit_code == 1 and "of 4 samples could not be explained" in result.output
    assert "image" not in result.output
    os.rename("rows.npy", "x.npy")
    fails(2, "several samples need a folder, but -o rows.onnx is a file", *ROWS[:2], "--input", "x=x.npy",
          "-o", "rows.onnx")  # fmt: skip


@pytest.mark.parametrize("to", ["maps", "map.png", "map.npz"])
def test_a_name_that_no_input_has_is_said_once_and_first(rows, to):
    fails(1, "there is no input 'y'", "explain", "rows.onnx", "--input", "y=rows.npy", "-o", to)
    result = run("explain", "rows.onnx", "--input", "y=rows.npy", "-o", to)
    assert len(result.output.splitlines()) == 1


def test_what_ails_all_images_is_said_once():
    images = ("explain", "pair.onnx", "photos/8.png", "photos/9.png", "-o", "maps", *SCALE)
    for wrong in (("--input", "dept=one.npy"), ("--input", "depth=three.npy")):
        fails(1, "dept" if "dept=one.npy" in wrong else "its 3 samples", *images, *wrong)
        assert "could not be explained" not in run(*images, *wrong).output
    fails(1, "1 of the model's inputs is not given", *images)


def test_samples_lie_where_the_model_has_them(folder):
    """A vector is one sample and a series of steps that come first has as many as its second axis holds."""
    rng = np.random.default_rng(0)
    onnx.save(
        parse("g (float[5] x) => (float[3] y) { y = MatMul (x, w) }", w=rng.normal(size=(5, 3))), "v.onnx"
    )
    x = rng.normal(size=5).astype(np.float32)
    np.save("v.npy", x)
    said = run("explain", "v.onnx", "v.npy", "-o", "v.png", "--target", "1", "--save-relevance")
    assert said.exit_code == 0, said.output
    wanted = explainer.explain("v.onnx", x, target=1).relevance
    np.testing.assert_allclose(np.load("v.npz")["relevance"], wanted, rtol=1e-6)
    cells = {"W": rng.normal(size=(1, 4, 3)), "R": rng.normal(size=(1, 4, 4)), "last": np.array([-1])}
    text = """g (float[T,N,3] x) => (float[N,4] y) {
        h, e = RNN <hidden_size = 4> (x, W, R) y = Squeeze (e, zero) }"""
    onnx.save(parse(text, zero=np.array([0]), **cells), "steps.onnx")
    steps = rng.normal(size=(6, 2, 3)).astype(np.float32)
    np.save("steps.npy", steps)
    how = ("--method", "occlusion", "--target", "1", "--save-relevance")
    said = run("explain", "steps.onnx", "steps.npy", "-o", "steps", *how)
    assert said.exit_code == 0, said.output
    wanted = explainer.explain("steps.onnx", steps, target=1, method="occlusion").relevance
    for place in (0, 1):
        found = np.load(f"steps/steps-{place}.npz")["relevance"]
        np.testing.assert_allclose(found, wanted[:, place : place + 1], rtol=1e-4, atol=1e-6)


def test_fractions_for_whole_numbers_are_made_whole_by_a_command():
    onnx.save(
        parse("g (uint8[N,5] x) => (float[N,5] y) { f = Cast <to = 1> (x) y = Relu (f) }"), "whole.onnx"
    )
    np.save("FILE.npy", np.arange(5.0)[None])
    ask = ("explain", "whole.onnx", "--method", "occlusion", "--target", "0", "-o", "map.png")
    said = run(*ask, "--input", "x=FILE.npy")
    assert said.exit_code == 1 and "give a file of uint8, OTHER.npy of" in said.output, said.output
    line = next(line for line in said.output.splitlines() if "python -c" in line)
    subprocess.run([sys.executable, *shlex.split(line)[1:]], check=True)
    assert run(*ask, "--input", "x=OTHER.npy").exit_code == 0
