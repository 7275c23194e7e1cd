"""Whether a picture fits an input before there is one, and what is suggested where nothing says how."""

import shlex

import numpy as np
import pytest
from building import parse, rng
from PIL import Image

import explainer
from explainer import Explainer, InputError, Preprocess, PreprocessError, explain
from explainer.cli.explain import explain as command
from explainer.cli.opening import open_model
from explainer.inputs.fitting import check_fits
from explainer.model.graph import Input

LAYERS = "c = Conv <pads=[1,1,1,1]> ({}, k) r = Relu (c) p = GlobalAveragePool (r) y = Flatten (p)"
FIRST, LAST = LAYERS.format("x"), "t = Transpose <perm=[0,3,1,2]> (x) " + LAYERS.format("t")


def model_of(shape: str, dtype: str = "float"):
    """A classifier of pictures, gray where one channel is declared."""
    body = LAST if shape.endswith((",3", ",1")) else FIRST
    if dtype != "float":
        body = "f = Cast <to=1> (x) " + body.replace("(x)", "(f)").replace("(x,", "(f,")
    count = 1 if ",1," in shape or shape.endswith(",1") else 3
    kernel = rng(0).standard_normal((4, count, 3, 3))
    return parse(f"g ({dtype}[{shape}] x) => (float[N,4] y) {{ {body} }}", k=kernel)


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


SUGGESTED = {
    ("N,3,32,32", "float"): {"size": (32, 32), "crop": None, "channels": "RGB", "layout": "NCHW"},
    ("N,3,72,96", "float"): {"size": (72, 96), "crop": None},
    ("N,3,224,224", "float"): {"size": 256, "crop": (224, 224), "mean": (0.485, 0.456, 0.406)},
    ("N,3,H,W", "float"): {"size": 256, "crop": (224, 224)},
    ("N,3,48,W", "float"): {"size": (48, 48)},
    ("N,1,28,28", "float"): {"size": (28, 28), "channels": "gray", "mean": (0.0,), "scale": 1 / 255},
    ("N,32,40,3", "float"): {"size": (32, 40), "layout": "NHWC"},
    ("N,H,W,1", "float"): {"layout": "NHWC", "channels": "gray", "size": 256},
    ("N,3,32,32", "uint8"): {"size": (32, 32), "scale": 1, "mean": (0.0,), "std": (1.0,)},
    ("N,32,40,3", "uint8"): {"size": (32, 40), "scale": 1, "layout": "NHWC"},
    ("N,3,H,W", "uint8"): {"size": None, "crop": None, "scale": 1},
    ("N,3,32,32", "int8"): {"scale": 1, "mean": (128.0,)},
    ("N,3,32,32", "int32"): {"scale": 1, "mean": (0.0,)},
}


@pytest.mark.parametrize(("shape", "dtype"), SUGGESTED)
def test_both_doors_suggest_the_same_and_it_works_as_printed(shape, dtype, photo):
    model = model_of(shape, dtype)
    with pytest.raises(PreprocessError, match="does not say how a picture becomes its input") as caught:
        explain(model, photo)
    call = str(caught.value).splitlines()[1].strip()
    assert call.startswith("preprocess=") and "--" not in str(caught.value)
    how = eval(call.partition("=")[2], {"explainer": explainer})
    flags = shlex.split(caught.value.text_in_options.splitlines()[1])
    assert {name: getattr(how, name) for name in SUGGESTED[shape, dtype]} == SUGGESTED[shape, dtype]
    assert np.isfinite(explain(model, photo, preprocess=how).relevance).all()
    given = command.make_context("explain", ["m", "p", "-o", "o.png", *flags]).params
    path = photo.parent / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert open_model(str(path), given).preprocess == how


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }", "float32 (N, 4)"),
        ("g (float[N,9,4] x) => (float[N,9,4] y) { y = Relu (x) }", "float32 (N, 9, 4)"),
        ("g (int64[N,5] x) => (float[N,5] y) { f = Cast <to=1> (x) y = Relu (f) }", "int64 (N, 5)"),
        ("g (float[N,4,8,8] x) => (float[N,4,8,8] y) { y = Relu (x) }", "float32 (N, 4, 8, 8)"),
        ("g (float x) => (float y) { y = Relu (x) }", "float32 of one number"),
        ("g (bool[N,3,8,8] x) => (float[N,3,8,8] y) { f = Cast <to=1> (x) y = Relu (f) }", "bool"),
    ],
)
def test_what_is_no_picture_is_asked_for_its_numbers(text, wants, photo):
    with pytest.raises(InputError, match=r"input 'x', .*, is no picture: give an array") as caught:
        explain(parse(text), photo)
    assert wants in str(caught.value) and "Preprocess" not in str(caught.value)
    assert "--input x=FILE.npy" in caught.value.text_in_options
    assert "scale" not in caught.value.text_in_options
    assert Explainer(parse(text)).pictured == ()
    with pytest.raises((InputError, PreprocessError), match=r"no picture|has no 4 channels|holds bool"):
        explain(parse(text), photo, preprocess=Preprocess(scale=1 if "bool" not in text else 1 / 255))


def test_a_misfit_is_told_before_the_picture_is_read(tmp_path):
    model, none = model_of("N,3,32,32"), tmp_path / "none.png"
    with pytest.raises(InputError, match="the prepared picture is 1 x 3 x 64 x 64"):
        explain(model, none, preprocess=Preprocess(size=(64, 64)))
    with pytest.raises(InputError, match="layout='NCHW' of the preprocessing"):
        explain(model, none, preprocess=Preprocess(layout="NHWC"))
    with pytest.raises(InputError, match=r"none\.png"):
        explain(model, none, preprocess=Preprocess(size=(32, 32)))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"size": (64, 64)}, "give size=32, crop="),
        ({"crop": (64, 32)}, "give size=32, crop="),
        ({"layout": "NHWC"}, "layout='NCHW'"),
        ({"channels": "gray"}, "channels='RGB'"),
        ({}, ""),
        ({"size": 64}, "every prepared picture has a shorter edge of 64 .*give size=32, crop="),
        ({"size": 20}, "every prepared picture has a shorter edge of 20 "),
        ({"size": 32}, ""),
        ({"size": 64, "crop": (32, 32)}, ""),
        ({"size": (32, 32)}, ""),
    ],
)
def test_a_preprocessing_is_compared_with_the_file(how, message):
    made = Explainer(model_of("N,3,32,32"), preprocess=Preprocess(**how))
    if message:
        with pytest.raises(InputError, match=message):
            made.check_preprocess()
    else:
        made.check_preprocess()
    Explainer(model_of("N,3,32,32")).check_preprocess()
    Explainer(model_of("N,3,32,W"), preprocess=Preprocess(size=20)).check_preprocess()  # a high picture
    with pytest.raises(InputError, match="shorter edge of 40"):
        Explainer(model_of("N,3,32,W"), preprocess=Preprocess(size=40)).check_preprocess()
    Explainer(parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }")).check_preprocess()


@pytest.mark.parametrize(
    ("shape", "declared", "layout", "hint"),
    [
        ((1, 3, 480, 640), (1, 3, 224, 224), "NCHW", "--size 224 --crop 224,224"),
        ((1, 480, 640, 3), (None, 224, 192, 3), "NHWC", "--size 224,192"),
        ((1, 3, 480, 640), (1, 3, None, 64), "NCHW", "--size 480 --crop 480,64"),
        ((1, 3, None, None), (1, 3, 48, None), "NCHW", ""),
        ((1, 3, 224, 224), (1, 224, 224, 3), "NCHW", "--layout NHWC"),
        ((1, 224, 224, 3), (None, 3, 224, 224), "NHWC", "--layout NCHW"),
        ((1, 3, 28, 28), (1, 1, 28, 28), "NCHW", "--channels gray"),
        ((1, 1, 28, 28), (1, 3, 28, 28), "NCHW", "--channels RGB"),
        ((1, 3, 28, 28), (1, 4, 28, 28), "NCHW", "--input 'the x=FILE.npy'"),
        ((1, 3, 480, 640), (None, 3, None, None), "NCHW", ""),
        ((1, 224, 224, 3), (8, 224, 224, 3), "NHWC", ""),
    ],
)
def test_a_misfit_names_what_mends_it_in_both_doors(shape, declared, layout, hint):
    expected = Input("the x", np.dtype(np.float32), declared)
    if not hint:
        check_fits(shape, expected, layout)
        return
    with pytest.raises(InputError, match="the model takes") as caught:
        check_fits(shape, expected, layout)
    assert hint in caught.value.text_in_options and "--" not in str(caught.value)
