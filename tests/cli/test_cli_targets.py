"""Targets and starts on the command line."""

import json
import os

import numpy as np
import onnx
import pytest
from command_line import NAMES, PHOTO, fails, folder, printed, run

import explainer
from explainer import targets
from explainer.cli import options

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def test_the_command_knows_the_librarys_starts():
    assert set(options.STARTS) == {*targets.STARTS, "logit"}


@pytest.mark.parametrize("start", options.STARTS)
def test_every_start(start):
    wanted = explainer.explain("full.onnx", "photos/one.png", target=2, start=start)
    found = printed("--target", "fox", "--start", start, "--save-relevance")
    assert found["kind"] == wanted.kind
    assert found["start"] == wanted.start[0] and found["score"] == wanted.score[0]
    with np.load("map.npz") as numbers:
        np.testing.assert_array_equal(numbers["relevance"], wanted.relevance)
        assert numbers["score"] == wanted.score


def test_a_margin_names_both_sides():
    for against, index in (("dog", 1), ("3", 3), ("probability[0]", 0)):
        found = printed("--target", "2", "--start", "margin", "--against", against)
        assert found["against"] == index and found["against_label"] == NAMES[index]
    result = run(*PHOTO, "--target", "2", "--start", "margin", "--against", "dog")
    assert "target      2 fox − 1 dog, in 'probability', before Softmax, margin: relevance" in result.output
    fails(1, "it belongs to start 'margin'", *PHOTO, "--against", "dog")


def test_what_sums_to_zero_is_said_so():
    result = run(*PHOTO, "--target", "2", "--start", "clrp")
    assert "target      2 fox, in 'probability', before Softmax, clrp: relevance 0" in result.output
    assert "conserved   undefined: the relevance at the target sums to 0" in result.output


def test_regions():
    found = printed("--target", "c[0, 1:3, :, 2]")
    assert found["region"] == found["label"] == "c[0, 1:3, :, 2]" and found["target"] is None
    wanted = explainer.explain("full.onnx", "photos/one.png", target=("c", np.s_[1:3, :, 2]))
    assert found["start"] == pytest.approx(wanted.start[0], rel=1e-6)
    result = run(*PHOTO, "--target", "probability[1:3]")
    assert "target      probability[1:3], before Softmax: relevance" in result.output
    assert "the whole of 'c': relevance" in run(*PHOTO, "--target", "c").output
    fails(1, "does not fit 'c'", *PHOTO, "--target", "c[1, 2]")
    fails(1, "in brackets stand whole numbers", *PHOTO, "--target", "c[a, b]")


def test_several_targets_have_a_picture_each_and_one_forward_pass(monkeypatch):
    from explainer.model.session import Session

    runs, real = [], Session.run
    monkeypatch.setattr(Session, "run", lambda self, feeds: runs.append(1) or real(self, feeds))
    asked = ("top", "Mèo", "1", "probability[0:2]")
    result = run(*PHOTO, "--json", "--save-relevance", *(a for t in asked for a in ("--target", t)))
    assert result.exit_code == 0, result.output
    assert len(runs) == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    names = [f"map-{ending}" for ending in ("top", "Mèo", "1", "probability_0_2")]
    assert [line["written"] for line in lines] == [[f"{name}.png", f"{name}.npz"] for name in names]
    for line, target in zip(lines, asked, strict=True):
        alone = printed("--target", target)
        assert {**line, "seconds": 0, "written": 0} == {**alone, "seconds": 0, "written": 0}
        assert all(os.path.exists(path) for path in line["written"])


def test_several_targets_of_several_photos():
    result = run("explain", "full.onnx", "photos", "-o", "maps", "--target", "1", "--target", "fox",
                 "--shared-scale")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir("maps")) == [
        "one.png-1.png",
        "one.png-fox.png",
        "two.jpg-1.png",
        "two.jpg-fox.png",
    ]
    assert len(result.output.splitlines()) == 4


def test_names_of_targets_that_would_collide():
    result = run(*PHOTO, "--target", "c[0:2, 0, 0]", "--target", "c[0_2", "--target", "[[")
    assert result.exit_code == 1  # no such target: but its picture had a name
    targets = ("c[0:2, 0, 0]", "c[0:2, 0,0]", "c[0:2,0,0]")
    result = run(*PHOTO, *(argument for target in targets for argument in ("--target", target)))
    assert result.exit_code == 0, result.output
    for name in ("map-c_0_2_0_0.png", "map-c_0_2_0_0-2.png", "map-c_0_2_0_0-3.png"):
        assert os.path.exists(name)


def test_a_picture_that_would_be_overwritten():
    os.rename("photos/one.png", "map-2.png")
    fails(2, "would overwrite", "explain", "full.onnx", "map-2.png", "-o", "map.png",
          "--target", "1", "--target", "2")  # fmt: skip


def test_check_and_compile_take_the_same_targets():
    assert "relevance starts at 'c'" in run("check", "full.onnx", "--target", "c[0, :, 1:3, 2]").output
    result = run("compile", "full.onnx", "-o", "out.onnx", "--target", "fox", "--start", "margin",
                 "--against", "dog")  # fmt: skip
    assert result.exit_code == 0, result.output
    names = [value.name for value in onnx.load("out.onnx").graph.input]
    assert names == ["image", "target", "against"]


TWO_ENDS = """
<ir_version: 8, opset_import: ["": 17]>
g (float[N,3,8,8] image) => (float[N,4] first, float[N,6] second, float[N,6] third) {
    a = Relu (image)
    p = GlobalAveragePool (a)
    f = Flatten (p)
    first = MatMul (f, v)
    s = MatMul (f, u)
    second = Relu (s)
    third = Softmax (second)
}
"""


@pytest.mark.parametrize(
    ("target", "output"),
    [
        ("a", "first"),
        ("first[1]", "first"),
        ("s", "second"),
        ("s[0, 2]", "second"),
        ("second", "second"),
        ("third[1]", "third"),
        ("top", "first"),
    ],
)
def test_the_prediction_is_of_the_output_that_is_made_of_what_is_explained(target, output):
    model = onnx.parser.parse_model(TWO_ENDS)
    for name, shape in {"v": (3, 4), "u": (3, 6)}.items():
        values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    onnx.save(model, "ends.onnx")
    photo = ("explain", "ends.onnx", "photos/one.png", "-o", "map.png", "--size", "8,8", "--scale", "0.0039")
    result = run(*photo, "--json", "--target", target)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["prediction"]["output"] == output


BOXES = """
<ir_version: 8, opset_import: ["": 17]>
g (float[N,3,8,8] image) => (float[N,3,4,8] boxes, float[N,4] other) {
    boxes = Slice (image, start, end, two)
    p = GlobalAveragePool (boxes)
    f = Flatten (p)
    other = MatMul (f, v)
}
"""


def test_an_output_without_classes_says_where_its_largest_values_stand():
    model = onnx.parser.parse_model(BOXES)
    for name, value in {"start": [2], "end": [6], "two": [2]}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((3, 4), np.float32), "v"))
    onnx.save(model, "boxes.onnx")
    image = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    np.save("image.npy", image)
    rows = ("explain", "boxes.onnx", "--input", "image=image.npy", "-o", "map.png")
    cut = image[0, :, 2:6]
    order = np.argsort(-cut.reshape(-1))[:5]
    names = [f"boxes{[int(place) for place in np.unravel_index(index, cut.shape)]}" for index in order]
    result = run(*rows)
    assert "prediction  no classes: 3 x 4 x 8 values, in 'boxes', counted row by row" in result.output
    assert f"{cut.max():<11.5g} {order[0]} {names[0]}\n" in result.output
    found = json.loads(run(*rows, "--json").stdout)
    assert [entry["index"] for entry in found["prediction"]["top"]] == order.tolist()
    assert [entry["label"] for entry in found["prediction"]["top"]] == names
    assert found["prediction"]["kind"] == "value" and found["label"] == names[0]
    for name in names:  # each can be asked for as it is printed
        again = json.loads(run(*rows, "--json", "--target", name).stdout)
        assert again["score"] in [entry["value"] for entry in found["prediction"]["top"]]


def test_the_largest_of_a_great_many_values_are_found():
    from explainer.cli.report import MANY, prediction

    values = np.random.default_rng(1).random((1, 3, 200, 200)).astype(np.float32)
    assert values.size > MANY
    found = prediction(values, {}, "y", "")
    assert [entry["index"] for entry in found["top"]] == np.argsort(-values.reshape(-1))[:5].tolist()
    assert prediction(np.array(["a"]), {}, "y", "")["top"] == []
