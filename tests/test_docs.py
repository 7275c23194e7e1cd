"""What the pages in docs/ say: everything on them runs, and gives what they promise."""

import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pages
import pytest
from memory import give_back

import explainer
from explainer.canonizers import CANONIZERS
from explainer.composites import COMPOSITES, ROLES
from explainer.errors import folded
from explainer.layers import KINDS, REGISTRY
from explainer.methods import METHODS, NAMES, Noise, spelled
from explainer.methods.registry import ALIASES as OTHER_NAMES
from explainer.rules.text import FOLDED, RULES
from explainer.targets.ask import ALIASES, STARTS

ROOT = Path(__file__).resolve().parent.parent
DOCS = {page.stem: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))}
each_page = pytest.mark.parametrize("name", DOCS)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A reader's folder, and registries that forget what a page adds to them."""
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    registries = (REGISTRY, KINDS, ROLES, CANONIZERS, RULES, FOLDED, COMPOSITES, METHODS)
    before = [(registry, dict(registry)) for registry in registries]
    yield tmp_path
    for registry, entries in before:
        registry.clear()
        registry.update(entries)
    give_back()


def compiled(path, x):
    """What a compiled file returns."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: x}), strict=True))


def resnet34(names):
    explanation, features = names["explanation"], names["FEATURES"]
    assert len(explanation.relevances) == 71
    assert abs(explanation.conserved[0] - 1) < 1e-4
    sums = {name: R.sum() for name, R in explanation.relevances.items()}
    for name, value in sums.items():
        if name.endswith(("relu_1/Relu_output_0", "Add_output_0", "MaxPool_output_0")):
            assert abs(value / sums[features] - 1) < 1e-4, name
    with np.load("layer3.npz") as numbers:
        assert sum(name.startswith("relevance/") for name in numbers) == 71
    x, _, _ = names["ex"].prepare("models/shapes.png")
    answers = compiled("resnet34-layer3.onnx", x)
    for name in ("input", "/maxpool/MaxPool_output_0"):
        theirs = answers["relevance" if name == "input" else f"relevance/{name}"]
        assert explainer.compare(theirs, explanation.relevances[name]).error < 1e-3


def integrated_gradients(names):
    assert abs(names["from_black"].delta / names["change"]) < 0.02
    plain = explainer.explain("resnet18.onnx", "models/shapes.png", method="input_x_gradient")
    assert explainer.compare(names["ig"], plain).error < 1e-5  # there are no biases
    assert explainer.compare(names["from_black"], plain).error > 0.1
    assert {"relevance", "output"} == set(
        compiled("resnet18-ig.onnx", names["ex"].prepare("models/shapes.png")[0])
    )


def comparing(names):
    assert explainer.compare(names["ours"], names["by_zennit"].numpy()).error < 1e-12
    assert explainer.compare(names["ig"], names["by_captum"].detach().numpy()).error < 1e-6


def own_rule(names):
    explanation = names["explanation"]
    assert (explanation.relevance >= 0).all()  # the star's score is positive, and every share is
    assert sum(step.rule.startswith("magnitude") for step in explanation.audit) > 20
    answers = compiled("magnitude.onnx", names["ex"].prepare("models/shapes.png")[0])
    assert explainer.compare(answers["relevance"], explanation).error < 1e-3


def own_operator(names):
    np.testing.assert_allclose(names["explanation"].conserved, 1, atol=1e-3)
    assert {"com.microsoft.QuickGelu", "DFT", "com.example.Square"} <= set(REGISTRY)
    rules = [str(step.rule) for step in names["explainer"].Explainer(names["model"]).plan.steps]
    assert rules.count("gradient") == 1  # the kind of the page's own


def plugin(names):
    example = ROOT / "tests" / "plugin"
    (shown,) = re.findall(r"```toml\n(.*?)```", DOCS["plugins"], re.S)
    assert shown.strip() in (example / "pyproject.toml").read_text("utf-8")
    code = (example / "lrp_myscale" / "__init__.py").read_text("utf-8")
    for entry in ("MyScale", "Magnitude", "by_magnitude"):
        assert entry in code and entry in names
    np.testing.assert_allclose(names["explanation"].audit[0].residual, 0, atol=1e-6)


def own_canonizer(names):
    np.testing.assert_allclose(names["explanation"].conserved, 1, atol=1e-3)
    (note,) = names["three"].plan.notes
    assert (note.canonizer, note.nodes, note.layer) == ("mish", ("s", "t", "m"), "m")
    assert [step.node.operator for step in names["three"].plan.steps][3:] == ["Mish", "Conv"]
    assert {"mish", "scaled"} <= set(CANONIZERS)


def own_method(names):
    assert {"input_minus_base", "halfway"} <= set(METHODS)
    answers = compiled(
        "based.onnx", explainer.Explainer("models/shapes.onnx").prepare("models/shapes.png")[0]
    )
    assert explainer.compare(answers["relevance"], names["plain"]).error < 1e-3
    assert "Halfway does not say what it puts into a file" in DOCS["adding-a-method"]


def inner_relevance(names):
    ex, tensor, whole = names["ex"], names["tensor"], names["explanation"]
    assert names["channel"].target_name == "/6/Relu_1_output_0"
    assert [part.conditions for part in names["concepts"]][:2] == [(f"{tensor}[11]",), (f"{tensor}[4]",)]
    parts = [{tensor: slice(0, 20)}, {tensor: slice(20, None)}]
    parts = ex.explain_targets("models/shapes.png", ["star"], conditions=parts)
    assert explainer.compare(sum(part.relevance for part in parts), whole.relevance).error < 1e-4
    answers = compiled("shapes-11.onnx", ex.prepare("models/shapes.png")[0])
    assert explainer.compare(answers["relevance"], names["one"].relevance).error < 1e-3


def methods(names):
    assert names["ex"].recipe == names["recipe"] != names["stronger"].recipe
    assert names["explanation"].kind == "margin" and list(names["explanation"].relevances) == [
        *names["recipe"].keep
    ]
    text = DOCS["methods"]
    rows = dict(re.findall(r"^\| (`\w+`.*?) \|.*\| (.*?) ?\|$", text, re.M))
    rows = {name: options for key, options in rows.items() for name in re.findall(r"`(\w+)`", key)}
    assert set(rows) == {*NAMES, *STARTS, *ALIASES}
    for name, method in [*METHODS.items(), ("smoothgrad", Noise)]:
        told = rows["grad_cam"] if rows[name] == "the same" else rows[name]
        options = [key for key in method.options() if key not in ("kind", "around")]
        assert set(re.findall(r"`(\w+)[=`]", told)) == set(options if name != "lrp" else ["composite"])

    listed = re.search(r"^Whatever the spelling(.*?)A preset of rules is", text, re.M | re.S)[1]
    said = {folded(name) for name in re.findall(r"`([^`]+)`", listed)}
    assert set(OTHER_NAMES) <= said
    assert all(spelled(name)[0] in NAMES for name in said if not name.startswith("sign"))


def choosing(names):
    other = re.search(r"### Other names\n(.*?)\n## ", DOCS["choosing-rules"], re.S)[1]
    presets, rules = (re.findall(r"`([^`]+)`", part) for part in other.split("Of rules,"))
    assert len(presets) == 7 and None not in map(explainer.composites.named, presets)
    assert (
        all(explainer.rules.text.is_rule(name) for name in rules if name != "--dialect") and len(rules) == 9
    )
    rules = {step.node.name: str(step.rule) for step in names["ex"].plan.steps}
    assert (rules["/0/Conv"], rules["/8/conv1/Conv"], rules["/11/Gemm"]) == (
        "wsquare",
        "gamma:0.1",
        "epsilon:0.001",
    )
    (text,) = re.findall(r"```toml\n(.*?)```", DOCS["choosing-rules"], re.S)
    Path("mine.toml").write_text(text, encoding="utf-8")
    filed = explainer.Explainer("models/shapes.onnx", composite="mine.toml").plan
    assert {step.node.name: str(step.rule) for step in filed.steps} == rules


PROMISED = {
    "resnet34-every-layer": resnet34,
    "integrated-gradients": integrated_gradients,
    "comparing-with-pytorch": comparing,
    "adding-a-rule": own_rule,
    "adding-an-operator": own_operator,
    "adding-a-canonizer": own_canonizer,
    "adding-a-method": own_method,
    "plugins": plugin,
    "inner-relevance": inner_relevance,
    "methods": methods,
    "choosing-rules": choosing,
}


@pytest.mark.slow
@each_page
def test_the_page_runs(name):
    pytest.importorskip("exporter._torchvision")  # pages find one that fits this torch
    names = {}
    for piece in pages.pieces(DOCS[name]):
        pages.run(piece, names, f"docs/{name}.md")
        give_back()  # a page comes to gigabytes otherwise
    PROMISED.get(name, lambda names: None)(names)


@each_page
def test_every_option_on_the_page_exists(name):
    assert not pages.options_named(DOCS[name]) - pages.options()


@each_page
def test_links_lead_somewhere(name):
    assert not [link for link in pages.links(DOCS[name]) if not (ROOT / "docs" / link).exists()]
