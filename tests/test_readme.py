"""What the README says: its Python runs, and it names every command and option that it should."""

import re
import shutil
from pathlib import Path

import click
import pages
import pytest

from explainer.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_python_runs(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    names = {}
    for piece in pages.pieces(README):
        if piece.language == "python":
            pages.run(piece, names, "README.md")
    assert names["explanation"].relevance.shape == (2, 3, 64, 64)
    assert (tmp_path / "heatmap.png").exists()
    assert (tmp_path / "shapes-lrp.onnx").exists()
    assert "GlobalAveragePool" in capsys.readouterr().out


def test_the_first_two_blocks_are_one_line_each_to_copy():
    explain, tests = re.findall(r"```bash\n(.*?)```", README, re.S)[:2]
    assert explain.count("\n") == tests.count("\n") == 1
    assert "onnx-lrp explain models/shapes.onnx models/shapes.png -o heatmap.png" in explain
    assert tests.rstrip().endswith("pytest")


@pytest.mark.parametrize("name", main.commands)
def test_every_command_is_named_and_has_help(name):
    command = main.commands[name]
    assert f"onnx-lrp {name}" in README
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_every_option_in_the_readme_exists():
    assert not pages.options_named(README) - pages.options()


def test_links_lead_somewhere():
    assert not [link for link in pages.links(README) if not (ROOT / link).exists()]


def test_no_number_was_left_out():
    assert not re.findall(r"^[A-Z]{3,}$", README, re.M)
