"""What `explain` says of conservation adds up to the whole, whatever took a part."""

import json
import math
import re

import numpy as np
import onnx
import pytest
from building import parse, rng
from command_line import PHOTO, folder, run

__all__ = ["folder"]  # an automatic fixture: importing it is using it

CURVED = "g (float[N,6] x) => (float[N,6] y) { p = Softmax (x) h = Add (p, b) y = MatMul (h, w) }"


def test_an_intercept_is_one_of_the_shares():
    onnx.save(parse(CURVED, b=rng(1).standard_normal(6), w=rng(2).standard_normal((6, 6))), "curved.onnx")
    np.save("x.npy", np.float32(rng(3).standard_normal((1, 6))))
    asked = ("explain", "curved.onnx", "--input", "x=x.npy", "-o", "map.png")
    numbers = json.loads(run(*asked, "--json").stdout)
    keys = ("conserved", "bias_share", "epsilon_share", "intercept_share", "kept_share", "masked_share")
    assert math.fsum(numbers[key] for key in keys) == pytest.approx(1, abs=1e-5)
    assert abs(numbers["intercept_share"]) > 1e-3
    (line,) = [line for line in run(*asked).output.splitlines() if line.startswith("  conserved")]
    assert "intercepts" in line and "masked" not in line
    shares = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-\d+)?", line)]
    assert math.fsum(shares) == pytest.approx(1, abs=1e-5)


def test_a_kept_constant_is_one_of_them():
    onnx.save(parse(CURVED, b=rng(1).standard_normal(6), w=rng(2).standard_normal((6, 6))), "curved.onnx")
    np.save("x.npy", np.float32(rng(3).standard_normal((1, 6))))
    asked = run("explain", "curved.onnx", "--input", "x=x.npy", "-o", "map.png", "--keep", "b")
    assert "constants that are kept" in asked.output


def test_what_takes_nothing_is_not_listed():
    (line,) = [line for line in run(*PHOTO).output.splitlines() if line.startswith("  conserved")]
    assert "bias" in line and "epsilon" in line
    assert not any(name in line for name in ("intercepts", "kept", "masked"))


def test_a_start_that_gradients_have_anyway_is_said():
    said = "gradients begin with 1, whether --start says one or output"
    assert said in run(*PHOTO, "--method", "gradient", "--start", "one").output
    assert said not in run(*PHOTO, "--method", "gradient").output
    assert said not in run(*PHOTO, "--start", "one").output
