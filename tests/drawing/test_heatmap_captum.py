"""captum's drawings: its normalisation to the last digit, its figures pixel by pixel."""

import warnings

import numpy as np
import pytest
from captum.attr import visualization
from captum.attr._utils.visualization import _normalize_attr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image
from test_heatmap import bare

from explainer.drawing import normalize_relevance, render, shared_scale
from explainer.errors import InputError

SIGNS = ("all", "positive", "negative", "absolute_value")
SIZE = 48
GENERATOR = np.random.default_rng(3)
RELEVANCE = GENERATOR.standard_cauchy(size=(3, SIZE, SIZE))
PHOTO = GENERATOR.integers(20, 230, (SIZE, SIZE, 3), dtype=np.uint8)
# The article's, which this project began with.
ARTICLE = LinearSegmentedColormap.from_list(
    "custom blue", [(0, "#ffffff"), (0.25, "#000000"), (1, "#000000")], N=256
)
CAPTUMS = {"all": "RdWhGn", "positive": "Greens", "negative": "Reds", "absolute_value": "Blues"}


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("outlier_perc", [0.1, 1, 2, 10, 50, 99])
@pytest.mark.parametrize("name", ["normal", "standard_cauchy"])
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_the_normalisation_is_captums(sign, outlier_perc, name, shift):
    relevance = getattr(GENERATOR, name)(size=(3, 31, 29)) + shift
    theirs = _normalize_attr(relevance.sum(0), sign, outlier_perc)
    np.testing.assert_allclose(normalize_relevance(relevance, sign, outlier_perc), theirs, rtol=0, atol=1e-12)
    last = np.moveaxis(relevance, 0, -1)
    np.testing.assert_allclose(
        normalize_relevance(last, sign, outlier_perc, layout="NHWC"), theirs, rtol=0, atol=1e-12
    )


def test_the_defaults_are_captums():
    np.testing.assert_allclose(
        normalize_relevance(RELEVANCE), _normalize_attr(RELEVANCE.sum(0), "absolute_value")
    )


def test_outliers_are_a_share_of_relevance_not_of_pixels():
    relevance = np.ones((10, 10))
    relevance[0, 0] = 101
    # More than half of all relevance is in one pixel.
    assert shared_scale([relevance], outlier_perc=50) == 101
    assert shared_scale([relevance], outlier_perc=51) == 1
    assert shared_scale([relevance, -relevance], outlier_perc=51, sign="negative") == 1
    # captum fails here, where its sum is rounded up.
    assert shared_scale([RELEVANCE], outlier_perc=0) == np.abs(RELEVANCE.sum(0)).max()
    assert shared_scale([np.zeros((2, 2))], outlier_perc=2) == 0
    assert (normalize_relevance(np.zeros((2, 2))) == 0).all()
    assert np.isfinite(normalize_relevance(np.full((20, 20), 1e308))).all()


def figure(**options) -> np.ndarray:
    """captum's figure at one pixel for one value, without its axes."""
    page = Figure(figsize=(SIZE / 100, SIZE / 100), dpi=100)
    canvas = FigureCanvasAgg(page)
    axis = page.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the labels of an axis that is switched off
        visualization.visualize_image_attr(
            np.moveaxis(RELEVANCE, 0, -1), PHOTO, plt_fig_axis=(page, axis), use_pyplot=False, **options
        )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].astype(int)


def ours(**options) -> np.ndarray:
    return bare_with_photo(**{"sign": "absolute_value", "outlier_perc": 2, **options}).astype(int)


def bare_with_photo(style, **options) -> np.ndarray:
    """The picture without its paper: all that is inside the frame, whose place the size gives."""
    page = np.asarray(
        render(RELEVANCE, Image.fromarray(PHOTO), style=style, colorbar=False, min_size=SIZE, **options)
    )
    margin = (page.shape[0] - SIZE) // 2
    return page[margin : margin + SIZE, margin : margin + SIZE]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("outlier_perc", [1, 2, 20])
@pytest.mark.parametrize("method", ["heat_map", "blended_heat_map", "masked_image", "alpha_scaling"])
def test_the_pictures_are_captums(method, sign, outlier_perc):
    if sign == "all" and method in ("masked_image", "alpha_scaling"):
        with pytest.raises(InputError, match="cannot show both signs"):
            ours(style=method, sign=sign)
        return
    theirs = figure(method=method, sign=sign, outlier_perc=outlier_perc)
    drawn = ours(style=method, sign=sign, outlier_perc=outlier_perc, colormap=CAPTUMS[sign])
    # matplotlib has 256 colours, of which neighbours differ by up to 2 here, and the colours between
    # captum's default ones stand at fractions of our whole indices: 2 more.
    assert np.abs(drawn - theirs).max() <= 4


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_opacity_over_the_photo_is_captums(alpha):
    options = {"sign": "positive", "alpha_overlay": alpha}
    theirs = figure(method="blended_heat_map", cmap="gray", **options)
    drawn = ours(style="blended_heat_map", colormap="gray", **options)
    assert np.abs(drawn - theirs).max() <= 2


def test_the_original_image_is_the_photo():
    np.testing.assert_array_equal(ours(style="original_image"), figure(method="original_image"))


@pytest.mark.parametrize("colormap", [ARTICLE, "fff,40:000,000"])
def test_the_articles_picture(colormap):
    options = {"sign": "positive", "outlier_perc": 1}
    theirs = figure(method="heat_map", cmap=ARTICLE, **options)
    drawn = ours(style="heat_map", colormap=colormap, **options)
    # A quarter of 256 colours goes from white to black: neighbours differ by 4.
    assert np.abs(drawn - theirs).max() <= 4
    assert (drawn == bare(RELEVANCE, colormap=colormap, min_size=SIZE, **options)).all()
