"""What the project says of itself: its version in one place, its pages, its lowest versions, its marks."""

import importlib.util
import re
import tomllib
from collections import Counter
from pathlib import Path

import marks
import pages
import pytest
from click.testing import CliRunner

import explainer
from explainer.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place():
    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    assert re.findall(r"^version: (.*)$", text("CITATION.cff"), re.M) == [explainer.__version__]
    assert f"## {explainer.__version__} " in text("CHANGELOG.md")
    assert explainer.__version__ in CliRunner().invoke(main, ["--version"]).output


def test_a_citation_has_what_its_format_asks_for():
    cff = text("CITATION.cff")
    assert cff.startswith("cff-version: 1.2.0\n")
    for key in ("message", "title", "authors"):
        assert re.search(rf"^{key}:", cff, re.M), key
    assert f"\nlicense: {PROJECT['license']}\n" in cff


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    assert not [link for link in pages.links(text(page)) if not (ROOT / link).exists()]


def test_what_contributors_are_told_to_run_is_there():
    page = text("CONTRIBUTING.md")
    extras = set(re.findall(r'-e "\.\[([\w-]+)\]"', page))
    assert extras == {"test", "test-core"} <= set(PROJECT["optional-dependencies"])
    for path in re.findall(r"`((?:explainer|exporter|tests|benchmarks|models|docs)/[\w/.]*)`", page):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"python (\w+/\w+\.py)", page):
        assert (ROOT / path).exists(), path


def lowest():
    spec = importlib.util.spec_from_file_location("lowest", ROOT / "scripts" / "lowest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lowest


def test_every_dependency_promises_a_lowest_version():
    found = list(lowest()(PROJECT, ["test-core", "export"]))
    assert len(found) == len(set(found)) == len(PROJECT["dependencies"]) + 3 + 3
    assert all(re.fullmatch(r"[\w.-]+==\d[\w.]*", constraint) for constraint in found)
    with pytest.raises(ValueError, match="no lowest version"):
        list(lowest()({"dependencies": ["numpy"], "optional-dependencies": {}}, []))


def test_only_tests_pin_what_they_compare_with():
    pinned = [
        entry
        for extra, group in PROJECT["optional-dependencies"].items()
        if extra != "test"
        for entry in group
    ]
    assert not [entry for entry in (*PROJECT["dependencies"], *pinned) if re.search(r"==|<|~=", entry)]


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("import torch", True),
        ("from zennit.rules import Epsilon", True),
        ("import helper", True),
        ("from helper import thing", True),
        ("import numpy\nimport explainer", False),
        ("import exporter.cli", False),
        ("from exporter._torchvision import torchvision", True),
        ("def test():\n    import torch", False),
        ("if TYPE_CHECKING:\n    import torch", False),
        ("text = 'import torch'", False),
    ],
)
def test_modules_that_need_torch_are_known_by_their_source(source, needs, tmp_path):
    (tmp_path / "helper.py").write_text("import other", encoding="utf-8")
    (tmp_path / "other.py").write_text("import helper\nimport captum.attr", encoding="utf-8")
    file = tmp_path / "test_some.py"
    file.write_text(source, encoding="utf-8")
    assert marks.needs_torch(file) == needs


class Item:
    """As much of a pytest.Item as marking it takes."""

    def __init__(self, path, *markers):
        self.path, self.markers = path, list(markers)

    def get_closest_marker(self, name):
        return name in self.markers

    def add_marker(self, marker):
        self.markers.append(marker if isinstance(marker, str) else marker.name)


@pytest.mark.parametrize("everything", [True, False])
def test_what_takes_minutes_runs_on_request_alone(everything):
    plain, long = (Item(marks.TESTS / "rules" / "test_rules.py", *names) for names in ((), ("long",)))
    torch = Item(marks.TESTS / "parity" / "test_table.py")
    marks.mark([plain, long, torch], everything)
    assert (plain.markers, torch.markers) == ([], ["slow"])
    assert long.markers == (["long"] if everything else ["long", "skip"])


def test_a_folder_whose_conftest_needs_torch_needs_it_too():
    assert marks.needs_torch(marks.TESTS / "parity" / "test_table.py")
    assert not marks.needs_torch(marks.TESTS / "rules" / "test_rules.py")


def test_no_two_modules_of_the_tests_have_one_name():
    """pytest puts their folders on one path: the second of a name would be the first."""
    allowed = {"conftest.py", "__main__.py", "__init__.py"}
    names = Counter(file.name for file in marks.TESTS.glob("*/*.py")) + Counter(
        file.name for file in marks.TESTS.glob("*.py")
    )
    assert not [name for name, count in names.items() if count > 1 and name not in allowed]
