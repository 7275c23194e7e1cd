"""Pictures prepared for a model, against torchvision."""

import numpy as np
import onnx
import pytest
from PIL import Image

import explainer
from explainer.errors import InputError, PreprocessError
from explainer.inputs.image import prepare
from explainer.inputs.preprocess import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with detail at every scale, so that a pixel's shift cannot hide."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((width, height))
    fine = generator.integers(-60, 60, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(640, 427), (427, 640), (300, 300), (257, 1000), (31, 17), (1, 1), (1, 9)])
@pytest.mark.parametrize(
    ("resize", "crop", "resample"),
    [(256, (224, 224), 2), (97, (97, 96), 3), ((61, 83), None, 1), (33, (50, 20), 0), (None, (45, 46), 2)],
)
def test_it_equals_torchvisions_transforms(size, resize, crop, resample):
    pytest.importorskip("torch")
    torchvision = pytest.importorskip("exporter._torchvision").torchvision
    transforms = torchvision.transforms
    steps = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    if crop:
        steps.insert(0, transforms.CenterCrop(crop))
    if resize:
        mode = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}[resample]
        steps.insert(0, transforms.Resize(resize, transforms.InterpolationMode(mode)))
    picture = noise(*size)
    array, _ = prepare(picture, Preprocess(resize, crop, "RGB", "NCHW", 1 / 255, MEAN, STD, resample))
    theirs = transforms.Compose(steps)(picture)[None].numpy()
    # One grey level is 0.017 here; what is left is torch's own rounding in float32.
    np.testing.assert_allclose(array, theirs, rtol=0, atol=2e-6)


@pytest.mark.slow
def test_a_gray_model_equals_torchvisions_grayscale():
    pytest.importorskip("torch")
    transforms = pytest.importorskip("exporter._torchvision").torchvision.transforms
    steps = [transforms.Grayscale(), transforms.Resize(28), transforms.CenterCrop(28), transforms.ToTensor()]
    picture = noise(97, 61)
    array, photo = prepare(picture, Preprocess(28, (28, 28), "gray", scale=1 / 255))
    np.testing.assert_allclose(array, transforms.Compose(steps)(picture)[None].numpy(), rtol=0, atol=1e-7)
    assert photo.mode == "RGB" and photo.size == (28, 28)


def test_the_formula_per_channel_in_the_models_own_order():
    picture = Image.new("RGB", (2, 1), (10, 20, 30))
    preprocess = Preprocess(scale=2, mean=(1, 2, 3), std=(1, 2, 4), channels="BGR", layout="NHWC")
    array, photo = prepare(picture, preprocess)
    assert array.dtype == np.float32 and array.shape == (1, 1, 2, 3)
    np.testing.assert_array_equal(array[0, 0, 0], [(60 - 1) / 1, (40 - 2) / 2, (20 - 3) / 4])
    assert photo.getpixel((0, 0)) == (10, 20, 30)
    other, _ = prepare(picture, preprocess.replace(layout="NCHW"))
    np.testing.assert_array_equal(other, array.transpose(0, 3, 1, 2))
    assert other.flags.c_contiguous


def test_the_photo_is_what_the_network_saw():
    picture = noise(90, 70)
    array, photo = prepare(picture, Preprocess(50, (40, 60)))
    np.testing.assert_array_equal(np.asarray(photo), array[0].transpose(1, 2, 0))


def test_sizes_are_bounded_before_memory_is_taken():
    thin = Image.new("L", (20000, 1))
    for preprocess in (
        Preprocess(size=256),
        Preprocess(crop=(16384, 16384)),
        Preprocess(size=(16384, 16384)),
    ):
        with pytest.raises(InputError, match="too large; lower --size or --crop"):
            prepare(thin, preprocess)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mean": 0.5, "std": 0.25}, ("scale 0.00392156862745098",)),
        (
            {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
            ("scale 1", "mean 0.485 0.456 0.406"),
        ),
        ({"std": 0.5}, ("std 0.5",)),
        ({"mean": (0, 0.2, 0)}, ("mean 0 0.2",)),
    ],
)
def test_a_mean_of_unit_pixels_without_a_scale_is_refused(fields, words):
    with pytest.raises(PreprocessError) as error:
        Preprocess(**fields)
    assert all(word in str(error.value) for word in words)
    assert Preprocess(**fields, scale=1).doubt() and not Preprocess(**fields, scale=1 / 255).doubt()


def test_a_scale_that_mean_and_std_belong_to_leaves_no_doubt():
    for fields in ({}, {"mean": 127.5, "std": 127.5}, {"std": 255}, {"mean": (103.9, 116.8, 123.7)}):
        assert not Preprocess(**fields).doubt() and Preprocess(**fields).scale == 1
    assert not Preprocess(scale=1 / 127.5, mean=1).doubt()
    assert "lies beyond all pixels" in Preprocess(scale=1 / 255, mean=127.5, std=127.5).doubt()


NET = "g (float[N,3,?,?] x) => (float[N,3,1,1] y) { y = GlobalAveragePool (x) }"


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        ({}, ""),
        ({"crop": (20, 30)}, ""),
        (
            {"crop": (20, 60)},
            "the crop, 60x20, is larger than the picture, 30x20: 50 % of what the model sees",
        ),
        ({"size": 8, "crop": (16, 12)}, "larger than the resized picture, 12x8: 50 % of what the model sees"),
        ({"crop": (40, 10)}, "larger than the picture, 30x20: 50 %"),
        ({"scale": 1.0, "mean": 0.5}, "mean 0.5 and std 1 look as if for pixels of 0 to 1"),
    ],
)
def test_what_a_preprocessing_leaves_to_doubt_is_said_of_the_map(fields, remark):
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {NET}')
    how = {"scale": 1 / 255} | fields
    picture = Image.fromarray(np.full((20, 30, 3), 200, np.uint8))
    found = explainer.explain(model, picture, preprocess=Preprocess(**how))
    assert remark in found.remark() and bool(found.remark()) == bool(remark)
    assert found.to_dict()["remarks"] == [found.remark() or None]
