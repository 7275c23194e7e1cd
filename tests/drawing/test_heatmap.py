"""What a heat map must say, read off its pixels."""

import numpy as np
import pytest
from PIL import Image

from explainer.drawing import ColorMap, amounts, paper, render, shared_scale
from explainer.drawing.colours import COLORMAPS
from explainer.errors import InputError

# Those whose middle is grey: zero-centred.
DIVERGING = [name for name, colours in COLORMAPS.items() if "80:" in colours]
BLUE, WHITE, RED = (0, 0, 255), (255, 255, 255), (255, 0, 0)
GENERATOR = np.random.default_rng(0)


def bare(relevance, **options) -> np.ndarray:
    """The map alone, without its paper: what is inside the frame."""
    picture = np.asarray(render(relevance, colorbar=False, style="map", **options))
    rows, columns = np.nonzero((picture == paper.FRAME).all(axis=-1))
    return picture[rows.min() + 1 : rows.max(), columns.min() + 1 : columns.max()]


def corners(picture: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(picture[y, x].tolist()) for y in (0, -1) for x in (0, -1)]


def test_zero_is_white_and_both_signs_share_one_scale():
    assert corners(bare([[5, 0], [-3, -5]])) == [RED, WHITE, (102, 102, 255), BLUE]


def test_the_map_is_enlarged_by_a_whole_factor():
    picture = bare(GENERATOR.normal(size=(1, 5, 9)), min_size=100)
    assert picture.shape == (5 * 12, 9 * 12, 3)
    small = picture[::12, ::12]
    np.testing.assert_array_equal(picture, small.repeat(12, 0).repeat(12, 1))


@pytest.mark.parametrize(
    ("shape", "layout", "plane"),
    [
        ((3, 6, 7), "NCHW", lambda r: r.sum(0)),
        ((6, 7, 3), "NHWC", lambda r: r.sum(-1)),
        ((6, 7), "NHWC", lambda r: r),
        ((2, 3, 6, 7), "NCHW", lambda r: r.sum((0, 1))),
        ((2, 6, 7, 3), "NHWC", lambda r: r.sum((0, 3))),
        ((9,), "NCHW", lambda r: r[None]),
        ((1024,), "NCHW", lambda r: r.reshape(2, 512)),
        ((), "NCHW", lambda r: r.reshape(1, 1)),
    ],
)
def test_channels_are_summed_where_they_lie(shape, layout, plane):
    relevance = GENERATOR.normal(size=shape)
    np.testing.assert_array_equal(bare(relevance, layout=layout), bare(plane(relevance)))


def test_a_vector_keeps_all_its_values():
    plane = amounts.to_plane(np.arange(1.0, 1001.0), "NCHW")
    assert plane.shape == (2, 500) and plane.sum() == 500500
    assert amounts.to_plane(np.ones(1025), "NCHW").sum() == 1025


def test_no_relevance_is_drawn_white():
    for options in ({}, {"scale": 0}, {"percentile": 100}):
        assert (bare(np.zeros((3, 4, 4)), **options) == 255).all()
    render(np.zeros((3, 4, 4)))


def test_a_few_extreme_pixels_do_not_wash_out_the_rest():
    relevance = np.zeros((40, 50))
    relevance[:, :25], relevance[0, 0] = 1, 1000
    assert corners(bare(relevance))[2] == RED
    assert corners(bare(relevance, percentile=100))[2] == WHITE


def test_the_scale_of_small_and_of_sparse_maps_is_their_largest_value():
    assert amounts.extent(np.arange(64.0).reshape(8, 8), amounts.PERCENTILE) == 63
    sparse = np.zeros((40, 50))
    sparse[0, 0] = -3
    assert amounts.extent(sparse, amounts.PERCENTILE) == 3


def test_the_colour_bar_says_the_scale_and_what_was_clipped():
    def labels(sign, limit, below, above):
        return paper.Bar(ColorMap.of("bwr"), sign, limit, below, above).labels()

    assert labels("all", 0.01234, False, False) == ["+0.0123", "0", "-0.0123"]
    assert labels("all", 2.0, False, True) == [">= +2", "0", "-2"]
    assert labels("all", 2.0, True, False) == ["+2", "0", "<= -2"]
    assert labels("all", 0.0, False, False) == ["", "0", ""]
    assert labels("positive", 2.0, False, True) == [">= +2", "", "0"]
    assert labels("negative", 2.0, False, True) == ["<= -2", "", "0"]
    assert labels("absolute_value", 2.0, False, True) == [">= 2", "", "0"]
    assert labels("positive", 0.0, False, True) == ["", "", "0"]
    exact, clipped = (render([[value, 0.0]], scale=2.0) for value in (2.0, 2.1))
    assert clipped.width > exact.width


def test_the_colour_bar_runs_from_plus_over_zero_to_minus():
    picture = np.asarray(render(np.zeros((8, 8))))
    red, blue = ((picture == colour).all(-1).nonzero() for colour in (RED, BLUE))
    top, bottom, column = red[0].max(), blue[0].min(), red[1].min()
    assert top < bottom and set(red[1]) == set(blue[1])
    assert tuple(picture[(top + bottom) // 2, column]) >= (250, 250, 250)
    greens = picture[top : (top + bottom) // 2, column, 1].astype(int)
    assert (np.diff(greens) >= 0).all()


def test_one_scale_for_several_maps():
    maps = [np.full((1, 4, 4), value) for value in (1.0, -4.0)]
    scale = shared_scale(maps)
    assert scale == 4
    assert corners(bare(maps[1], scale=scale))[0] == BLUE
    assert corners(bare(maps[0], scale=scale))[0] == corners(bare([[1.0, 4.0]]))[0]
    assert shared_scale([]) == shared_scale([np.zeros((2, 2))]) == 0
    assert shared_scale([np.ones((4, 4, 2))], layout="NHWC") == 2


def test_the_photo_is_beside_or_under_the_map():
    photo = Image.new("RGB", (8, 8), (0, 200, 0))
    relevance = np.zeros((3, 8, 8))
    relevance[:, :4] = 1
    beside, over, alone = (
        render(relevance, photo, style=style, colorbar=False) for style in ("side_by_side", "overlay", "map")
    )
    assert beside.width > alone.width == over.width
    assert ((np.asarray(beside) == (0, 200, 0)).all(-1)).sum() >= 320 * 320
    colours = {colour for _, colour in over.getcolors(1 << 20)}
    assert RED in colours and (0, 200, 0) not in colours
    assert render(relevance, colorbar=False).size == alone.size


@pytest.mark.parametrize("sign", ["all", "positive"])
@pytest.mark.parametrize("colormap", DIVERGING)
def test_an_overlay_without_relevance_is_a_grey_photo(colormap, sign):
    photo = Image.fromarray(GENERATOR.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    options = {"colormap": colormap, "sign": sign, "colorbar": False, "min_size": 64}
    page = np.asarray(render(np.zeros((64, 64)), photo, style="overlay", **options))
    margin = (page.shape[0] - 64) // 2
    shown = page[margin : margin + 64, margin : margin + 64].astype(float)
    assert sign != "all" or ((shown.max(-1) == shown.min(-1)).all() and np.ptp(shown) > 100)
    # Seven tenths of the photo in grey, the rest the colour of zero, which the colour bar explains.
    zero = ColorMap.of(colormap)(np.zeros(1), sign == "all")
    grey = np.asarray(photo.convert("L"), dtype=float)[:, :, None]
    assert np.abs(shown - (0.7 * grey + 0.3 * zero)).max() < 0.501  # rounded


@pytest.mark.parametrize("colormap", DIVERGING)
def test_colour_maps_are_centred_and_distinct(colormap):
    shades = ColorMap.of(colormap)(np.linspace(-1, 1, 101), True).astype(int)
    assert len(np.unique(shades, axis=0)) == 101
    assert shades[50].tolist() in ([255] * 3, [0xD0] * 3, [0] * 3)
    if colormap in ("bwr", "seismic", "coldnhot", "france"):
        assert shades[25][2] > shades[25][0] and shades[75][0] > shades[75][2]


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_of_one_sign_zero_is_where_the_map_begins(colormap):
    first, last = ColorMap.of(colormap).colours[[0, -1]]
    shown = bare([[0.0, -1.0], [1.0, 2.0]], sign="positive", colormap=colormap)
    assert corners(shown) == [tuple(first), tuple(first), corners(shown)[2], tuple(last)]
    shown = bare([[0.0, 1.0], [-1.0, -2.0]], sign="negative", colormap=colormap)
    assert corners(shown) == [tuple(first), tuple(first), corners(shown)[2], tuple(last)]


def test_every_sign_has_its_own_default_colours():
    relevance = [[0.0, 1.0], [-1.0, -0.5]]
    assert corners(bare(relevance, sign="all")) == [WHITE, RED, BLUE, (128, 128, 255)]
    assert corners(bare(relevance, sign="positive")) == [WHITE, RED, WHITE, WHITE]
    assert corners(bare(relevance, sign="negative")) == [WHITE, WHITE, BLUE, (128, 128, 255)]
    assert corners(bare(relevance, sign="absolute_value")) == [WHITE, (0, 0, 0), (0, 0, 0), (128, 128, 128)]


def test_pooling_draws_sums_over_squares_in_their_places():
    relevance = GENERATOR.normal(size=(7, 9))
    pooled = amounts.pooled(relevance, 4)
    for top in (0, 4):
        for left in (0, 4, 8):
            square = np.s_[top : top + 4, left : left + 4]
            np.testing.assert_allclose(pooled[square], relevance[square].sum(), rtol=1e-14)
    np.testing.assert_array_equal(bare(relevance, pool=4), bare(pooled))
    np.testing.assert_allclose(amounts.pooled(relevance, 99), relevance.sum(), rtol=1e-14)
    assert shared_scale([relevance], pool=4) == np.abs(pooled).max()
    plain, noted = (render(relevance, pool=pool, min_size=64) for pool in (1, 4))
    assert noted.size != plain.size  # the colour bar says what is summed


def test_nothing_is_drawn_that_the_colour_bar_does_not_say():
    relevance = GENERATOR.normal(size=(8, 8))
    photo = Image.new("RGB", (8, 8), "green")
    for style in ("masked_image", "alpha_scaling", "original_image"):
        drawn = [
            render(relevance, photo, style=style, sign="positive", colorbar=bar) for bar in (True, False)
        ]
        assert drawn[0].size == drawn[1].size
    for style in ("map", "overlay", "blended_heat_map"):
        with_bar, without = (render(relevance, photo, style=style, colorbar=bar) for bar in (True, False))
        assert with_bar.width > without.width


@pytest.mark.slow
def test_extreme_shapes_and_values_are_drawn():
    for relevance in (
        np.ones((1, 1)),
        np.ones((1, 3000)),
        np.ones((3000, 1)),
        np.full((4, 4), 1e300),
        np.full((4, 4), 5e-324),
        np.full((4, 4), np.float16(1)),
        np.eye(4, dtype=bool),
    ):
        picture = render(relevance, title="A long title " * 50)
        assert picture.mode == "RGB" and max(picture.size) < 4000
    render(np.full((4, 4), 1e300), scale=1e-300)


def test_a_title_is_written_in_the_letters_there_are():
    font = paper.ImageFont.load_default(16)
    assert paper.fitting("Mèo\n vàng", font, 500) == "Meo vang"
    cut = paper.fitting("a long title", font, 50)
    assert cut.endswith("...") and font.getlength(cut) <= 50
    assert paper.fitting("word", font, 0) == ""


@pytest.mark.parametrize(
    ("relevance", "options", "message"),
    [
        ([[1.0]], {"style": "beside"}, "style is 'beside'; expected one of side_by_side"),
        ([[1.0]], {"style": "masked_image"}, "cannot show both signs"),
        ([[1.0]], {"style": "alpha_scaling", "sign": "positive"}, "needs a photo"),
        ([[1.0]], {"sign": "both"}, "sign is 'both'; expected one of all, positive"),
        ([[1.0]], {"colormap": "jett"}, "colormap is 'jett'"),
        ([[1.0]], {"colormap": 7}, "colormap is 7"),
        ([[1.0]], {"pool": 0}, "pool is 0"),
        ([[1.0]], {"pool": 1.5}, "pool is 1.5"),
        ([[1.0]], {"pool": float("inf")}, "pool is inf"),
        ([[1.0]], {"scale": "shared"}, "scale is shared"),
        ([[1.0]], {"outlier_perc": 100}, "outlier_perc is 100"),
        ([[1.0]], {"outlier_perc": -1}, "outlier_perc is -1"),
        ([[1.0]], {"alpha_overlay": 2}, "alpha_overlay is 2"),
        ([[1.0]], {"style": "overlay"}, "needs a photo"),
        ([[1.0]], {"layout": "CHW"}, "layout"),
        ([[1.0]], {"scale": -1}, "scale is -1"),
        ([[1.0]], {"scale": float("nan")}, "scale is nan"),
        ([[1.0]], {"percentile": 0}, "percentile is 0"),
        ([[1.0]], {"percentile": 101}, "percentile is 101"),
        ([[1.0]], {"min_size": 10**9}, "min_size"),
        ([[float("nan")]], {}, "not finite"),
        (np.zeros((3, 0, 4)), {}, "empty"),
        ("text", {}, "not an array"),
    ],
)
def test_what_cannot_be_drawn_is_said(relevance, options, message):
    with pytest.raises(InputError, match=message):
        render(relevance, **options)
