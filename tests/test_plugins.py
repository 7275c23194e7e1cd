"""Plugins: an example package is installed and used; what is wrong with one is said."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import native
import numpy as np
import onnx
import pytest
from building import relative, rng

import explainer
from explainer import ExplainerError, plugins
from explainer.composites import COMPOSITES
from explainer.rules import ZPlus

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """A folder in which the example package is installed, as pip does it, from nowhere but here."""
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "tests" / "plugin", folder / "source")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site")]
    subprocess.run([*command, str(folder / "source")], check=True, capture_output=True, text=True)
    return folder / "site"


def run(code: str, *folders: Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess:
    """Python in a process of its own, with packages on its path."""
    path = os.pathsep.join(map(str, (*folders, ROOT, ROOT / "tests")))
    kept = {name: value for name, value in os.environ.items() if name != plugins.SWITCH}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": path, **variables},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def said(code: str, *folders: Path, **options) -> str:
    done = run(code, *folders, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(*arguments: str) -> str:
    return f"from explainer.cli import main; main({list(arguments)!r})"


@pytest.fixture
def folder(tmp_path) -> Path:
    onnx.save(native.scaled(function=True), tmp_path / "scaled.onnx")
    onnx.save(native.scaled(), tmp_path / "library.onnx")
    np.save(tmp_path / "x.npy", rng(3).standard_normal((2, 3, 6, 6)).astype(np.float32))
    return tmp_path


@pytest.mark.slow
def test_the_command_line_lists_what_it_brings_and_whose_it_is(installed):
    lines = said(command("operators"), installed).splitlines()
    cells = [re.split(r"\s{2,}", line) for line in lines[: lines.index("")]]
    rows = {name: [kinds, origin] for name, kinds, origin in cells}
    assert rows.pop("com.example.MyScale") == ["scale", "lrp-myscale 1.2"]
    assert set(rows) == set(explainer.supported()) and {row[1] for row in rows.values()} == {"onnx-lrp"}
    assert "  [lrp-myscale 1.2]" in said(command("rules"), installed).split("magnitude")[1].splitlines()[0]
    presets = said(command("composites"), installed).splitlines()
    (line,) = (line for line in presets if line.startswith("by_magnitude"))
    assert line.endswith("at every layer with weights.  [lrp-myscale 1.2]")
    assert sum("[lrp-myscale" in line for line in presets) == 1


@pytest.mark.slow
def test_its_method_is_listed_run_and_compiled(installed, folder):
    listed = said(command("methods"), installed).splitlines()
    (line,) = (line for line in listed if line.startswith("squared_gradient"))
    assert line.endswith("whichever way.  [lrp-myscale 1.2]")
    code = """
import explainer, numpy as np
x = np.load("x.npy")
squared = explainer.explain("scaled.onnx", x, method="squared_gradient")
plain = explainer.explain("scaled.onnx", x, method="gradient")
np.testing.assert_allclose(squared.relevance, plain.relevance ** 2, rtol=1e-5)
explainer.compile("scaled.onnx", method="squared_gradient")
"""
    said(code, installed, cwd=folder)


@pytest.mark.slow
def test_the_command_line_explains_and_compiles_with_it(installed, folder):
    listed = said(command("check", "scaled.onnx", "--rule", "Conv=magnitude"), installed, cwd=folder)
    assert "com.example.MyScale" in listed and "magnitude" in listed
    asked = ("compile", "scaled.onnx", "-o", "compiled.onnx", "--composite", "by_magnitude")
    assert "written: compiled.onnx" in said(command(*asked), installed, cwd=folder)


EXPLAIN = """
import numpy as np
import explainer
ex = explainer.Explainer({model!r}, composite="by_magnitude", dtype={dtype!r}, **{more!r})
found = ex.explain(np.load("x.npy"), target=[1, 2])
np.savez("found.npz", relevance=found.relevance, residual=[step.residual for step in found.audit])
print(sorted({{str(step.rule).partition(":")[0] for step in ex.plan.steps}}))
print([str(plugin) for plugin in explainer.plugins.load()])
"""


@pytest.mark.slow
def test_python_explains_with_it(installed, folder):
    code = EXPLAIN.format(model="scaled.onnx", dtype="float64", more={})
    rules, found = said(code, installed, cwd=folder).splitlines()
    assert rules == "['magnitude', 'norm', 'pass', 'route']"
    assert found == "[\"plugin 'myscale' (lrp_myscale) of lrp-myscale 1.2\"]"
    with np.load(folder / "found.npz") as numbers:
        assert numbers["relevance"].shape == (2, 3, 6, 6) and numbers["relevance"].any()
        assert abs(numbers["residual"]).max() < 1e-12


@pytest.mark.slow
def test_with_its_plugin_an_operator_from_a_library_is_explained(installed, folder):
    more = {"custom_ops": [str(native.library())]}
    said(EXPLAIN.format(model="scaled.onnx", dtype="float32", more={}), installed, cwd=folder)
    with np.load(folder / "found.npz") as numbers:
        wanted = numbers["relevance"]
    said(EXPLAIN.format(model="library.onnx", dtype="float32", more=more), installed, cwd=folder)
    with np.load(folder / "found.npz") as numbers:
        assert relative(numbers["relevance"], wanted) < 1e-4
    asked = ("--custom-ops", more["custom_ops"][0])
    written = said(command("compile", "library.onnx", "-o", "new.onnx", *asked), installed, cwd=folder)
    assert "outputs: y, relevance" in written


@pytest.mark.slow
def test_what_it_brings_passes_the_proofs_of_the_projects_own(installed, folder):
    code = """
import explainer
from lrp_myscale import Magnitude, MyScale
from explainer.testing import check_layer, check_rule
explainer.plugins.load()
check_layer(MyScale, "scaled.onnx", composite="by_magnitude")

def formula(d):
    contributions = abs(d.W * d.x)
    return contributions.T @ (d.R / (contributions.sum(1) + abs(d.b) + 1e-3))

check_rule(Magnitude(eps=1e-3), formula)
"""
    said(code, installed, cwd=folder)


@pytest.mark.slow
def test_switched_off_it_is_not_there(installed, folder):
    off = {plugins.SWITCH: "0"}
    done = run(command("check", "library.onnx"), installed, cwd=folder, **off)
    assert done.returncode == 1 and "com.example.MyScale" in done.stderr
    # One that the file itself defines is explained through its body then.
    assert run(command("check", "scaled.onnx"), installed, cwd=folder, **off).returncode == 0
    assert "MyScale" not in said(command("operators"), installed, **off)
    assert "MyScale" in said(command("operators"), installed, **{plugins.SWITCH: "1"})


@pytest.mark.slow
def test_importing_the_explainer_and_asking_for_help_load_no_plugin(installed):
    help_ = "from explainer.cli import main\ntry: main(['explain', '--help'])\nexcept SystemExit: pass"
    for code in ("import explainer, explainer.plugins", help_):
        code += "\nimport sys; print('lrp_myscale' in sys.modules, 'onnx' in sys.modules)"
        assert said(code, installed).splitlines()[-1] == "False False"


def wheel(folder: Path, name: str, code: str) -> Path:
    """A package of one module as it lies there once installed."""
    (folder / f"{name}.py").write_text(code)
    about = folder / f"{name}-0.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.3\n")
    (about / "entry_points.txt").write_text(f"[{plugins.GROUP}]\nentry = {name}\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "from explainer.composites import preset\n@preset\ndef gamma(dialect): pass",
            "RegistrationError: there is a composite 'gamma' already, of explainer.composites.presets",
        ),
    ],
)
def test_one_that_cannot_be_loaded_is_named(tmp_path, folder, code, reason):
    site = wheel(tmp_path, "broken", code)
    done = run(command("check", "scaled.onnx"), site, cwd=folder)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"plugin 'entry' (broken) of broken 0.3 cannot be loaded: {reason}" in done.stderr
    assert "ONNX_LRP_PLUGINS=0" in done.stderr


@pytest.mark.slow
def test_every_list_loads_them_and_help_does_not(tmp_path):
    site = wheel(tmp_path, "broken", "1 / 0")
    for listed in ("operators", "rules", "methods", "composites"):
        assert "of broken 0.3 cannot be loaded" in run(command(listed), site).stderr
    assert run(command("operators", "--help"), site).returncode == 0


def test_it_fails_alike_however_often_it_is_asked_for(tmp_path, monkeypatch):
    wheel(tmp_path, "broken_again", "import explainer; explainer.rules.register(explainer.rules.ZPlus)")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "_loading", plugins._Loading())
    monkeypatch.delenv(plugins.SWITCH)
    for _ in range(2):
        for ask in (plugins.load, explainer.supported, explainer.methods.get, explainer.composites.get):
            with pytest.raises(ExplainerError, match=r"'entry' .broken_again. of broken_again 0.3.*'zplus'"):
                ask()


def test_a_plugin_may_look_around_while_it_is_imported(tmp_path, monkeypatch):
    wheel(tmp_path, "curious", "import explainer; seen = explainer.supported()")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "_loading", plugins._Loading())
    monkeypatch.delenv(plugins.SWITCH)
    assert str(plugins.load()[-1]) == "plugin 'entry' (curious) of curious 0.3"
    assert sys.modules["curious"].seen == explainer.supported()


def test_whose_a_thing_is(monkeypatch):
    found = (plugins.Plugin("one 1", "a", "shared.one"), plugins.Plugin("two 2", "b", "shared.two:thing"))
    monkeypatch.setattr(plugins._loading, "plugins", found)

    def made_in(module: str) -> type:
        return type("Thing", (), {"__module__": module})

    assert plugins.origin(ZPlus) == plugins.origin(COMPOSITES["gamma"]) == "onnx-lrp"
    assert plugins.origin(made_in("shared.two.layers")) == "two 2"
    assert plugins.origin(made_in("shared.one")) == "one 1"
    assert plugins.origin(made_in("notebook")) == "notebook"
