"""The same explanation by zennit and by captum: what they answer, made comparable."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import zennit.layer
from captum.attr import LRP
from torch import Tensor, nn
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
from zennit.core import Composite, Hook
from zennit.rules import Epsilon, Gamma, Norm, Pass, WSquare
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, AvgPool, BatchNorm, Convolution

Start = Callable[[Tensor, Tensor], Tensor]


def logit(logits: Tensor, target: Tensor) -> Tensor:
    """The logit at the target, 0 elsewhere."""
    return torch.zeros_like(logits).scatter(1, target[:, None], logits.gather(1, target[:, None]))


def one(logits: Tensor, target: Tensor) -> Tensor:
    """1 at the target, 0 elsewhere."""
    return torch.zeros_like(logits).scatter(1, target[:, None], 1.0)


class InTurn(nn.Module):
    """A Relu that torchvision's blocks use up to three times, as three of them."""

    def __init__(self) -> None:
        super().__init__()
        self.relus, self.turn = nn.ModuleList(nn.ReLU() for _ in range(3)), -1

    def forward(self, x: Tensor) -> Tensor:
        self.turn = (self.turn + 1) % len(self.relus)
        return self.relus[self.turn](x) * 1.0


def plain(model: nn.Module) -> nn.Module:
    """A copy on which the peers answer by their own formulas.

    zennit's canonizer leaves a merged BatchNormalization's eps behind and divides by it again; of a
    Relu that works in place, or twice, its `ReLUBetaSmooth` remembers an output, or the last input.
    captum's DeepLift refuses a Relu that works twice, and where a max pooling reads a Relu's very
    tensor, the Relu's hook misses what the pooling's has changed.
    """
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.running_var += module.eps
            module.eps = 0.0
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, InTurn())
    return model


def everywhere(rule: Hook, eps: float = 1e-6) -> LayerMapComposite:
    """One rule at every layer with weights: presets that zennit lacks."""
    return LayerMapComposite(
        [
            (Activation, Pass()),
            (BatchNorm, Pass()),
            ((zennit.layer.Sum, AvgPool), Norm(eps)),
            ((Convolution, nn.Linear), rule),
        ]
    )


def epsilon(eps: float) -> LayerMapComposite:
    """ε wherever something is added up."""
    return everywhere(Epsilon(eps), eps)


def zero() -> LayerMapComposite:
    """LRP-0, 0/0 := 0."""
    return everywhere(Epsilon(lambda z: torch.where(z == 0, 1.0, z)))


def recommended() -> LayerMapComposite:
    """Our own preset in zennit's rules, for networks whose last layer is dense."""
    others = [
        (Activation, Pass()),
        (BatchNorm, Pass()),
        ((zennit.layer.Sum, AvgPool), Norm()),
        (Convolution, Gamma(1.0)),
        (nn.Linear, Epsilon()),
    ]
    return SpecialFirstLayerMapComposite(others, [(Convolution, WSquare())])


def by_zennit(
    model: nn.Module, x: Tensor, target: Tensor, composite: Composite, start: Start = logit
) -> tuple[Tensor, list[Tensor]]:
    """What zennit answers for a torchvision network.

    Returns
    -------
    The relevance of the input, and that of every residual block's output.
    """
    model = plain(model)
    inner: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        output.retain_grad()
        inner.append(output)

    composite.canonizers = [ResNetCanonizer()]
    with Gradient(model, composite, attr_output=lambda logits: start(logits, target)) as attributor:
        for module in model.modules():
            if hasattr(module, "conv2"):  # a block
                module.register_forward_hook(keep)
        _, relevance = attributor(x.clone())
    return relevance.detach(), [output.grad for output in inner]


def by_captum(model: nn.Module, x: Tensor, target: Tensor, rule: Callable[[], object]) -> Tensor:
    """captum's LRP of a chain of layers: `rule` where there are weights, its defaults elsewhere."""
    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.rule = rule()
    return LRP(model).attribute(x.clone().requires_grad_(), target=target).detach()
