"""Rule by rule, layer by layer: zennit's and captum's own answers in float64, 1e-10 of the largest value."""

from __future__ import annotations

import compared
import nets
import numpy as np
import pytest
import torch
import walks
import zennit.rules as theirs
from captum.attr import LRP
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule, PropagationRule
from test_single_layers import norm
from torch import Tensor, nn
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite
from zennit.core import Hook, Stabilizer

import explainer
import exporter
from explainer import rules

EPS = 0.1  # large enough to show where it is added
LAYERS = {
    "conv": ((4, 9, 8), nn.Conv2d(4, 6, 3, padding=1)),
    "conv strided": ((4, 10, 9), nn.Conv2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0))),
    "conv dilated": ((4, 9, 9), nn.Conv2d(4, 6, 3, dilation=2, padding=2)),
    "conv grouped": ((4, 7, 7), nn.Conv2d(4, 6, 3, groups=2, stride=2)),
    "conv depthwise": ((4, 7, 7), nn.Conv2d(4, 8, 3, groups=4, padding=1, bias=False)),
    "conv 1d": ((4, 11), nn.Conv1d(4, 6, 4, stride=3, padding=1)),
    "conv 3d": ((2, 4, 5, 6), nn.Conv3d(2, 3, (2, 3, 2), stride=2, padding=1)),
    "transposed conv": ((4, 4, 5), nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2)),
    "linear": ((7,), nn.Linear(7, 5)),
    "batchnorm": ((4, 5, 5), norm(4)),
    "average pooling": ((4, 9, 9), nn.AvgPool2d(3, 2, padding=1)),
}
ZENNIT = {
    "epsilon": (rules.Epsilon(EPS), theirs.Epsilon(EPS)),
    "epsilon, clip": (rules.Epsilon(EPS, clip=True), theirs.Epsilon(Stabilizer(EPS, clip=True))),
    "epsilon, norm_scale": (
        rules.Epsilon(EPS, norm_scale=True),
        theirs.Epsilon(Stabilizer(EPS, norm_scale=True)),
    ),
    "epsilon, zero_params": (
        rules.Epsilon(EPS, zero_params="bias"),
        theirs.Epsilon(EPS, zero_params="bias"),
    ),
    "zplus": (rules.ZPlus(eps=EPS), theirs.ZPlus(EPS)),
    "alpha_beta": (rules.AlphaBeta(2, 1, eps=EPS), theirs.AlphaBeta(2, 1, EPS)),
    "gamma": (rules.Gamma(0.25, eps=EPS), theirs.Gamma(0.25, EPS)),
    "gamma, zero_params": (
        rules.Gamma(2, eps=EPS, zero_params="bias"),
        theirs.Gamma(2, EPS, zero_params="bias"),
    ),
    "zbox": (rules.ZBox(-3, 4, eps=EPS), theirs.ZBox(-3.0, 4.0, EPS)),
    "wsquare": (rules.WSquare(eps=EPS), theirs.WSquare(EPS)),
    "flat": (rules.Flat(eps=EPS), theirs.Flat(EPS)),
    "norm": (rules.Norm(EPS), theirs.Norm(EPS)),
}
CAPTUM = {
    "epsilon": (rules.Epsilon(EPS), EpsilonRule(EPS)),
    "plain_gamma": (rules.PlainGamma(0.25, eps=1e-9), GammaRule()),
    "plain_zplus": (rules.PlainZPlus(eps=1e-9), Alpha1_Beta0_Rule()),
}


@pytest.fixture(scope="module")
def layer_file(tmp_path_factory):
    """A layer's file, made once; and its input, of either sign or not negative."""
    folder, made = tmp_path_factory.mktemp("layers"), {}

    def make(name):
        shape, module = LAYERS[name]
        x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
        if name not in made:
            made[name] = folder / f"{name}.onnx"
            exporter.export(module.eval(), made[name], example=x)
        return made[name], x

    return make


def ours(path, rule: rules.Rule, x: Tensor, R: Tensor) -> np.ndarray:
    composite = explainer.Composite("one", ((lambda layer: True, rule),))
    plan = explainer.Explainer(path, composite=composite).plan_for("output")
    activations = walks.forward(plan, {"input": x.numpy()})
    return walks.walk(plan, activations, R.numpy())["input"]


def by_zennit(module: nn.Module, rule: Hook, x: Tensor, R: Tensor) -> Tensor:
    composite = LayerMapComposite([(type(module), rule)])
    with Gradient(module, composite, attr_output=lambda z: R) as attributor:
        return attributor(x)[1]


class Weighted(nn.Module):
    """Σ R·layer(x): what captum hands back is then, but for the factor of this sum, the relevance for R."""

    def __init__(self, layer: nn.Module, R: Tensor) -> None:
        super().__init__()
        self.layer, self.R = layer, R

    def forward(self, x: Tensor) -> Tensor:
        return (self.layer(x) * self.R).flatten(1).sum(1)


def by_captum(module: nn.Module, rule: PropagationRule, x: Tensor, R: Tensor) -> Tensor:
    module.rule = rule
    model = Weighted(module, R)
    total = model(x).detach().reshape(-1, *[1] * (x.ndim - 1))
    return LRP(model).attribute(x.requires_grad_()) / total


@pytest.fixture(params=["signed", "not negative"])
def check(request, layer_file, agree):
    """Compare a rule of ours with by(layer, their rule, x, R), and put it down in the table."""

    def compare(section, layer, rule, by, mine, other):
        path, x = layer_file(layer)
        x = x if request.param == "signed" else x.abs()
        module = nets.double(LAYERS[layer][1])
        R = torch.randn(module(x.double()).shape, generator=torch.Generator().manual_seed(2)).double()
        relevance = by(module, other, x.double(), R).detach().numpy()
        comparison = explainer.compare(ours(path, mine, x, R), relevance)
        section.record(layer, rule, comparison.error)
        agree(comparison, compared.SINGLE)

    return compare


@pytest.mark.parametrize(("layer", "rule"), compared.RULES_BY_ZENNIT.errors)
def test_zennit(layer, rule, check):
    check(compared.RULES_BY_ZENNIT, layer, rule, by_zennit, *ZENNIT[rule])


@pytest.mark.parametrize(("layer", "rule"), compared.RULES_BY_CAPTUM.errors)
def test_captum(layer, rule, check):
    check(compared.RULES_BY_CAPTUM, layer, rule, by_captum, *CAPTUM[rule])
