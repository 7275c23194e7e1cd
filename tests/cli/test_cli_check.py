"""`check`: of several models each is looked at, as text and as JSON, with the options of a preprocessing."""

import json

import numpy as np
import onnx
import pytest
from building import parse
from command_line import FLAGS, TINY, fails, folder, parted, run, tiny
from onnx import numpy_helper
from PIL import Image

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it

ODD = TINY.replace("c = Relu (a)", "c1 = com.microsoft.Inverse (a)\n c = com.microsoft.SampleOp (c1)")
KEYS = {
    "model",
    "explainable",
    "error",
    "kind",
    "missing",
    "ways",
    "coverage",
    "numerics",
    "steps",
    "starts_at",
    "looks_at",
    "ends_at",
    "preprocessing_in_file",
}
KEYS |= {"method", "composite", "inputs", "outputs", "preprocessing", "labels"}


@pytest.fixture(autouse=True)
def models(folder):
    onnx.save(tiny(ODD), "odd.onnx")
    (folder / "text.onnx").write_text("no model")


def objects(*arguments, code):
    result = run("check", *arguments, "--json")
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_bad_file_does_not_stop_the_others():
    result = parted("check", "text.onnx", "full.onnx", "none.onnx", "odd.onnx", "bare.onnx")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("text.onnx: not an ONNX model")
    assert lines[1] == "full.onnx: can be explained, 5 steps"
    assert lines[2] == "  coverage: 100 %, 5 of 5 nodes that relevance passes, of 6 that the file has"
    assert lines[5] == "none.onnx: no such model file"
    assert (
        "odd.onnx: 2 nodes on the way" in lines[6]
        and "com.microsoft.Inverse x1" in lines[7]
        and "com.microsoft.SampleOp x1" in lines[8]
    )
    assert "bare.onnx: can be explained, 5 steps" in lines
    assert result.stderr.strip() == "Error: 3 of 5 models cannot be explained"
    assert run("check", "full.onnx", "bare.onnx").exit_code == 0


def test_the_whole_table_of_one_that_cannot_be_explained():
    result = parted("check", "odd.onnx")
    assert result.exit_code == 1
    header, _, _, *rows = result.stdout.splitlines()
    assert header == "odd.onnx: cannot be explained; coverage 66.7 %, 4 of 6 nodes that relevance passes"
    assert [row.split()[:2] for row in rows] == [
        *(["logits", "Gemm"], ["e", "Flatten"], ["d", "GlobalAveragePool"]),
        *(["c", "com.microsoft.SampleOp"], ["c1", "com.microsoft.Inverse"], ["a", "Conv"]),
    ]
    assert [row.split(None, 2)[2].split(None, 1) for row in rows[3:5]] == [
        ["missing", "this operator has no layer"]
    ] * 2


def test_json_has_the_same_keys_whatever_is_wrong():
    good, odd, text = found = objects("full.onnx", "odd.onnx", "text.onnx", code=1)
    assert all(set(entry) == KEYS for entry in found)
    assert (good["explainable"], good["error"], good["missing"], good["ways"]) == (True, None, [], [])
    assert (good["starts_at"], good["ends_at"], good["labels"]) == ("logits", ["image"], 4)
    assert good["steps"][0] == {
        "node": "logits",
        "operator": "Gemm",
        "layer": "Gemm",
        "recognised_as": "Gemm",
        "rule": "epsilon:1e-06",
        "note": "",
    }
    assert good["coverage"] == {"explained": 5, "passed": 5, "in_file": 6, "percent": 100}
    assert (odd["coverage"]["percent"], text["coverage"]) == (66.7, None)
    assert good["inputs"] == [{"name": "image", "dtype": "float32", "shape": [None, 3, 8, 8]}]
    assert good["outputs"] == ["probability"]
    assert explainer.Preprocess.from_config(good["preprocessing"]).size == 8
    assert not odd["explainable"] and odd["kind"] == "UnsupportedError" and odd["preprocessing"] is None
    reason = "this operator has no layer"
    assert odd["missing"][0] == {"what": "com.microsoft.Inverse", "count": 1, "first": "c1", "reason": reason}
    commands = [way["command"] for way in odd["ways"][:2]]
    assert commands == [f"onnx-lrp check odd.onnx {way} --json" for way in ("--stop c", "--target a")]
    assert [row["note"] for row in odd["steps"] if row["rule"] == "missing"] == [reason] * 2
    assert (text["kind"], text["method"], text["steps"]) == ("ModelError", None, [])
    assert objects("full.onnx", code=0)[0]["explainable"]


def test_the_keys_are_documented():
    page = explainer.__path__[0] + "/../docs/checking.md"
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert all(f"`{key}`" in text for key in KEYS)


def test_the_options_of_a_preprocessing():
    fails(1, "needs low", "check", "bare.onnx", "--composite", "epsilon_gamma_box")
    result = run("check", "bare.onnx", "--composite", "epsilon_gamma_box", *FLAGS)
    assert result.exit_code == 0 and "zbox:-2,2" in result.output
    assert "preprocessing: resize shorter edge 8" in result.output
    (found,) = objects("bare.onnx", "--labels", "names", code=0) if make("names") else ()
    assert found["labels"] == 4


def make(name):
    with open(name, "w", encoding="utf-8") as file:
        file.write("a\nb\nc\nd\n")
    return True


def test_what_is_given_twice():
    fails(2, "--target is given twice", "check", "full.onnx", "bare.onnx", "--target", "c", "--target", "a")
    fails(2, "model has its own place", "check", "full.onnx", "--option", "model=x")
    fails(2, "Missing argument 'MODEL...'", "check")


def test_a_model_without_labels_or_shapes():
    onnx.save(parse("g (float[N,K] x) => (float[N,M] y) { y = MatMul (x, w) }", w=np.eye(3)), "free.onnx")
    (found,) = objects("free.onnx", code=0)
    assert found["inputs"][0]["shape"] == [None, None] and found["labels"] == 0


def test_what_a_method_looks_at():
    assert "looks at: tensor 'c'" in run("check", "full.onnx", "--method", "gradcam").output
    assert objects("full.onnx", "--method", "gradcam", code=0)[0]["looks_at"] == ["c"]
    assert objects("full.onnx", code=0)[0]["looks_at"] == []
    for method in ("rise", "occlusion"):
        (found,) = objects("full.onnx", "--method", method, code=0)
        assert found["composite"] is None and found["method"] == method
    table = parse("g (float[N,6] x) => (float[N,6] y) { y = Relu (x) }")
    onnx.save(table, "table.onnx")
    for how in ((), ("--method", "occlusion")):
        output = run("check", "table.onnx", *how).output
        assert "preprocessing: none, for no input takes pictures; explain takes --input x=FILE.npy" in output


WHOLE = "g (int64[N,3,8,8] x) => (float[N,3,8,8] y) { f = Cast <to=1> (x) y = Relu (f) }"
DRAWN = TINY.replace("probability = S", "n = RandomNormalLike (logits) z = Add (logits, n) probability = S")
DRAWN = DRAWN.replace("Softmax (logits)", "Softmax (z)")
DROPPED = TINY.replace("Softmax (logits)", "Dropout (logits, half, true)")
REFUSED = {
    "another size": ("bare", ["--scale", "1", "--size", "9,9"], "the prepared picture is 1 x 3 x 9 x 9"),
    "a shorter edge": (
        "bare",
        ["--scale", "1", "--size", "9"],
        "give --size 8 --crop 8,8 (shorter edge, then",
    ),
    "another layout": ("bare", ["--scale", "1", "--layout", "NHWC"], "try --layout NCHW"),
    "other channels": ("bare", ["--scale", "1", "--channels", "gray"], "try --channels RGB"),
    "more labels": ("bare", [*FLAGS, "--labels", "names"], "there are 5 names, but 'probability' has 4"),
    "drawn": ("drawn", [*FLAGS, "--method", "occlusion"], "RandomNormalLike 'n' draws numbers"),
    "drawn, by rise": ("drawn", [*FLAGS, "--method", "rise"], "RandomNormalLike 'n' draws numbers"),
    "in training": ("dropped", [*FLAGS, "--method", "rise"], "Dropout 'probability' is in training mode"),
    "whole numbers": ("whole", ["--scale", "1", "--method", "integrated_gradients"], "holds whole numbers"),
    "held": ("bare", [*FLAGS, "--method", "occlusion", "--option", "hold=z"], "'z' is no input"),
    "all held": ("bare", [*FLAGS, "--method", "occlusion", "--option", "hold=image"], "nothing is left"),
    "places": (
        "bare",
        [*FLAGS, "--method", "gradcam", "--option", "tensor=logits"],
        "the tensor has 0 axes of places, beside samples and channels, and the input 'image' 2",
    ),
    "complex": ("complex", [], "'image' holds complex64, which no array of numbers can be made into here"),
    "fractions": ("whole", ["--scale", "0.1"], "with fractions or beyond them: give --size 8,8 --scale 1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_explain_refuses_whatever_the_picture_check_refuses_alike(kind):
    onnx.save(tiny(DRAWN), "drawn.onnx")
    dropped = tiny(DROPPED)
    dropped.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "half"))
    dropped.graph.initializer.append(numpy_helper.from_array(np.array(True), "true"))
    onnx.save(dropped, "dropped.onnx")
    onnx.save(parse(WHOLE), "whole.onnx")
    onnx.save(
        parse("g (complex64[N,3,8,8] image) => (complex64[N,3,8,8] y) { y = Add (image, image) }"),
        "complex.onnx",
    )
    with open("names", "w", encoding="utf-8") as file:
        file.write("a\nb\nc\nd\ne\n")
    Image.new("RGB", (8, 8), "red").save("photos/8.png")
    model, how, message = REFUSED[kind]
    checked = run("check", f"{model}.onnx", *how)
    asked = run("explain", f"{model}.onnx", "photos/8.png", "-o", "map.png", *how)
    assert checked.exit_code == asked.exit_code == 1, checked.output + asked.output
    assert message in checked.output
    first = [result.output.partition("What this model")[0] for result in (checked, asked)]
    assert first[0] == first[1]


def test_the_ways_out_of_a_dropout_in_training():
    dropped = tiny(DROPPED)
    dropped.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "half"))
    dropped.graph.initializer.append(numpy_helper.from_array(np.array(True), "true"))
    onnx.save(dropped, "dropped.onnx")
    for how in ((), ("--method", "occlusion")):
        output = run("check", "dropped.onnx", *how).output
        assert "in PyTorch model.eval()" in output
        assert "onnx-lrp check dropped.onnx --target logits" in output
        assert run("check", "dropped.onnx", *how, "--target", "logits").exit_code == 0


ASKED = {
    "an index beyond": (["--target", "9"], "index 9 is out of range; 'probability' has 0 to 3"),
    "an element beyond": (["--target", "probability[0, 9]"], "9 is out of range"),
    "a margin against itself": (
        ["--start", "margin", "--against", "1", "--target", "1"],
        "the target itself",
    ),
    "against without a margin": (["--against", "1"], "belongs to start 'margin'"),
    "a rival beyond": (["--start", "margin", "--against", "7"], "against: index 7 is out of range"),
    "kept": (["--keep", "nothing"], "keep: 'nothing' is no tensor of this model"),
    "a condition": (["--condition", "nothing[1]"], "condition: 'nothing' is no tensor"),
    "a condition on scores": (
        ["--method", "rise", "--condition", "c[1]"],
        "gives inner tensors no relevance",
    ),
    "stop": (["--stop", "probability"], "stop"),
    "a start that needs an index": (["--target", "c", "--start", "probability"], "needs an index"),
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_question_that_explain_refuses_check_refuses(kind):
    how, message = ASKED[kind]
    checked = run("check", "full.onnx", *how)
    asked = run("explain", "full.onnx", "photos/one.png", "-o", "map.png", *how)
    assert checked.exit_code == asked.exit_code != 0
    assert message in checked.output.replace("\n", " ")
    first = [result.output.partition("What this model")[0].splitlines()[-1] for result in (checked, asked)]
    assert first[0] == first[1]


def test_scores_in_float64_need_a_layer_at_every_node():
    how = ("--method", "occlusion", "--dtype", "float64", *FLAGS)
    fails(1, "com.microsoft.Inverse x1", "check", "odd.onnx", *how)
    assert run("check", "odd.onnx", *how[:2], *FLAGS).exit_code == 0
    assert run("check", "full.onnx", *how).exit_code == 0


@pytest.mark.parametrize(
    "how", [("--target", "c[4]"), ("--start", "margin"), ("--keep", "all"), ("--condition", "c[3]")]
)
def test_a_question_that_explain_answers_check_does_not_refuse(how):
    result = run("check", "full.onnx", *how)
    assert result.exit_code == 0, result.output


def test_an_output_whose_first_axis_is_not_the_samples():
    """What is found in a picture is a row each: nobody knows how many there are before it is run."""
    text = "g (float[N,3] x) => (float[K,3] y) { k = Concat <axis=0> (x, x, x) y = Relu (k) }"
    onnx.save(parse(text), "rows.onnx")
    np.save("x.npy", np.ones((1, 3), np.float32))
    assert run("check", "rows.onnx", "--target", "8").exit_code == 0
    asked = run("explain", "rows.onnx", "--input", "x=x.npy", "-o", "map.png", "--target", "8")
    assert asked.exit_code == 0, asked.output
