"""A model that no preprocessing helps is refused before it is asked for; what helps runs as it is said."""

import shlex

import numpy as np
import onnx
import pytest
from building import parse
from command_line import folder, run
from PIL import Image

import explainer
from explainer.errors import PreprocessError, UnsupportedError

__all__ = ["folder"]  # an automatic fixture: importing it is using it

RESCALED = """g (float[N,3,8,8] x) => (float[N,2] y) {
    q = QuantizeLinear (x, scale, zero) c = QLinearConv (q, scale, zero, k, scale, nil, scale, zero)
    d = DequantizeLinear (c, other, zero) p = GlobalAveragePool (d) y = Flatten (p) }"""


@pytest.fixture
def model(folder):
    kernel = np.random.default_rng(0).integers(-9, 9, (2, 3, 3, 3)).astype(np.int8)
    made = parse(
        RESCALED,
        scale=np.array(0.05, np.float32),
        other=np.array(0.1, np.float32),
        zero=np.array(120, np.uint8),
        nil=np.array(0, np.int8),
        k=kernel,
    )
    onnx.save(made, "rescaled.onnx")
    return "rescaled.onnx"


def test_python_refuses_first_and_its_advice_runs(model):
    photo = Image.open("photos/one.png")
    for image in (photo, "photos/one.png", {"x": photo}):
        with pytest.raises(UnsupportedError, match="DequantizeLinear x1") as caught:
            explainer.explain(model, image)
    calls = [way.call for way in caught.value.ways]
    assert any("method='occlusion'" in call for call in calls)
    for call in calls:
        if "rise" not in call:
            assert len(eval(call, {"explainer": explainer, "image": photo}).score) == 1
    with pytest.raises(PreprocessError, match="does not say how a picture becomes its input"):
        explainer.explain(model, photo, method="occlusion")
    with pytest.raises(UnsupportedError) as caught:
        explainer.Explainer(model, threads=1).explain(photo)
    call = caught.value.ways[0].call
    assert eval(call, {"explainer": explainer, "image": photo, "threads": 1}).score.any()


def test_the_command_line_does_too(model):
    said = run("explain", model, "photos/one.png", "-o", "map.png")
    assert (
        said.exit_code == 1
        and "DequantizeLinear x1" in said.output
        and "Give --preprocess" not in said.output
    )
    line = next(line for line in said.output.splitlines() if "--method occlusion" in line)
    done = run(*shlex.split(line.partition("  # ")[0])[1:])
    assert done.exit_code == 0, done.output


def test_a_picture_that_fits_no_input_is_said_behind(model):
    with pytest.raises(UnsupportedError, match=r"(?s)DequantizeLinear x1.*the prepared picture is"):
        explainer.explain(model, "photos/one.png", preprocess=explainer.Preprocess(size=(9, 9)))
