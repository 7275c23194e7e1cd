"""The command line, as a user meets it: what it prints, writes and returns."""

import json
import os
import subprocess
import sys

import click
import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper
from PIL import Image

import explainer
from explainer.cli import main

TINY = """
<ir_version: 8, opset_import: ["": 17]>
tiny (float[N,3,8,8] image) => (float[N,4] probability) {
    a = Conv <pads=[1,1,1,1]> (image, w, b)
    c = Relu (a)
    d = GlobalAveragePool (c)
    e = Flatten (d)
    logits = Gemm (e, v, u)
    probability = Softmax (logits)
}
"""
PREPROCESSING = {
    "size": {"shortest_edge": 8},
    "crop_size": 8,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5] * 3,
    "image_std": [0.25] * 3,
}
NAMES = ["cat", "dog", "fox", "Mèo"]
FLAGS = ["--size", "8", "--crop", "8", "--scale", str(1 / 255), "--mean", "0.5", "--std", "0.25"]


def tiny(text: str = TINY, **metadata: object) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    generator = np.random.default_rng(0)
    for name, shape in {"w": (5, 3, 3, 3), "b": (5,), "v": (5, 4), "u": (4,)}.items():
        values = generator.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    return model


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a model that says all about itself, one that does not, and photos."""
    monkeypatch.chdir(tmp_path)
    labels = {str(index): name for index, name in enumerate(NAMES)}
    onnx.save(tiny(preprocessor_config=PREPROCESSING, id2label=labels), "full.onnx")
    onnx.save(tiny(), "bare.onnx")
    os.mkdir("photos")
    generator = np.random.default_rng(1)
    for name in ("one.png", "two.jpg"):
        Image.fromarray(generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(f"photos/{name}")
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def fails(code: int, message: str, *arguments: str) -> None:
    before = set(os.listdir())
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert message in " ".join(result.output.split()) and "Traceback" not in result.output, result.output
    assert set(os.listdir()) == before


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
    with open("pre.json", "w") as file:
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
    assert sorted(os.listdir("maps")) == ["one-2.png", "one.png", "two.png"]
    assert len(result.output.splitlines()) == 3


def test_one_bad_photo_does_not_stop_the_others():
    with open("photos/note.png", "w") as file:
        file.write("text")
    result = run("explain", "full.onnx", "photos", "-o", "maps")
    assert result.exit_code == 1
    assert "note.png is not a picture" in result.output and "1 of 3 images" in result.output
    assert sorted(os.listdir("maps")) == ["one.png", "two.png"]


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
        assert {"relevance", "relevance of c", "relevance of d"} <= set(numbers.files)
    assert run(*arguments, "--keep", "all").exit_code == 0
    with np.load("map.npz") as numbers:
        assert {"relevance of c", "relevance of e", "relevance of logits"} <= set(numbers.files)


@pytest.mark.parametrize("content", [b"cat\ndog\nfox\nowl\n", b'["cat","dog","fox","owl"]', b'{"3": "owl"}'])
def test_labels_from_a_file(folder, content):
    (folder / "names").write_bytes(content)
    arguments = ("explain", "bare.onnx", "photos/one.png", "-o", "map.png", "--labels", "names", *FLAGS)
    assert "3 owl" in run(*arguments, "--target", "owl").output


def test_mistakes_with_files(folder):
    to = ("-o", "map.png")
    full = (folder / "full.onnx").read_bytes()
    contents = {
        "empty.onnx": b"",
        "cut.onnx": full[: len(full) // 2],
        "text.onnx": b"not a model",
        "text.png": b"not a picture",
        "empty.png": b"",
        "names": b"a\nb\n",
        "bad.json": b"{",
        "names.json": b'["a", "b"]',
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    onnx.save(tiny(), "external.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    os.remove("weights")
    photo = ("explain", "full.onnx", "photos/one.png")
    fails(1, "none.onnx", "explain", "none.onnx", "photos/one.png", *to)
    fails(1, "empty", "explain", "empty.onnx", "photos/one.png", *to)
    fails(1, "cut.onnx", "explain", "cut.onnx", "photos/one.png", *to)
    fails(1, "text.onnx", "check", "text.onnx")
    fails(1, "weights", "explain", "external.onnx", "photos/one.png", *to, *FLAGS)
    fails(1, "text.png is not a picture", "explain", "full.onnx", "text.png", *to)
    fails(1, "0 bytes", "explain", "full.onnx", "empty.png", *to)
    fails(1, "no such file", "explain", "full.onnx", "none.png", *to)
    fails(1, "nowhere", *photo, "-o", "nowhere/map.png")
    fails(2, "a heat map is a .png", *photo, "-o", "map.jpg")
    fails(2, "would overwrite", *photo, "-o", "photos/one.png")
    fails(2, "would overwrite", "explain", "full.onnx", "photos", "-o", "photos")
    fails(2, "would overwrite", "compile", "full.onnx", "-o", "full.onnx")
    fails(2, "several images need a folder", "explain", "full.onnx", "photos", "-o", "full.onnx")
    fails(2, "not a text file", *photo, *to, "--labels", "photos/one.png")
    fails(2, "not a JSON list", *photo, *to, "--labels", "bad.json")
    fails(1, "2 names", *photo, *to, "--labels", "names")
    fails(1, "2 names", *photo, *to, "--labels", "names.json")
    fails(1, "bad.json: not JSON", *photo, *to, "--preprocess", "bad.json")
    os.mkdir("nothing")
    fails(1, "no picture in the folder", "explain", "full.onnx", "nothing", *to)


def test_mistakes_with_values():
    photo = ("explain", "full.onnx", "photos/one.png", "-o", "map.png")
    fails(1, "--size 256 --crop 224", "explain", "bare.onnx", "photos/one.png", "-o", "map.png")
    fails(1, "--size 256", "explain", "bare.onnx", "photos/one.png", "-o", "map.png", "--size", "8")
    fails(1, "out of range", *photo, "--target", "4")
    fails(1, "no class and no tensor is called 'wolf'", *photo, "--target", "wolf")
    fails(1, "keep: 'cc'", *photo, "--keep", "cc")
    fails(1, "no composite 'magic'", *photo, "--composite", "magic")
    fails(1, "--size 8 --crop 8,8", *photo, "--size", "9", "--crop", "9")
    fails(1, "--channels RGB", *photo, "--channels", "gray", "--mean", "0", "--std", "1")
    fails(1, "--layout NCHW", *photo, "--layout", "NHWC")
    fails(1, "std is", *photo, "--std", "0")
    fails(1, "mean has 2 values", *photo, "--mean", "1,2")
    fails(2, "not 1 to 3 numbers", *photo, "--mean", "1,x,2")
    fails(2, "not 1 to 2 whole numbers", *photo, "--size", "8.5")
    fails(2, "'--start'", *photo, "--start", "two")
    fails(2, "Missing option '-o'", "explain", "full.onnx", "photos/one.png")
    fails(2, "No such command", "explode")


def test_a_picture_of_one_pixel():
    Image.new("RGB", (1, 1), "red").save("dot.png")
    result = run("explain", "full.onnx", "dot.png", "-o", "map.png")
    assert result.exit_code == 0, result.output


def test_unsupported_operators_are_listed_before_anything_is_written():
    text = TINY.replace("c = Relu (a)", "c1 = Sin (a)\n c = Cos (c1)")
    onnx.save(tiny(text, preprocessor_config=PREPROCESSING), "odd.onnx")
    fails(1, "Cos x1", "explain", "odd.onnx", "photos/one.png", "-o", "map.png")
    fails(1, "Sin x1", "check", "odd.onnx")


def test_check_prints_the_plan():
    result = run("check", "full.onnx")
    assert result.exit_code == 0
    for word in ("Conv", "Relu", "GlobalAveragePool", "Gemm", "epsilon", "crop 8x8", "labels: 4"):
        assert word in result.output
    assert "Gemm" not in run("check", "bare.onnx", "--target", "c").output


def test_operators_are_those_of_the_library():
    listed = [line.split()[0] for line in run("operators").output.splitlines()]
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


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_what_is_no_bug_is_not_called_one(monkeypatch, failure):
    def stopped(*arguments, **options):
        raise failure

    monkeypatch.setattr(explainer, "Explainer", stopped)
    result = run("check", "full.onnx")
    assert result.exit_code == 1 and "internal" not in result.output


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
