"""The command, as it is typed: what it writes, prints, and refuses."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from exporter._torchvision import torchvision  # noqa: E402
from exporter.cli import main  # noqa: E402


@pytest.fixture
def command(tmp_path, monkeypatch):
    """``command(*arguments)`` runs in an empty folder and returns what came of it."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, arguments)


SMALL = ("squeezenet1_1", "-o", "net.onnx", "--weights", "none", "--image-size", "32")


def test_a_file_that_needs_nothing_else(command, tmp_path):
    result = command("resnet18", "-o", "net.onnx", "--weights", "none", "--image-size", "32", "--seed", "3")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "BatchNormalization  20 kept" in result.stdout
    assert "largest difference" in result.stdout
    assert "seed 3" in result.stdout
    stored = {entry.key: json.loads(entry.value) for entry in onnx.load("net.onnx").metadata_props}
    assert stored["preprocessor_config"]["crop_size"] == {"height": 32, "width": 32}
    assert stored["preprocessor_config"]["image_mean"] == [0.485, 0.456, 0.406]
    assert stored["id2label"]["207"] == "golden retriever"
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_weights_from_a_file_and_labels(command, answer, tmp_path):
    torch.manual_seed(0)
    model = torchvision.models.squeezenet1_1(weights=None, num_classes=3).eval()
    torch.save(model.state_dict(), "weights.pth")
    (tmp_path / "labels.txt").write_text("cat\ndog\nfish\n")
    result = command(
        "squeezenet1_1",
        "-o",
        "net.onnx",
        "--weights",
        "weights.pth",
        "--image-size",
        "48",
        "--labels",
        "labels.txt",
    )
    assert result.exit_code == 0, result.output
    x = torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        np.testing.assert_allclose(answer(tmp_path / "net.onnx", x), model(x).numpy(), rtol=1e-4, atol=1e-5)
    stored = {entry.key: json.loads(entry.value) for entry in onnx.load("net.onnx").metadata_props}
    assert stored["id2label"] == {"0": "cat", "1": "dog", "2": "fish"}


@pytest.mark.parametrize(
    "text",
    [
        '["cat", "dog"]',
        '{"0": "cat", "1": "dog"}',
        '{"id2label": {"0": "cat", "1": "dog"}}',
        '{"0": ["n02121808", "cat"], "1": ["n02084071", "dog"]}',
        "cat\ndog",
        "1 dog\n0 cat",
        "n02121808 cat\nn02084071 dog",
    ],
)
def test_labels_as_people_have_them(command, tmp_path, text):
    (tmp_path / "labels").write_text(text, encoding="utf-8")
    result = command(*SMALL, "--num-classes", "2", "--labels", "labels")
    assert result.exit_code == 0, result.output
    (stored,) = (json.loads(e.value) for e in onnx.load("net.onnx").metadata_props if e.key == "id2label")
    assert stored == {"0": "cat", "1": "dog"}


def test_form_of_the_graph(command):
    result = command(*SMALL, "--exporter", "dynamo", "--opset", "20", "--batch", "2")
    assert result.exit_code == 0, result.output
    assert "opset 20, by the dynamo exporter" in result.stdout
    proto = onnx.load("net.onnx")
    assert proto.opset_import[0].version == 20
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2


def test_fold(command):
    result = command(
        "resnet18", "-o", "net.onnx", "--weights", "none", "--image-size", "32", "--batchnorm", "fold"
    )
    assert result.exit_code == 0, result.output
    assert "20 folded" in result.stdout
    assert "BatchNormalization" not in {node.op_type for node in onnx.load("net.onnx").graph.node}


def test_list(command):
    assert command("--list").stdout.split()[:2] == ["alexnet", "convnext_base"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet19", "-o", "net.onnx"), "did you mean resnet"),
        ((*SMALL, "--weights", "nowhere.pth"), "no file 'nowhere.pth'"),
        ((*SMALL, "--weights", "labels"), "cannot be read as a state dict"),
        ((*SMALL, "--opset", "99"), "writes opset 7 to 20"),
        ((*SMALL, "-o", "nowhere/net.onnx"), "cannot write nowhere/net.onnx"),
        ((*SMALL, "-o", "."), "cannot write"),
        ((*SMALL, "--labels", "labels"), "2 labels for 1000 classes"),
        ((*SMALL, "--image-size", "4"), "does not run on an input of shape (2, 3, 4, 4)"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_line(command, tmp_path, arguments, message):
    (tmp_path / "labels").write_text("cat\ndog\n")
    result = command(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ") and message in result.stderr
    assert result.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["labels"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet18",), "Missing option '-o'"),
        (("-o", "net.onnx"), "Missing argument 'ARCHITECTURE'"),
        ((*SMALL, "--batch", "0"), "'0' is neither 'dynamic' nor a positive number"),
        ((*SMALL, "--batchnorm", "drop"), "'drop' is not one of"),
        ((*SMALL, "--opset", "new"), "'new' is not a valid integer"),
        ((*SMALL, "--image-size", "0"), "not in the range"),
        ((*SMALL, "--labels", "nowhere"), "'nowhere' does not exist"),
    ],
)
def test_usage(command, arguments, message):
    result = command(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_an_answer_that_never_changes_is_noted(command):
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    state["classifier.1.weight"].zero_()
    torch.save(state, "weights.pth")
    result = command(*SMALL, "--weights", "weights.pth")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("note: PyTorch answers every input alike")


AS_IT_LOADS = """
class Stops:
    def find_spec(self, name, path=None, target=None):
        name == "{0}" and os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Stops())
"""
AS_IT_TRACES = (
    "import torch; torch.onnx.export = lambda *args, **options: os.kill(os.getpid(), signal.SIGINT)"
)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are other systems'")
@pytest.mark.parametrize(
    "moment",
    [AS_IT_LOADS.format("torch.nn"), AS_IT_LOADS.format("torchvision"), AS_IT_TRACES],
    ids=["torch", "torchvision", "tracing"],
)
def test_it_can_be_stopped_while_it_loads(tmp_path, moment):
    start = f"import os, signal, sys\nfrom exporter.cli import main\n{moment}\nmain()"
    command = [sys.executable, "-c", start, "resnet18", "--weights", "none", "-o", str(tmp_path / "a.onnx")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, text = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in text and text.endswith("stopped\n"), text
    assert not list(tmp_path.iterdir())
