"""timm's models by name, with timm's own preprocessing and labels."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
from exporter._torchvision import torchvision  # noqa: E402

assert torchvision  # timm loads with it alone
timm = pytest.importorskip("timm", reason="timm is not installed: pip install '.[zoo]'")
from PIL import Image  # noqa: E402

import exporter  # noqa: E402
from explainer.inputs.image import prepare  # noqa: E402
from explainer.inputs.preprocess import Preprocess  # noqa: E402


def stored(path):
    return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_a_model_is_proved_and_says_how_pictures_are_prepared(tmp_path, name):
    built = exporter.build(f"timm:{name}", seed=3)
    report = exporter.export(built, tmp_path / "net.onnx")
    assert report.labels == 1000 and report.notes == ()
    assert report.inputs == {"input": ("batch", 3, 224, 224)}
    labels = stored(tmp_path / "net.onnx")["id2label"]
    assert labels["0"].startswith("tench") and labels["207"].startswith("golden retriever")
    # The picture that timm's own transform makes, and ours: of one size, and alike but for resampling.
    pixels = np.random.default_rng(0).integers(0, 255, (20, 27, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels).resize((540, 400), Image.Resampling.BICUBIC)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(built.model))
    theirs = transform(photo).numpy()
    ours, _ = prepare(photo, Preprocess.from_config(stored(tmp_path / "net.onnx")["preprocessor_config"]))
    np.testing.assert_allclose(ours[0], theirs, atol=1 / 255 / min(built.preprocess["image_std"]))
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = built.model.eval()(torch.from_numpy(theirs)[None]).numpy()
    found = session.run(None, {"input": theirs[None]})[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


def test_another_size_and_number_of_classes(tmp_path):
    for name in ("resnet18", "vit_tiny_patch16_224"):
        built = exporter.build(f"timm:{name}", image_size=64, num_classes=5)
        report = exporter.export(built, tmp_path / "net.onnx")
        assert report.input_shape == ("batch", 3, 64, 64) and report.labels == 0
        assert stored(tmp_path / "net.onnx")["preprocessor_config"]["crop_size"] == {
            "height": 64,
            "width": 64,
        }


def test_weights_from_a_file(tmp_path):
    model = timm.create_model("resnet18", num_classes=3)
    torch.save(model.state_dict(), tmp_path / "own.pth")
    built = exporter.build("timm:resnet18", weights=str(tmp_path / "own.pth"))
    assert built.model.num_classes == 3 and "own.pth" in built.origin
    assert torch.equal(built.model.conv1.weight, model.conv1.weight)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet19", None, "timm has no model 'resnet19'; did you mean .*resnet18"),
        (
            "resnet18",
            "nowhere.pth",
            "no file 'nowhere.pth', nor weights of that name; resnet18 has none, default, a1",
        ),
    ],
)
def test_what_is_not_there_lists_what_is(name, weights, message):
    with pytest.raises(exporter.ExportError, match=message):
        exporter.build(f"timm:{name}", weights=weights)


def test_a_crop_without_a_form_is_said():
    from exporter.timm_models import _preprocess

    config = {"crop_pct": 1.0, "crop_mode": "border", "interpolation": "bicubic", "mean": (0,), "std": (1,)}
    preprocess, note = _preprocess(config, 32, 32)
    assert preprocess is None and "'border' has no form" in note
    made, _ = _preprocess({**config, "crop_mode": "squash", "crop_pct": 0.5}, 32, 32)
    assert made["size"] == {"height": 64, "width": 64}
