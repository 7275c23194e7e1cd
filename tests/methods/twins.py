"""Small networks, each as a PyTorch module in float64 and as the ONNX file that was exported from it."""

from __future__ import annotations

import copy
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from building import parse, rng
from torch import Tensor, nn

import explainer
import exporter

SHAPE = (3, 9, 11)  # no square, no multiple of a stride
CLASSES = 5
EXACT = 1e-10  # two float64 computations of one number, relative to the largest


class Twin(NamedTuple):
    """The same network twice."""

    module: nn.Module
    model: bytes

    def explain(self, x: np.ndarray, method: str, target: object = "top", **how) -> explainer.Explanation:
        """By us, in float64."""
        asked = {key: how.pop(key) for key in ("start", "against") if key in how}
        ex = explainer.Explainer(self.model, method=method, **{"dtype": "float64", **how})
        return ex.explain(x, target, **asked)

    def gradient(self, x: np.ndarray | Tensor, target: int) -> np.ndarray:
        """∂f_t/∂x at each sample by autograd."""
        points = torch.as_tensor(x).double().requires_grad_()
        (found,) = torch.autograd.grad(self.module(points)[:, target].sum(), points)
        return found.numpy()

    def score(self, x: np.ndarray, target: int) -> np.ndarray:
        with torch.no_grad():
            return self.module(torch.as_tensor(x).double())[:, target].numpy()


class Residual(nn.Module):
    """A skip connection, a concatenation, normalization, windows that overlap, an average."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.branch = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.side = nn.Conv2d(4, 3, 1)
        self.act = nn.ReLU()
        self.head = nn.Linear(7, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        value = self.pool(self.first(x))
        value = self.act(self.branch(value) + value)
        return torch.cat([value, torch.sigmoid(self.side(value))], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


def chain() -> nn.Module:
    """Layers that captum's DeepLIFT is right about: no activation next to a MaxPool, no overlap."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(6, 6, 1),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(6, 8, 3),
        nn.ReLU(),
        nn.AvgPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(8 * 1 * 2, 12),
        nn.ReLU(),
        nn.Linear(12, CLASSES),
    )


def relus() -> nn.Module:
    """Convolutions and ReLUs, the last features 4 × 5."""
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(5, 6, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 4 * 5, CLASSES),
    )


NETS: dict[str, Callable[[], nn.Module]] = {"chain": chain, "residual": Residual, "relus": relus}


@functools.cache
def twin(name: str) -> Twin:
    """A network by name, with seeded weights, biases and statistics."""
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(len(name))
        module = NETS[name]()
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.normal_(layer.bias, std=0.3)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, std=0.3)
                nn.init.normal_(layer.running_mean, std=0.3)
                nn.init.uniform_(layer.running_var, 0.5, 1.5)
                layer.eps = float(np.float32(layer.eps))  # as an attribute of an ONNX file holds it
        path = Path(folder) / "model.onnx"
        exporter.export(module.eval(), path, example=(1, *SHAPE))
        return Twin(copy.deepcopy(module).double().eval(), path.read_bytes())


def picture(samples: int = 2, seed: int = 0) -> np.ndarray:
    return rng(seed, samples).standard_normal((samples, *SHAPE)).astype(np.float32)


TWO = """g (float[N,2,4,4] image, float[N,3] facts) => (float[N,4] y) {
    c = Conv <pads = [1, 1, 1, 1]> (image, w) t = Tanh (c) m = GlobalAveragePool (t) f = Flatten (m)
    h = Gemm (facts, v, b) s = Sigmoid (h) j = Concat <axis = 1> (f, s) z = Tanh (j) y = Gemm (z, u) }"""


class TwoInputs(nn.Module):
    """A picture and a few facts, which meet before the last layer."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.weights = {name: torch.from_numpy(value).double() for name, value in weights.items()}

    def forward(self, image: Tensor, facts: Tensor) -> Tensor:
        w = self.weights
        seen = torch.tanh(nn.functional.conv2d(image, w["w"], padding=1)).mean((2, 3))
        known = torch.sigmoid(facts @ w["v"] + w["b"])
        return torch.tanh(torch.cat([seen, known], 1)) @ w["u"]


@functools.cache
def two_inputs() -> Twin:
    random = rng(77)
    shapes = {"w": (3, 2, 3, 3), "v": (3, 4), "b": (4,), "u": (7, 4)}
    weights = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return Twin(TwoInputs(weights), parse(TWO, **weights).SerializeToString())


def two_feeds(samples: int = 3) -> dict[str, np.ndarray]:
    random = rng(78, samples)
    image, facts = random.standard_normal((samples, 2, 4, 4)), random.standard_normal((samples, 3))
    return {"image": image.astype(np.float32), "facts": facts.astype(np.float32)}
