"""Networks and their files, made once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nets
import pytest
import torch
from memory import give_back

import explainer
import exporter

SIZE = 64


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """The peers' copies of the large networks hold themselves by their hooks."""
    yield
    if "network" in request.fixturenames:
        give_back()


@pytest.fixture(scope="session")
def network() -> Callable[[str], Any]:
    """``network("resnet18")``, in float32; no more are kept than a module takes turns with."""
    make = functools.lru_cache(maxsize=3)
    return make(lambda name: (nets.vgg if "vgg" in name else nets.resnet)(name, size=SIZE))


@pytest.fixture(scope="session")
def file(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``file("resnet18", exporter="dynamo", batchnorm="fold")``: its path."""
    folder = tmp_path_factory.mktemp("parity")

    @functools.cache
    def make(name: str, exporter_name: str = "torchscript", batchnorm: str = "keep") -> Path:
        path = folder / f"{name}-{exporter_name}-{batchnorm}.onnx"
        exporter.export(
            network(name), path, example=(1, 3, SIZE, SIZE), exporter=exporter_name, batchnorm=batchnorm
        )
        return path

    return make


@pytest.fixture
def agree(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``agree(comparison, limit)``: assert it, and print how well they do (``pytest -rP`` shows it)."""

    def check(comparison: explainer.Comparison, limit: float, peer: str = "") -> None:
        print(f"{request.node.name} {peer}: {comparison.error:.2g}, allowed {limit:g}")
        assert comparison.error < limit, f"{peer}\n{comparison}"

    return check


@pytest.fixture(scope="session")
def x() -> Any:
    """Two pictures, a float32 tensor."""
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
