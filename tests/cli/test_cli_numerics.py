"""`check --numerics`: one input is run, drawn or given, and every node's numbers stand beside its rule."""

import json
import math

import numpy as np
import onnx
import pytest
from building import parse, rng
from command_line import FLAGS, fails, folder, run

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def printed(*arguments):
    result = run("check", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_table_has_the_numbers_of_every_node():
    result = run("check", "full.onnx", "--numerics")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    titles = next(line for line in lines if line.startswith("node "))
    assert titles.split() == (
        [
            "node",
            "operator",
            "recognised",
            "as",
            "rule",
            "R",
            "out",
            "R",
            "in",
            "constants",
            "epsilon",
            "sum",
            "of",
            "|R",
            "in|",
            "amplifies",
            "note",
        ]
    )
    (row,) = [line.split() for line in lines if line.startswith("logits ")]
    out, went, constants, kept, amount, amplifies = map(float, row[4:])
    assert out == pytest.approx(went + constants + kept, rel=1e-2) and amount > 0 and amplifies > 0
    assert any(line.startswith("numerics: of numbers that were drawn: probability[") for line in lines)
    assert any(line.startswith("least certain: ") and "float32's 7 digits" in line for line in lines)


@pytest.mark.parametrize("how", [("--image", "photos/one.png"), ("--input", "image=x.npy"), ()])
def test_which_input_is_run(how):
    np.save("x.npy", np.float32(rng(1).standard_normal((1, 3, 8, 8))))
    numbers = printed("full.onnx", "--numerics", *how)["numerics"]
    assert numbers["input"] == (how[1].removeprefix("image=") if how else "drawn")
    assert numbers == printed("full.onnx", "--numerics", *how)["numerics"]  # what is drawn is seeded
    parts = [numbers[key] for key in ("conserved", "bias_share", "epsilon_share", "intercept_share")]
    assert math.fsum(parts) == pytest.approx(1, abs=1e-4)
    assert {"amount", "amplification", "R_out", "R_in", "bias", "epsilon"} <= numbers["steps"][0].keys()


def test_the_same_as_explain_answers():
    numbers = printed("full.onnx", "--numerics", "--image", "photos/one.png", "--target", "dog")["numerics"]
    asked = run("explain", "full.onnx", "photos/one.png", "-o", "m.png", "--json", "--target", "dog")
    explained = json.loads(asked.stdout)
    assert numbers["conserved"] == explained["conserved"] and numbers["target"] == explained["target"] == 1
    for ours, theirs in zip(numbers["steps"], explained["audit"], strict=True):
        assert {name: ours[name] for name in theirs} == theirs


def test_without_it_nothing_is_run():
    assert printed("full.onnx")["numerics"] is None
    for how in (("--image", "photos/one.png"), ("--input", "image=x.npy")):
        fails(2, f"{how[0]}: nothing is run without --numerics", "check", "full.onnx", *how)


@pytest.mark.parametrize("how", [("--method", "gradient"), ("--method", "rise"), ("--noise", "smoothgrad")])
def test_what_is_no_walk_of_relevance(how):
    fails(2, "follows one walk of relevance", "check", "full.onnx", "--numerics", *how, *FLAGS)


def test_several_models_and_conditions():
    result = run("check", "full.onnx", "bare.onnx", "--numerics", "--condition", "c[1, 2]")
    assert result.exit_code == 0 and result.output.count("least certain") == 2
    assert "masked" in result.output


def test_what_only_a_run_tells_is_an_error_of_its_own():
    text = "g (float[N,4] x) => (float[N,4] y) { z = Mul (x, big) y = Mul (z, big) }"
    onnx.save(parse(text, big=np.float32(1e30)), "inf.onnx")
    fails(1, "NaN or infinity", "check", "inf.onnx", "--numerics", "--keep", "all")
    assert run("check", "inf.onnx").exit_code == 0


def test_a_size_that_is_open():
    text = "g (float[N,3,H,W] x) => (float[N,3] y) { p = GlobalAveragePool (x) y = Flatten (p) }"
    onnx.save(parse(text), "open.onnx")
    fails(1, "give an input yourself (--image or --input)", "check", "open.onnx", "--numerics")
    assert (
        run("check", "open.onnx", "--numerics", "--size", "9", "--crop", "9", "--scale", "1").exit_code == 0
    )


def test_what_is_recommended_instead_runs_nothing_by_itself():
    text = "z = Relu (x) q = QuantizeLinear (z, s) y = DequantizeLinear (q, t)"
    scales = {"s": np.float32(1), "t": np.float32(2)}
    onnx.save(parse(f"g (float[N,4] x) => (float[N,4] y) {{ {text} }}", **scales), "odd.onnx")
    result = run("check", "odd.onnx", "--numerics", "--keep", "all")
    ways = [
        line.split("  #")[0].split()[1:] for line in result.output.splitlines() if "onnx-lrp check" in line
    ]
    assert result.exit_code == 1 and ways
    for way in ways:
        assert "--numerics" not in way and run(*way).exit_code == 0
