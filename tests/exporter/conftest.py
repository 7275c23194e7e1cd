"""A small residual network to export, and what reads a file back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def stir(model: Any, seed: int = 0) -> Any:
    """Give every batch normalisation statistics and parameters that a forgotten one would show."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            for tensor, low in (
                (module.running_mean, -0.5),
                (module.running_var, 0.5),
                (module.weight.data, 0.5),
                (module.bias.data, -0.5),
            ):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + low)
    return model


@pytest.fixture
def network() -> Any:
    """A residual block with three batch normalisations and a head for four classes, in training mode."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
            self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
            self.down, self.bn3 = nn.Conv2d(8, 8, 1, stride=2, bias=False), nn.BatchNorm2d(8)
            self.drop, self.fc = nn.Dropout(0.5), nn.Linear(8, 4)

        def forward(self, x):
            x = torch.relu(self.bn1(self.conv1(x)))
            x = torch.relu(self.bn2(self.conv2(x)) + self.bn3(self.down(x)))
            return self.fc(self.drop(x.mean((2, 3))))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return stir(Residual())


@pytest.fixture
def answer() -> Callable[[Path, Any], Any]:
    """``answer(path, x)``: what onnxruntime computes from the file."""
    onnxruntime = pytest.importorskip("onnxruntime")

    def run(path: Path, x: Any) -> Any:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return session.run(None, {"input": x.numpy()})[0]

    return run
