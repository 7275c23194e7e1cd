"""A file's own gradient by autograd: each node as PyTorch has it, in float64, with the constants of the file.

It shares nothing with a walk but how a file's nodes are read. A module in float64 is another function than
a file whose exporter computed weights, scales or tables in float32: this one is the file's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from building import relative
from maps_in_torch import ORDER, recurrent, resized
from torch import Tensor
from torch_operators import TORCH

from explainer import Explainer
from explainer.model.graph import Graph, ModelLike, Node

# Constants of activations that a file writes out node by node, GELU's, QuickGELU's and HardSwish's, and the
# function near them: such nodes are explained as what they are called, and float32 stands for the number.
MEANT = {
    float(np.float32(number)): (number, function)
    for function, numbers in {
        "Erf": (math.sqrt(2), math.sqrt(0.5)),
        "Tanh": (math.sqrt(2 / math.pi), 0.044715),
        "Sigmoid": (1.702,),
        "Clip": (1 / 6,),
    }.items()
    for number in numbers
}
PASSING = ("Identity", "Cast", "Dropout")


def gradient_off(
    file: ModelLike, feeds: Mapping[str, np.ndarray], target: Any = "top", fix: Any = None
) -> float:
    """How far the gradient of every sample's target is from that of the file itself, relative."""
    made = Explainer(file, method="gradient", dtype="float64", fix=fix)
    found, plan = made.explain(feeds, target), made.plan_for(target)
    ours = found.relevance
    if not isinstance(ours, dict):  # of words, the rows that they look up
        ours = {(plan.graph.stops or tuple(feeds))[0]: ours}
    assert not plan.anchor.moves
    graph = Graph.load(file, fix=fix)
    theirs = gradients(graph, feeds, ours, plan.anchor.tensor, found.target)
    return max(relative(one, theirs[name]) for name, one in ours.items())


def gradients(
    graph: Graph, feeds: Mapping[str, np.ndarray], at: Iterable[str], of: str, target: Sequence[int]
) -> dict[str, np.ndarray]:
    """The slope of a value of a tensor, one of each sample counted flat, at others: inputs or inner ones.

    What has no slope, shapes, indices, masks and constants, is what onnxruntime says it is in float32.
    """
    names = {name for node in graph.nodes for name in node.outputs if name}
    known = {**feeds, **graph.session(sorted(names), once=True).run(feeds)}
    leaves = {name: torch.tensor(known[name], dtype=torch.float64, requires_grad=True) for name in at}
    moving: dict[str, Tensor] = dict(leaves)
    for node in graph.nodes:
        sloped = [name for name in node.outputs if name and known[name].dtype.kind == "f"]
        if of in moving or not sloped or moving.keys().isdisjoint(node.inputs):
            continue
        operands = [operand(name, node, moving, known, graph) for name in node.inputs]
        for name, value in zip(node.outputs, computed(node, operands, known), strict=False):
            if name in sloped and name not in leaves:
                moving[name] = value
    score = moving[of].reshape(len(target), -1)[range(len(target)), target].sum()
    slopes = torch.autograd.grad(score, list(leaves.values()))
    return {name: slope.numpy() for name, slope in zip(leaves, slopes, strict=True)}


def operand(
    name: str, node: Node, moving: Mapping[str, Tensor], known: Mapping[str, np.ndarray], graph: Graph
) -> Any:
    """What `moving` has, or else the run, as the counterparts take it: float64 or a list of integers."""
    if not name or name in moving:
        return moving.get(name)
    value = np.asarray(known[name] if name in known else graph.constant(name))
    if value.dtype.kind == "i":
        return value.tolist()
    if value.size == 1 and (meant := MEANT.get(float(value.reshape(())))):
        number, function = meant
        value = np.full(value.shape, number if is_near(graph, node, function) else value)
    return torch.tensor(value, dtype=torch.float64)


def is_near(graph: Graph, node: Node, function: str, steps: int = 3) -> bool:
    """Whether a function is one of the next nodes, from 0.044715·x³ the third; of a Clip, of those before."""
    if function == "Clip":
        others = [graph.producers[name] for name in node.inputs if name in graph.producers]
    else:
        others = [reader for name in node.outputs for reader in graph.readers.get(name, ())]
    return steps > 0 and any(
        other.operator == function or is_near(graph, other, function, steps - 1) for other in others
    )


def computed(node: Node, operands: Sequence[Any], known: Mapping[str, np.ndarray]) -> Sequence[Tensor]:
    """A node's outputs, of their shapes in the run."""
    if node.operator in PASSING:
        return operands[:1]
    if node.operator in ("Resize", "Upsample"):
        return [resized(node, operands, known[node.outputs[0]].shape)]
    if node.operator in ORDER:
        return recurrent(node, *operands)
    how = {**node.attributes, "outputs": len(node.outputs), "opset": node.opset}
    found = TORCH[node.operator](how, *operands)
    return found if isinstance(found, tuple | list) else [found]
