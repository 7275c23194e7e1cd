"""Weights from files, as people have them."""

import os
import re

import pytest

torch = pytest.importorskip("torch")

import exporter  # noqa: E402
from exporter._torchvision import torchvision  # noqa: E402


def small(name="squeezenet1_1", **options):
    return torchvision.models.get_model(name, weights=None, **options)


def same(model, state):
    mine = model.state_dict()
    return mine.keys() == state.keys() and all(torch.equal(mine[key], state[key]) for key in mine)


@pytest.mark.parametrize("name", ["squeezenet1_1", "mnasnet0_5"])
def test_round_trip(tmp_path, name):
    state = small(name).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    built = exporter.build(name, weights=str(tmp_path / "weights.pth"))
    assert same(built.model, state)
    assert len(built.labels) == 1000


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])
def test_classes_are_read_from_the_last_layer(tmp_path, name):
    state = small(name, num_classes=7).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    built = exporter.build(name, weights=str(tmp_path / "weights.pth"))
    assert same(built.model, state)
    assert built.labels is None


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_training_checkpoint_of_a_parallel_model(tmp_path, key):
    state = small().state_dict()
    content = {key: {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3}
    torch.save(content, tmp_path / "weights.pth")
    assert same(exporter.build("squeezenet1_1", weights=str(tmp_path / "weights.pth")).model, state)


def test_names_of_the_published_densenets(tmp_path):
    state = small("densenet121").state_dict()
    old = {re.sub(r"(layer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): value for key, value in state.items()}
    old = {key: value for key, value in old.items() if not key.endswith("num_batches_tracked")}
    assert old.keys() - state.keys()
    torch.save(old, tmp_path / "weights.pth")
    assert same(exporter.build("densenet121", weights=str(tmp_path / "weights.pth")).model, state)


def test_side_branches_may_be_missing(tmp_path):
    state = small("googlenet", aux_logits=False, init_weights=False).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    built = exporter.build("googlenet", weights=str(tmp_path / "weights.pth"))
    assert same(built.model, state)
    assert not built.model.transform_input


def test_a_published_file_name_says_which_weights_these_are(tmp_path):
    preset = torchvision.models.get_model_weights("googlenet").DEFAULT
    file = tmp_path / os.path.basename(preset.url)
    torch.save(small("googlenet", aux_logits=False, init_weights=False).state_dict(), file)
    assert exporter.build("googlenet", weights=str(file)).model.transform_input


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_code_is_run(tmp_path):
    torch.save({"state_dict": Trap(tmp_path / "sprung")}, tmp_path / "weights.pth")
    with pytest.raises(exporter.ExportError, match="would run code"):
        exporter.build("squeezenet1_1", weights=str(tmp_path / "weights.pth"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no state dict but a list"),
        ({}, "holds no state dict but a dict"),
        ({"fc.bias": 3}, "'fc.bias' is not a tensor"),
        ({"fc.bias": torch.zeros(1000)}, r"52 missing \(features.0.weight, ...\); 1 unknown \(fc.bias\)"),
    ],
)
def test_what_is_no_state_dict_of_the_model(tmp_path, content, message):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(exporter.ExportError, match=message):
        exporter.build("squeezenet1_1", weights=str(tmp_path / "weights.pth"))


def test_another_shape(tmp_path):
    state = small().state_dict()
    state["features.0.weight"] = torch.zeros(64, 1, 3, 3)
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(exporter.ExportError, match=r"\(64, 1, 3, 3\) instead of \(64, 3, 3, 3\)"):
        exporter.build("squeezenet1_1", weights=str(tmp_path / "weights.pth"))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_unreadable_files(tmp_path, content):
    file = tmp_path / "weights.pth"
    if content is None:
        torch.save(small().state_dict(), file)
        content = file.read_bytes()[:100_000]
    file.write_bytes(content)
    with pytest.raises(exporter.ExportError, match="cannot be read as a state dict"):
        exporter.build("squeezenet1_1", weights=str(file))
