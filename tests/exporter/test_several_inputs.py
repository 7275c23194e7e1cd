"""Several inputs, whole numbers among them, and axes of any length: each proved at other lengths too."""

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import exporter  # noqa: E402

EXPORTERS = ["torchscript", "dynamo"]
IDS = torch.randint(20, (2, 8), generator=torch.Generator().manual_seed(0))
MASK = torch.ones(2, 8, dtype=torch.bool)
MASK[1, 5:] = False


class Words(nn.Module):
    """The mean of the words that a mask leaves, and what each is by itself."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.embed, self.head = nn.Embedding(20, 6), nn.Linear(6, 3)

    def forward(self, ids, scale=None, mask=None):
        x = self.embed(ids)
        x = x if scale is None else x * scale[:, None]
        shown = mask[..., None].to(x.dtype)
        return {"logits": self.head((x * shown).sum(1) / shown.sum(1)), "words": self.head(x)}


def run(path, **feeds):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {name: x.numpy() for name, x in feeds.items()})


@pytest.mark.parametrize("which", EXPORTERS)
def test_words_of_any_number(tmp_path, which):
    model, path = Words(), tmp_path / "net.onnx"
    report = exporter.export(
        model,
        path,
        example={"mask": MASK, "ids": IDS},
        axes={"ids": {1: "sequence"}, "mask": {1: "sequence"}},
        exporter=which,
        labels=["a", "b", "c"],
    )
    assert report.inputs == {"mask": ("batch", "sequence"), "ids": ("batch", "sequence")}
    assert report.input_shape == ("batch", "sequence") and report.labels == 3
    assert model.training
    graph = onnx.load(path).graph
    assert [value.name for value in graph.output] == ["logits", "words"]
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    assert kinds == {"ids": onnx.TensorProto.INT64, "mask": onnx.TensorProto.BOOL}
    for rows, length in ((1, 3), (4, 11)):
        ids = torch.randint(20, (rows, length), generator=torch.Generator().manual_seed(length))
        mask = torch.ones(rows, length, dtype=torch.bool)
        mask[-1, 2:] = False
        with torch.no_grad():
            wanted = model.eval()(ids, mask=mask)
        for ours, theirs in zip(run(path, ids=ids, mask=mask), wanted.values(), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("which", EXPORTERS)
def test_a_number_for_each_sample_beside_words(tmp_path, which):
    scale = torch.rand(2, 1, generator=torch.Generator().manual_seed(1))
    report = exporter.export(
        Words(),
        tmp_path / "net.onnx",
        example={"ids": IDS, "scale": scale, "mask": MASK},
        exporter=which,
        batch=2,
    )
    assert report.inputs == {"ids": (2, 8), "scale": (2, 1), "mask": (2, 8)}


@pytest.mark.parametrize("which", EXPORTERS)
def test_pictures_of_any_size(tmp_path, network, answer, which):
    axes = {"input": {2: "height", 3: "width"}}
    report = exporter.export(
        network, tmp_path / "net.onnx", example=(1, 3, 12, 16), axes=axes, exporter=which
    )
    assert report.input_shape == ("batch", 3, "height", "width")
    x = torch.rand(2, 3, 9, 14)
    with torch.no_grad():
        wanted = network.eval()(x).numpy()
    np.testing.assert_allclose(answer(tmp_path / "net.onnx", x), wanted, rtol=1e-4, atol=1e-5)


def test_an_output_as_long_as_an_input_says_so(tmp_path):
    class Twice(nn.Module):
        def forward(self, ids):
            x = ids.float()
            return x * 2, torch.cat([x, x], 1), x.sum(1)

    exporter.export(Twice(), tmp_path / "net.onnx", example={"ids": IDS}, axes={"ids": {1: "words"}})
    shapes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.load(tmp_path / "net.onnx").graph.output
    ]
    assert shapes == [["batch", "words"], ["batch", "output_1_1"], ["batch"]]


def test_a_length_that_the_trace_took_for_a_constant(tmp_path):
    class Fixed(nn.Module):
        def forward(self, ids):
            return ids.float() * torch.arange(int(ids.shape[1])).float()

    with pytest.raises(exporter.ExportError, match=r"words 4"):
        exporter.export(Fixed(), tmp_path / "net.onnx", example={"ids": IDS}, axes={"ids": {1: "words"}})
    assert not list(tmp_path.iterdir())


def test_noise_of_whole_numbers_is_drawn_from_the_example(tmp_path):
    # Any other index would be none of the table's.
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(3, 4)

        def forward(self, ids):
            return self.embed(ids).sum(1)

    report = exporter.export(Table(), tmp_path / "net.onnx", example={"ids": torch.tensor([[0, 2, 1]])})
    assert not report.notes
    assert exporter.export(Table(), tmp_path / "net.onnx", example=torch.tensor([[0, 2, 1]])).inputs == {
        "input": ("batch", 3)
    }


def test_an_architecture_brings_what_is_not_given(tmp_path):
    built = exporter.Architecture(
        Words(),
        labels=["a", "b", "c"],
        example={"ids": IDS, "mask": MASK},
        axes={"ids": {1: "sequence"}, "mask": {1: "sequence"}},
        tokenizer={"model": {"type": "WordLevel"}},
        notes=("made by hand",),
    )
    report = exporter.export(built, tmp_path / "net.onnx")
    assert report.labels == 3 and report.notes == ("made by hand",)
    stored = {entry.key: entry.value for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert stored["tokenizer"] == '{"model": {"type": "WordLevel"}}'
    given = exporter.export(
        built, tmp_path / "net.onnx", labels=["x", "y", "z"], example={"ids": IDS, "mask": MASK}
    )
    assert given.labels == 3
    with pytest.raises(exporter.ExportError, match="or a name, not int"):
        exporter.export(3, tmp_path / "net.onnx")
