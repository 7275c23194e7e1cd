"""What zennit and captum hand to the input of the same module, by their ε rule."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import zennit.layer
from captum.attr import LRP
from torch import Tensor, nn
from zennit.composites import LayerMapComposite
from zennit.rules import Epsilon, Norm, Pass
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, AvgPool, BatchNorm, Convolution

EPS = 1e-9
# What is added to the signal under other names than bias.
ADDED = (
    "bias",
    "running_mean",
    "pos_embed",
    "pos_embedding",
    "cls_token",
    "class_token",
    "position_embeddings",
)


def without_biases(model: nn.Module) -> nn.Module:
    """A float64 copy that adds nothing."""
    model = copy.deepcopy(model).double()
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if value.is_floating_point() and name.split(".")[-1].startswith(ADDED):
                value.zero_()
    return model


def sums(bare: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
    """Relevance at the input over relevance put on the largest output; a reason where there is none."""
    if any(not x.is_floating_point() for x in inputs.values()):
        return {"zennit": "no input that has gradients", "captum": "no input that has gradients"}
    args = tuple(x.double() for x in inputs.values())
    return {"zennit": _tried(by_zennit, bare, args), "captum": _tried(by_captum, bare, args)}


def _tried(peer: Any, model: nn.Module, args: tuple[Tensor, ...]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peer(copy.deepcopy(model), args)
    except Exception as error:  # that a peer cannot is what is asked
        return f"{type(error).__name__}: {error}".splitlines()[0][:100]


def by_zennit(model: nn.Module, args: tuple[Tensor, ...]) -> float:
    """zennit's ε rule on every layer with weights, as its own composites have the others."""
    composite = LayerMapComposite(
        [
            (Activation, Pass()),
            (BatchNorm, Pass()),
            ((zennit.layer.Sum, AvgPool), Norm(EPS)),
            ((Convolution, nn.Linear), Epsilon(EPS)),
        ]
    )
    composite.canonizers = [ResNetCanonizer()]
    args = tuple(x.clone().requires_grad_() for x in args)
    with composite.context(model) as changed:
        out = changed(*args)
        start = torch.zeros_like(out).flatten()
        start[out.flatten().argmax()] = 1
        found = torch.autograd.grad(out, args, start.view_as(out))
    return float(sum(R.sum() for R in found))


def by_captum(model: nn.Module, args: tuple[Tensor, ...]) -> float:
    """captum's LRP by its defaults."""
    answer = model(*args)
    place = np.unravel_index(int(answer.argmax()), answer.shape)
    target, score = tuple(map(int, place[1:])), float(answer[place])
    found = LRP(model).attribute(tuple(x.clone().requires_grad_() for x in args), target=target)
    return float(sum(R.sum() for R in found)) / score
