"""What the pages in docs/ say: everything on them runs, page by page, and gives what they promise."""

import shutil
from pathlib import Path

import pages
import pytest

from explainer.layers import REGISTRY
from explainer.rules import RULES
from exporter._torchvision import torchvision  # noqa: F401  (pages find one that fits this torch)

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A reader's folder, and registries that forget what a page adds to them."""
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    before = [(registry, dict(registry)) for registry in (REGISTRY, RULES)]
    yield tmp_path
    for registry, entries in before:
        registry.clear()
        registry.update(entries)
