"""Models of several inputs on the command line, and inputs that are no images."""

import json
import os

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


def explained(*arguments):
    result = run("explain", "pair.onnx", *arguments, *SCALE, "--json", "--save-relevance")
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
    one, two = explained("-o", "out", "--input", "all.npz")
    assert sorted(os.listdir("out")) == ["all-0.npz", "all-0.png", "all-1.npz", "all-1.png"]
    want = explainer.explain("pair.onnx", loaded("all.npz"))
    for place, numbers in enumerate((one, two)):
        assert numbers["score"] == pytest.approx(float(want.score[place]), rel=1e-6)
    np.save("ids.npy", np.array([[3, 1, 4, 1, 5]]))
    assert run("explain", "ids.onnx", "-o", "ids.png", "--input", "ids=ids.npy").exit_code == 0


@pytest.mark.parametrize(
    ("code", "message", "arguments"),
    [
        (1, "2 of the model's inputs are not given; the image is one of them, if the others are given:", ()),
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


def test_mistakes_without_a_picture():
    fails(2, "Missing argument 'IMAGE...', or --input", "explain", "pair.onnx", "-o", "map.png")
    fails(1, "--input rgb=FILE.npy", "explain", "pair.onnx", "-o", "map.png", "--input", "depth=one.npy")
    fails(2, "need a folder", "explain", "pair.onnx", "-o", "map.png", "--input", "all.npz")


def test_a_result_does_not_replace_an_input():
    fails(2, "one.npz", *PAIR[:3], "-o", "lone.png", *SCALE, "--input", "depth=lone.npz", "--save-relevance")
