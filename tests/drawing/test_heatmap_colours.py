"""Colour maps: the same pixels as zennit's, mistakes in the mini-language, and who can tell them apart."""

import builtins
import importlib

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.drawing import ColorMap, colormaps, imgify
from explainer.drawing.panels import DEFAULTS
from explainer.errors import InputError
from exporter._torchvision import torchvision

assert torchvision  # imported before zennit, which imports it too
zennit = importlib.import_module("zennit.image")

SOURCES = (
    "0ff,00f,80:000,f00,ff0,fff",
    "f00,00ff00",
    "Abc , 7:123456\t,fff",
    "40:f00,a0:0f0,c0:00f",
    "000,80:f00,80:00f,fff",
    "fff,40:000,000",
    "12:001,002,003,004,005,006,007,008,009,00a,00b,00c,00d,ffffff,ef:000",
    "fff,000,",
)
NAMES = sorted(zennit.CMAPS)
GENERATOR = np.random.default_rng(0)


@pytest.fixture
def readable(monkeypatch):
    """zennit gives Pillow its palette as an array; what Pillow reads in all its releases is bytes."""
    palette = zennit.palette
    monkeypatch.setattr(zennit, "palette", lambda *options: palette(*options).tobytes())


def same(array, **options) -> None:
    ours, theirs = imgify(array, **options), zennit.imgify(array, **options)
    assert ours.mode == theirs.mode == "P"
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    np.testing.assert_array_equal(np.asarray(ours.convert("RGB")), np.asarray(theirs.convert("RGB")))


def test_every_name_of_zennit_is_there_with_its_colours():
    assert len(NAMES) == 11 and set(NAMES) <= set(colormaps())
    for name in NAMES:
        np.testing.assert_array_equal(ColorMap.of(name).palette(), zennit.palette(name))


@pytest.mark.parametrize("cmap", (*NAMES, *SOURCES))
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.usefixtures("readable")
def test_pictures_are_zennits_pixel_by_pixel(cmap, symmetric):
    for dtype in (np.float32, np.float64, np.int64, np.uint8):
        array = (50 * GENERATOR.normal(size=(37, 41)) + 100).clip(0, 255).astype(dtype)
        same(array, cmap=cmap, symmetric=symmetric)
    array = GENERATOR.standard_cauchy(size=(37, 41)).astype(np.float32)
    for level in (1.0, 0.5, 2.0, 3.7):
        same(array, cmap=cmap, symmetric=symmetric, level=level)
    same(array, cmap=cmap, vmin=-2, vmax=3.5)
    same(array[None], cmap=cmap, vmax=np.float32(1.5))
    same(array[..., None], cmap=cmap, symmetric=symmetric)


@pytest.mark.parametrize("grid", [True, (2, 4), (7, 1)])
@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 1, 6, 5), (7, 6, 5, 1)])
@pytest.mark.usefixtures("readable")
def test_grids_are_zennits(grid, shape):
    array = GENERATOR.normal(size=shape)
    same(array, grid=grid, symmetric=True)
    same(array, grid=grid, gridfill=17, cmap="coldnhot")


digits = st.sampled_from("0123456789abcdefABCDEF")
colour = st.builds(
    "".join, st.lists(digits, min_size=3, max_size=3) | st.lists(digits, min_size=6, max_size=6)
)
place = st.just("") | st.builds(
    lambda index: index + ":", st.text("0123456789abcdef", min_size=1, max_size=2)
)
entry = st.builds("".join, st.tuples(place, colour))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.builds(",".join, st.lists(entry, min_size=1, max_size=9)), st.sampled_from(["", ",", " "]))
def test_any_source_is_read_as_zennit_reads_it(source, end):
    try:
        theirs = zennit.palette(source + end)
    except RuntimeError:
        with pytest.raises(InputError):
            ColorMap.parse(source + end)
        return
    np.testing.assert_array_equal(ColorMap.of(source + end).palette(), theirs)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("fff,f0,000", "'fff,f0,000', at character 5: 'f0' is not a colour; expected 3 or 6 hex"),
        ("fff,  ggg", "at character 7: 'ggg' is not a colour"),
        ("fff,,000", "at character 5: '' is not a colour"),
        (",fff,000", "at character 1: '' is not"),
        ("fff,80:", "at character 5: '80:' is not"),
        ("fff,123:000", "at character 5: '123:000' is not"),
        ("fff;000:", "at character 1"),
        ("80:fff,40:000,fff", "at character 8: index 40 comes after 80; expected indices in ascending order"),
        ("fff,f:000,80:000", "at character 11: index 80 comes after ff"),
        ("fff", "'fff': expected 2 or more colours"),
        ("", "at character 1: '' is not a colour"),
    ],
)
def test_a_mistake_is_said_with_its_place(source, message):
    with pytest.raises(InputError, match=message):
        ColorMap.of(source)


def test_what_imgify_cannot_draw_is_said():
    for array, options, message in (
        (np.ones((3, 4, 5)), {}, r"shape \(3, 4, 5\) cannot be drawn; expected \(height, width\), channels"),
        (np.ones((4, 5)), {"grid": True}, r"expected \(pictures, height, width\)"),
        (np.ones((0, 5)), {}, "cannot be drawn"),
        (np.full((2, 2), np.nan), {}, "finite numbers"),
        (np.array([["a"]]), {}, "finite numbers"),
        (np.array([[-1e308, 1e308]]), {}, "the range from"),
        (np.ones((5, 2, 2)), {"grid": (2, 2)}, "5 pictures do not fit into a grid of 2 rows and 2 columns"),
    ):
        with pytest.raises(InputError, match=message):
            imgify(array, **options)


def test_no_range_is_the_middle_colour():
    assert (np.asarray(imgify(np.zeros((2, 2)), symmetric=True)) == 127).all()
    assert (np.asarray(imgify(np.full((2, 2), True))) == 127).all()


def test_matplotlibs_maps_by_name_and_as_objects():
    article = matplotlib.colors.LinearSegmentedColormap.from_list(
        "custom blue", [(0, "#ffffff"), (0.25, "#000000"), (1, "#000000")], N=256
    )
    levels = np.linspace(0, 1, 256)
    for asked, theirs in (("viridis", matplotlib.colormaps["viridis"]), (article, article)):
        np.testing.assert_array_equal(ColorMap.of(asked)(levels, False), np.rint(255 * theirs(levels)[:, :3]))
    # The article's white to black in the mini-language: a quarter of the indices is 63.75.
    difference = ColorMap.of("fff,40:000,000")(levels, False) - 255 * article(levels)[:, :3]
    assert np.abs(difference).max() <= 1.5


@pytest.mark.parametrize("name", ["Greens", "Reds", "Blues"])
def test_captums_default_maps_are_matplotlibs(name):
    levels = np.linspace(0, 1, 256)
    difference = ColorMap.of(name)(levels, False) - 255 * matplotlib.colormaps[name](levels)[:, :3]
    assert np.abs(difference).max() <= 2.5  # our indices are whole numbers


def test_without_matplotlib_the_message_says_what_it_would_add(monkeypatch):
    load = importlib.import_module

    def refuse(name, *arguments):
        if name == "matplotlib":
            raise ImportError(name)
        return load(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(
        InputError, match=r"colormap is 'viridis': there are gray, .* with matplotlib installed"
    ):
        ColorMap.of("viridis")
    assert ColorMap.of("Greens")
    monkeypatch.undo()
    with pytest.raises(InputError, match="nor has matplotlib one of that name"):
        ColorMap.of("virids")


def test_matplotlib_is_not_imported_for_what_is_ours(monkeypatch):
    load = builtins.__import__

    def watch(name, *arguments, **options):
        assert not name.startswith("matplotlib")
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", watch)
    monkeypatch.setattr(importlib, "import_module", watch)
    for name in (*colormaps(), *SOURCES, *DEFAULTS.values()):
        ColorMap.of(name)


def test_an_object_that_is_no_colour_map_is_refused():
    with pytest.raises(InputError, match=r"gives an array of shape \(256,\) for 256 numbers"):
        ColorMap.of(np.sqrt)


# How dichromats see linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]


def lab(pixels, sight):
    """CIE L*a*b* of sRGB pixels as seen by one kind of eyes."""
    share = pixels / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.transpose(SIGHT[sight])).clip(0, 1)
    white = seen @ np.transpose(XYZ) / np.sum(XYZ, axis=1)
    root = np.where(white > 216 / 24389, np.cbrt(white), white * 841 / 108 + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


# Two colours that differ by less cannot be told apart: Mahy, Van Eycken and Oosterlinck 1994.
JUST_SEEN = 2.3
FIFTHS = np.linspace(0.2, 1, 5)


def distances(colormap, sight):
    """Between the colours of +s and −s, +s and 0, −s and 0, for s at every fifth of the scale."""
    plus, minus, zero = (
        lab(ColorMap.of(colormap)(shares, True), sight) for shares in (FIFTHS, -FIFTHS, 0 * FIFTHS)
    )
    return [np.linalg.norm(a - b, axis=-1) for a, b in ((plus, minus), (plus, zero), (minus, zero))]


@pytest.mark.parametrize("sight", SIGHT)
def test_the_default_is_safe_for_the_colour_blind(sight):
    # Every fifth of the scale is seen to be more, of either sign, and the signs to be two.
    for distance in distances(DEFAULTS["all"], sight):
        assert (np.diff(distance, prepend=0) > JUST_SEEN).all()


def test_red_and_green_are_not():
    signs, _, _ = distances("RdWhGn", "deuteranopia")
    assert (np.diff(signs, prepend=0) < JUST_SEEN).any()


def test_no_other_map_here_keeps_the_signs_further_apart():
    worst = {
        name: min(distances(name, sight)[0][-1] for sight in SIGHT)
        for name, source in colormaps().items()
        if "80:" in source
    }
    assert max(worst, key=worst.get) == DEFAULTS["all"]


@pytest.mark.parametrize("sign", ["positive", "negative", "absolute_value"])
@pytest.mark.parametrize("sight", SIGHT)
def test_more_of_one_sign_is_seen_to_be_more(sign, sight):
    zero, *rest = lab(ColorMap.of(DEFAULTS[sign])(np.array([0, *FIFTHS]), False), sight)
    assert (np.diff(np.linalg.norm(np.array(rest) - zero, axis=-1), prepend=0) > JUST_SEEN).all()
