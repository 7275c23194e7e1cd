"""Rule by rule: single layers in float64 against torch's autograd, 1e-10 of the largest value."""

from __future__ import annotations

import nets
import numpy as np
import pytest
import torch
import walks
from reference import epsilon
from torch import nn

import explainer
import exporter

EPS = 0.1  # large enough to show where it is added


class Do(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def norm(channels, kind=nn.BatchNorm2d):
    """A BatchNormalization with statistics and parameters of its own."""
    module = kind(channels)
    generator = torch.Generator().manual_seed(channels)
    for tensor, low in ((module.running_mean, -0.5), (module.running_var, 0.5)):
        tensor.copy_(torch.rand(channels, generator=generator) + low)
    for tensor, low in ((module.weight.data, -0.5), (module.bias.data, -0.5)):
        tensor.copy_(torch.rand(channels, generator=generator) + low)
    module.eps = float(np.float32(module.eps))
    return module.eval()


def constant(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 0.5


HALF = constant(4, 1, 1)
# name: (input shape, (rule, module), …), from input to output; a step may be several modules in a row.
CASES = {
    "conv": ((4, 9, 8), ("epsilon", nn.Conv2d(4, 6, 3))),
    "conv strided": ((4, 10, 9), ("epsilon", nn.Conv2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0)))),
    "conv dilated": ((4, 9, 9), ("epsilon", nn.Conv2d(4, 6, 3, dilation=2, padding=2))),
    "conv grouped": ((4, 7, 7), ("epsilon", nn.Conv2d(4, 6, 3, groups=2, stride=2))),
    "conv depthwise": ((4, 7, 7), ("epsilon", nn.Conv2d(4, 8, 3, groups=4, padding=1, bias=False))),
    "conv 1x1": ((4, 5, 5), ("epsilon", nn.Conv2d(4, 6, 1, stride=2))),
    "conv padded askew": ((4, 6, 7), ("route", nn.ZeroPad2d((1, 2, 0, 1))), ("epsilon", nn.Conv2d(4, 6, 3))),
    "conv 1d": ((4, 11), ("epsilon", nn.Conv1d(4, 6, 4, stride=3, padding=1))),
    "conv 3d": ((2, 4, 5, 6), ("epsilon", nn.Conv3d(2, 3, (2, 3, 2), stride=2, padding=1))),
    "transposed": ((4, 4, 5), ("epsilon", nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2))),
    "linear": ((7,), ("epsilon", nn.Linear(7, 5))),
    "linear on the last axis": ((3, 7), ("epsilon", nn.Linear(7, 5, bias=False))),
    "norm": ((4, 5, 5), ("epsilon", norm(4))),
    "conv norm": ((4, 7, 7), ("epsilon", nn.Conv2d(4, 6, 3, padding=1), norm(6))),
    "norm conv": ((4, 7, 7), ("epsilon", norm(4), nn.Conv2d(4, 6, 3, groups=2))),
    "norm padded conv": ((4, 7, 7), ("epsilon", norm(4)), ("epsilon", nn.Conv2d(4, 6, 3, padding=1))),
    "transposed norm": ((4, 4, 4), ("epsilon", nn.ConvTranspose2d(4, 6, 3, stride=2), norm(6))),
    "linear norm": ((7,), ("epsilon", nn.Linear(7, 5), norm(5, nn.BatchNorm1d))),
    "conv relu conv": (
        (4, 6, 6), ("epsilon", nn.Conv2d(4, 5, 3)), ("pass", nn.ReLU()), ("epsilon", nn.Conv2d(5, 3, 2)),
    ),
    "leaky": ((4, 5, 5), ("epsilon", nn.Conv2d(4, 5, 3)), ("pass", nn.LeakyReLU(0.25))),
    "relu6": ((4, 5, 5), ("epsilon", nn.Conv2d(4, 5, 3)), ("pass", nn.ReLU6())),
    "max": ((4, 9, 9), ("route", nn.MaxPool2d(3, 2, padding=1))),
    "max of equals": ((4, 9, 9), ("route", nn.MaxPool2d(3, 2, padding=1))),
    "max dilated": ((4, 9, 9), ("route", nn.MaxPool2d(2, 1, dilation=2))),
    "max rounded up": ((4, 8, 9), ("route", nn.MaxPool2d(3, 2, ceil_mode=True))),
    "max everywhere": ((4, 5, 5), ("route", nn.AdaptiveMaxPool2d(1))),
    "average": ((4, 9, 9), ("epsilon", nn.AvgPool2d(3, 2, padding=1))),
    "average without pad": ((4, 9, 9), ("epsilon", nn.AvgPool2d(3, 2, 1, count_include_pad=False))),
    "average rounded up": ((4, 8, 8), ("epsilon", nn.AvgPool2d(3, 2, padding=1, ceil_mode=True))),
    "average everywhere": ((4, 5, 5), ("epsilon", nn.AdaptiveAvgPool2d(1))),
    "mean": ((4, 5, 5), ("epsilon", Do(lambda x: x.mean((1, 3), keepdim=True)))),
    "sum": ((4, 5, 5), ("epsilon", Do(lambda x: x.sum(-1)))),
    "add": ((4, 5, 5), ("epsilon", Do(lambda x: x[:, :2] + x[:, 2:]))),
    "add to itself": ((4, 5, 5), ("epsilon", Do(lambda x: x + x.transpose(2, 3)))),
    "add broadcast": ((4, 5, 5), ("epsilon", Do(lambda x: x + x[:, :1, :, :1]))),
    "subtract": ((4, 5, 5), ("epsilon", Do(lambda x: x[:, :2] - x[:, 2:]))),
    "add a constant": ((4, 5, 5), ("epsilon", Do(lambda x: x + HALF.to(x)))),
    "multiply": ((4, 5, 5), ("epsilon", Do(lambda x: x * HALF.to(x)))),
    "divide": ((4, 5, 5), ("epsilon", Do(lambda x: x / HALF.to(x)))),
    "moves": ((4, 6, 5), ("route", Do(lambda x: torch.cat([x[:, 1:], x], 1).transpose(1, 3).flatten(2)))),
}  # fmt: skip


def reference(steps, x, R):
    """The output, and the relevance of the input."""
    values = [x]
    for _, *modules in steps:
        values.append(nn.Sequential(*modules)(values[-1]))
    for (rule, *modules), value in zip(reversed(steps), reversed(values[:-1]), strict=True):
        layer = nn.Sequential(*modules)
        if rule == "epsilon":
            (R,) = epsilon(layer, R, EPS, value)
        elif rule == "route":
            value = value.detach().requires_grad_()
            (R,) = torch.autograd.grad(layer(value), value, R)
    return values[-1].detach(), R


# PyTorch says of a padding of its own making that it did not fold it.
@pytest.mark.filterwarnings("ignore:Constant folding:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_same_relevance(name, tmp_path, agree):
    shape, *steps = CASES[name]
    modules = [module for _, *modules in steps for module in modules]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, *shape, generator=generator)
    if "equals" in name:
        x = x.round()  # torch takes the first of several maxima, too
    exporter.export(nn.Sequential(*modules), tmp_path / "layer.onnx", example=x)

    plan = explainer.Explainer(tmp_path / "layer.onnx", eps=EPS).plan_for("output")
    activations = walks.forward(plan, {"input": x.numpy()})
    R = torch.randn(activations["output"].shape, generator=generator, dtype=torch.float64)
    wide = [(rule, *(nets.double(module) for module in modules)) for rule, *modules in steps]
    output, relevance = reference(wide, x.double(), R)
    assert explainer.compare(activations["output"], output.numpy()).error < 1e-12
    ours = walks.walk(plan, activations, R.numpy())["input"]
    agree(explainer.compare(ours, relevance.numpy()), 1e-10)
