"""A model in two parts: what lies before the tensors that walks end at, and what lies behind them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import onnx
import onnx.shape_inference

from ..errors import TargetError, did_you_mean
from ..tensor import Array
from .axes import followed_samples, sample_axes
from .cut import WEIGHTED, Cut, Stop
from .following import Labels
from .graph import Graph
from .node import Node
from .sharing import sizes_named
from .tables import taken_from

if TYPE_CHECKING:
    from .session import Session

# Of every tensor that operators tell it of, what its axes are.
Followed: TypeAlias = Mapping[str, Labels]
# So many samples as nothing else is likely to be of.
BATCH = 7919
# What onnxruntime calls the types of numbers.
FLOATS = frozenset({"tensor(float)", "tensor(float16)", "tensor(double)"})
TYPES = {
    "tensor(float)": onnx.TensorProto.FLOAT,
    "tensor(float16)": onnx.TensorProto.FLOAT16,
    "tensor(bfloat16)": onnx.TensorProto.BFLOAT16,
    "tensor(double)": onnx.TensorProto.DOUBLE,
    **{
        f"tensor({sign}int{size})": onnx.TensorProto.DataType.Value(f"{sign}int{size}".upper())
        for sign in ("", "u")
        for size in (8, 16, 32, 64)
    },
    "tensor(bool)": onnx.TensorProto.BOOL,
}


@dataclass(frozen=True, eq=False)
class Parts:
    """A model that was cut.

    Attributes
    ----------
    whole : Graph
    front : Graph
        What computes the stops, and what goes past them.
    rest : Graph
        What lies behind them, as a model of its own: they are inputs of it.
    session : Session or None
        Computes those of them that are neither inputs of the whole nor constants; None without such.
    """

    whole: Graph
    front: Graph
    rest: Graph
    session: Session | None

    @property
    def is_named(self) -> bool:
        """Whether somebody named the stops."""
        cut = self.rest.source.cut
        return cut is not None and not cut.told

    @property
    def computed(self) -> list[str]:
        """What the session computes for it."""
        cut = self.rest.source.cut
        names = [] if self.session is None or cut is None else self.session.outputs
        return [name for name in names if cut is not None and name in cut.samples]

    def computed_from(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """These feeds of the whole, and all that the rest is fed beside them, as the file has them.

        Raises
        ------
        ModelError
        """
        given = {name: x for name, x in feeds.items() if name in {value.name for value in self.front.inputs}}
        found = {**feeds, **({} if self.session is None else self.session.run(given))}
        constants = (name for name in self.rest.stops if name not in found)
        return found | {name: self.whole.constant(name) for name in constants}


def parted(graph: Graph, names: Sequence[str], held: Collection[str] | None = None, told: str = "") -> Parts:
    """Cut a model, so that walks end at these tensors.

    Parameters
    ----------
    graph : Graph
        As it was read.
    names : sequence of str
    held : collection of str, optional
        Inputs that walks do not lead to; all that are no stops by default.
    told : str
        Why it is cut where nobody asked for that.

    Raises
    ------
    TargetError
        No such tensor, or it holds no numbers.
    ModelError
        onnxruntime cannot load the file.
    """
    names = list(dict.fromkeys(names))
    inputs = [value.name for value in graph.inputs]
    computed = [name for name in names if name not in inputs and not graph.is_constant(name)]
    _check_names(graph, names)
    at = followed_samples(graph)
    others = set(inputs) - set(names) if held is None else set(held)
    passing = _passing(graph, names, others, at)
    front = Graph.load(graph.source.before([*computed, *passing]), graph.runtime)
    front = front.having(constants=graph.constants)
    session = front.session([*computed, *passing]) if computed or passing else None
    stops = tuple(_stop(graph, name, session, at) for name in names)
    floats = [name for name in passing if session is not None and session.declared[name][0] in FLOATS]
    found = (_stop(graph, name, session, at) for name in floats if name not in names)
    beside = tuple(stop for stop in found if stop.samples == 0)
    cut = Cut(stops, beside, frozenset(others | {stop.name for stop in beside}), told, tuple(inputs))
    rest = Graph.load(graph.source.behind(cut), graph.runtime).having(constants=graph.constants)
    return Parts(graph, front, rest, session)


def _passing(graph: Graph, stops: Sequence[str], held: Collection[str], at: Followed) -> list[str]:
    """What is computed from held inputs alone, and read behind the stops, sample by sample."""
    led = graph.depending(stops)
    fed = graph.depending(held) - set(held)
    free = graph.depending(value.name for value in graph.inputs if value.name not in held)
    found = (
        name
        for node in graph.nodes
        if not led.isdisjoint(reads := dict.fromkeys((*node.inputs, *node.captures)))
        for name in reads
        if name in fed and name not in led and name not in free and at.get(name, ())[:1] == (0,)
    )
    return list(dict.fromkeys(found))


def _check_names(graph: Graph, names: Sequence[str]) -> None:
    there = {*(value.name for value in graph.inputs), *graph.initializers}
    made = [name for node in graph.nodes for name in node.outputs if name]
    for name in names:
        if name not in there and name not in made:
            carrying = [name for name in made if name in graph.carrying]
            raise TargetError(
                f"stop: {name!r} is no tensor of this model{did_you_mean(name, carrying, made, there)}"
            )


def _stop(graph: Graph, name: str, session: Session | None, at: Followed) -> Stop:
    """A tensor as an input of what lies behind it."""
    given = next((value for value in graph.source.proto.graph.input if value.name == name), None)
    begins = not any(node.operator in WEIGHTED for node in nodes_before(graph, name))
    if name in graph.initializers or graph.is_constant(name):
        value = graph.constant(name)
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        declared = onnx.helper.make_tensor_value_info(name, kind, value.shape)
        return Stop(name, None, declared.SerializeToString(), begins)
    if given is not None:
        return Stop(name, sample_axes(graph).get(name, (0, 0))[1], given.SerializeToString(), begins, True)
    assert session is not None
    kind_name, sizes = session.declared[name]
    if kind_name not in TYPES:
        raise TargetError(f"stop: {name!r} holds no numbers, but {kind_name}")
    samples = _samples(graph, name, sizes, at)
    # onnxruntime says [] of a number alone, and of what it knows no axes of.
    known = sizes or graph.axes(name) == 0 or at.get(name) == ()
    declared = onnx.helper.make_tensor_value_info(name, TYPES[kind_name], sizes if known else None)
    rows = taken_from(graph, name)
    table = rows[-1] if graph.is_constant(rows[-1]) else ""
    return Stop(name, samples, declared.SerializeToString(), begins, taken_from=rows, table=table)


def nodes_before(graph: Graph, name: str) -> list[Node]:
    """The nodes that a tensor is computed by, the last first."""
    needed, nodes = {name}, list[Node]()
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update((*node.inputs, *node.captures))
            nodes.append(node)
    return nodes


def _samples(graph: Graph, name: str, sizes: Sequence[int | str | None], at: Followed) -> int | None:
    """The first axis, where it is that of the samples; else None.

    It is declared as an input's samples are, or operators tell; a Reshape may have put more beside them.
    """
    axes, labels = sample_axes(graph), at.get(name)
    firsts = {
        value.shape[axis] or sizes_named(graph, value.name)[axis]
        for value in graph.inputs
        if value.shape and (axis := axes[value.name][1]) is not None
    }
    if not sizes or (labels is not None and labels[:1] != (0,)):
        return None
    if sizes[0] in firsts - {""}:
        return 0
    if labels is None or isinstance(sizes[0], int):
        return None
    return 0 if _first_size(graph, name) in (None, BATCH) else None


def _first_size(graph: Graph, name: str) -> int | None:
    """How much of it there is for `BATCH` samples, as far as ONNX can infer it."""
    proto = graph.source.before([name]).proto
    for value in proto.graph.input:
        axis = sample_axes(graph).get(value.name, (0, None))[1]
        if axis is not None:
            value.type.tensor_type.shape.dim[axis].dim_value = BATCH
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    except Exception:  # what it makes of an odd file is no news here: then nothing is told
        return None
    (found,) = [value for value in inferred.output if value.name == name]
    sizes = found.type.tensor_type.shape.dim
    return int(sizes[0].dim_value) or None if sizes else None
