"""torchvision's classifiers: their BatchNormalizations, weights, labels and transforms."""

import urllib.error

import numpy as np
import onnx
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

import exporter  # noqa: E402
from exporter._torchvision import torchvision  # noqa: E402
from exporter.classifiers import preprocess_of  # noqa: E402

models = torchvision.models


class TestBatchNorms:
    @pytest.mark.parametrize("which", ["torchscript", "dynamo"])
    @pytest.mark.parametrize(("how", "count"), [("keep", 20), ("fold", 0)])
    def test_resnet18(self, tmp_path, which, how, count):
        built = exporter.build("resnet18", image_size=32)
        report = exporter.export(
            built.model, tmp_path / "net.onnx", example=(1, 3, 32, 32), exporter=which, batchnorm=how
        )
        written = [node.op_type for node in onnx.load(report.path).graph.node]
        assert written.count("BatchNormalization") == report.batch_norms == count
        assert written.count("Conv") == 20

    def test_resnet50(self, tmp_path):
        built = exporter.build("resnet50", image_size=32)
        report = exporter.export(built.model, tmp_path / "net.onnx", example=(1, 3, 32, 32))
        assert report.batch_norms == 53


class TestTransforms:
    """The stored preprocessing, carried out by hand, is torchvision's own."""

    @staticmethod
    def carried_out(config, picture):
        width, height = picture.size
        short = config["size"]["shortest_edge"]
        size = (
            (short, int(short * height / width)) if width < height else (int(short * width / height), short)
        )
        picture = picture.resize(size, config["resample"])
        crop_height, crop_width = config["crop_size"]["height"], config["crop_size"]["width"]
        top, left = round((size[1] - crop_height) / 2), round((size[0] - crop_width) / 2)
        pixels = np.asarray(picture.crop((left, top, left + crop_width, top + crop_height)), np.float64)
        y = (pixels * config["rescale_factor"] - config["image_mean"]) / config["image_std"]
        return y.transpose(2, 0, 1)

    @pytest.mark.parametrize(
        ("name", "weights"),
        [
            ("resnet18", "IMAGENET1K_V1"),  # 256, 224
            ("resnet50", "IMAGENET1K_V2"),  # 232, 224
            ("efficientnet_b0", "IMAGENET1K_V1"),  # bicubic
            ("efficientnet_v2_l", "IMAGENET1K_V1"),  # means and deviations of 0.5
        ],
    )
    @pytest.mark.parametrize("size", [(300, 401), (640, 480)])
    def test_to_a_grey_level(self, name, weights, size):
        transforms = models.get_model_weights(name)[weights].transforms()
        rng = np.random.default_rng(0)
        picture = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
        ours, theirs = self.carried_out(preprocess_of(transforms), picture), transforms(picture).numpy()
        assert ours.shape == theirs.shape
        grey_level = 1 / 255 / min(transforms.std)
        assert np.abs(ours - theirs).max() <= grey_level

    def test_of_every_published_weights(self):
        for name in exporter.architectures():
            for weights in models.get_model_weights(name):
                config = preprocess_of(weights.transforms())
                assert config["crop_size"]["height"] <= config["size"]["shortest_edge"], weights

    def test_another_image_size_keeps_the_proportion(self):
        built = exporter.build("resnet18", image_size=112)
        assert built.image_size == 112
        assert built.preprocess["size"] == {"shortest_edge": 128}
        assert built.preprocess["crop_size"] == {"height": 112, "width": 112}


class TestWeights:
    def test_a_seed_decides_them(self):
        before = torch.get_rng_state()
        one, same, other = (exporter.build("squeezenet1_1", seed=seed).model for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        key = "features.0.weight"
        assert torch.equal(one.state_dict()[key], same.state_dict()[key])
        assert not torch.equal(one.state_dict()[key], other.state_dict()[key])

    @pytest.mark.parametrize(("weights", "resize"), [("default", 232), ("IMAGENET1K_V1", 256)])
    def test_published_ones_bring_their_preprocessing(self, monkeypatch, weights, resize):
        state = models.resnet50(weights=None).state_dict()
        state["fc.bias"] = torch.arange(1000.0)
        monkeypatch.setattr(
            "torchvision.models._api.load_state_dict_from_url", lambda *args, **options: state
        )
        built = exporter.build("resnet50", weights=weights)
        assert torch.equal(built.model.fc.bias, state["fc.bias"])
        assert built.preprocess["size"] == {"shortest_edge": resize}
        assert (built.labels[0], built.labels[-1], len(built.labels)) == ("tench", "toilet tissue", 1000)

    def test_no_network(self, monkeypatch):
        def offline(*args, **options):
            raise urllib.error.URLError("no network")

        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
        with pytest.raises(exporter.ExportError, match=r"cannot be downloaded .*no network.*FILE\.pth"):
            exporter.build("resnet18", weights="default")

    def test_published_ones_have_their_classes(self):
        with pytest.raises(exporter.ExportError, match="has 1000 classes, not 7"):
            exporter.build("resnet18", weights="default", num_classes=7)

    def test_unknown_ones(self):
        with pytest.raises(
            exporter.ExportError, match="resnet50 has none, default, IMAGENET1K_V1, IMAGENET1K_V2"
        ):
            exporter.build("resnet50", weights="IMAGENET")


def test_other_classes_have_no_known_labels():
    built = exporter.build("squeezenet1_1", num_classes=7)
    assert built.labels is None
    assert built.model.classifier[1].out_channels == 7


@pytest.mark.parametrize(("name", "near"), [("resnet19", "resnet18"), ("ResNet50", "resnet50")])
def test_an_unknown_name_lists_near_ones(name, near):
    with pytest.raises(exporter.ExportError, match=f"did you mean .*{near}"):
        exporter.build(name)


def test_detection_and_segmentation_are_not_offered():
    assert "resnet18" in exporter.architectures()
    assert not [name for name in exporter.architectures() if "rcnn" in name or "deeplab" in name]
