"""A model file cut at some of its tensors: the part before them, and the part behind, which takes them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import onnx

from .scopes import captured_names
from .tensors import name_of

# What holds weights: of these the first behind a model's input is a first layer.
WEIGHTED = frozenset(
    {
        *("Conv", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", "GRU", "Gemm", "LSTM", "MatMul"),
        *("MatMulInteger", "QLinearConv", "QLinearMatMul", "RNN", "com.microsoft.Attention"),
        *("com.microsoft.FusedConv", "com.microsoft.FusedMatMul", "com.microsoft.MatMulNBits"),
    }
)


@dataclass(frozen=True)
class Stop:
    """A tensor that walks end at.

    Attributes
    ----------
    name : str
    samples : int or None
        Which axis has the samples, the first; None where that is not so: then it is one sample's, whole.
    declared : bytes
        It as an input, a ValueInfoProto.
    begins : bool
        Whether no weights lie before it, so that the first layer behind it is the model's first.
    is_given : bool
        Whether it is an input of the whole file.
    taken_from : tuple of str
        Itself, and what its rows were looked up in.
    table : str
        The last of these where it is a constant; else "".
    """

    name: str
    samples: int | None
    declared: bytes
    begins: bool
    is_given: bool = False
    taken_from: tuple[str, ...] = ()
    table: str = ""


@dataclass(frozen=True)
class Cut:
    """Where a file was cut, as the part behind the stops knows it.

    Attributes
    ----------
    stops : tuple of Stop
    beside : tuple of Stop
        What goes past the stops, a shortcut say, and is computed before them: inputs that are held.
    held : frozenset of str
        The other inputs of that part, which walks do not lead to: parameters of a call.
    told : str
        Why it was cut where nobody asked for that, in a line; else "".
    inputs : tuple of str
        Those of the whole.
    """

    stops: tuple[Stop, ...]
    beside: tuple[Stop, ...] = ()
    held: frozenset[str] = frozenset()
    told: str = ""
    inputs: tuple[str, ...] = ()

    @property
    def samples(self) -> dict[str, int | None]:
        """Where it was cut -> the axis of the samples."""
        return {stop.name: stop.samples for stop in (*self.stops, *self.beside)}


def before(proto: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """The part of a file that computes these tensors, which are its outputs."""
    needed, nodes = _needed(proto.graph, set(names), set())
    made = _with_nodes(proto, nodes, needed)
    made.graph.input.extend(value for value in proto.graph.input if value.name in needed)
    made.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return made


def behind(proto: onnx.ModelProto, cut: Cut) -> onnx.ModelProto:
    """The part of a file behind the stops, which are inputs of it; what only leads to them is left out."""
    graph, stops = proto.graph, [*cut.samples]
    led = {stop.name for stop in cut.stops}
    for node in graph.node:
        if not led.isdisjoint((*node.input, *captured_names(node))):
            led.update(filter(None, node.output))
    needed, nodes = _needed(graph, {*(value.name for value in graph.output), *led}, set(stops))
    made = _with_nodes(proto, nodes, needed - set(stops))
    # A node that makes a stop may make something else that is needed.
    for node in made.graph.node:
        for place, name in enumerate(node.output):
            node.output[place] = _unused(name, needed) if name in stops else name
    there = {value.name for value in graph.input}
    given = {*needed, *stops, *(value.name for value in graph.output)}
    stopped = [stop.declared for stop in (*cut.stops, *cut.beside) if stop.name not in there]
    made.graph.input.extend(map(onnx.ValueInfoProto.FromString, stopped))
    made.graph.input.extend(value for value in graph.input if value.name in given)
    made.graph.output.extend(graph.output)
    return made


def _needed(
    graph: onnx.GraphProto, wanted: set[str], given: set[str]
) -> tuple[set[str], list[onnx.NodeProto]]:
    """The tensors that others are computed from, where some are given; and the nodes, as they run."""
    needed, computed, nodes = set(wanted), wanted - given, list[onnx.NodeProto]()
    for node in reversed(graph.node):
        if not computed.isdisjoint(node.output):
            reads = {*node.input, *captured_names(node)}
            nodes.append(node)
            needed |= reads
            computed |= reads - given
    return needed, nodes[::-1]


def _with_nodes(
    proto: onnx.ModelProto, nodes: Collection[onnx.NodeProto], needed: Collection[str]
) -> onnx.ModelProto:
    """A file with these nodes and what they read, no inputs and no outputs yet."""
    made, graph = onnx.ModelProto(), proto.graph
    for field, value in proto.ListFields():
        if field.name != "graph":
            there = getattr(made, field.name)
            there.extend(value) if hasattr(there, "extend") else setattr(made, field.name, value)
    made.graph.name = graph.name
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in needed)
    made.graph.sparse_initializer.extend(
        tensor for tensor in graph.sparse_initializer if name_of(tensor) in needed
    )
    computed = {name for node in nodes for name in node.output} & set(needed)
    made.graph.value_info.extend(value for value in graph.value_info if value.name in computed)
    return made


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name
