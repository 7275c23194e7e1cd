"""Quantised files as what they stand for: whole numbers are read as (q − zero)·scale.

A QuantizeLinear is an activation then, which rounds and closes at its ends, and a DequantizeLinear behind it
hands on what is real already. An operator on whole numbers, QLinearConv say, is the real one and a
QuantizeLinear behind it. What lies between these is made again from the whole numbers, by the layers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import onnx

from ..errors import ModelError, UnsupportedError
from ..model.following import MISFITS
from ..model.graph import Graph, Node
from ..model.rounded import UNTOLD, quantised_type
from ..model.units import Unit
from .dynamic import DYNAMIC, Integers, integers
from .integers import OTHERWISE, QLINEAR, Written

QUANTIZE = frozenset({"QuantizeLinear", "com.microsoft.QuantizeLinear"})
DEQUANTIZE = frozenset({"DequantizeLinear", "com.microsoft.DequantizeLinear"})
# What moves whole numbers, or takes the largest of them: they stand for the same before and behind it.
KEEPING = frozenset(
    {
        *("DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "MaxPool"),
        *("Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    }
)
BLOCKS = "activations that have a scale for each block are not explained; quantise them with one, or by axis"


def dequantised(graph: Graph, visible: Collection[str] = ()) -> Graph:
    """The view in which tensors of whole numbers are what they stand for; a graph without such as it is.

    Parameters
    ----------
    graph : Graph
    visible : collection of str
        Tensors that must stay in the view.

    Raises
    ------
    ModelError
        A scale or a zero point is of another shape than what it is one of.
    """
    return _Reading(graph, visible).view() if is_quantised(graph) else graph


def is_quantised(graph: Graph) -> bool:
    """Whether whole numbers stand for real ones in a file, and not in its weights alone."""
    return any(
        name in graph.carrying
        for operator in ({*QUANTIZE, *DEQUANTIZE, *QLINEAR, DYNAMIC} & graph.by_operator.keys())
        for node in graph.by_operator[operator]
        for name in node.outputs
    )


class _Reading:
    """One pass over the nodes, as they run."""

    def __init__(self, graph: Graph, visible: Collection[str]) -> None:
        self.graph, self.visible = graph, visible
        self.aliases = dict(graph.aliases)
        self.written = Written(graph)
        self.nodes, self.units = self.written.nodes, self.written.units
        # What rounds to numbers that nobody is told, by them.
        self.aside: dict[str, Node] = {}
        self.integers: dict[Node, Integers] = integers(graph, visible)
        self.within = {node for one in self.integers.values() for node in one.nodes}

    def view(self) -> Graph:
        """What comes of it."""
        for node in self.graph.nodes:
            inputs = tuple(self.aliases.get(name, name) for name in node.inputs)
            read = node.operand(0)
            try:
                if node in self.integers:
                    self.integers[node].write(self.written)
                elif node not in self.within:
                    self._take(node if inputs == node.inputs else replace(node, inputs=inputs), read)
            except MISFITS as error:
                title = self.graph.title
                raise ModelError(f"{title}: the scales of {node} do not fit its numbers: {error}") from error
        view = self.graph.having(
            nodes=tuple(self.nodes), aliases=self.aliases, arrays=self.written.arrays, units=self.units
        )
        return replace(view, inner=_inner(view, self.written.inner, self.visible))

    def _take(self, node: Node, reads: str) -> None:
        """Write a node; `reads` is what it reads in the file, where that may be real numbers already."""
        carries = bool(node.inputs) and node.inputs[0] in self.graph.carrying
        if node.operator in QUANTIZE and carries:
            self._quantise(node)
        elif node.operator == DYNAMIC and carries:
            q, scale, zero = node.outputs
            self.units[q] = Unit(scale, zero)
            told = {"output_dtype": onnx.TensorProto.UINT8}
            inputs = (node.inputs[0], scale, zero)
            self.nodes.append(
                replace(node, operator="QuantizeLinear", inputs=inputs, outputs=(q,), attributes=told)
            )
        elif node.operator in DEQUANTIZE and carries:
            self._dequantise(node)
        elif node.operator in QLINEAR and not self.graph.carrying.isdisjoint(node.outputs):
            self._write(node)
        else:
            if node.operator in KEEPING and carries and (unit := self.units.get(reads)):
                self.units.update(dict.fromkeys(filter(None, node.outputs), unit))
            self.nodes.append(node)

    def _quantise(self, node: Node) -> None:
        """What rounds; where nobody is told the whole numbers, with the DequantizeLinear that reads them."""
        q, refusal = node.outputs[0], BLOCKS if node.attributes.get("block_size") else ""
        if quantised_type(node, self.graph) in UNTOLD:
            others = [reader for reader in self.graph.readers.get(q, ()) if reader.operator not in DEQUANTIZE]
            if not others and not refusal and q not in self.visible:
                self.aside[q] = node
                return
            refusal = refusal or "numbers of this type are read by a DequantizeLinear alone, or not explained"
        self.units[q] = _unit_of(node)
        self.nodes.append(replace(node, operator="QuantizeLinear", refusal=refusal))

    def _dequantise(self, node: Node) -> None:
        """What is real already is handed on; read in another scale than it was written in, it is refused."""
        q, unit = node.inputs[0], _unit_of(node)
        if q in self.aside:
            rounds = self.aside[q]
            same = self.written.same(q, _unit_of(rounds), unit)
            refusal = "" if same else OTHERWISE
            self.nodes.append(
                replace(rounds, operator="QuantizeLinear", outputs=node.outputs, refusal=refusal)
            )
            return
        if node.attributes.get("block_size"):
            self.nodes.append(replace(node, operator="DequantizeLinear", refusal=BLOCKS))
            return
        known = self.units.setdefault(q, unit)
        if not (same := self.written.same(q, known, unit)) or node.outputs[0] in self.visible:
            refusal = "" if same else OTHERWISE
            self.nodes.append(replace(node, operator="DequantizeLinear", refusal=refusal))
        else:
            self.aliases[node.outputs[0]] = q

    def _write(self, node: Node) -> None:
        """An operator on whole numbers as one on real ones; as it is, and why, where that cannot be."""
        before = len(self.nodes)
        try:
            QLINEAR[node.operator](self.written.of(node))
        except UnsupportedError as error:
            del self.nodes[before:]
            self.nodes.append(replace(node, refusal=str(error)))


def _unit_of(node: Node) -> Unit:
    return Unit(node.operand(1), node.operand(2), node.attributes.get("axis", 1))


def _inner(graph: Graph, made: Collection[str], visible: Collection[str]) -> frozenset[str]:
    """The tensors in quantised groups: they are made of whole numbers, and only such are made of them."""
    before, inner = {*graph.units, *made}, set(made)
    for node in graph.nodes:
        real = [name for name in node.inputs if name in graph.carrying]
        if real and before.issuperset(real) and node.operator != "QuantizeLinear":
            before.update(name for name in node.outputs if name and name not in graph.units)
    for node in reversed(graph.nodes):
        for name in node.outputs:
            readers = graph.readers.get(name, ())
            inside = all(r.operator == "QuantizeLinear" or inner.issuperset(r.outputs) for r in readers)
            if readers and inside and name in before - graph.units.keys() and name not in visible:
                inner.add(name)
    return frozenset(inner & graph.carrying)
