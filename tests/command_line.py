"""A working folder for the command line's tests, and ways to run it."""

import json
import os

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper
from PIL import Image
from versions import before

from explainer.cli import main

TINY = """
<ir_version: 8, opset_import: ["": 17]>
tiny (float[N,3,8,8] image) => (float[N,4] probability) {
    a = Conv <pads=[1,1,1,1]> (image, w, b)
    c = Relu (a)
    d = GlobalAveragePool (c)
    e = Flatten (d)
    logits = Gemm (e, v, u)
    probability = Softmax (logits)
}
"""
PREPROCESSING = {
    "size": {"shortest_edge": 8},
    "crop_size": 8,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5] * 3,
    "image_std": [0.25] * 3,
}
NAMES = ["cat", "dog", "fox", "Mèo"]
FLAGS = ["--size", "8", "--crop", "8", "--scale", str(1 / 255), "--mean", "0.5", "--std", "0.25"]

PHOTO = ("explain", "full.onnx", "photos/one.png", "-o", "map.png")


def tiny(text: str = TINY, **metadata: object) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    generator = np.random.default_rng(0)
    for name, shape in {"w": (5, 3, 3, 3), "b": (5,), "v": (5, 4), "u": (4,)}.items():
        values = generator.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    return model


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a model that says all about itself, one that does not, and photos."""
    monkeypatch.chdir(tmp_path)
    labels = {str(index): name for index, name in enumerate(NAMES)}
    onnx.save(tiny(preprocessor_config=PREPROCESSING, id2label=labels), "full.onnx")
    onnx.save(tiny(), "bare.onnx")
    os.mkdir("photos")
    generator = np.random.default_rng(1)
    for name in ("one.png", "two.jpg"):
        Image.fromarray(generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(f"photos/{name}")
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def parted(*arguments: str) -> Result:
    """As `run`, the two streams apart, which click before 8.2 has to be asked for."""
    apart = {"mix_stderr": False} if before("click", "8.2") else {}
    result = CliRunner(**apart).invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def printed(*arguments: str) -> dict:
    """What `explain --json` prints of the first photo."""
    result = run(*PHOTO, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def fails(code: int, message: str, *arguments: str) -> None:
    before = set(os.listdir())
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert message in " ".join(result.output.split()) and "Traceback" not in result.output, result.output
    assert set(os.listdir()) == before
