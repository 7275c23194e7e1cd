"""What an editor is told: mypy reads scripts against the package as it is installed, both ways."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("mypy")
pytest.importorskip("setuptools", "77")
ROOT = Path(__file__).resolve().parents[2]

RIGHT = """
import numpy as np
import explainer
from explainer import Ask, Explainer, Recipe

recipe = Recipe(composite="gamma", options={"gamma": 0.1})
asked = Ask("cat", start="margin", against="dog")
one = explainer.explain("m.onnx", "p.png", composite="gamma", gamma=0.1, target=asked)
x = np.zeros((2, 3, 8, 8), np.float32)
two = Explainer("m.onnx", recipe=recipe, preprocess="pre.json").explain(x, [1, 2])
explainer.compile("m.onnx", "out.onnx", method="integrated_gradients", n_steps=20, target=3)
one.save("map.png", colormap="bwr", sample=0)
explainer.grid([one, two], columns=2, sign="positive").save("grid.png")
"""
WRONG = {
    'explainer.explain("m", "p", compsite="gamma")': '"compsite" for "explain"; did you mean "composite"?',
    'explainer.Explainer("m", compsite="gamma")': '"compsite" for "Explainer"; did you mean "composite"?',
    'explainer.compile("m", compsite="gamma")': '"compsite" for "compile"; did you mean "composite"?',
    'explainer.explain("m", "p.png", n_steps="many")': '"n_steps" to "explain" has incompatible type "str"',
    'made.save("map.png", colormpa="bwr")': '"colormpa" for "save" of "Explanation"',
    'made.heatmap(colormpa="bwr")': '"colormpa" for "heatmap" of "Explanation"',
    'explainer.Explainer("m").explain("p", composite="gamma")': '"composite" for "explain" of "Explainer"',
    'explainer.Explainer("m").explain_targets("p", [1], stat="one")': '"stat" for "explain_targets"',
    'explainer.Recipe(compsite="gamma")': '"compsite" for "Recipe"; did you mean "composite"?',
    "explainer.Ask(tagret=1)": '"tagret" for "Ask"; did you mean "target"?',
    'explainer.render([[1.0]], cmap="bwr")': '"cmap" for "render"',
    "explainer.grid([made], colums=2)": '"colums" for "grid"; did you mean "columns"?',
}
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True)


@pytest.fixture(scope="module", params=["build_wheel", "build_editable"])
def environment(request, tmp_path_factory):
    """An environment with nothing but the package, installed from a wheel or as an editable one."""
    folder = tmp_path_factory.mktemp(request.param)
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("explainer", "exporter"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert run("-m", "venv", "--without-pip", str(folder / "env"), cwd=folder).returncode == 0
    built = run("-W", "ignore", "-c", BUILD, request.param, str(folder), cwd=source)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    variables = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    zipfile.ZipFile(wheel).extractall(sysconfig.get_path("purelib", vars=variables))
    return folder


def checked(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(script)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # NumPy is not installed there: its arrays can be anything.
    options = (
        "--strict",
        "--ignore-missing-imports",
        "--cache-dir",
        "cache",
        "--python-executable",
        str(python),
    )
    return run("-m", "mypy", *options, "script.py", cwd=folder)


@pytest.mark.slow
def test_a_right_script_is_right(environment):
    done = checked(environment, RIGHT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mistyped_keywords_are_errors(environment):
    made = 'made = explainer.explain("m.onnx", "p.png")'
    done = checked(environment, "\n".join(["import explainer", made, *WRONG]))
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    for line, (found, message) in enumerate(zip(errors, WRONG.values(), strict=True), start=3):
        assert found.startswith(f"script.py:{line}: error: ") and message in found
