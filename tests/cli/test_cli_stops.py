"""Walks that end at inner tensors, and at a model's embedding, on the command line."""

import json

import numpy as np
import onnx
import pytest
from command_line import PHOTO, fails, folder, run
from tokens import feeds_for, tokens

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it

TEXT = ("explain", "words.onnx", "--input", "ids=ids.npy", "--input", "mask=mask.npy", "-o", "map.png")


@pytest.fixture(autouse=True)
def files(folder):
    onnx.save(tokens(), "words.onnx")
    for name, array in feeds_for(samples=1).items():
        np.save(f"{name}.npy", array)


def test_the_map_of_an_inner_tensor(folder):
    said = run(*PHOTO, "--stop", "c", "--rank", "c", "--save-relevance").output
    assert "channels    of 'c'" in said
    with np.load("map.npz") as arrays:
        assert arrays["relevance/c"].shape == (1, 5, 8, 8)
    assert (folder / "map.png").stat().st_size


def test_the_words_that_matter_are_listed():
    said = run(*TEXT).output
    assert "note        the walk ends at 'e', which Gather 'e' looks up for 'ids'" in said
    found = explainer.explain("words.onnx", feeds_for(samples=1))
    sums = found.channels("e")[0]
    first = f"{np.abs(sums).argmax():<6} {sums[np.abs(sums).argmax()]:<12.5g}"
    assert f"words       of 'e', by place: relevance, share of all amounts\n              {first}" in said
    numbers = json.loads(run(*TEXT, "--json").output)
    np.testing.assert_allclose(numbers["tokens"]["e"], sums)
    assert json.loads(run(*TEXT, "--json", "--stop", "r").output)["tokens"] == {}


def test_what_ends_where():
    said = run("check", "words.onnx").output
    assert "ends at 'e'\nthe walk ends at 'e', which Gather 'e' looks up for 'ids'\n" in said
    assert json.loads(run("check", "words.onnx", "--json", "--stop", "r").output)["ends_at"] == ["r"]
    fails(1, "'r' is on no path from 'c'", "check", "words.onnx", "--stop", "r", "--target", "c")
    fails(1, "no tensor of this model; did you mean 'e'", *TEXT, "--stop", "e1")


def test_a_compiled_file_ends_there_too():
    command = ("compile", "words.onnx", "-o", "made.onnx", "--stop")
    fails(1, "compile: stop 'positions' does not begin with the samples", *command, "positions")
    assert run(*command, "r").exit_code == 0
    assert [value.name for value in onnx.load("made.onnx").graph.output] == ["y", "relevance/r"]


def test_beside_words_a_picture_is_drawn_and_is_no_words(folder):
    text = """
        <ir_version: 8, opset_import: ["": 17]>
        g (int64[N,4] ids, float[N,3,8,8] x) => (float[N,2] y) {
            e = Gather (table, ids) m = ReduceMean <axes = [1], keepdims = 0> (e) a = MatMul (m, dense)
            p = ReduceMean <axes = [2, 3], keepdims = 0> (x) b = MatMul (p, other) y = Add (a, b) }"""
    model = onnx.parser.parse_model(text)
    draw = np.random.default_rng(0).standard_normal
    for name, shape in {"table": (9, 5), "dense": (5, 2), "other": (3, 2)}.items():
        tensor = onnx.numpy_helper.from_array(draw(shape).astype(np.float32), name)
        model.graph.initializer.append(tensor)
    onnx.save(model, "both.onnx")
    np.save("four.npy", np.array([[3, 1, 4, 1]]))
    asked = ("explain", "both.onnx", PHOTO[2], "--input", "ids=four.npy", "--size", "8,8", "--scale", "1")
    numbers = json.loads(run(*asked, "-o", "map.png", "--json").output)
    assert numbers["tokens"].keys() == {"e"}
    assert "the map is that of 'x'" in numbers["remark"]
