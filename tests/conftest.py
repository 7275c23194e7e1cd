"""Fixtures that every test may use."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture
def shared() -> Path:
    """The folder of real trained models and photos: local material, never part of the project."""
    if not (SHARED / "manifest.json").exists():
        pytest.skip("real models and photos are not here: no ../shared next to the checkout")
    return SHARED
