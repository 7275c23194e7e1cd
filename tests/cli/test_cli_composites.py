"""Rules from the command line: presets, files, rules of one's own, dialects, parameters."""

import json

import numpy as np
import onnx
import pytest
from command_line import FLAGS, PREPROCESSING, TINY, fails, folder, run, tiny

import explainer
from explainer.cli.options import DIALECTS, value_of

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def checked(*arguments: str) -> dict[str, str]:
    """Node -> rule, as `check` prints them."""
    result = run("check", "full.onnx", *arguments)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    rule = next(line for line in lines if line.startswith("node")).index("rule")
    table = lines[next(place for place, line in enumerate(lines) if line.startswith("---")) + 1 :]
    return {line.split()[0]: line[rule:] for line in table}


def test_a_preset_by_any_of_its_names():
    wanted = {"logits": "epsilon:1e-06", "e": "route", "d": "norm:1e-06", "c": "pass", "a": "flat"}
    assert checked("--composite", "epsilon_plus_flat") == wanted
    assert checked("--composite", "EpsilonPlusFlat") == wanted
    assert checked("--composite", "lrp.sequential_preset_a")["logits"] == "epsilon:0.1"


def test_rules_of_ones_own():
    found = checked("--rule", "Conv=zplus", "--rule", "a*=gamma:0.1", "--rule", "dense=epsilon:eps=0.25")
    assert (found["a"], found["logits"]) == ("gamma:0.1", "epsilon:0.25")
    assert checked("--rule", "first=zbox:-1/-2/-3,1", "--composite", "zplus")["a"] == "zbox:-1/-2/-3,1"
    assert checked("--rule", "until:c=flat")["a"] == "flat"


def test_dialects():
    assert checked("--dialect", "captum")["logits"] == "epsilon:1e-09"
    assert checked("--dialect", "captum", "--composite", "gamma")["a"] == "plain_gamma:0.25"
    assert (*DIALECTS,) == (*explainer.composites.DIALECTS,)


def test_parameters():
    arguments = ("--composite", "epsilon_gamma_box", "--option", "low=-2.5", "--option", "high=2.5/3/3.5")
    found = checked(*arguments, "--option", "stabilizer=1e-3", "--eps", "0.5")
    assert (found["a"], found["logits"]) == ("zbox:-2.5,2.5/3/3.5,eps=0.001", "epsilon:0.5")
    assert checked("--composite", "gamma", "--option", "gamma=0.5")["a"] == "gamma:0.5"
    assert checked("--composite", "epsilon_gamma_box")["a"] == "zbox:-2,2"  # by the file's preprocessing


def test_eps_is_the_composites_own_unless_given():
    assert checked()["logits"] == "epsilon:1e-06"
    assert checked("--composite", "sequential_preset_a", "--eps", "0.2")["logits"] == "epsilon:0.2"
    assert checked("--eps", "0.2")["logits"] == "epsilon:0.2"


def test_a_file(folder):
    (folder / "own.toml").write_text(
        'base = "epsilon_plus"\n[rules]\nfirst = "flat"\n[parameters]\neps = 0.5'
    )
    (folder / "own.json").write_text(json.dumps({"base": "gamma", "dialect": "captum"}))
    found = checked("--composite", "own.toml", "--eps", "0.25")
    assert (found["a"], found["logits"]) == ("flat", "epsilon:0.25")
    assert checked("--composite", "own.toml", "--rule", "a=zplus")["a"] == "zplus"
    assert checked("--composite", "own.json", "--option", "gamma=0.5")["a"] == "plain_gamma:0.5"


ASKED = (
    *("--composite", "epsilon_plus", "--rule", "first=flat", "--option", "eps=0.25"),
    *("--dialect", "zennit"),
)
SAME = {
    "composite": ("epsilon_plus", {"eps": 0.25}),
    "rules": {"first": "flat"},
    "dialect": "zennit",
}


def test_explain_and_compile_take_the_same():
    wanted = explainer.explain("full.onnx", "photos/one.png", target=1, **SAME)
    assert np.abs(
        wanted.relevance - explainer.explain("full.onnx", "photos/one.png", target=1).relevance
    ).any()
    to = ("-o", "map.png", "--save-relevance", "--target", "1")
    result = run("explain", "full.onnx", "photos/one.png", *to, *ASKED)
    assert result.exit_code == 0, result.output
    with np.load("map.npz") as numbers:
        np.testing.assert_array_equal(numbers["relevance"], wanted.relevance)
    result = run("compile", "full.onnx", "-o", "compiled.onnx", "--target", "1", *ASKED)
    assert result.exit_code == 0, result.output
    explainer.compile("full.onnx", "same.onnx", target=1, **SAME)
    ours, theirs = onnx.load("compiled.onnx").graph, onnx.load("same.onnx").graph
    assert list(ours.node) == list(theirs.node)


def test_bounds_follow_from_the_flags():
    box = ("--composite", "epsilon_gamma_box", "--save-relevance")
    run("explain", "full.onnx", "photos/one.png", "-o", "full.png", *box)
    result = run("explain", "bare.onnx", "photos/one.png", "-o", "bare.png", *box, *FLAGS)
    assert result.exit_code == 0, result.output
    with np.load("full.npz") as full, np.load("bare.npz") as bare:
        np.testing.assert_array_equal(full["relevance"], bare["relevance"])
    # Single flags change the bounds of the file's own preprocessing.
    onnx.save(tiny(preprocessor_config=PREPROCESSING | {"image_std": [0.5] * 3}), "other.onnx")
    run("explain", "other.onnx", "photos/one.png", "-o", "other.png", *box, "--std", "0.25")
    with np.load("full.npz") as full, np.load("other.npz") as other:
        np.testing.assert_array_equal(full["relevance"], other["relevance"])


@pytest.mark.parametrize(
    ("code", "message", "arguments"),
    [
        (1, "b=flat: no layer between target and input is meant by 'b'", ["--rule", "b=flat"]),
        (1, "is meant by 'Con'; did you mean 'Conv'", ["--rule", "Con=flat"]),
        (1, "the rule is for layers of kind", ["--rule", "Relu=zplus"]),
        (1, "no rule 'zpluss'; did you mean 'zplus'?", ["--rule", "Conv=zpluss"]),
        (1, "a rule is SELECTOR=RULE, such as Conv=zplus", ["--rule", "Conv"]),
        (1, "alpha - beta must be 1, or relevance is not conserved", ["--rule", "Conv=alpha_beta:2,0.5"]),
        (1, "no composite 'magic'; there are: epsilon, zero", ["--composite", "magic"]),
        (1, "none.toml cannot be read", ["--composite", "none.toml"]),
        (1, "composite 'epsilon' takes no gamma; it takes eps", ["--option", "gamma=0.1"]),
        (1, "eps must be a positive number, not 'small'", ["--option", "eps=small"]),
        (1, "'captum' has alpha_beta with alpha 1", ["--composite", "alpha2_beta1", "--dialect", "captum"]),
        (1, "needs until, the name of the last node", ["--composite", "sequential_preset_a_flat_until"]),
        (2, "'gamma' is not NAME=VALUE, such as gamma=0.1", ["--option", "gamma"]),
        (2, "'=1' is not NAME=VALUE", ["--option", "=1"]),
        (2, "model has its own place on the command line: model", ["--option", "model=x"]),
        (2, "composite has its own place on the command line: --composite", ["--option", "composite=x"]),
        (2, "'torch' is not one of 'zennit'", ["--dialect", "torch"]),
        (2, "'x' is not a valid float", ["--eps", "x"]),
    ],
)
def test_mistakes_are_one_clear_error(code, message, arguments):
    fails(code, message, "check", "full.onnx", *arguments)
    fails(code, message, "compile", "full.onnx", "-o", "out.onnx", *arguments)
    fails(code, message, "explain", "full.onnx", "photos/one.png", "-o", "map.png", *arguments)


def test_the_box_of_a_model_that_normalises_its_input():
    inside = "n = {} (image)\n a = Conv <pads=[1,1,1,1]> (n"
    text = TINY.replace("a = Conv <pads=[1,1,1,1]> (image", inside.format("Neg"))
    onnx.save(tiny(text, preprocessor_config=PREPROCESSING), "inside.onnx")
    done = run("check", "inside.onnx", "--composite", "epsilon_gamma_box")
    assert "preprocessing in the file, through which relevance goes unchanged: Neg 'n'" in done.output
    done = run("check", "inside.onnx", "--composite", "epsilon_gamma_box", "--json")
    assert json.loads(done.stdout)["preprocessing_in_file"] == ["n"]
    text = TINY.replace("a = Conv <pads=[1,1,1,1]> (image", inside.format("Sin"))
    onnx.save(tiny(text, preprocessor_config=PREPROCESSING), "inside.onnx")
    message = "those of the model's input, but Conv 'a' reads 'n'"
    fails(1, message, "check", "inside.onnx", "--composite", "epsilon_gamma_box")
    own = ("--composite", "epsilon_gamma_box", "--rule", "a=zbox:-2,2")
    assert run("check", "inside.onnx", *own).exit_code == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("200", 200),
        ("-3", -3),
        ("0.1", 0.1),
        ("1e-6", 1e-6),
        ("-2.1/-2.0/-1.8", (-2.1, -2.0, -1.8)),
        ("1,2", (1, 2)),
        (" 8/8 ", (8, 8)),
        ("/layer1/conv", "/layer1/conv"),
        ("bilinear", "bilinear"),
        ("1/x", "1/x"),
        ("", ""),
    ],
)
def test_values_of_options(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, tuple):
        assert [*map(type, found)] == [*map(type, value)]


@pytest.mark.parametrize(("command", "things"), [("composites", "COMPOSITES"), ("rules", "RULES")])
def test_what_there_is_to_choose_from(command, things):
    result = run(command)
    assert result.exit_code == 0
    known = getattr(getattr(explainer, command), things)
    lines = result.output.split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [*known]
    assert all(len(line.split()) > 3 for line in lines if not line.startswith(" "))
    shown = {line.split()[0]: after for line, after in zip(lines, [*lines[1:], ""], strict=True)}
    wanted = {"composites": ("epsilon_gamma_box", "low, high, gamma=0.25, eps, stabilizer")}
    name, parameters = wanted.get(command, ("zbox", "low, high, eps=1e-06, zero_params"))
    assert shown[name].strip() == f"parameters: {parameters}"
