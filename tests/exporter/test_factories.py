"""``module:factory``: code of the caller's own, named by the caller, makes the model."""

import sys

import onnx
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

import exporter  # noqa: E402
from exporter.cli import main  # noqa: E402

SOURCE = """
import torch
import exporter

def net():
    return torch.nn.Linear(4, 3)

class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(20, 3)

    def forward(self, ids, weight):
        return (self.embed(ids) * weight[..., None]).sum(1)

def described():
    return exporter.Architecture(torch.nn.Linear(4, 3), example=(1, 4), labels=["a", "b", "c"], origin="mine")

def fails():
    raise ValueError("no data")

def number():
    return 3

CONSTANT = 3
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """``command(*arguments)`` runs in a folder with a module `own_nets`, and returns what came of it."""
    (tmp_path / "own_nets.py").write_text(SOURCE)
    (tmp_path / "own_broken.py").write_text("import own_absent")
    (tmp_path / "own_wrong.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    yield lambda *arguments: CliRunner().invoke(main, arguments)
    for name in ("own_nets", "own_broken", "own_wrong"):
        sys.modules.pop(name, None)


def test_a_function_in_the_current_folder(command):
    path = list(sys.path)
    result = command("own_nets:net", "-o", "net.onnx", "--input", "input=1x4")
    assert result.exit_code == 0, result.output
    assert "batch x 4" in result.stdout and "as own_nets:net makes it" in result.stdout
    assert sys.path == path


def test_several_inputs_and_axes_by_name(command):
    inputs = ("--input", "ids:int64=2x8", "--input", "weight=2x8")
    axes = ("--axis", "ids[1]=words", "--axis", "weight[1]=words")
    result = command("own_nets:Words", "-o", "net.onnx", *inputs, *axes)
    assert result.exit_code == 0, result.output
    assert "ids: batch x words" in result.stdout and "weight: batch x words" in result.stdout
    kinds = [value.type.tensor_type.elem_type for value in onnx.load("net.onnx").graph.input]
    assert kinds == [onnx.TensorProto.INT64, onnx.TensorProto.FLOAT]


def test_an_architecture_says_the_rest(command):
    result = command("own_nets:described", "-o", "net.onnx")
    assert result.exit_code == 0, result.output
    assert "mine" in result.stdout and "labels              3" in result.stdout


def test_weights_from_a_file(command):
    torch.save(torch.nn.Linear(4, 3).state_dict(), "own.pth")
    torch.save(torch.nn.Linear(5, 3).state_dict(), "other.pth")
    assert command("own_nets:described", "-o", "net.onnx", "--weights", "own.pth").exit_code == 0
    result = command("own_nets:described", "-o", "net.onnx", "--weights", "other.pth")
    assert result.exit_code == 1 and "other.pth does not fit own_nets:described" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_net:net", "did you mean own_nets:net or"),
        ("tim:resnet18", "did you mean timm:resnet18?"),
        ("own_nets:ned", "did you mean net"),
        ("own_nets:net", "example is missing"),
        ("own_nets:CONSTANT", "is a int, and cannot be called"),
        ("own_nets:number", "returns a int"),
        ("own_nets:fails", "own_nets:fails fails: ValueError: no data"),
        ("own_broken:net", "own_broken needs a module that is not there: own_absent"),
        ("own_wrong:net", "own_wrong cannot be imported: ZeroDivisionError"),
        ("own nets:net", "timm:NAME, hf:FOLDER or module:factory"),
        ("own_nets:", "timm:NAME, hf:FOLDER or module:factory"),
        (":net", "timm:NAME, hf:FOLDER or module:factory"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_line(command, name, message):
    result = command(name, "-o", "net.onnx")
    assert result.exit_code == 1
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_sizes_and_classes_are_the_factorys(command):
    result = command("own_nets:net", "-o", "net.onnx", "--image-size", "8")
    assert "image_size is the factory's to decide" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input", "x"), "no NAME=SHAPE"),
        (("--input", "x=2x0"), "no NAME=SHAPE"),
        (("--input", "x:int=2x3"), "'int' is none of float32"),
        (("--input", "x=2x3", "--input", "x=2x3"), "--input x is given twice"),
        (("--axis", "x=1"), "no NAME[1]=sequence"),
        (("--axis", "x[1]=a", "--axis", "x[1]=b"), "--axis x[1] is given twice"),
    ],
)
def test_usage(command, arguments, message):
    result = command("own_nets:net", "-o", "net.onnx", *arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_nothing_is_imported_that_is_not_named(command):
    command("resnet19", "-o", "net.onnx")
    assert "own_nets" not in sys.modules
    with pytest.raises(exporter.ExportError, match="there is no module"):
        exporter.build("own_net_absent:net")
