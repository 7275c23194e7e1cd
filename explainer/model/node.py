"""What a graph is made of: its nodes, and its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..text import LINE, in_short, printable
from .operators import CHOOSERS, PLACES, known
from .scopes import called, captured_names
from .signature import attributes_of


@dataclass(frozen=True, eq=False, repr=False)
class Node:
    """One node, its attribute defaults filled in; or a group of nodes that a canonizer made one.

    Attributes
    ----------
    operator : str
        The operator, with its domain in front where that is not ONNX's own; of a group what rules
        and people call it.
    members : tuple of Node
        The nodes of a group, in the order they run; empty for a single node.
    captures : tuple of str
        Outer tensors that a subgraph of this node (If, Loop) reads.
    acts_as : str
        The operator whose layer explains a group, where that is another one than `operator`.
    gate : int or None
        Of a product, the operand that is held constant in this view: see `explainer.canonizers.gates`.
    known_as : str
        What people call it, where a canonizer knows: "GELU", "squeeze-excite gate"; else "".
    refusal : str
        Why it cannot be explained, where that was found when the view was made; else "".
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    members: tuple[Node, ...] = ()
    captures: tuple[str, ...] = ()
    acts_as: str = ""
    gate: int | None = None
    known_as: str = ""
    refusal: str = ""

    def __repr__(self) -> str:
        return f"<Node {self}>"

    def __str__(self) -> str:
        return printable(f"{self.operator} {self.name!r}", LINE)

    def operand(self, index: int) -> str:
        """The name of an input, "" where an optional one is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    @property
    def choices(self) -> tuple[str, ...]:
        """Its outputs that are truth values, or tell which of several something is."""
        to_truth = self.operator == "Cast" and self.attributes.get("to") == onnx.TensorProto.BOOL
        if to_truth or known(self.operator).decides:
            return self.outputs
        places = PLACES.get(self.operator, ())
        return tuple(name for index, name in enumerate(self.outputs) if index in places)

    @property
    def relevant(self) -> tuple[str, ...]:
        """Its operands, without those that only choose among the others."""
        choosers = CHOOSERS.get(self.operator)
        if choosers is None:
            return self.inputs
        return tuple(name for index, name in enumerate(self.inputs) if index not in choosers)


@in_short
@dataclass(frozen=True)
class Input:
    """A graph input that is not an initializer: its size is None where it is dynamic.

    `open` has the names of its dynamic axes, as the file gives them, or else ``input[1]``.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None
    open: tuple[str, ...] = ()


def node_of(node: onnx.NodeProto, opsets: Mapping[str, int], folder: Path | None) -> Node:
    """A file's node, its domain's version of the operator looked up in `opsets`.

    Raises
    ------
    ValueError
        A tensor among its attributes cannot be read.
    """
    domain = "" if node.domain in ("", "ai.onnx") else node.domain
    opset = opsets.get(domain, 1)
    try:
        attributes = attributes_of(node, domain, opset, folder)
    except Exception as error:  # whatever a malformed tensor raises, its node is the news
        raise ValueError(f"{called(node)}: its attributes cannot be read: {error}") from error
    return Node(
        operator=f"{domain}.{node.op_type}" if domain else node.op_type,
        name=node.name or (node.output[0] if node.output else ""),
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes=attributes,
        opset=opset,
        captures=captured_names(node),
    )


def input_of(value: onnx.ValueInfoProto) -> Input:
    """A file's input."""
    tensor = value.type.tensor_type
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    except KeyError:
        dtype = np.dtype(object)
    if not tensor.HasField("shape"):
        return Input(value.name, dtype, None)
    shape = tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim
    )
    named = (name_of_axis(d) or f"{value.name}[{i}]" for i, d in enumerate(tensor.shape.dim))
    return Input(
        value.name,
        dtype,
        shape,
        tuple(name for name, size in zip(named, shape, strict=True) if size is None),
    )


def name_of_axis(dim: onnx.TensorShapeProto.Dimension) -> str:
    """What a file calls an open axis; "" where that is no word: PaddlePaddle writes "?" for any of them."""
    return str(dim.dim_param) if any(letter.isalpha() for letter in dim.dim_param) else ""
