"""Several maps in one picture: where each stands, under which scale, with which bars."""

from pathlib import Path

import numpy as np
import pytest
from building import parse, rng
from PIL import Image

import explainer
from explainer.drawing import paper, render
from explainer.errors import InputError
from explainer.results.grids import grid

BLUE, WHITE, RED = (0, 0, 255), (255, 255, 255), (255, 0, 0)
ROOT = Path(__file__).resolve().parent.parent.parent
SIDE = 40
GENERATOR = np.random.default_rng(5)


def plates(picture) -> list[np.ndarray]:
    """What is inside the frames of square maps of this side, row by row."""
    pixels = np.asarray(picture)
    frame = (pixels == paper.FRAME).all(axis=-1)
    found = []
    for y, x in zip(*np.nonzero(frame), strict=True):
        square = frame[y : y + SIDE + 2, x : x + SIDE + 2]
        edges = [square[0], square[-1], square[:, 0], square[:, -1]]
        if square.shape == (SIDE + 2, SIDE + 2) and all(edge.all() for edge in edges):
            found.append(pixels[y + 1 : y + SIDE + 1, x + 1 : x + SIDE + 1])
    return found


def colour(plate) -> tuple[int, ...]:
    assert (plate == plate[0, 0]).all()
    return tuple(plate[0, 0].tolist())


def plain(*values, **options) -> list[tuple[int, ...]]:
    """The colours of even maps with these values."""
    maps = [np.full((1, 4, 4), value) for value in values]
    return [colour(plate) for plate in plates(grid(maps, min_size=SIDE, **options))]


def test_one_scale_for_all_of_them_unless_each_has_its_own():
    assert plain(4.0, -2.0, 0.0) == [RED, (128, 128, 255), WHITE]
    assert plain(4.0, -2.0, 0.0, scale="own") == [RED, BLUE, WHITE]
    assert plain(4.0, -2.0, scale=8) == [(255, 128, 128), (191, 191, 255)]
    assert plain(4.0, -2.0, scale=1.0) == [RED, BLUE]
    assert plain(0.0, 0.0) == [WHITE, WHITE]


def test_one_colour_bar_for_all_of_them_unless_each_has_its_own():
    maps = [np.full((4, 4), value) for value in (1.0, 2.0, 3.0)]
    labels = []

    def spy(bar):
        labels.append(list_labels(bar))
        return labels[-1]

    list_labels = paper.Bar.labels
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper.Bar, "labels", spy)
        grid(maps)
        grid(maps, scale=2)
        grid(maps, scale="own")
        grid(maps, colorbar=False)
        grid([Image.new("RGB", (8, 8))])
    assert labels == [
        ["+3", "0", "-3"],
        [">= +2", "0", "-2"],
        ["+1", "0", "-1"],
        ["+2", "0", "-2"],
        ["+3", "0", "-3"],
    ]


def test_each_stands_in_its_place():
    values = (1.0, -1.0, 0.5, -0.5, 0.0)
    maps = [np.full((4, 4), value) for value in values]
    wide, tall = (grid(maps, columns=columns, min_size=SIDE, colorbar=False) for columns in (5, 1))
    assert wide.size == tall.size[::-1] and wide.width > 5 * SIDE > 2 * wide.height
    for columns in (1, 2, 3, 5, 9):
        assert plain(*values, columns=columns) == plain(*values)
    # Up to five in one row, and a square of many.
    assert grid(maps, min_size=SIDE, colorbar=False).size == wide.size
    many = grid(maps * 3, min_size=SIDE, colorbar=False)
    assert many.width == many.height < wide.width


def test_a_map_in_a_grid_is_the_map_alone():
    relevance = GENERATOR.normal(size=(3, 4, 4))
    options = {"sign": "negative", "outlier_perc": 5, "pool": 2, "colormap": "coldnhot", "min_size": SIDE}
    (alone,) = plates(render(relevance, colorbar=False, **options))
    (shown,) = plates(grid([relevance], **options))
    np.testing.assert_array_equal(alone, shown)
    (last,) = plates(grid([np.moveaxis(relevance, 0, -1)], layout="NHWC", **options))
    np.testing.assert_array_equal(alone, last)


def test_pictures_take_the_size_of_the_maps():
    photo = Image.new("RGB", (8, 8), "green")
    shown = plates(grid([photo, np.ones((4, 4))], min_size=SIDE))
    assert [colour(plate) for plate in shown] == [(0, 128, 0), RED]
    wide = np.asarray(grid([photo.resize((16, 4)), np.ones((4, 4))], min_size=SIDE))
    assert (wide == (0, 128, 0)).all(-1).sum() == SIDE * SIDE // 4
    assert np.asarray(grid(photo, min_size=SIDE)).shape[0] > SIDE


def test_titles_stand_above_and_move_nothing_else():
    maps = [np.ones((4, 4)), -np.ones((4, 4))]
    bare = grid(maps, min_size=SIDE, colorbar=False)
    for options in ({"titles": ["one", None]}, {"title": "both"}):
        titled = grid(maps, min_size=SIDE, colorbar=False, **options)
        assert titled.width == bare.width and titled.height > bare.height
        assert [colour(plate) for plate in plates(titled)] == [RED, BLUE]
        assert (np.asarray(titled) == paper.INK).all(-1).any()


@pytest.fixture(scope="module")
def explained():
    model = parse(
        "g (float[N,3,4,4] x) => (float[N,2] y) { h = Flatten(x) y = MatMul(h, w) }",
        w=rng(0).standard_normal((48, 2)),
    )
    x = rng(1).standard_normal((2, 3, 4, 4)).astype(np.float32)
    return explainer.explain(model.SerializeToString(), x, labels=["cat", "dog"], target=[1, 0])


def test_every_sample_of_an_explanation_is_a_map_with_its_label(explained, monkeypatch):
    titles = []
    titled = paper.Writing.titled

    def spy(self, picture, title):
        titles.append(title)
        return titled(self, picture, title)

    monkeypatch.setattr(paper.Writing, "titled", spy)
    shown = plates(grid([explained, explained.relevance[0]], min_size=SIDE))
    assert titles == ["dog", "cat", None, None]
    np.testing.assert_array_equal(shown[0], shown[2])
    alone = plates(grid(explained.relevance, min_size=SIDE))
    np.testing.assert_array_equal(shown[:2], alone)
    np.testing.assert_array_equal(shown[:2], plates(grid(explained, min_size=SIDE)))


def test_photos_of_explanations_stand_under_their_maps():
    explained = explainer.explain(ROOT / "models/shapes.onnx", ROOT / "models/shapes.png")
    options = {"min_size": 64, "scale": "own", "colorbar": False}
    assert grid([explained], style="side_by_side", **options).width > 2 * 64
    over = grid([explained], style="overlay", **options)
    expected = explained.heatmap(style="overlay", min_size=64, colorbar=False)
    np.testing.assert_array_equal(np.asarray(over)[-80:], np.asarray(expected)[-80:])


@pytest.mark.parametrize(
    ("maps", "options", "message"),
    [
        ([], {}, "nothing to draw"),
        ([[[1.0]]], {"titles": ["a", "b"]}, "2 titles for 1 maps"),
        ([[[1.0]]], {"columns": 0}, "columns is 0"),
        ([[[1.0]]], {"scale": "same"}, "scale is 'same'; expected 'shared', 'own' or a number"),
        ([[[1.0]]], {"scale": -1}, "scale is -1"),
        ([[[1.0]]], {"style": "overlay"}, "needs a photo"),
        ([[[1.0]]], {"sign": "minus"}, "sign is 'minus'"),
        ([[[float("nan")]]], {}, "not finite"),
    ],
)
def test_what_cannot_be_drawn_is_said(maps, options, message):
    with pytest.raises(InputError, match=message):
        grid(maps, **options)
