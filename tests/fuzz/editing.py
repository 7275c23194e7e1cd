"""What the edits share: the table of them, drawing one of some, a model's nodes and tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

Rng = np.random.Generator
Edit = Callable[[onnx.ModelProto, Rng], None]
EDITS: dict[str, Edit] = {}
# What a name may be in somebody's file.
NAMES = (
    "score",
    "target",
    "file",
    "x",
    "",
    "a/b",
    "../up",
    "\x1b]52;c;aGk=\x07",
    "\u202egnp",
    "é",
    "n" * 5000,
    "a\nb",
)


class Nothing(Exception):
    """There is nothing here to change like this."""


def edit(function: Edit) -> Edit:
    EDITS[function.__name__] = function
    return function


def one(rng: Rng, items):
    """One of some items."""
    items = list(items)
    if not items:
        raise Nothing
    return items[int(rng.integers(len(items)))]


def a_node(model, rng):
    return one(rng, model.graph.node)


def a_place(model, rng):
    """A node and the place of one of its inputs."""
    node = one(rng, [node for node in model.graph.node if node.input])
    return node, int(rng.integers(len(node.input)))


def tensors(model):
    graph = model.graph
    made = [name for node in graph.node for name in node.output]
    return [*made, *(i.name for i in graph.input), *(i.name for i in graph.initializer)]


def put(model, node, at):
    """Put a node in front of another."""
    model.graph.node.insert(list(model.graph.node).index(at), node)


def fresh(model, rng):
    return f"new{len(model.graph.node)}_{int(rng.integers(10**6))}"


def a_constant(model, rng, floats=False):
    found = [i for i in model.graph.initializer if not floats or i.data_type == onnx.TensorProto.FLOAT]
    return one(rng, found)
