"""`compile` on the command line: names for targets, and for what it writes."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from command_line import PHOTO, fails, folder, run, tiny

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def test_a_compiled_files_target_by_its_label():
    with open("names", "w", encoding="utf-8") as file:
        file.write("ant\nbee\ncow\ndoe\n")
    asked = ("compile", "bare.onnx", "-o", "compiled.onnx", "--target")
    assert run(*asked, "cow", "--labels", "names").exit_code == 0
    x = np.random.default_rng(2).standard_normal((1, 3, 8, 8)).astype(np.float32)
    _, found = onnxruntime.InferenceSession("compiled.onnx").run(None, {"image": x})
    want = explainer.explain("bare.onnx", x, target="cow", labels="names").relevance
    np.testing.assert_allclose(found, want, rtol=1e-3, atol=1e-6)
    os.remove("compiled.onnx")
    fails(1, "no class and no tensor is called 'cow'", *asked, "cow")
    with open("names", "a", encoding="utf-8") as file:
        file.write("elk\n")
    fails(1, "there are 5 names, but 'probability' has 4 classes", *asked, "cow", "--labels", "names")


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "model", "model.onnx.png", "numbers.npz"])
def test_a_compiled_model_is_not_called_as_something_else(name):
    fails(2, f"-o {name}: a model is a .onnx", "compile", "full.onnx", "-o", name)
    explainer.compile("full.onnx", name)  # in Python the caller knows
    assert os.path.getsize(name)


def test_what_would_be_overwritten_is_usage_whenever_it_is_known():
    onnx.save(tiny(), "ext.onnx", save_as_external_data=True, location="held.onnx", size_threshold=0)
    held = Path("held.onnx").read_bytes()
    for output in ("ext.onnx", "held.onnx"):
        fails(2, "would overwrite a file that is read", "compile", "ext.onnx", "-o", output)
    fails(2, "would overwrite a file that is read", *PHOTO[:3], "-o", "photos/one.png")
    assert Path("held.onnx").read_bytes() == held
