"""A read-only view of an ONNX file: nodes, values and constants."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx

from ..errors import ModelError
from ..files import read
from ..tensor import Array
from ..text import LINE, printable
from .constants import Sizes, affordable, computed, value_of
from .dependence import depending, frontier
from .dependence import fixed as the_same
from .fixing import fixed_of
from .node import Input, Node, input_of, node_of
from .notes import Note
from .reading import Source, read_model
from .runtime import Runtime
from .settling import settle
from .signature import opsets_of
from .tensors import FLOATS, Stored, kind_of, name_of
from .units import Unit

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Graph", "Input", "ModelLike", "Node", "Note"]

ModelLike: TypeAlias = "str | os.PathLike[str] | bytes | onnx.ModelProto | Source"


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A read-only view of nodes, values and constants; canonizers return changed copies of it.

    Attributes
    ----------
    nodes : tuple of Node, in the order they run
    inputs : tuple of Input
    outputs : tuple of str
    initializers : dict of name -> TensorProto, or SparseTensorProto
    opset : int
    metadata : dict of str -> str
        The file's `metadata_props`.
    source : Source
        The file as it is: what onnxruntime runs.
    aliases : dict of str -> str
        Tensors that the view no longer has (behind an Identity, say) and the tensor they equal.
    notes : tuple of Note
        What canonizers did or could not do.
    arrays : dict of str -> array
        Constants that the file does not hold: dequantised weights, say.
    runtime : Runtime
        What onnxruntime's sessions are opened with.
    held : frozenset of str
        Inputs and computed tensors that are taken for parameters of a call, and with them all that is
        computed from them alone.
    units : dict of str -> Unit
        What the whole numbers of quantised tensors stand for: layers are given that.
    inner : frozenset of str
        Tensors inside of quantised groups, which the file does not compute, or not if nobody asks: their
        layers make them of what it does.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    initializers: Mapping[str, Stored]
    opset: int
    metadata: Mapping[str, str]
    source: Source
    aliases: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    sizes: Sizes = field(default_factory=dict)
    runtime: Runtime = field(default_factory=Runtime)
    held: frozenset[str] = frozenset()
    units: Mapping[str, Unit] = field(default_factory=dict)
    inner: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return printable(f"<Graph of {self.title!r}: {len(self.nodes)} nodes, opset {self.opset}>", LINE)

    @classmethod
    def load(cls, model: ModelLike, runtime: Runtime | None = None, fix: Any = None) -> Graph:
        """Read a model.

        Parameters
        ----------
        model : path, bytes or onnx.ModelProto
        runtime : Runtime, optional
            How onnxruntime is to run it; checked here where it asks for anything.
        fix : dict of str -> number or array, optional
            Inputs by their names and open axes by theirs, the same in every run: see `Explainer`.

        Raises
        ------
        ModelError
            The file is missing, empty, truncated, not ONNX, or does not pass the gate (`model/gate.py`);
            or a library of custom operators cannot be loaded.
        InputError
            This onnxruntime has no such provider, or what is to be fixed is not there.
        """
        runtime = runtime or Runtime()
        fixed = fixed_of(fix)
        if not runtime.is_default:
            from .session import options_of

            options_of(runtime)
        source = read_model(model)
        read(*source.files, *runtime.custom_ops)
        source = settle(source, runtime, fixed)
        proto = source.proto
        opsets = opsets_of(proto.opset_import)
        graph = proto.graph
        initializers = {name_of(tensor): tensor for tensor in (*graph.initializer, *graph.sparse_initializer)}
        try:
            nodes = tuple(node_of(node, opsets, source.folder) for node in graph.node)
        except ValueError as error:
            raise ModelError(f"{source.title}: {error}") from error
        inputs = tuple(input_of(value) for value in graph.input if value.name not in initializers)
        return cls(
            nodes=nodes,
            inputs=inputs,
            outputs=tuple(value.name for value in graph.output),
            initializers=initializers,
            opset=opsets.get("", 0),
            metadata={entry.key: entry.value for entry in proto.metadata_props},
            source=source,
            notes=source.settled.notes if source.settled else (),
            runtime=runtime,
            held=_texts(inputs) | (frozenset() if source.cut is None else source.cut.held),
        )

    @property
    def title(self) -> str:
        """What to call the model in messages."""
        return self.source.title

    def having(self, **changes: Any) -> Graph:
        """A changed copy; the file, and the constants and sizes known so far are shared.

        Parameters
        ----------
        **changes
            Attributes. `arrays` are added to those that there are, under names that nothing else has:
            see `unused`.

        Raises
        ------
        ModelError
            A tensor of the file, or another array, has the name of an array.
        """
        if "arrays" in changes:
            taken = [name for name in changes["arrays"] if name != self.unused(name)]
            if taken:
                raise ModelError(
                    f"{self.title}: an array of a canonizer is called {taken[0]!r}, as another tensor is"
                )
            changes["arrays"] = {**self.arrays, **changes["arrays"]}
        changed = replace(self, **changes)
        if changes.keys() <= {"notes"}:  # the nodes are the same: what was found of them is
            vars(changed).update({**vars(self), **vars(changed)})
        return changed

    def unused(self, name: str, besides: Collection[str] = ()) -> str:
        """`name`, or one like it that no tensor of the file has, no array, and nothing of `besides`."""
        while name in self.source.names or name in self.arrays or name in besides:
            name += "_"
        return name

    @cached_property
    def producers(self) -> dict[str, Node]:
        """Tensor name -> the node that computes it."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def places(self) -> dict[Node, int]:
        """Each node's place in the order in which they run."""
        return {node: place for place, node in enumerate(self.nodes)}

    @cached_property
    def by_operator(self) -> dict[str, list[Node]]:
        """Operator -> its nodes, in the order in which they run."""
        nodes: dict[str, list[Node]] = {}
        for node in self.nodes:
            nodes.setdefault(node.operator, []).append(node)
        return nodes

    @cached_property
    def readers(self) -> dict[str, list[Node]]:
        """Tensor name -> the nodes that read it, once per node."""
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys((*node.inputs, *node.captures)):
                if name:
                    readers.setdefault(name, []).append(node)
        return readers

    @cached_property
    def carrying(self) -> frozenset[str]:
        """Tensors that relevance can reach: they depend on the values of an input that is not held.

        Shape arithmetic does not, and choices hand nothing on, truth values and places: what is chosen by
        them is relevant, and they are parameters of the call.
        """
        return self.depending({value.name for value in self.inputs} - self.held, self.held, decided=False)

    @cached_property
    def decided(self) -> frozenset[str]:
        """Tensors that depend on such an input by choices alone: which of several numbers they are."""
        return self.led - self.carrying

    @cached_property
    def led(self) -> frozenset[str]:
        """Tensors that depend on an input that is not held, by choices too."""
        return self.depending({value.name for value in self.inputs} - self.held, self.held)

    @cached_property
    def computed(self) -> frozenset[str]:
        """Tensors whose values depend on those of any input, held or not."""
        return self.depending(value.name for value in self.inputs)

    def depending(
        self, names: Iterable[str], held: Collection[str] = (), decided: bool = True
    ) -> frozenset[str]:
        """These tensors, and those whose values depend on theirs: see `dependence.depending`."""
        return depending(self.nodes, names, held, decided)

    @property
    def stops(self) -> tuple[str, ...]:
        """The tensors at which the file was cut, which are inputs here; () for a whole file."""
        return () if self.source.cut is None else tuple(stop.name for stop in self.source.cut.stops)

    @cached_property
    def fixed(self) -> frozenset[str]:
        """Tensors that are the same in every run: constants and what is computed from them alone."""
        return the_same(self.nodes, (*self.initializers, *self.arrays))

    @cached_property
    def precision(self) -> int:
        """The bytes of the coarsest floating type that the file computes in: 2, 4 or 8."""
        kinds = {kind_of(tensor) for tensor in self.initializers.values()}
        kinds.update(node.attributes.get("to", 0) for node in self.by_operator.get("Cast", ()))
        types = [*(value.dtype for value in self.inputs), *(array.dtype for array in self.arrays.values())]
        sizes = {dtype.itemsize for dtype in types if dtype.kind == "f"}
        return min(sizes.union(size for kind, size in FLOATS.items() if kind in kinds), default=4)

    def is_constant(self, name: str) -> bool:
        """Whether the tensor is the same in every run."""
        return name in self.fixed

    def resolve(self, name: str) -> str:
        """The tensor that stands for `name` in this view."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def constant(self, name: str) -> Array:
        """The value of a constant tensor.

        Raises
        ------
        ModelError
            The tensor's data cannot be read, or a canonizer left it to be computed from a new array.
        """
        if name in self.arrays:
            return self.arrays[name]
        if self.arrays and name in self._remade:
            raise ModelError(
                f"{self.title}: {name!r} is computed from an array that a canonizer made, and the file's own "
                "run does not have it; let the canonizer make it too"
            )
        if name not in self.constants:
            self.constants.update(self._evaluate(name))
        return self.constants[name]

    @cached_property
    def _remade(self) -> frozenset[str]:
        """Constants that the view computes from new arrays."""
        remade = set(self.arrays)
        for node in self.nodes:
            if not remade.isdisjoint(node.inputs):
                remade.update(filter(None, node.outputs))
        return frozenset(remade & self.fixed - set(self.arrays))

    def axes(self, name: str) -> int | None:
        """How many axes a tensor of the file has; None where the file does not tell."""
        if name in self.initializers:
            return len(self.initializers[name].dims)
        return self.arrays[name].ndim if name in self.arrays else self.source.axes.get(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a constant tensor; a weight is not read for it, nor computed.

        Raises
        ------
        ModelError
            See `constant`.
        """
        if name in self.initializers:
            return tuple(self.initializers[name].dims)
        made = self.producers.get(name)
        is_known = (
            name in self.arrays or name in self.constants or made is None or made.operator == "Constant"
        )
        if not is_known and not (self.arrays and name in self._remade):
            if name not in self.sizes:
                affordable(self.source, name, self._frontier, self.constant, self.runtime, self.sizes)
            if (size := self.sizes[name]) is not None:
                return size.shape
        value: Array = self.constant(name)
        return tuple(value.shape)

    def _evaluate(self, name: str) -> dict[str, Array]:
        if name in self.initializers:
            return {name: self.source.value(name, self.initializers[name])}
        producer = self.producers.get(name)
        if producer is not None and producer.operator == "Constant":
            return {name: value_of(producer)}
        # All at once: a session per constant would cost more than the explanation.
        return computed(
            self.source, name, self._frontier, self.constants, self.constant, self.runtime, self.sizes
        )

    @cached_property
    def _frontier(self) -> frozenset[str]:
        made = {name for node in self.nodes if node.operator != "Constant" for name in node.outputs}
        return frontier(self.nodes, self.fixed, made & self.fixed)

    def typed(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Feeds in the types that the file declares: float64 explanations know theirs more precisely."""
        types = {value.name: value.dtype for value in self.inputs}
        with np.errstate(over="ignore"):  # an infinity is reported with the tensor's name
            return {name: np.asarray(x, types.get(name, x.dtype), order="C") for name, x in feeds.items()}

    def session(self, names: Sequence[str], once: bool = False) -> Session:
        """onnxruntime on the file as it is, returning these tensors; it shares the weights read here.

        With `once` nothing is done that would only pay in later runs.
        """
        from .session import Session

        self.source.check_unchanged()
        weights = {name: self.constant(name) for name in self.source.places}
        data, folder = self.source.with_outputs(names), self.source.folder
        return Session(data, names, folder, weights, self.title, runtime=self.runtime, once=once)


def _texts(inputs: Sequence[Input]) -> frozenset[str]:
    """Text beside numbers: it has no relevance, and what a table makes of it is a parameter of the call."""
    texts = frozenset(value.name for value in inputs if value.dtype == object)
    return texts if len(texts) < len(inputs) else frozenset()
