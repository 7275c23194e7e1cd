"""What `exporter.export` promises: the file computes what the model computes, in the form asked for."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import exporter  # noqa: E402
from exporter import state_dicts, tracing  # noqa: E402

SHAPE = (1, 3, 12, 12)
FORMS = [(which, how) for which in ("torchscript", "dynamo") for how in ("keep", "fold")]


def nodes(path, kind):
    return [node for node in onnx.load(path).graph.node if node.op_type == kind]


def expected(model, x):
    with torch.no_grad():
        return model.eval()(x).numpy()


class TestSameNumbers:
    @pytest.mark.parametrize(("which", "how"), FORMS)
    def test_for_any_batch(self, network, tmp_path, answer, which, how):
        report = exporter.export(network, tmp_path / "net.onnx", example=SHAPE, exporter=which, batchnorm=how)
        for n in (1, 2, 5):
            x = torch.rand(n, *SHAPE[1:])
            np.testing.assert_allclose(answer(report.path, x), expected(network, x), rtol=1e-4, atol=1e-5)
        assert report.input_shape == ("batch", 3, 12, 12)
        assert (report.batch_norms, report.folded) == ((3, 0) if how == "keep" else (0, 3))
        assert len(nodes(report.path, "BatchNormalization")) == report.batch_norms
        assert 0 <= report.difference < 1e-5 < report.largest

    def test_for_one_batch_size(self, network, tmp_path, answer):
        report = exporter.export(network, tmp_path / "net.onnx", example=SHAPE, batch=4)
        assert report.input_shape == (4, 3, 12, 12)
        dims = onnx.load(report.path).graph.input[0].type.tensor_type.shape.dim
        assert [dim.dim_value for dim in dims] == [4, 3, 12, 12]
        x = torch.rand(4, *SHAPE[1:])
        np.testing.assert_allclose(answer(report.path, x), expected(network, x), rtol=1e-4, atol=1e-5)

    def test_for_several_outputs(self, tmp_path):
        class Several(nn.Module):
            def forward(self, x):
                return {"sum": x.sum((2, 3)), "parts": [x.mean((2, 3)), x.amax((2, 3))]}

        exporter.export(Several(), tmp_path / "net.onnx", example=SHAPE)
        names = [output.name for output in onnx.load(tmp_path / "net.onnx").graph.output]
        assert names == ["output_0", "output_1", "output_2"]

    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    def test_for_attention(self, tmp_path, answer, which):
        class Tokens(nn.Module):
            def __init__(self):
                super().__init__()
                # An even number of heads: only then has PyTorch a fused kernel.
                self.embed, self.attention = nn.Linear(3, 4), nn.MultiheadAttention(4, 2, batch_first=True)

            def forward(self, x):
                x = self.embed(x.flatten(2).transpose(1, 2))
                return self.attention(x, x, x, need_weights=False)[0].mean(1)

        model, x = Tokens(), torch.rand(5, *SHAPE[1:])
        fused = torch.backends.mha.get_fastpath_enabled()
        exporter.export(model, tmp_path / "net.onnx", example=SHAPE, exporter=which)
        assert torch.backends.mha.get_fastpath_enabled() == fused
        np.testing.assert_allclose(answer(tmp_path / "net.onnx", x), expected(model, x), rtol=1e-4, atol=1e-6)

    def test_example_as_a_tensor(self, network, tmp_path):
        report = exporter.export(network, tmp_path / "net.onnx", example=torch.rand(5, 3, 9, 9))
        assert report.input_shape == ("batch", 3, 9, 9)


class TestForm:
    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    def test_kept_parameters_are_the_models_own(self, network, tmp_path, which):
        path = tmp_path / "net.onnx"
        exporter.export(network, path, example=SHAPE, exporter=which)
        graph = onnx.load(path).graph
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        kept = [node for node in graph.node if node.op_type == "BatchNormalization"]
        for node, name in zip(kept, ("bn1", "bn2", "bn3"), strict=True):
            module = network.get_submodule(name)
            four = (module.weight, module.bias, module.running_mean, module.running_var)
            for key, tensor in zip(node.input[1:], four, strict=True):
                np.testing.assert_array_equal(stored[key], tensor.detach().numpy())

    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    def test_equal_parameters_stay_apart(self, tmp_path, which):
        twins = nn.Sequential(
            nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        )
        exporter.export(twins, tmp_path / "net.onnx", example=SHAPE, exporter=which)
        first, second = nodes(tmp_path / "net.onnx", "BatchNormalization")
        assert len({*first.input[1:], *second.input[1:]}) == 8
        assert not nodes(tmp_path / "net.onnx", "Identity")

    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    def test_counts_what_ran_not_what_is_there(self, tmp_path, which):
        class Odd(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.unused = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
                self.plain = nn.BatchNorm2d(3, affine=False)

            def forward(self, x):
                x = self.plain(torch.relu(self.plain(self.conv(x))))
                return nn.functional.batch_norm(
                    torch.relu(x), self.plain.running_mean, self.plain.running_var
                )

        report = exporter.export(Odd(), tmp_path / "net.onnx", example=SHAPE, exporter=which)
        assert report.batch_norms == 3

    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    def test_standardised_weights_are_weights(self, tmp_path, which):
        class Standardised(nn.Module):
            """A convolution as timm's ScaledStdConv2d, which calls a batch normalisation for its weights."""

            def __init__(self):
                super().__init__()
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)
                    self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
                self.gain = nn.Parameter(torch.full((4,), 1.5))

            def forward(self, x):
                weight = self.conv.weight
                flat = weight.reshape(1, 4, -1)
                flat = nn.functional.batch_norm(
                    flat, None, None, self.gain * 0.3, training=True, momentum=0.0
                )
                return self.norm(nn.functional.conv2d(x, flat.reshape_as(weight), self.conv.bias)).sum((2, 3))

        report = exporter.export(Standardised(), tmp_path / "net.onnx", example=SHAPE, exporter=which)
        assert report.batch_norms == 1

    def test_keep_is_proved_by_counting(self, network, tmp_path, monkeypatch):
        monkeypatch.setattr(
            tracing.BatchNormCounter, "__enter__", lambda self: setattr(self, "count", 7) or self
        )
        monkeypatch.setattr(tracing.BatchNormCounter, "__exit__", lambda self, *error: None)
        with pytest.raises(exporter.ExportError, match="7 batch normalisations ran in PyTorch, but 3"):
            exporter.export(network, tmp_path / "net.onnx", example=SHAPE)

    def test_fold_refuses_what_cannot_be_folded(self, tmp_path):
        model = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3))
        with pytest.raises(exporter.ExportError, match="1 of 1 BatchNormalizations cannot be folded"):
            exporter.export(model, tmp_path / "net.onnx", example=SHAPE, batchnorm="fold")

    @pytest.mark.parametrize(("which", "opset"), [("torchscript", 9), ("torchscript", 13), ("dynamo", 20)])
    def test_opset(self, network, tmp_path, which, opset):
        report = exporter.export(network, tmp_path / "net.onnx", example=SHAPE, exporter=which, opset=opset)
        assert [entry.version for entry in onnx.load(report.path).opset_import] == [opset] == [report.opset]


SQUARE = {"do_rescale": True, "rescale_factor": 0.5, "do_resize": True, "size": {"height": 12, "width": 12}}


class TestMetadata:
    def stored(self, path):
        return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}

    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    def test_is_in_the_file(self, network, tmp_path, which):
        path = tmp_path / "net.onnx"
        labels = ["a", "b", "ü", "d"]
        report = exporter.export(
            network, path, example=SHAPE, exporter=which, preprocess=SQUARE, labels=labels
        )
        assert self.stored(path) == {
            "preprocessor_config": SQUARE,
            "id2label": {"0": "a", "1": "b", "2": "ü", "3": "d"},
        }
        assert report.labels == 4
        # PyTorch would add the source files of the model.
        assert b".py" not in path.read_bytes()

    def test_labels_by_index_may_be_few(self, network, tmp_path):
        exporter.export(network, tmp_path / "net.onnx", example=SHAPE, labels={3: "d", "1": "b"})
        assert self.stored(tmp_path / "net.onnx") == {"id2label": {"1": "b", "3": "d"}}

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (["a"], "1 labels for 4 classes"),
            ({4: "e"}, "class 4 is not one of 0 to 3"),
            ({"cat": "a"}, "a class index is an integer"),
            ({1: "a", "1": "b"}, "the same class index"),
            ("abcd", "labels cannot be read from abcd"),
            (3, "a list of names, a dict or the path of a file, not 3"),
            ([["cat", "dog"]] * 4, "a class name is a text"),
        ],
    )
    def test_labels_that_do_not_fit(self, network, tmp_path, labels, message):
        with pytest.raises(exporter.ExportError, match=message):
            exporter.export(network, tmp_path / "net.onnx", example=SHAPE, labels=labels)

    @pytest.mark.parametrize(
        ("preprocess", "message"),
        [
            (
                {"do_center_crop": True, "crop_size": {"height": 9, "width": 12}},
                "9x12, but the input is 12x12",
            ),
            ({"do_resize": True, "size": {"height": 12, "width": 9}}, "12x9, but the input is 12x12"),
            (
                {"do_normalize": True, "image_mean": [0, 0], "image_std": [1, 1, 1]},
                "image_mean must be a list",
            ),
            ({"do_normalize": True, "image_mean": [0], "image_std": [0]}, "holds a zero"),
            ({"size": {12}}, "cannot be written as JSON"),
            ("imagenet", "must be a dict"),
        ],
    )
    def test_preprocessing_that_does_not_fit(self, network, tmp_path, preprocess, message):
        with pytest.raises(exporter.ExportError, match=message):
            exporter.export(network, tmp_path / "net.onnx", example=SHAPE, preprocess=preprocess)


class TestModelIsLeftAlone:
    @pytest.mark.parametrize(("which", "how"), FORMS)
    def test_modes_parameters_and_random_numbers(self, network, tmp_path, which, how):
        network.bn2.eval()
        network.fc.weight.requires_grad_(False)
        modes = {name: module.training for name, module in network.named_modules()}
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        random = torch.get_rng_state()
        exporter.export(network, tmp_path / "net.onnx", example=SHAPE, exporter=which, batchnorm=how)
        assert {name: module.training for name, module in network.named_modules()} == modes
        assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
        assert [p.requires_grad for p in network.fc.parameters()] == [False, True]
        assert torch.equal(torch.get_rng_state(), random)

    def test_after_an_error(self, network, tmp_path):
        with pytest.raises(exporter.ExportError):
            exporter.export(network, tmp_path / "net.onnx", example=(1, 5, 12, 12))
        assert network.training and network.bn1.training


def test_an_answer_that_never_changes_is_noted(network, tmp_path):
    nn.init.zeros_(network.fc.weight)
    report = exporter.export(network, tmp_path / "net.onnx", example=SHAPE)
    assert ["proves little" in note for note in report.notes] == [True]


def test_importing_waits_for_nothing():
    code = "import sys, exporter, exporter.cli; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "torchvision", "onnx", "onnxruntime", "explainer"} & set(modules)


def test_no_export_replaces_a_file_that_was_read(tmp_path):
    weights, labels = tmp_path / "weights.pt", tmp_path / "labels.txt"
    torch.save(torch.nn.Linear(3, 2).state_dict(), weights)
    labels.write_text("a\nb\n")
    assert list(state_dicts.read(weights)) and len(exporter.read_labels(labels)) == 2
    (tmp_path / "link.onnx").symlink_to(weights)
    os.link(labels, tmp_path / "hard.onnx")
    for path in (weights, labels, tmp_path / "link.onnx", tmp_path / "hard.onnx"):
        before = path.read_bytes()
        with pytest.raises(exporter.ExportError, match="would overwrite a file that is read"):
            exporter.export(torch.nn.Linear(3, 2), path, example=(1, 3))
        assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_names_in_its_errors_are_printable():
    error = exporter.ExportError("a\x1b[2J\nFORGED\u202e" + "x" * 9000)
    assert str(error).isprintable() and len(str(error)) < 4200
