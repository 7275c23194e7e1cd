"""Where names hold in a model: its graph, the subgraphs of If, Loop and Scan, and the bodies of functions."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import onnx

from .order import NodeNames
from .tensors import Stored, name_of

KINDS = onnx.AttributeProto
GRAPHS = frozenset({KINDS.GRAPH, KINDS.GRAPHS})
TENSORS = frozenset({KINDS.TENSOR, KINDS.TENSORS, KINDS.SPARSE_TENSOR, KINDS.SPARSE_TENSORS})

Body: TypeAlias = "onnx.GraphProto | onnx.FunctionProto"


@dataclass(eq=False)
class Scope:
    """One list of nodes and what its names stand for.

    Attributes
    ----------
    body : onnx.GraphProto or onnx.FunctionProto
    where : str
        For messages, behind a name: "", or " in then_branch of If 'i'".
    outer : Scope or None
        The scope of the node that has this subgraph: its names hold here too.
    place : int
        That node's, among the outer scope's.
    captures : dict of int -> dict of str
        Of the nodes that have subgraphs, by their places: the names of this or an outer scope that these
        read, in the order they do.
    """

    body: Body
    where: str = ""
    outer: Scope | None = None
    place: int = 0
    captures: dict[int, dict[str, None]] = field(default_factory=dict)

    @property
    def is_function(self) -> bool:
        """Whether it is the body of a function, which sees no names but its own."""
        return isinstance(self.body, onnx.FunctionProto)

    @property
    def outermost(self) -> Scope:
        """The model's graph, or the function, that it lies in."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope

    @property
    def inputs(self) -> list[str]:
        """What is fed."""
        return list(self.body.input) if self.is_function else [value.name for value in self.body.input]

    @property
    def outputs(self) -> list[str]:
        """What is returned."""
        return list(self.body.output) if self.is_function else [value.name for value in self.body.output]

    @property
    def held(self) -> tuple[Stored, ...]:
        """The tensors that a graph holds, sparse ones behind the others."""
        return () if self.is_function else (*self.body.initializer, *self.body.sparse_initializer)

    @property
    def initializers(self) -> list[str]:
        """Their names."""
        return [name_of(tensor) for tensor in self.held]

    def tensors(self) -> Iterator[tuple[str, Stored]]:
        """The tensors that it holds and those of its nodes' attributes, and what to call them."""
        for tensor in self.held:
            yield f"tensor {name_of(tensor)!r}{self.where}", tensor
        for node in self.body.node:
            for attribute in node.attribute:
                if attribute.type in TENSORS and not attribute.ref_attr_name:
                    value = onnx.helper.get_attribute_value(attribute)
                    one = isinstance(value, onnx.TensorProto | onnx.SparseTensorProto)
                    what = f"{called(node)}{self.where}: its attribute {attribute.name}"
                    yield from ((what, tensor) for tensor in ([value] if one else value))

    @functools.cached_property
    def nodes(self) -> list[NodeNames]:
        """What each node reads, by its subgraphs too, and what it makes."""
        read = self.captures.get
        return [
            NodeNames((*node.input, *read(place, ())), tuple(node.output))
            for place, node in enumerate(self.body.node)
        ]

    def captured(self) -> dict[str, None]:
        """What is read here and not made here."""
        read: dict[str, None] = {}
        made = {*self.inputs, *self.initializers}
        for names in self.nodes:
            read.update(dict.fromkeys(filter(None, names.reads)))
            made.update(names.makes)
        return {name: None for name in read if name not in made}


def scopes_of(proto: onnx.ModelProto) -> list[Scope]:
    """All scopes of a model, its graph the first; an outer one stands before those inside it."""
    functions = [
        Scope(function, f" in function {function.domain}.{function.name}") for function in proto.functions
    ]
    return _with_captures(_with_inner([Scope(proto.graph), *functions]))


def graphs_of(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """A graph and all its subgraphs."""
    return [scope.body for scope in _with_inner([Scope(graph)])]


def has_graphs(node: onnx.NodeProto) -> bool:
    """Whether a node has branches or a body."""
    return any(attribute.type in GRAPHS for attribute in node.attribute)


def captured_names(node: onnx.NodeProto) -> tuple[str, ...]:
    """The outer tensors that a node's subgraphs read."""
    if not has_graphs(node):
        return ()
    outer = Scope(onnx.GraphProto(node=[node]))
    return tuple(_with_captures(_with_inner([outer]))[0].captures.get(0, ()))


def _with_inner(scopes: Iterable[Scope]) -> list[Scope]:
    """Scopes and those inside them; the list grows while it is read, which is a recursion without a stack."""
    found = list(scopes)
    for scope in found:
        found.extend(_subgraphs(scope))
    return found


def _subgraphs(scope: Scope) -> Iterator[Scope]:
    for place, node in enumerate(scope.body.node):
        for attribute in node.attribute:
            if attribute.type in GRAPHS:
                graphs = [attribute.g] if attribute.type == KINDS.GRAPH else attribute.graphs
                where = f" in {attribute.name} of {called(node)}"
                yield from (Scope(graph, where, scope, place) for graph in graphs)


def _with_captures(scopes: Sequence[Scope]) -> list[Scope]:
    """The innermost first: so what a subgraph reads is known when its own node is looked at."""
    for scope in reversed(scopes):
        if scope.outer is not None:
            scope.outer.captures.setdefault(scope.place, {}).update(scope.captured())
    return list(scopes)


def called(node: onnx.NodeProto) -> str:
    """What to call a node in messages."""
    name = node.name or next(filter(None, node.output), "")
    domain = f"{node.domain}." if node.domain not in ("", "ai.onnx") else ""
    return f"{domain}{node.op_type} {name!r}"
