"""Epsilon-LRP of torchvision's ResNets in float64, from the formulas alone, by torch's autograd.

Nothing of the explainer is used here. R_in = x · Wᵀ(R / (z + sign(z)·ε)), sign(0) = +1, where
z = W x + b is a convolution with its BatchNormalization, a sum of two, an average or a linear layer,
and Wᵀ s is what autograd gives for (dz/dx)ᵀ s. Relu hands relevance on, max pooling gives it to the winner.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Map = Callable[..., Tensor]


def epsilon(layer: Map, R: Tensor, eps: float, *inputs: Tensor) -> tuple[Tensor, ...]:
    """The rule, for a map of one input or several."""
    inputs = tuple(x.detach().requires_grad_() for x in inputs)
    z = layer(*inputs)
    sign = torch.where(z >= 0, 1.0, -1.0).to(z)
    gradients = torch.autograd.grad(z, inputs, (R / (z + eps * sign)).detach())
    return tuple((x * c).detach() for x, c in zip(inputs, gradients, strict=True))


def winner(pool: nn.MaxPool2d, R: Tensor, x: Tensor) -> Tensor:
    """All relevance of a window to its maximum, the first one of equals."""
    geometry = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
    _, places = F.max_pool2d(x, *geometry, return_indices=True)
    flat = torch.zeros_like(x).flatten(2)
    return flat.scatter_add(2, places.flatten(2), R.flatten(2)).view_as(x)


def merged(conv: nn.Conv2d, norm: nn.Module) -> Map:
    """A convolution and the BatchNormalization behind it as one convolution."""
    weight, bias = conv.weight, conv.bias
    if isinstance(norm, nn.BatchNorm2d):
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = weight * scale[:, None, None, None]
        bias = norm.bias + scale * ((0 if bias is None else bias) - norm.running_mean)
    weight, bias = weight.detach(), bias.detach()
    return lambda x: F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def branches(block: nn.Module) -> tuple[list[Map], Map | None]:
    """The convolutions of a residual block, and that of its shortcut if it has one."""
    count = 3 if hasattr(block, "conv3") else 2
    path = [merged(getattr(block, f"conv{i}"), getattr(block, f"bn{i}")) for i in range(1, count + 1)]
    return path, None if block.downsample is None else merged(*block.downsample)


def through_block(block: nn.Module, x: Tensor) -> tuple[Tensor, Callable[[Tensor, float], Tensor]]:
    """A residual block's output, and the function that hands its relevance to its input."""
    path, shortcut = branches(block)
    values = [x]  # the input of every convolution, then the branch's end
    for index, conv in enumerate(path):
        z = conv(values[-1])
        values.append(z if index == len(path) - 1 else z.clamp(min=0))
    side = x if shortcut is None else shortcut(x)

    def back(R: Tensor, eps: float) -> Tensor:
        R, R_side = epsilon(torch.add, R, eps, values[-1], side)
        for conv, value in zip(reversed(path), reversed(values[:-1]), strict=True):
            (R,) = epsilon(conv, R, eps, value)
        if shortcut is not None:
            (R_side,) = epsilon(shortcut, R_side, eps, x)
        return R + R_side

    return (values[-1] + side).clamp(min=0).detach(), back


def resnet(model: nn.Module, x: Tensor, target: Tensor, eps: float) -> tuple[Tensor, list[Tensor]]:
    """Explain the logit at `target` of each sample.

    Parameters
    ----------
    model : torchvision ResNet
        In float64 and evaluation mode; an Identity stands for a folded BatchNormalization.
    x : Tensor (N, 3, H, W), float64
    target : Tensor (N,) of class indices
    eps : float

    Returns
    -------
    The relevance of the input, and that of every block's output.
    """
    stem = merged(model.conv1, model.bn1)
    ahead = stem(x).clamp(min=0)
    value = model.maxpool(ahead)
    blocks = [block for layer in (1, 2, 3, 4) for block in getattr(model, f"layer{layer}")]
    backs, outputs = [], []
    for block in blocks:
        value, back = through_block(block, value)
        backs.append(back)
        outputs.append(value)
    features = value.mean((2, 3))
    logits = F.linear(features, model.fc.weight, model.fc.bias).detach()

    R = torch.zeros_like(logits).scatter(1, target[:, None], logits.gather(1, target[:, None]))
    (R,) = epsilon(lambda a: F.linear(a, model.fc.weight, model.fc.bias), R, eps, features)
    (R,) = epsilon(lambda a: a.mean((2, 3)), R, eps, value)
    inner = []
    for back in reversed(backs):
        inner.insert(0, R)
        R = back(R, eps)
    R = winner(model.maxpool, R, ahead)
    return epsilon(stem, R, eps, x)[0], inner
