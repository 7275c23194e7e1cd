"""A member as a seeded module whose every part matters, its inputs, and its file by each exporter."""

from __future__ import annotations

import copy
import io
import math
import warnings
from typing import Any

import onnx
import torch
from members import Member
from torch import Tensor, nn

import exporter._torchvision  # noqa: F401  # zennit and timm import torchvision, which needs this to load
from exporter.tracing import _quiet, _unfused_attention

OPSETS = {"torchscript": 17, "dynamo": 20}
STEP = 2.0**-8


def made(member: Member, seed: int = 0) -> tuple[nn.Module, dict[str, Tensor]]:
    """The module in evaluation mode, and its inputs by name."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # packages' own: no weights are loaded
        torch.manual_seed(seed)
        model = member.make().eval()
        shake(model)
        inputs = {name: drawn(how) for name, how in member.inputs.items()}
        settle(model, [drawn(how, samples=4) for how in member.inputs.values()])
    return model, inputs


def drawn(how: Any, samples: int = 1) -> Tensor:
    """Noise of a shape, or whole numbers of a range."""
    if isinstance(how[0], tuple):
        (_, *shape), low, high = how
        return torch.randint(low, high, (samples, *shape))
    return torch.randn(samples, *how[1:])


@torch.no_grad()
def shake(model: nn.Module) -> None:
    """Draw anew what starts all alike: biases of 0, scales of 1 or 1e-6 would hide what is lost there."""
    for parameter in model.parameters():
        if (
            parameter.is_floating_point()
            and parameter.numel()
            and (parameter == parameter.flatten()[0]).all()
        ):
            if parameter.flatten()[0] == 0 and parameter.numel() > 1:
                parameter.normal_(0, 0.1)
            else:
                parameter.uniform_(0.5, 1.5)
    for module in model.modules():
        if isinstance(module, nn.modules.conv._ConvNd) and module.bias is not None:
            module.bias.copy_((module.bias / STEP).round() * STEP)  # folded without rounding, as below


@torch.no_grad()
def settle(model: nn.Module, inputs: list[Tensor]) -> None:
    """Running statistics near those of noise, so that no depth explodes; and folded without rounding.

    Deviations and scales are powers of 2, means and shifts multiples of 2⁻⁸: an exporter that folds them into
    float32 weights loses no bit, and float64 can be compared to the last one.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
        norm.register_forward_pre_hook(_settled)
    model(*inputs)
    for norm in norms:
        norm._forward_pre_hooks.clear()
        norm.eval()


def _settled(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Statistics of what a BatchNormalization is about to see."""
    x = inputs[0].transpose(0, 1).flatten(1)
    mean, deviation = x.mean(1), x.std(1, correction=0)
    power = torch.exp2(torch.log2(deviation.where(deviation > 1e-6, 1)).round())
    norm.eps = 0.0
    norm.running_var.copy_(power**2)
    grid = power * STEP
    norm.running_mean.copy_((mean / grid + 0.3 / STEP * torch.randn_like(mean)).round() * grid)
    if norm.weight is not None:
        norm.weight.copy_(torch.exp2(torch.randint(-1, 2, mean.shape).float()))
        norm.bias.copy_((0.3 / STEP * torch.randn_like(mean)).round() * STEP)
    norm.eval()


def exported(
    model: nn.Module, inputs: dict[str, Tensor], exporter: str, batch: bool = False
) -> onnx.ModelProto:
    """The file that an exporter writes by default; `batch`: of any batch size."""
    args, names = tuple(inputs.values()), list(inputs)
    how = {"input_names": names, "output_names": ["output"], "opset_version": OPSETS[exporter]}
    with _quiet(), _unfused_attention(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "torchscript":
            file = io.BytesIO()
            axes = {name: {0: "batch"} for name in [*names, "output"]} if batch else None
            torch.onnx.export(model, args, file, dynamo=False, dynamic_axes=axes, **how)
            return onnx.load_from_string(file.getvalue())
        shapes = tuple({0: torch.export.Dim("batch")} for _ in args) if batch else None
        program = torch.onnx.export(model, args, dynamo=True, verbose=False, dynamic_shapes=shapes, **how)
        return program.model_proto


def double(model: nn.Module) -> nn.Module:
    """A float64 copy, its attributes as a file holds them: in float32."""
    model = copy.deepcopy(model).double()
    for module in model.modules():
        for name in ("eps", "variance_epsilon", "negative_slope"):
            value = getattr(module, name, None)
            if isinstance(value, float) and math.isfinite(value):
                setattr(module, name, float(torch.tensor(value)))
    return model
