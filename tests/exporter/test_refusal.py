"""What `exporter.export` refuses: nothing that is wrong gets a name."""

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import exporter  # noqa: E402
from exporter import finishing, tracing  # noqa: E402

SHAPE = (1, 3, 12, 12)


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class TestRefusal:
    """The folder is as it was before."""

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "net.onnx"
        path.write_text("from before")
        yield path
        assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]
        assert path.read_text() == "from before"

    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    def test_other_numbers(self, network, path, monkeypatch, which):
        def slightly_wrong(*args, **kwargs):
            proto = trace(*args, **kwargs)
            for tensor in proto.graph.initializer:
                if tensor.name == "bn2.running_mean":
                    wrong = onnx.numpy_helper.to_array(tensor) + np.float32(0.01)
                    tensor.CopyFrom(onnx.numpy_helper.from_array(wrong, tensor.name))
            return proto

        trace = tracing.trace
        monkeypatch.setattr(tracing, "trace", slightly_wrong)
        with pytest.raises(exporter.ExportError, match="does not compute what the model computes"):
            exporter.export(network, path, example=SHAPE, exporter=which)

    def test_broken_file(self, network, path, monkeypatch):
        def broken(*args, **kwargs):
            proto = trace(*args, **kwargs)
            del proto.graph.node[2]
            return proto

        trace = tracing.trace
        monkeypatch.setattr(tracing, "trace", broken)
        with pytest.raises(exporter.ExportError, match="not valid"):
            exporter.export(network, path, example=SHAPE)

    def test_a_branch_that_the_trace_does_not_have(self, path):
        model = Lambda(lambda x: (x if x.mean() > 0.3 else -x).mean((2, 3)))
        with pytest.raises(exporter.ExportError, match="on a picture"):
            exporter.export(model, path, example=SHAPE)

    def test_a_batch_size_that_the_trace_took_for_a_constant(self, path):
        model = Lambda(lambda x: x.sum((2, 3)).reshape(int(x.shape[0]), 3, 1))
        with pytest.raises(exporter.ExportError, match=r"batch 1.*can be exported for that size only"):
            exporter.export(model, path, example=SHAPE)

    @pytest.mark.parametrize(
        ("function", "message"),
        [
            (lambda x: x.sum((2, 3)) / 0, "not finite"),
            (lambda x: (x.sum((2, 3)), 3), "returns a int"),
            (lambda x: torch.linalg.eigvals(x).real, "cannot export this model: .*linalg_eigvals"),
            (lambda x: x @ torch.ones(5, 5), "does not run on an input of shape"),
        ],
    )
    @pytest.mark.filterwarnings("default")
    def test_models(self, path, function, message, capfd):
        with pytest.raises(exporter.ExportError, match=message):
            exporter.export(Lambda(function), path, example=SHAPE)
        assert capfd.readouterr() == ("", "")

    def test_a_node_that_normalises_by_the_batch(self):
        node = onnx.helper.make_node(
            "BatchNormalization", list("xsbmv"), ["y", "m2", "v2"], "n", training_mode=1
        )
        graph = onnx.helper.make_graph([node], "g", [], [])
        for keep in (True, False):
            with pytest.raises(exporter.ExportError, match="'n' normalises by the batch"):
                finishing.check_batch_norms(graph, 0, keep=keep)

    def test_normalising_by_the_batch_itself(self, path):
        model = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False))
        with pytest.raises(exporter.ExportError, match="0 normalises by the batch"):
            exporter.export(model, path, example=SHAPE)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"example": (3,)}, "batch axis"),
            ({"example": (1, 3, 0, 4)}, "positive sizes"),
            ({"example": torch.zeros(SHAPE, dtype=torch.int64)}, "expected scalar type Long"),
            ({"example": torch.zeros(SHAPE, dtype=torch.complex64)}, "complex64, which no input is"),
            ({"example": None}, "example is missing"),
            ({"example": 3}, "a tensor or a shape, not 3"),
            ({"example": {}}, "names no input"),
            ({"example": {"y": SHAPE}}, "takes no 'y'; it takes x"),
            ({"axes": {"x": {1: "a"}}}, "no input 'x', but input"),
            ({"axes": {"input": {4: "a"}}}, "axes 1 to 3 beside the batch, not 4"),
            ({"axes": {"input": {0: "a"}}}, "axes 1 to 3 beside the batch, not 0"),
            ({"axes": {"input": {2: "batch"}}}, "'batch' is no name for"),
            ({"axes": {"input": {2: "a b"}}}, "'a b' is no name for"),
            ({"axes": {"input": 2}}, "a dict of axis and name"),
            ({"axes": {"input": {1: "a", 2: "a"}}}, "'a' is of two lengths, 3 and 12"),
            ({"example": (1, 3, 1, 12), "axes": {"input": {2: "height"}}}, "1 long in the example"),
            ({"batch": 0}, "batch must be"),
            ({"batch": "any"}, "batch must be"),
            ({"opset": 6}, "writes opset 7 to"),
            ({"opset": 99}, "writes opset 7 to"),
            ({"opset": 17, "exporter": "dynamo"}, "dynamo exporter writes opset 18 to"),
            ({"exporter": "tf"}, "exporter must be"),
            ({"batchnorm": "drop"}, "batchnorm must be"),
        ],
    )
    def test_arguments(self, network, path, options, message):
        with pytest.raises(exporter.ExportError, match=message):
            exporter.export(network, path, **{"example": SHAPE, **options})

    def test_parameters_beyond_one_file(self, network, path, monkeypatch):
        monkeypatch.setattr("exporter.exporting.LARGEST_FILE", 1000)
        with pytest.raises(exporter.ExportError, match="an ONNX file holds 2"):
            exporter.export(network, path, example=SHAPE)


@pytest.mark.parametrize("place", ["missing/net.onnx", "file/net.onnx", "folder"])
def test_places_that_cannot_be_written(network, tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(exporter.ExportError, match="cannot write"):
        exporter.export(network, tmp_path / place, example=SHAPE)
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["file", "folder"]
