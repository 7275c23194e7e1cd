"""What the help says, and how a remark calls an option."""

import os
import re

import click
import numpy as np
import onnx
from building import parse
from command_line import folder, run

from explainer.cli import main
from explainer.cli.headings import HEADINGS

__all__ = ["folder"]  # an automatic fixture: importing it is using it


def test_help_lists_every_option_once_under_a_heading():
    for name in ("explain", "check", "compile"):
        text = run(name, "--help").output
        first, *_ = re.findall(r"^  onnx-lrp .*", text, re.MULTILINE)
        assert text.index(first) < text.index(main.commands[name].help.strip()[:20])
        text = text[text.index("What comes out:") :]
        named = {name for names in HEADINGS.values() for name in names}
        for param in main.commands[name].params:
            if isinstance(param, click.Option):
                assert param.name == "debug" or param.name in named, param.name
                assert len(re.findall(rf"^  (-\w, )?{param.opts[-1]}(?![-\w])", text, re.MULTILINE)) == 1
        assert len(re.findall(r"^\w[\w, ]*:$", text, re.MULTILINE)) >= 5
        assert "Other:\n  --debug" in text
    known = {param.name for command in main.commands.values() for param in command.params}
    assert named <= known and sum(map(len, HEADINGS.values())) == len(named)


def test_an_example_of_the_help_works():
    os.replace("photos/two.jpg", "photo.jpg"), os.replace("full.onnx", "model.onnx")
    for name in ("explain", "check", "compile"):
        command = next(line for line in run(name, "--help").output.splitlines() if "  onnx-lrp" in line)
        result = run(*command.replace("tabby", "dog").split()[1:])
        assert result.exit_code == 0, result.output


def test_a_remark_calls_an_option_as_the_command_line_does():
    text = """g (float[N,3,8,8] x) => (float[N,1] y) { c = Conv (x, k) r = Relu (c)
        p = GlobalAveragePool (r) f = Flatten (p) y = Neg (f) }"""
    onnx.save(parse(text, k=np.ones((1, 3, 1, 1))), "against.onnx")
    asked = ("explain", "against.onnx", "photos/one.png", "-o", "map.png", "--scale", "1", "--size", "8,8")
    asked += ("--method", "gradcam")
    for more in ((), ("--json",)):
        output = run(*asked, *more).output
        assert "--option signed=true shows what speaks against it" in output and "signed=True" not in output
    assert "is 0 everywhere" not in run(*asked, "--option", "signed=true").output
