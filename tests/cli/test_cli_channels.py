"""Inner relevance on the command line: channels that relevance passes through, and their ranking."""

import numpy as np
import onnx
import pytest
from command_line import PHOTO, fails, folder, printed, run

import explainer
from explainer.cli.channels import conditions_of

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def test_a_condition():
    wanted = explainer.explain("full.onnx", "photos/one.png", conditions={"c": [0, 3]})
    found = printed("--condition", "c[0, 3]", "--save-relevance")
    assert found["conditions"] == ["c[0, 3]"] and found["conserved"] == wanted.conserved[0]
    with np.load("map.npz") as numbers:
        np.testing.assert_array_equal(numbers["relevance"], wanted.relevance)
    shares = ("conserved", "bias_share", "epsilon_share", "masked_share")
    assert sum(found[name] for name in shares) == pytest.approx(1, abs=1e-5)
    assert found["masked_share"] != 0
    (step,) = [step for step in found["audit"] if step["operator"] == "Condition"]
    assert step["rule"] == "c[0, 3]"
    result = run(*PHOTO, "--condition", "c[0, 3]", "--target", "2")
    assert "  through     c[0, 3]\n" in result.output and ", masked " in result.output
    assert "through" not in run(*PHOTO).output and "masked" not in run(*PHOTO).output
    assert printed()["masked_share"] == 0 and printed()["conditions"] == []


def test_several_conditions_one_after_the_other():
    wanted = explainer.explain("full.onnx", "photos/one.png", conditions={"d": "1:4", "c": [3, 0]})
    found = printed("--condition", "d[1:4]", "--condition", "c[3]", "--condition", "c[0]")
    assert found["conditions"] == ["d[1:4]", "c[3, 0]"] and found["conserved"] == wanted.conserved[0]


def test_a_tensors_name_may_have_brackets_itself():
    assert conditions_of([("a[0]", "3"), ("a[0]", ":2"), ("b", "1")]) == {"a[0]": "3, :2", "b": "1"}
    assert conditions_of([]) is None


def test_a_ranking():
    found = printed("--rank", "c", "--rank", "d", "--target", "2")
    wanted = explainer.explain("full.onnx", "photos/one.png", target=2, keep=["c", "d"])
    for tensor in ("c", "d"):
        ranking = [tuple(entry.values()) for entry in found["ranking"][tensor]]
        assert ranking == [tuple(entry) for entry in wanted.ranking(tensor)]
    assert found["written"] == ["map.png"]  # a ranking alone asks for no file of numbers
    lines = run(*PHOTO, "--rank", "c", "--target", "2").output.splitlines()
    at = lines.index("  channels    of 'c': relevance, share of all amounts")
    for line, (channel, relevance, share) in zip(lines[at + 1 :], wanted.ranking("c"), strict=False):
        assert line.split() == [str(channel), f"{relevance:.5g}", f"{share:+.1%}"]
    assert printed()["ranking"] == {}


def test_many_photos_have_a_line_each():
    arguments = ("explain", "full.onnx", "photos", "-o", "maps", "--grid", "all.png")
    result = run(*arguments, "--rank", "c", "--condition", "c[0, 3]")
    assert result.exit_code == 0, result.output
    for line in result.output.splitlines()[:2]:
        assert " through c[0, 3], 'c' " in line


@pytest.mark.parametrize("condition", ["c", "c[]", "[3]", "c[3"])
def test_a_condition_that_is_none(condition):
    fails(2, "is not TENSOR[CHANNELS], such as layer3[3, 17]", *PHOTO, "--condition", condition)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--condition", "c[9]"), "channel 9 is out of range, 0 to 4"),
        (("--condition", "c[red]"), "'c' takes a channel"),
        (("--condition", "cc[1]"), "condition: 'cc' is no tensor of this model; did you mean 'c'"),
        (("--rank", "cc"), "'cc' is no tensor of this model; did you mean 'c'"),
        (("--condition", "c[1]", "--method", "occlusion"), "methods that are one walk do"),
    ],
)
def test_mistakes(arguments, message):
    fails(1, message, *PHOTO, *arguments)


def test_a_compiled_condition():
    result = run("compile", "full.onnx", "-o", "compiled.onnx", "--condition", "c[1, 4]")
    assert result.exit_code == 0, result.output
    model = onnx.load("compiled.onnx")
    assert [output.name for output in model.graph.output] == ["probability", "relevance", "relevance/c"]


def test_a_constant_that_is_kept_is_saved_too():
    result = run("explain", "full.onnx", "photos/one.png", "-o", "map.png", "--keep", "u")
    assert result.exit_code == 0, result.output
    wanted = explainer.explain("full.onnx", "photos/one.png", keep=["u"]).relevances["u"]
    with np.load("map.npz") as saved:
        np.testing.assert_array_equal(saved["relevance/u"], wanted)


def test_fullgrad_says_that_it_is_complete():
    options = ("--method", "fullgrad", "--option", "postprocess=raw", "--save-relevance")
    result = run("explain", "full.onnx", "photos/one.png", "-o", "map.png", *options)
    assert result.exit_code == 0, result.output
    assert "  complete    up to " in result.output
    wanted = explainer.explain("full.onnx", "photos/one.png", method="fullgrad", postprocess="raw")
    assert wanted.relevance.shape == (1, 1, 8, 8) and abs(wanted.delta[0]) < 1e-5 * abs(wanted.score[0])
    with np.load("map.npz") as saved:
        np.testing.assert_array_equal(saved["relevance"], wanted.relevance)
