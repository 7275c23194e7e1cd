"""Pictures as people have them, against Pillow."""

import io
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from versions import before

from explainer.errors import InputError
from explainer.inputs import pictures
from explainer.inputs.pictures import open_image, to_rgb, upright

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


def test_whole_pixels_of_32_bits_that_may_be_8_are_refused(tmp_path):
    dark = Image.fromarray(RAMP.astype(np.int32))
    assert dark.mode == "I"
    for turned in (dark, dark.transpose(Image.Transpose.ROTATE_90)):
        with pytest.raises(
            InputError, match="whole pixels of 32 bits, up to 255: of 8 bits that is a picture"
        ):
            upright(turned)
    with pytest.raises(InputError, match="nothing says which"):
        open_image(saved(tmp_path, dark, "picture.tif"))
    np.testing.assert_array_equal(np.asarray(upright(dark.convert("L")))[..., 0], RAMP)
    # What is black either way, and what a PNG of 16 bits holds, is told.
    assert not np.asarray(upright(Image.fromarray(np.zeros((3, 3), np.int32)))).any()
    deep = Image.fromarray(RAMP.astype(np.uint16))
    np.testing.assert_array_equal(
        np.asarray(open_image(saved(tmp_path, deep)))[..., 0], np.rint(RAMP / 257).astype(np.uint8)
    )


def test_of_several_pictures_the_first_is_shown_and_that_is_said(tmp_path):
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    for name in ("moving.gif", "moving.webp", "moving.png", "pages.tif"):
        options = {"lossless": True} if name.endswith("webp") else {}
        path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], **options)
        with pytest.warns(UserWarning, match=f"{name} holds several pictures: the first one is explained"):
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


@pytest.mark.parametrize("form", ["PPM", "PCX", "SGI", "TGA", "JPEG2000", "EPS", "ICO", "PDF"])
def test_other_formats_are_not_even_tried(tmp_path, monkeypatch, form):
    """Their readers are never called: EPS's would start another program."""
    path = tmp_path / "photo.png"
    if form == "EPS":
        path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n%%EOF\n")
    else:
        noise(16, 16).save(path, form)
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(InputError, match="is not a picture in a format that is read here"):
        open_image(path)


def test_the_content_decides_and_not_the_name(tmp_path):
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        path = tmp_path / "photo.eps"
        noise(16, 16).save(path, form)
        assert open_image(path).size == (16, 16)


def test_an_open_file_of_another_format_is_not_read_behind_the_callers_back(tmp_path):
    path = tmp_path / "photo.png"
    noise(16, 16).save(path, "PPM")
    with Image.open(path) as lazy:
        with pytest.raises(InputError, match="in the format PPM, which is not read here"):
            upright(lazy)
        lazy.load()
        assert upright(lazy).size == (16, 16)


def gif(width: int, height: int) -> bytes:
    """A GIF of a few bytes that unpacks to any size."""
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return b"GIF89a" + size + b"\x80\0\0" + bytes(6) + b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"


@pytest.mark.parametrize("side", [8001, 13000, 20000, 65535])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side):
    """Beside Pillow's own limits too, below which it says nothing, and above which it warns."""
    path = tmp_path / "small.gif"
    path.write_bytes(gif(side, side))
    with pytest.raises(InputError, match=rf"small.gif: it is too large: {side} x {side}.*max_pixels"):
        open_image(path)
    with Image.open(saved(tmp_path, noise(9, 9))) as lazy, pytest.raises(InputError, match="more than 80"):
        upright(lazy, max_pixels=80)
    assert open_image(saved(tmp_path, noise(9, 9)), max_pixels=81).size == (9, 9)


def tiff(**tags: int) -> bytes:
    """A TIFF of 16 x 16 grey pixels, uncompressed, with these tags beside or instead."""
    held = {"t256": 16, "t257": 16, "t258": 8, "t259": 1, "t262": 1, "t277": 1} | tags
    entries = sorted((int(name[1:]), value) for name, value in held.items())
    written = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + written + bytes(512)


def test_tiles_count_as_well_as_the_picture(tmp_path):
    path = tmp_path / "tiled.tif"
    path.write_bytes(tiff(t322=16, t323=16, t324=200, t325=256))
    assert open_image(path).size == (16, 16)
    path.write_bytes(tiff(t322=32000, t323=32000, t324=200, t325=256))
    with pytest.raises(InputError, match="32000 x 32000"):
        open_image(path)


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_a_picture_without_pixels(size):
    for mode in ("RGB", "L", "I", "F", "RGBA"):
        with pytest.raises(InputError, match="it has no pixels"):
            upright(Image.new(mode, size))


@pytest.mark.parametrize("mode", Image.MODES if hasattr(Image, "MODES") else ())
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 5)])
def test_every_mode_of_an_open_picture(mode, size):
    shown = upright(Image.new(mode, size))
    assert shown.mode == "RGB" and shown.size == size


def test_an_open_picture_is_turned_as_its_file_is_and_stays_as_it_was(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, noise(12, 8), exif=exif)
    with Image.open(path) as lazy:
        for picture in (lazy, lazy.copy(), lazy.convert("RGB")):
            np.testing.assert_array_equal(np.asarray(upright(picture)), np.asarray(open_image(path)))
            assert picture.size == (12, 8)
            assert upright(upright(picture)).size == (8, 12)  # once


def test_a_damaged_exif_leaves_a_picture_as_it_lies(tmp_path):
    for exif in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"x" * 50):
        path = saved(tmp_path, noise(12, 8), "photo.png", exif=exif)
        np.testing.assert_array_equal(np.asarray(open_image(path)), np.asarray(noise(12, 8)))


@pytest.mark.parametrize("path", ["x" * 10000, "a\0b", "", 3, True, None, b"photo.png"])
def test_what_names_no_picture(path):
    with pytest.raises(InputError):
        open_image(path)


def test_a_damaged_picture_given_as_an_object(tmp_path):
    path = saved(tmp_path, noise(50, 50))
    os.truncate(path, 1000)
    with Image.open(path) as lazy, pytest.raises(InputError, match="cannot be read"):
        upright(lazy)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La", "RGB", "L", "P"])
def test_transparency_is_laid_over_white_whatever_the_rows_at_once(mode, monkeypatch):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (11, 7, 4)).astype(np.uint8), "RGBA")
    picture = picture.convert("LA") if mode == "La" else picture
    picture = picture.convert("RGB").quantize() if mode in ("P", "PA") else picture
    picture = picture.convert(mode)
    if mode in ("RGB", "L", "P"):
        first = picture.getpixel((0, 0))
        picture.info["transparency"] = bytes(range(256)) if mode == "P" else first
    with_alpha = (picture.convert("LA") if mode == "La" else picture).convert("RGBA")
    expected = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), with_alpha).convert("RGB")
    monkeypatch.setattr(pictures, "STRIP", 21)
    assert np.array_equal(np.asarray(to_rgb(picture)), np.asarray(expected))


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "16 bits", "RGBA", "WEBP RGBA", "P", "F"]
)
def test_twenty_bytes_a_pixel_at_the_peak(tmp_path, form):
    if not os.path.exists("/proc/self/status"):
        pytest.skip("no system that tells a process its own peak")
    side = 4000
    deep = {"16 bits": np.uint16, "F": np.float32}
    if form in deep:
        path = saved(tmp_path, Image.fromarray(np.full((side, side), 200, deep[form])), "deep.tif")
    elif form in ("RGBA", "P"):
        options = {"transparency": 0} if form == "P" else {}
        path = saved(tmp_path, Image.new(form, (side, side)), "picture.png", **options)
    else:
        path = tmp_path / "picture"
        kind, _, mode = form.partition(" ")
        Image.new(mode or "RGB", (side, side), (200, 100, 0, 128)[: len(mode or "RGB")]).save(path, kind)
    code = """
import sys
from explainer.inputs.image import prepare
from explainer.inputs.pictures import open_image
from explainer.inputs.preprocess import Preprocess
def peak():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
before = peak()
prepare(open_image(sys.argv[1]), Preprocess(scale=1 / 255))
print(peak() - before)
"""
    taken = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(taken.stdout) < 23 * side**2, int(taken.stdout) / side**2
