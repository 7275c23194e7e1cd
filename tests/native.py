"""A shared library of one custom operator, built where there is a compiler."""

import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
import pytest
from building import rng
from onnx import numpy_helper, parser

SOURCE = Path(__file__).resolve().parent / "plugin" / "myscale.c"

# The same operator in two forms: nobody's but a library's, and a function that the file brings along.
MODEL = """
<ir_version: 8, opset_import: ["": 17, "com.example": 1]>
g (float[N,3,6,6] x) => (float[N,4] y) {
    a = Conv <pads=[1,1,1,1]> (x, w)
    b = com.example.MyScale <factor=2.5> (a)
    c = Relu (b)
    d = GlobalAveragePool (c)
    e = Flatten (d)
    y = Gemm (e, v, u)
}
"""
FUNCTION = """
<domain: "com.example", opset_import: ["": 17]>
MyScale <factor> (x) => (y) {
    factor = Constant <value_float: float = @factor> ()
    y = Mul (x, factor)
}
"""


def library() -> Path:
    """The library's path, built once; without a C compiler the test is skipped, and says so."""
    found = _built()
    if found is None:
        pytest.skip("no C compiler here: a library of custom operators cannot be built")
    return found


@functools.cache
def _built() -> Path | None:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or sys.platform == "win32":
        return None
    path = Path(tempfile.mkdtemp()) / "libmyscale.so"
    command = [compiler, "-std=c11", "-O1", "-shared", "-fPIC", "-o", str(path), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return path


def scaled(function: bool = False) -> onnx.ModelProto:
    """A small net with com.example::MyScale in it; with `function`, any onnxruntime runs it."""
    text = MODEL + (FUNCTION if function else "")
    model = parser.parse_model(text)
    for name, shape in {"w": (4, 3, 3, 3), "v": (4, 4), "u": (4,)}.items():
        values = rng(len(name), *shape).standard_normal(shape).astype("float32")
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model
