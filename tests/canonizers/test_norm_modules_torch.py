"""Normalisations as PyTorch's modules have them, exported: GRN, groups, channels around, cosines, weights."""

import io

import numpy as np
import onnx
import pytest
import torch
from building import relative
from torch import nn
from torch.nn import functional as F

import explainer
from explainer import Explainer


class GRN(nn.Module):
    """Global response normalisation, as timm writes it. Woo et al. 2023 (ConvNeXt V2)."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8))

    def forward(self, x):
        g = x.norm(p=2, dim=(2, 3), keepdim=True)
        n = g / (g.mean(dim=1, keepdim=True) + 1e-6)
        return x + torch.addcmul(self.bias.view(1, -1, 1, 1), self.weight.view(1, -1, 1, 1), x * n)


class Standardised(nn.Conv2d):
    """A convolution whose weights are standardised in every call. Qiao et al. 2019."""

    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, w, self.bias, padding=1)


class Cosine(nn.Module):
    """Attention by cosines. Liu et al. 2022 (Swin V2)."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        t = x.flatten(2).transpose(1, 2)
        q, k = F.normalize(self.q(t), dim=-1), F.normalize(self.k(t), dim=-1)
        return ((q @ k.transpose(1, 2) * 5).softmax(-1) @ self.v(t)).transpose(1, 2).reshape(x.shape)


class Net(nn.Module):
    """One of them between a convolution and a head."""

    def __init__(self, module):
        super().__init__()
        self.front, self.module, self.head = nn.Conv2d(3, 8, 3, padding=1), module, nn.Linear(8, 4)

    def forward(self, x):
        return self.head(torch.relu(self.module(torch.relu(self.front(x)))).mean((2, 3)))


MODULES = {
    "GRN": GRN,
    "GroupNorm": lambda: nn.GroupNorm(2, 8),  # Reshape, InstanceNormalization, Reshape, Mul, Add
    "InstanceNorm": lambda: nn.InstanceNorm2d(8, affine=True),
    "LayerNorm": lambda: nn.LayerNorm([8, 6, 6]),
    "LRN": lambda: nn.LocalResponseNorm(3, alpha=0.5, k=2.0),  # by an AveragePool, a Pow and a Div
    "weights": lambda: Standardised(8, 8, 3),
    "cosine": Cosine,
}


def made(name: str) -> tuple[Net, torch.Tensor]:
    torch.manual_seed(1)
    net = Net(MODULES[name]()).eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net, torch.randn(2, 3, 6, 6)


def exported(net: Net, x: torch.Tensor) -> onnx.ModelProto:
    file = io.BytesIO()
    torch.onnx.export(net, x, file, opset_version=17, dynamo=False)
    return onnx.load_from_string(file.getvalue())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_its_gradient_is_autograds(name):
    net, x = made(name)
    found = Explainer(exported(net, x), method="gradient", dtype="float64").explain(x.numpy(), target=1)
    x = x.double().requires_grad_()
    (wanted,) = torch.autograd.grad(net.double()(x)[:, 1].sum(), x)
    # Weights that a file holds standardised are rounded to float32.
    assert relative(found.relevance, wanted.numpy()) < (1e-5 if name == "weights" else 1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_it_conserves_without_biases_and_compiles(name):
    net, x = made(name)
    with torch.no_grad():
        for called, parameter in net.named_parameters():
            if called.endswith("bias"):
                parameter.zero_()
    bare = exported(net, x)
    found = explainer.explain(bare, x.numpy(), target=1, start="one", eps=1e-9, dtype="float64")
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    explainer.compile(bare)  # which proves it
