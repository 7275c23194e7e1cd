"""Fixtures that every test may use, which tests run, and what a run costs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import costs
import marks
import pytest

# What is tested is this package, whatever plugins are installed beside it.
os.environ["ONNX_LRP_PLUGINS"] = "0"

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
# torch and the tools that results are compared with: without one of them, no module that needs torch runs.
MISSING = [name for name in sorted(marks.TORCH) if find_spec(name) is None]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("onnx-lrp")
    group.addoption("--all", action="store_true", help="also run what is marked long")
    group.addoption(
        "--fuzz",
        type=int,
        default=0,
        metavar="N",
        help="so many cases of each kind, not 100 (1,000 with --all)",
    )
    group.addoption(
        "--check-marks", action="store_true", help="list tests that are not marked slow, and are slow"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(costs.Costs(config.option.check_marks))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        terminalreporter.write_line(f"modules that need torch were left out: no {', '.join(MISSING)} here")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what needs torch where it cannot run or is not asked for: its import would load torch."""
    file = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if file.suffix != ".py" or not marks.needs_torch(file):
        return None
    if MISSING or "not slow" in config.option.markexpr:
        return True
    import exporter._torchvision  # noqa: F401  # zennit imports torchvision, which needs this to load

    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marks.mark(items, config.option.all)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small run no faster on more threads of torch, and slower where cores are shared."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shared() -> Path:
    """The folder of real trained models and photos: local material, never part of the project."""
    if not (SHARED / "manifest.json").exists():
        pytest.skip("real models and photos are not here: no ../shared next to the checkout")
    return SHARED


@pytest.fixture(scope="session")
def deployed() -> Path:
    """A folder of models that Python packages ship; they are fetched by hand, and none is a part of this."""
    folder = ROOT.parent / "deployed"
    if not folder.is_dir():
        pytest.skip("models that packages ship are not here: no ../deployed next to the checkout")
    return folder


@pytest.fixture
def links(tmp_path: Path) -> None:
    """A system, and a user, that may make symbolic links."""
    try:
        os.symlink("nowhere", tmp_path / "link that is tried")
    except OSError:
        pytest.skip("no symbolic link can be made here")
    os.unlink(tmp_path / "link that is tried")


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
