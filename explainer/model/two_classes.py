"""Two classes that share one number: [1 − σ(z), σ(z)] is σ([−z, z]), so that each has a logit of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from .notes import Note
from .renaming import Names

# What hands the two on as they are, to where they leave the model; ArgMax and its like choose between them.
HANDING = frozenset({"Cast", "Identity", "ZipMap"})


def may_be_two(proto: onnx.ModelProto) -> bool:
    """Whether there is anything that may be two classes."""
    operators = {node.op_type for node in proto.graph.node}
    return operators >= {"Concat", "Sigmoid", "Sub"}


def part_classes(proto: onnx.ModelProto, notes: list[Note]) -> bool:
    """Write what ends a model as [1 − σ(z), σ(z)], in either order, as σ([−z, z]), in place.

    Parameters
    ----------
    proto : onnx.ModelProto
    notes : list of Note
        What is noted down.

    Returns
    -------
    bool
        Whether anything was changed.
    """
    found = list(_pairs(proto)) if may_be_two(proto) else []
    names = Names(proto) if found else None
    for node, z, first in found:
        assert names is not None
        rest, both = (names.unused(f"{node.output[0]}/{what}") for what in ("rest", "logits"))
        sides = [rest, z] if first else [z, rest]
        made = [
            onnx.helper.make_node("Neg", [z], [rest], names.unused(f"{node.name}/rest")),
            onnx.helper.make_node(
                "Concat", sides, [both], names.unused(f"{node.name}/logits"), axis=_axis(node)
            ),
            onnx.helper.make_node("Sigmoid", [both], [node.output[0]], names.unused(f"{node.name}/classes")),
        ]
        place = list(proto.graph.node).index(node)
        members = tuple(one.name for one in made)
        name = node.name or node.output[0]
        del proto.graph.node[place]
        for one in reversed(made):
            proto.graph.node.insert(place, one)
        notes.append(
            Note("classes", members, ("Concat",), name, became="σ([−z, z]), two classes of one number")
        )
    return bool(found)


def _pairs(proto: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, str, bool]]:
    """A Concat, the logit, and whether the rest comes first."""
    graph = proto.graph
    producers = {name: node for node in graph.node for name in node.output if name}
    ones = {t.name for t in graph.initializer if _is_one(t)}
    ones |= {
        node.output[0]
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value" and _is_one(node.attribute[0].t)
    }
    leaving = _leaving(graph)
    for node in graph.node:
        if node.op_type != "Concat" or node.domain or len(node.input) != 2 or node.output[0] not in leaving:
            continue
        for place in (0, 1):
            rest, p = producers.get(node.input[place]), producers.get(node.input[1 - place])
            if rest is None or p is None or (rest.op_type, p.op_type) != ("Sub", "Sigmoid"):
                continue
            if rest.input[0] in ones and rest.input[1] == p.output[0]:
                yield node, p.input[0], place == 0


def _leaving(graph: onnx.GraphProto) -> set[str]:
    """Tensors that leave the model as they are."""
    found = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if node.op_type in HANDING and not found.isdisjoint(node.output):
            found.update(node.input[:1])
    return found


def _axis(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)


def _is_one(tensor: onnx.TensorProto) -> bool:
    real = tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    if not real or np.prod(tensor.dims, dtype=int) != 1 or tensor.data_location:
        return False
    return bool((numpy_helper.to_array(tensor) == 1).all())
