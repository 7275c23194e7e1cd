"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

# What is tested is this package, whatever plugins are installed beside it.
os.environ["ONNX_LRP_PLUGINS"] = "0"

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture
def shared() -> Path:
    """The folder of real trained models and photos: local material, never part of the project."""
    if not (SHARED / "manifest.json").exists():
        pytest.skip("real models and photos are not here: no ../shared next to the checkout")
    return SHARED


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch size of every forward pass."""
    from explainer.model.session import Session

    sizes, real = [], Session.run

    def counting(self, feeds):
        sizes.extend(len(array) for array in feeds.values())
        return real(self, feeds)

    monkeypatch.setattr(Session, "run", counting)
    return sizes


def pytest_sessionfinish(exitstatus: int) -> None:
    """Write docs/parity.md from what this run compared, if asked to."""
    if os.environ.get("PARITY_TABLE") and exitstatus == 0:
        import compared

        compared.write()
