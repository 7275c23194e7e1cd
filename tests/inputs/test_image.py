"""Pictures as people have them, against Pillow and torchvision."""

import io
import os

import numpy as np
import pytest
from PIL import Image
from versions import before

from explainer.errors import InputError
from explainer.inputs.image import check_fits, open_image, prepare
from explainer.inputs.preprocess import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with detail at every scale, so that a pixel's shift cannot hide."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((width, height))
    fine = generator.integers(-60, 60, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8))


def saved(tmp_path, image: Image.Image, name: str = "picture.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


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


def test_every_exif_orientation_is_turned_upright(tmp_path):
    upright = noise(12, 8)
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # of Image.Transpose: what the camera did
    for orientation, turn in turns.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = saved(tmp_path, upright.transpose(Image.Transpose(turn)), exif=exif)
        np.testing.assert_array_equal(np.asarray(open_image(path)), np.asarray(upright), str(orientation))


def test_transparency_is_laid_over_white(tmp_path):
    red = np.zeros((1, 3, 4), np.uint8)
    red[..., 0], red[..., 3] = 200, [0, 128, 255]
    expected = np.array([[[255] * 3, [227, 127, 127], [200, 0, 0]]])
    result = np.asarray(open_image(saved(tmp_path, Image.fromarray(red))))
    assert np.abs(result.astype(int) - expected).max() <= 1

    grey = Image.new("LA", (1, 1), (0, 0))
    assert open_image(saved(tmp_path, grey)).getpixel((0, 0)) == (255, 255, 255)

    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 0, 0, 200])
    palette.putpixel((1, 0), 1)
    for transparency in (0, b"\x00\xff"):
        shown = open_image(saved(tmp_path, palette, transparency=transparency))
        assert [shown.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 200)]
    shown = open_image(saved(tmp_path, Image.new("RGB", (1, 1), (1, 2, 3)), transparency=(1, 2, 3)))
    assert shown.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(tmp_path, mode):
    if mode == "YCbCr" and before("pillow", "13"):
        pytest.skip("Pillow before 13 writes such a file without its last pixels")
    image = noise(9, 7).convert(mode)
    path = saved(tmp_path, image, "picture.tif" if mode in ("CMYK", "YCbCr") else "picture.png")
    opened = open_image(path)
    assert opened.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(opened), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", ["picture.png", "picture.tif"])
def test_16_bits_are_scaled_rather_than_clipped(tmp_path, name):
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    np.testing.assert_array_equal(np.asarray(open_image(saved(tmp_path, deep, name)))[..., 0], RAMP)


def test_32_bits_are_read_where_a_convention_exists(tmp_path):
    for values in (RAMP.astype(np.int32) * 257, RAMP.astype(np.float32), (RAMP / 255).astype(np.float32)):
        path = saved(tmp_path, Image.fromarray(values), "picture.tif")
        np.testing.assert_array_equal(np.asarray(open_image(path))[..., 1], RAMP)
    for value in (70000, -1, np.float32(300), np.float32("nan")):
        values = np.full((2, 2), value, np.float32 if isinstance(value, np.floating) else np.int32)
        path = saved(tmp_path, Image.fromarray(values), "picture.tif")
        with pytest.raises(InputError, match="what is white") as caught:
            open_image(path)
        assert str(path) in str(caught.value)


def test_an_animation_shows_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    for name in ("moving.gif", "moving.webp", "moving.png"):
        options = {"lossless": True} if name.endswith("webp") else {}
        path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], **options)
        assert open_image(path).getpixel((0, 0)) == (255, 0, 0)


def test_what_is_not_a_picture_says_why_and_what_to_do(tmp_path):
    png, jpeg = io.BytesIO(), io.BytesIO()
    noise(50, 50).save(png, "PNG")
    noise(50, 50).save(jpeg, "JPEG")
    contents = {
        b"": "empty",
        b"just text\n": "not a picture",
        b"\x00\x00\x00\x18ftypheic": "HEIC",
        png.getvalue()[:1000]: "Copy or save it again",
        jpeg.getvalue()[:700]: "Copy or save it again",
        png.getvalue()[:20]: "not a picture|cannot be read",
    }
    path = tmp_path / "picture.png"
    for content, message in contents.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            open_image(path)
        assert str(path) in str(caught.value)
    for other, message in ((tmp_path, "is a folder"), (tmp_path / "none.png", "no such file")):
        with pytest.raises(InputError, match=message):
            open_image(other)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("limit", [30, 40])
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch, limit):
    path = saved(tmp_path, noise(9, 9))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(InputError, match="too large"):
        open_image(path)


def test_sizes_are_bounded_before_memory_is_taken():
    thin = Image.new("L", (20000, 1))
    for preprocess in (
        Preprocess(size=256),
        Preprocess(crop=(16384, 16384)),
        Preprocess(size=(16384, 16384)),
    ):
        with pytest.raises(InputError, match="too large; lower --size or --crop"):
            prepare(thin, preprocess)


def test_a_damaged_picture_given_as_an_object(tmp_path):
    path = saved(tmp_path, noise(50, 50))
    os.truncate(path, 1000)
    with Image.open(path) as lazy, pytest.raises(InputError, match="cannot be read"):
        prepare(lazy, Preprocess())


@pytest.mark.parametrize(
    ("shape", "declared", "layout", "hint"),
    [
        ((1, 3, 480, 640), (1, 3, 224, 224), "NCHW", "--size 224 --crop 224,224"),
        ((1, 480, 640, 3), ("N", 224, 192, 3), "NHWC", "--size 224,192"),
        ((1, 3, 480, 640), (1, 3, "H", 64), "NCHW", "--size 480 --crop 480,64"),
        ((1, 3, 224, 224), (1, 224, 224, 3), "NCHW", "--layout NHWC"),
        ((1, 224, 224, 3), (None, 3, 224, 224), "NHWC", "--layout NCHW"),
        ((1, 3, 28, 28), (1, 1, 28, 28), "NCHW", "--channels gray"),
        ((1, 1, 28, 28), (1, 3, 28, 28), "NCHW", "--channels RGB"),
        ((1, 3, 28, 28), (1, 4, 28, 28), "NCHW", "no 4 channels"),
        ((1, 3, 28, 28), (1, 784), "NCHW", "does not take pictures"),
    ],
)
def test_a_misfit_names_the_option_that_mends_it(shape, declared, layout, hint):
    with pytest.raises(InputError, match="the model takes") as caught:
        check_fits(shape, declared, layout)
    assert hint in str(caught.value)


def test_what_fits():
    check_fits((1, 3, 480, 640), ("batch", 3, None, "width"), "NCHW")
    check_fits((1, 224, 224, 3), (8, 224, 224, 3), "NHWC")
