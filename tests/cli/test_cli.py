"""The command line, as a user meets it: what it prints, writes and returns."""

import json
import os
import subprocess
import sys

import click
import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from command_line import FLAGS, NAMES, PREPROCESSING, TINY, fails, folder, parted, run, tiny
from PIL import Image

import explainer
from explainer import Ask, Recipe
from explainer.cli import main

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def test_one_photo_needs_no_options():
    result = run("explain", "full.onnx", "photos/one.png", "-o", "map.png")
    assert result.exit_code == 0, result.output
    expected = explainer.explain("full.onnx", "photos/one.png")
    values = expected.outputs["probability"][0]
    lines = result.output.splitlines()
    assert lines[1] == "  prediction  probability, in 'probability'"
    for line, index in zip(lines[2:6], values.argsort()[::-1], strict=True):
        assert line.split() == [f"{values[index]:.5g}", str(index), NAMES[index]]
    best = int(values.argmax())
    assert f"target      {best} {NAMES[best]}, in 'probability', before Softmax" in lines[6]
    assert f"conserved   {expected.conserved[0]:.6f}" in lines[7]
    assert "time" in lines[8] and lines[9].endswith("written     map.png")
    with Image.open("map.png") as picture:
        assert picture.format == "PNG" and picture.width > 640


def test_flags_say_what_the_file_does_not():
    run("explain", "full.onnx", "photos/one.png", "-o", "full.png", "--save-relevance")
    result = run("explain", "bare.onnx", "photos/one.png", "-o", "bare.png", "--save-relevance", *FLAGS)
    assert result.exit_code == 0, result.output
    with np.load("full.npz") as full, np.load("bare.npz") as bare:
        np.testing.assert_array_equal(full["relevance"], bare["relevance"])
        assert full["relevance"].shape == (1, 3, 8, 8)


def test_a_preprocessing_file_with_single_fields_overridden():
    with open("pre.json", "w", encoding="utf-8") as file:
        json.dump(PREPROCESSING | {"image_mean": [9, 9, 9]}, file)
    arguments = ("explain", "bare.onnx", "photos/one.png", "-o", "map.png", "--save-relevance")
    assert run(*arguments, "--preprocess", "pre.json", "--mean", "0.5,0.5,0.5").exit_code == 0
    expected = explainer.explain("full.onnx", "photos/one.png")
    with np.load("map.npz") as numbers:
        np.testing.assert_array_equal(numbers["relevance"], expected.relevance)


def test_the_size_in_both_its_forms(folder):
    dynamic = tiny(TINY.replace("8,8", "H,W"))
    onnx.save(dynamic, "dynamic.onnx")
    for option, shape in (
        (["--size", "6"], (6, 9)),
        (["--size", "6,7"], (6, 7)),
        (["--crop", "4,5"], (4, 5)),
    ):
        arguments = ("explain", "dynamic.onnx", "photos/one.png", "-o", "map.png", "--save-relevance")
        result = run(*arguments, "--scale", "0.01", *option)
        assert result.exit_code == 0, result.output
        with np.load("map.npz") as numbers:
            assert numbers["relevance"].shape == (1, 3, *shape)


def test_what_is_explained_can_be_chosen():
    arguments = ("explain", "full.onnx", "photos/one.png", "-o", "map.png", "--json")
    for target, index in (("2", 2), ("fox", 2), ("Mèo", 3), ("probability[1]", 1), ("logits[0]", 0)):
        result = run(*arguments, "--target", target, "--start", "one")
        numbers = json.loads(result.stdout)
        assert numbers["target"] == index and numbers["start"] == 1
        said = (eval(numbers[name], {"Recipe": Recipe, "Ask": Ask}) for name in ("recipe", "ask"))
        assert tuple(said) == (Recipe(), Ask(int(target) if target == "2" else target, "one"))
        # A class name means nothing in an inner tensor, though the index is the same.
        assert numbers["label"] == (None if target.startswith("logits") else NAMES[index])
    whole = json.loads(run(*arguments, "--target", "c").stdout)
    assert whole["target"] is None and whole["target_name"] == "c"


def test_json_is_one_object_per_line():
    result = run(
        "explain", "full.onnx", "photos", "-o", "maps", "--json", "--dtype", "float64", "--eps", "1e-9"
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [os.path.basename(entry["image"]) for entry in found] == ["one.png", "two.jpg"]
    for entry in found:
        assert all(os.path.exists(path) for path in entry["written"])
        assert entry["prediction"]["kind"] == "probability" and len(entry["prediction"]["top"]) == 4
        shares = entry["conserved"] + entry["bias_share"] + entry["epsilon_share"]
        assert shares == pytest.approx(1, abs=1e-9)


def test_several_photos_fill_a_folder():
    result = run("explain", "full.onnx", "photos", "photos/one.png", "-o", "maps", "--style", "overlay")
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir("maps")) == ["one.png-2.png", "one.png.png", "two.jpg.png"]
    assert len(result.output.splitlines()) == 3


@pytest.mark.parametrize("folders", [["in/a"], ["in/a", "in/b"]])
def test_a_result_stays_its_images_when_the_folder_grows(folders):
    def save(path, shade):
        Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(path)

    def scores(*images):
        result = parted("explain", "full.onnx", *images, "-o", "maps", "--json", "--skip-existing")
        return {
            line["written"][0]: (line["image"], line["score"])
            for line in map(json.loads, result.stdout.splitlines())
        }

    os.makedirs("in/a")
    os.makedirs("in/b")
    for place, name in enumerate(("in/a/x.jpg", "in/a/x.png", "in/b/x.png")):
        save(name, 60 * place)
    before = scores(*folders)
    for place, name in enumerate(("in/a/x.bmp", "in/a/X.png", "in/b/x.jpg", "in/a/a-x.png")):
        save(name, 200 - 30 * place)
    after = scores(*folders)
    new = {"in/a/x.bmp", "in/b/x.jpg", "in/a/a-x.png"}
    assert {image for image, _ in after.values()} >= {path for path in new if path[:4] in folders}
    assert all(path not in before for path in after)  # what was there is nobody else's
    assert not scores(*folders)
    os.rename("in/a/x.jpg", "elsewhere.jpg")
    save("in/a/x.tiff", 5)  # alone of its stem, or not: no image before it had its name
    assert [image for image, _ in scores(*folders).values()] == ["in/a/x.tiff"]


def test_one_bad_photo_does_not_stop_the_others():
    with open("photos/note.png", "w", encoding="utf-8") as file:
        file.write("text")
    result = run("explain", "full.onnx", "photos", "-o", "maps")
    assert result.exit_code == 1
    assert "note.png is not a picture" in result.output and "1 of 3 images" in result.output
    assert sorted(os.listdir("maps")) == ["one.png.png", "two.jpg.png"]


def test_a_shared_scale_is_on_every_colour_bar(monkeypatch):
    scales = []
    save = explainer.Explanation.save

    def spy(self, path, **options):
        scales.append(options.get("scale"))
        save(self, path, **options)

    monkeypatch.setattr(explainer.Explanation, "save", spy)
    result = run("explain", "full.onnx", "photos", "-o", "maps", "--shared-scale", "--percentile", "100")
    assert result.exit_code == 0, result.output
    pictures = (explainer.explain("full.onnx", f"photos/{name}").relevance for name in ("one.png", "two.jpg"))
    largest = max(abs(relevance[0].astype(float).sum(0)).max() for relevance in pictures)
    assert scales == [pytest.approx(largest)] * 2


def test_kept_tensors_are_saved():
    arguments = ("explain", "full.onnx", "photos/one.png", "-o", "map.png", "--save-relevance")
    assert run(*arguments, "--keep", "c", "--keep", "d").exit_code == 0
    with np.load("map.npz") as numbers:
        assert {"relevance", "relevance/c", "relevance/d"} <= set(numbers.files)
    assert run(*arguments, "--keep", "all").exit_code == 0
    with np.load("map.npz") as numbers:
        assert {"relevance/c", "relevance/e", "relevance/logits"} <= set(numbers.files)


@pytest.mark.parametrize("content", [b"cat\ndog\nfox\nowl\n", b'["cat","dog","fox","owl"]', b'{"3": "owl"}'])
def test_labels_from_a_file(folder, content):
    (folder / "names").write_bytes(content)
    arguments = ("explain", "bare.onnx", "photos/one.png", "-o", "map.png", "--labels", "names", *FLAGS)
    assert "3 owl" in run(*arguments, "--target", "owl").output


def test_check_prints_the_plan():
    result = run("check", "full.onnx")
    assert result.exit_code == 0
    for word in ("Conv", "Relu", "GlobalAveragePool", "Gemm", "epsilon", "crop 8x8", "labels: 4"):
        assert word in result.output
    assert "Gemm" not in run("check", "bare.onnx", "--target", "c").output


def test_operators_are_those_of_the_library():
    listed = [line.split()[0] for line in run("operators").output.split("\n\n")[0].splitlines()]
    assert listed == list(explainer.supported()) and "Conv" in listed


def test_a_compiled_file_has_the_relevance():
    result = run("compile", "full.onnx", "-o", "compiled.onnx", "--target", "1", "--keep", "c")
    assert result.exit_code == 0, result.output
    names = [output.name for output in onnx.load("compiled.onnx").graph.output]
    assert names == ["probability", "relevance", "relevance/c"]


def test_an_internal_error_is_one_line_unless_asked_for_more(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(explainer, "Explainer", broken)
    fails(1, "internal error (RuntimeError: first line). Please report", "check", "full.onnx")
    assert isinstance(CliRunner().invoke(main, ["check", "full.onnx", "--debug"]).exception, RuntimeError)


@pytest.mark.parametrize(("failure", "status"), [(KeyboardInterrupt, 130), (MemoryError, 1)])
def test_what_is_no_bug_is_not_called_one(monkeypatch, failure, status):
    def stopped(*arguments, **options):
        raise failure

    monkeypatch.setattr(explainer, "Explainer", stopped)
    result = run("check", "full.onnx")
    assert result.exit_code == status and "internal" not in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="no error of its own there")
def test_a_closed_pipe_ends_it_in_silence():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from explainer.cli import main; main(['operators'])"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert result.returncode == 1 and result.stderr == ""


def test_help_is_there_for_everything_and_loads_nothing_heavy():
    commands = {"": main, **main.commands}
    for name, command in commands.items():
        result = run(*([name] if name else []), "--help")
        assert result.exit_code == 0 and command.help
        for parameter in command.params:
            assert isinstance(parameter, click.Argument) or parameter.help, (name, parameter.name)
    code = (
        "import sys; from explainer.cli import main\n"
        "try: main(['explain', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'onnx', 'onnxruntime', 'PIL', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_what_is_kept_is_written_without_being_asked_twice():
    assert run("explain", "full.onnx", "photos/one.png", "-o", "map.png", "--keep", "c").exit_code == 0
    with np.load("map.npz") as numbers:
        assert "relevance/c" in numbers.files


def test_an_inner_target_is_named_in_full():
    result = run("explain", "full.onnx", "photos/one.png", "-o", "map.png", "--target", "d[3]")
    assert "target      d[3]: relevance" in result.output
    result = run("explain", "bare.onnx", "photos/one.png", "-o", "map.png", "--target", "3", *FLAGS)
    assert "class 3, in 'probability'" in result.output


def test_json_says_node_by_node_where_the_relevance_went():
    result = run("explain", "full.onnx", "photos/one.png", "-o", "map.png", "--json")
    audit = json.loads(result.stdout)["audit"]
    assert [step["operator"] for step in audit] == ["Gemm", "Flatten", "GlobalAveragePool", "Relu", "Conv"]
