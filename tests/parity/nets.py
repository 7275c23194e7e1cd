"""Seeded networks in which a BatchNormalization treated wrongly would show, and their weights in a file."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from exporter._torchvision import torchvision

CLASSES = 10


def resnet(name: str, seed: int = 0, size: int = 64) -> nn.Module:
    """torchvision's ResNet with random weights and statistics, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return settle(getattr(torchvision.models, name)(num_classes=CLASSES), size)


class VGG(nn.Module):
    """torchvision's VGG features with a head for small pictures."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        vgg, (depth, *norm) = torchvision.models.vgg, name.removeprefix("vgg").split("_")
        self.features = vgg.make_layers(vgg.cfgs[{"11": "A", "16": "D"}[depth]], batch_norm=bool(norm))
        self.head = nn.Sequential(nn.Linear(512 * (size // 32) ** 2, 64), nn.ReLU(), nn.Linear(64, CLASSES))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.normal_(layer.bias, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.features(x), 1))


def vgg(name: str, seed: int = 0, size: int = 64) -> nn.Module:
    """``vgg("vgg16_bn")``, with random weights, biases and statistics, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return settle(VGG(name, size), size)


def settle(model: nn.Module, size: int) -> nn.Module:
    """Random gamma and beta, and running statistics near those of noise, so that no depth explodes."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.3)
        norm.momentum = 1.0
        norm.eps = float(np.float32(norm.eps))  # as an attribute of an ONNX file holds it
    with torch.no_grad():
        model.train()(torch.randn(4, 3, size, size))
        for norm in norms:
            norm.running_mean += 0.3 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.6, 1.6)
    return model.eval()


def double(model: nn.Module) -> nn.Module:
    """A float64 copy."""
    return copy.deepcopy(model).double()


def folded(model: nn.Module, path: Path) -> nn.Module:
    """A float64 copy with the weights that the file holds, which folding has rounded to float32.

    Both exporters write the linear layers in the order in which they run.
    """
    model = double(model)
    graph = onnx.load(path).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    for layer, node in zip(linear_layers(model), nodes, strict=True):
        weight, bias = (torch.from_numpy(arrays[name].astype(np.float64)) for name in node.input[1:])
        assert layer.weight.shape == weight.shape
        layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return model


def linear_layers(model: nn.Module) -> list[nn.Module]:
    """Convolutions and linear layers in the order in which they run."""
    ran: list[nn.Module] = []
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(lambda module, *_: ran.append(module)) for layer in layers]
    with torch.no_grad():
        model(torch.zeros(1, 3, 64, 64, dtype=next(model.parameters()).dtype))
    for hook in hooks:
        hook.remove()
    return ran


def node_of(model: nn.Module, path: Path, name: str) -> str:
    """The name of the node that a linear layer became."""
    nodes = [node.name for node in onnx.load(path).graph.node if node.op_type in ("Conv", "Gemm")]
    return nodes[linear_layers(model).index(model.get_submodule(name))]


def block_outputs(path: Path) -> list[str]:
    """The tensors behind the residual blocks: the Relu of every sum, in the order of the blocks."""
    nodes = onnx.load(path).graph.node
    sums = {node.output[0] for node in nodes if node.op_type == "Add"}
    return [node.output[0] for node in nodes if node.op_type == "Relu" and node.input[0] in sums]
