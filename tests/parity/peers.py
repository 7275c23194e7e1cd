"""The same explanation by zennit and by captum: what they answer, made comparable."""

from __future__ import annotations

import copy

import torch
import zennit.layer
from captum.attr import LRP
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite
from zennit.rules import Epsilon, Norm, Pass
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, AvgPool, BatchNorm, Convolution


def start(logits: Tensor, target: Tensor) -> Tensor:
    """The logit at the target, 0 elsewhere."""
    return torch.zeros_like(logits).scatter(1, target[:, None], logits.gather(1, target[:, None]))


def by_zennit(
    model: nn.Module, x: Tensor, target: Tensor, eps: float, blocks: bool = True
) -> tuple[Tensor, list[Tensor]]:
    """Epsilon-LRP of a torchvision ResNet: the relevance of the input, and of every block's output."""
    model = copy.deepcopy(model)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            # What is merged must be all of it: the canonizer leaves eps behind, and divides by it again.
            norm.running_var += norm.eps
            norm.eps = 0.0
    rules = [
        (Activation, Pass()),
        (BatchNorm, Pass()),
        ((zennit.layer.Sum, AvgPool), Norm(stabilizer=eps)),
        ((Convolution, nn.Linear), Epsilon(epsilon=eps)),
    ]
    inner: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        output.retain_grad()
        inner.append(output)

    composite = LayerMapComposite(rules, canonizers=[ResNetCanonizer()])
    with Gradient(model, composite, attr_output=lambda logits: start(logits, target)) as attributor:
        if blocks:
            for layer in (1, 2, 3, 4):
                for block in getattr(model, f"layer{layer}"):
                    block.register_forward_hook(keep)
        _, relevance = attributor(x.clone())
    return relevance.detach(), [output.grad for output in inner]


def by_captum(model: nn.Module, x: Tensor, target: Tensor, eps: float) -> Tensor:
    """Epsilon-LRP of a chain of layers: captum puts the rule on BatchNormalization and MaxPool too."""
    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            layer.rule = EpsilonRule(epsilon=eps)
        elif isinstance(layer, nn.MaxPool2d):
            layer.rule = EpsilonRule(epsilon=1e-30)  # elsewhere the winner takes all of it
    return LRP(model).attribute(x.clone().requires_grad_(), target=target).detach()
