"""What is suggested for a picture knows what the file does to it by itself."""

import numpy as np
import onnx
import pytest
from building import parse, rng

from explainer import Explainer, PreprocessError
from explainer.inputs.inside import normalised_inside
from explainer.model.graph import Graph

COLUMN = (1, 3, 1, 1)
CONSTANTS = {
    "mean": np.float32([0.485, 0.456, 0.406]).reshape(COLUMN),
    "std": np.float32([0.229, 0.224, 0.225]).reshape(COLUMN),
    "bytes": np.float32([123.7, 116.8, 103.9]).reshape(COLUMN),
    "wide": np.float32([58, 57, 57]).reshape(COLUMN),
    "most": np.float32(255),
    "two": np.float32(2),
    "one": np.float32(1),
    "rest": rng(1).standard_normal((3, 8, 8)),
    "w": rng(2).standard_normal((4, 3, 3, 3)),
}
UNIT, PIXELS, NOTHING = "scale=1 / 255", "scale=1.0", "mean=(0.485"
FORMS = {
    "a mean of 0 to 1": ("a = Sub (x, mean) n = Div (a, std)", UNIT),
    "behind a transpose": ("t = Transpose <perm=[0,1,3,2]> (x) a = Sub (t, mean) n = Div (a, std)", UNIT),
    "from -1 to 1": ("a = Mul (x, two) n = Sub (a, one)", UNIT),
    "a mean of pixels": ("a = Sub (x, bytes) n = Div (a, wide)", PIXELS),
    "divided by 255": ("a = Div (x, most) b = Sub (a, mean) n = Div (b, std)", PIXELS),
    "divided alone": ("n = Div (x, most)", PIXELS),
    "a factor": ("n = Mul (x, two)", NOTHING),
    "a picture of its own": ("n = Add (x, rest)", NOTHING),
    "read twice": ("a = Sub (x, mean) n = Mul (a, x)", NOTHING),
    "nothing": ("n = Identity (x)", NOTHING),
}


def net(front: str):
    text = f"g (float[N,3,8,8] x) => (float[N,4,8,8] y) {{ {front} y = Conv <pads=[1,1,1,1]> (n, w) }}"
    used = {k: v for k, v in CONSTANTS.items() if f", {k})" in text}
    return parse(text, **used)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_suggested(form):
    front, wanted = FORMS[form]
    with pytest.raises(PreprocessError) as caught:
        Explainer(net(front)).prepare("none.png")
    said = str(caught.value)
    assert {UNIT: "0.00392156862745098", PIXELS: "--scale 1\n"}.get(wanted, "--mean 0.485") in said.replace(
        "scale=1.0", "--scale 1\n"
    ) or wanted in said
    assert ("the file itself subtracts" in said) is (wanted != NOTHING)


@pytest.mark.parametrize(
    ("bias", "channels"), [([-103.939, -116.779, -123.68], "BGR"), ([-1, -1, -1], "RGB")]
)
def test_an_image_scaler(bias, channels):
    """The operator is experimental and has no schema any more; CoreML's converter wrote it."""
    model = net("n = Identity (x)")
    scaler = onnx.helper.make_node("ImageScaler", ["x"], ["s"], scale=1.0, bias=[float(b) for b in bias])
    model.graph.node.insert(0, scaler)
    model.graph.node[1].input[0] = "s"
    graph = Graph.load(model)
    found = normalised_inside(graph, "x")
    assert found is not None and found.is_bgr == (channels == "BGR")
    np.testing.assert_allclose(found.mean, np.negative(bias))
    assert found.takes_pixels is (channels == "BGR")
