"""What the command line says to a user's mistakes: one message, an exit code, nothing half-written."""

import os

import numpy as np
import onnx
import pytest
from command_line import FLAGS, PHOTO, PREPROCESSING, TINY, fails, folder, run, tiny
from PIL import Image

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def test_mistakes_with_files(folder):
    to = ("-o", "map.png")
    full = (folder / "full.onnx").read_bytes()
    contents = {
        "empty.onnx": b"",
        "cut.onnx": full[: len(full) // 2],
        "text.onnx": b"not a model",
        "text.png": b"not a picture",
        "empty.png": b"",
        "names": b"a\nb\n",
        "bad.json": b"{",
        "names.json": b'["a", "b"]',
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    onnx.save(tiny(), "external.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    os.remove("weights")
    photo = ("explain", "full.onnx", "photos/one.png")
    fails(1, "none.onnx", "explain", "none.onnx", "photos/one.png", *to)
    fails(1, "empty", "explain", "empty.onnx", "photos/one.png", *to)
    fails(1, "cut.onnx", "explain", "cut.onnx", "photos/one.png", *to)
    fails(1, "text.onnx", "check", "text.onnx")
    fails(1, "weights", "explain", "external.onnx", "photos/one.png", *to, *FLAGS)
    fails(1, "text.png is not a picture", "explain", "full.onnx", "text.png", *to)
    fails(1, "0 bytes", "explain", "full.onnx", "empty.png", *to)
    fails(1, "no such file", "explain", "full.onnx", "none.png", *to)
    fails(1, "nowhere", *photo, "-o", "nowhere/map.png")
    fails(2, "a heat map is a .png", *photo, "-o", "map.jpg")
    fails(2, "would overwrite", *photo, "-o", "photos/one.png")
    fails(2, "the folder that the pictures are in", "explain", "full.onnx", "photos", "-o", "photos")
    fails(2, "would overwrite", "compile", "full.onnx", "-o", "full.onnx")
    fails(2, "several images need a folder", "explain", "full.onnx", "photos", "-o", "full.onnx")
    fails(1, "is not a text file", *photo, *to, "--labels", "photos/one.png")
    fails(1, "is not a JSON list", *photo, *to, "--labels", "bad.json")
    fails(1, "2 names", *photo, *to, "--labels", "names")
    fails(1, "2 names", *photo, *to, "--labels", "names.json")
    fails(1, "bad.json: not JSON", *photo, *to, "--preprocess", "bad.json")
    os.mkdir("nothing")
    fails(1, "no picture in the folder", "explain", "full.onnx", "nothing", *to)


def test_mistakes_with_values():
    photo = ("explain", "full.onnx", "photos/one.png", "-o", "map.png")
    fails(1, "--size 8,8 --scale 0.0039", "explain", "bare.onnx", "photos/one.png", "-o", "map.png")
    fails(1, "--size 8,8", "explain", "bare.onnx", "photos/one.png", "-o", "map.png", "--size", "8")
    fails(1, "out of range", *photo, "--target", "4")
    fails(1, "no class and no tensor is called 'wolf'", *photo, "--target", "wolf")
    fails(1, "keep: 'cc'", *photo, "--keep", "cc")
    fails(1, "no composite 'magic'", *photo, "--composite", "magic")
    fails(1, "--size 8 --crop 8,8", *photo, "--size", "9", "--crop", "9")
    fails(1, "--channels RGB", *photo, "--channels", "gray", "--mean", "0", "--std", "1")
    fails(1, "--layout NCHW", *photo, "--layout", "NHWC")
    fails(1, "std is", *photo, "--std", "0")
    fails(1, "mean has 2 values", *photo, "--mean", "1,2")
    fails(2, "not 1 to 3 numbers", *photo, "--mean", "1,x,2")
    fails(2, "not 1 to 2 whole numbers", *photo, "--size", "8.5")
    fails(2, "'--start'", *photo, "--start", "two")
    fails(2, "Missing option '-o'", "explain", "full.onnx", "photos/one.png")
    fails(2, "No such command", "explode")


def test_a_picture_of_one_pixel():
    Image.new("RGB", (1, 1), "red").save("dot.png")
    result = run("explain", "full.onnx", "dot.png", "-o", "map.png")
    assert result.exit_code == 0, result.output


def test_unsupported_operators_are_listed_before_anything_is_written():
    text = TINY.replace("c = Relu (a)", "c1 = com.microsoft.Inverse (a)\n c = com.microsoft.SampleOp (c1)")
    onnx.save(tiny(text, preprocessor_config=PREPROCESSING), "odd.onnx")
    fails(1, "com.microsoft.SampleOp x1", "explain", "odd.onnx", "photos/one.png", "-o", "map.png")
    fails(1, "com.microsoft.Inverse x1", "check", "odd.onnx")


def test_several_photos_do_not_go_into_one_picture():
    fails(2, "names a picture", "explain", "full.onnx", "photos", "-o", "map.png")


def test_an_image_size_for_a_model_that_has_one():
    fails(1, "has the fixed shape", "compile", "full.onnx", "-o", "out.onnx", "--image-size", "16")


def test_a_tensor_that_is_not_there():
    message = "no class and no tensor is called 'nosuch'"
    fails(1, message, "explain", "full.onnx", "photos/one.png", "-o", "map.png", "--target", "nosuch[3]")
    assert (
        "has no labels"
        not in run("explain", "full.onnx", "photos/one.png", "-o", "m.png", "--target", "q[1]").output
    )


@pytest.mark.parametrize("image", [3, None, [1, 2], b"bytes", ["a.png", "b.png"]])
def test_what_is_no_image(image):
    with pytest.raises(explainer.InputError, match="an image is a path"):
        explainer.explain("full.onnx", image)


def test_what_is_no_tensor_name():
    with pytest.raises(explainer.TargetError, match="keep"):
        explainer.explain("full.onnx", "photos/one.png", keep=3)


@pytest.mark.filterwarnings("error")
def test_values_beyond_float32():
    with pytest.raises(explainer.InputError, match="beyond float32"):
        explainer.explain("full.onnx", np.full((1, 3, 8, 8), 1e300))


def test_what_is_wrong_is_called_as_it_was_asked_for():
    fails(1, "rank: 'nosuch' is no tensor of this model", *PHOTO, "--rank", "nosuch")
    fails(1, "keep: 'nosuch' is no tensor", *PHOTO, "--rank", "c", "--keep", "nosuch")
    fails(
        1, "rank: Occlusion gives inner tensors no relevance", *PHOTO, "--rank", "c", "--method", "occlusion"
    )
    fails(1, "tensor: 'nosuch' is no tensor", *PHOTO, "--method", "grad_cam", "--option", "tensor=nosuch")
    fails(1, "tensor is a tensor's name, not 3", *PHOTO, "--method", "grad_cam", "--option", "tensor=3")
    fails(1, "against: no class", *PHOTO, "--start", "margin", "--against", "nosuch")
    fails(1, "n_steps is an option of integrated_gradients", *PHOTO, "--option", "n_step=3")
