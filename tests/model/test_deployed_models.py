"""Deployed models of pages, lines of text and files, on a page, a line and a file: answers as they were."""

from pathlib import Path

import numpy as np
import pytest
from building import run
from PIL import Image, ImageDraw, ImageFont

import explainer
from explainer import Explainer
from explainer.model.graph import Graph

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = "Why this answer?"


def line(width: int = 192) -> Image.Image:
    """A line of text, as wide as it is asked for."""
    font = ImageFont.load_default(28)
    picture = Image.new("RGB", (int(font.getlength(TEXT)) + 16, 48), "white")
    ImageDraw.Draw(picture).text((8, 6), TEXT, "black", font)
    return picture.resize((width, 48), Image.Resampling.BILINEAR)


def page() -> Image.Image:
    """A page of text."""
    picture = Image.new("RGB", (448, 448), "white")
    for row in range(14):
        ImageDraw.Draw(picture).text((20, 20 + 29 * row), TEXT * 2, "black", ImageFont.load_default(20))
    return picture


def prepared(picture: Image.Image, size=None, mean=0.5, std=0.5, bgr=True) -> np.ndarray:
    picture = picture if size is None else picture.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, np.float32)[..., :: -1 if bgr else 1] / 255
    return ((pixels - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)[None].astype(np.float32)


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "bgr": False}
INPUTS = {
    "ppocr-cls.onnx": lambda: prepared(line()),
    "ppocr-v4-det.onnx": lambda: prepared(page(), (96, 96), **IMAGENET),
    "ppocr-v4-rec.onnx": lambda: prepared(line(256)),
    "page-orientation.onnx": lambda: prepared(page(), (224, 224), **IMAGENET),
    "magika-v3.onnx": lambda: (
        np.frombuffer((ROOT / "README.md").read_bytes()[:1024] * 2, np.uint8)
        .astype(np.int32)
        .reshape(1, 2048)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_an_answer_is_explained_and_is_what_the_file_answers(deployed, name):
    path, x = deployed / name, INPUTS[name]()
    made = Explainer(path)
    (given,) = [value.name for value in Graph.load(path).inputs]
    wanted = dict(zip(made.graph.outputs, run(path.read_bytes(), {given: x}), strict=True))
    found = made.explain(x)
    for key, value in wanted.items():
        np.testing.assert_allclose(found.outputs[key], value, rtol=1e-4, atol=1e-5)
        assert found.outputs[key].argmax() == value.argmax()
    parts = found.relevance.values() if isinstance(found.relevance, dict) else [found.relevance]
    assert all(np.isfinite(part).all() and part.any() for part in parts)


@pytest.mark.slow
def test_a_page_that_is_turned_is_explained_as_such(deployed):
    made = Explainer(deployed / "page-orientation.onnx")
    turned = [prepared(page().rotate(-angle), (224, 224), **IMAGENET) for angle in (0, 90, 180, 270)]
    answers = [int(made.explain(x).target[0]) for x in turned]
    assert answers == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_line_is_read(deployed):
    path = deployed / "ppocr-v4-rec.onnx"
    found = Explainer(path).explain(prepared(line(320)))
    letters = ["", *Graph.load(path).metadata["character"].split("\n"), " "]
    best = next(iter(found.outputs.values()))[0].argmax(-1)
    read = "".join(letters[i] for k, i in enumerate(best) if i and (k == 0 or i != best[k - 1]))
    assert read.replace(" ", "") == TEXT.replace(" ", "")


@pytest.mark.slow
def test_what_is_compiled_answers_alike(deployed):
    for name in ("ppocr-cls.onnx", "page-orientation.onnx"):
        x = INPUTS[name]()
        (given,) = Graph.load(deployed / name).inputs
        sizes = {f"{given.name}[2]": x.shape[2], f"{given.name}[3]": x.shape[3]}
        made = explainer.compile(deployed / name, fix=sizes if None in given.shape[2:] else None)
        explained = Explainer(deployed / name).explain(x).relevance
        found = run(made, {made.graph.input[0].name: x})
        names = [value.name for value in made.graph.output]
        np.testing.assert_allclose(
            found[names.index("relevance")], explained, atol=2e-3 * np.abs(explained).max()
        )
