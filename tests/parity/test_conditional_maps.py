"""Relevance through chosen channels of a ResNet-18, against zennit's rules with autograd masked on the way.

The peer's walk is cut at each chosen tensor: what autograd hands to it is masked, and the next walk
starts from that alone. So does zennit-crp by default (`exclude_parallel`), whose maps are the same.
"""

from __future__ import annotations

from pathlib import Path

import nets
import numpy as np
import onnx
import peers
import pytest
import torch
import zennit.composites
from torch import Tensor, nn
from zennit.torchvision import ResNetCanonizer

import explainer

TARGET = 3
MAKERS = {"epsilon": lambda: peers.epsilon(1e-6), "epsilon_plus": zennit.composites.EpsilonPlus}
# Modules in the order of the walk, and their channels.
CASES = {
    "a block's output": {"layer4.1": [3, 17, 200]},
    "an early one": {"layer1.0": [0, 5, 63]},
    "one block after the other": {"layer4.1": list(range(40)), "layer2.1": [1, 7, 90], "layer1.0": [5, 9]},
    "a branch beside a shortcut": {"layer3.1.bn1": [4, 100]},
    "a shortcut with a layer": {"layer3.0.downsample.1": list(range(10))},
    "a branch of a branch": {"layer4.0.bn2": list(range(99)), "layer3.0": [3, 8], "layer3.0.bn1": [2, 250]},
}


def by_zennit(
    model: nn.Module, x: Tensor, composite: zennit.core.Composite, conditions: dict[str, list[int]]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The relevance of the input, and what passes each module's output."""
    model = peers.plain(model)
    composite.canonizers = [ResNetCanonizer()]
    x = x.clone().requires_grad_()
    values: dict[str, Tensor] = {}
    with composite.context(model) as modified:
        for name in conditions:
            modified.get_submodule(name).register_forward_hook(
                lambda module, inputs, output, name=name: values.__setitem__(name, output)
            )
        value = modified(x)
        R, passed = peers.logit(value, torch.full((len(x),), TARGET)).detach(), {}
        for name, channels in conditions.items():
            (R,) = torch.autograd.grad(value, values[name], R, retain_graph=True)
            mask = torch.zeros(1, R.shape[1], 1, 1)
            mask[:, channels] = 1
            value, R = values[name], R * mask
            passed[name] = R.numpy()
        (R,) = torch.autograd.grad(value, x, R)
    return R.numpy(), passed


def tensors_of(path: Path) -> dict[str, str]:
    """Module -> the file's name for its output: of a block it is that of the Relu behind its sum."""
    norms = [node for node in onnx.load(path).graph.node if node.op_type == "BatchNormalization"]
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    names = {norm.input[1].removesuffix(".weight"): norm.output[0] for norm in norms}
    return names | dict(zip(blocks, nets.block_outputs(path), strict=True))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("composite", MAKERS)
def test_the_same_maps(case, composite, file, network, x, agree):
    path, chosen = file("resnet18"), CASES[case]
    names = tensors_of(path)
    model = explainer.Explainer(path, composite=composite, dialect="zennit", dtype="float64")
    conditions = {names[module]: channels for module, channels in chosen.items()}
    found = model.explain(x.numpy(), TARGET, conditions=conditions)
    R, passed = by_zennit(nets.double(network("resnet18")), x.double(), MAKERS[composite](), chosen)
    ours = {"input": found.relevance} | {module: found.relevances[names[module]] for module in chosen}
    agree(explainer.compare(ours, {"input": R} | passed), 1e-8)


def test_the_same_ranking(file, network, x):
    """zennit-crp sorts the channels of `layer4.0` by what autograd hands to each."""
    path = file("resnet18")
    name = tensors_of(path)["layer4.0"]
    found = explainer.Explainer(path, keep=[name], dtype="float64").explain(x.numpy(), TARGET)
    _, passed = by_zennit(
        nets.double(network("resnet18")), x.double(), peers.epsilon(1e-6), {"layer4.0": list(range(512))}
    )
    sums = passed["layer4.0"].sum((2, 3))
    for sample, R in enumerate(sums):
        ranking = found.ranking(name, sample, top=20, signed=True)
        assert [entry.channel for entry in ranking] == np.argsort(-R)[:20].tolist()
        shares = np.sort(R / np.abs(R).sum())[::-1][:20]
        np.testing.assert_allclose([entry.share for entry in ranking], shares, rtol=1e-6)
