"""Nodes of one scope put into another: a function's body where it is called, a branch in its If's place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import onnx

from .scopes import GRAPHS, KINDS, Scope, graphs_of, has_graphs, scopes_of

Attributes = Mapping[str, onnx.AttributeProto]


class Names:
    """The names that tensors and nodes have anywhere in a model, subgraphs included."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.taken: Counter[str] = Counter()
        self._tried: dict[str, int] = {}
        for scope in scopes_of(proto):
            if not scope.outermost.is_function:
                self.taken.update(_made(scope))

    def unused(self, name: str) -> str:
        """`name`, or one like it that is taken nowhere; it is from now on."""
        name = free = name or "unnamed"
        while self.taken[free] > 0:
            self._tried[name] = self._tried.get(name, 0) + 1  # so that many of one name take no longer
            free = f"{name}_{self._tried[name]}"
        self.taken[free] += 1
        return free

    def forget(self, node: onnx.NodeProto) -> None:
        """What the subgraphs of a node call their own is taken no more."""
        for graph in _graphs(node):
            for inner in graphs_of(graph):
                self.taken.subtract(_made(Scope(inner)))


def moved(
    node: onnx.NodeProto,
    named: Mapping[str, str],
    fresh: Callable[[str], str],
    given: Attributes | None = None,
) -> onnx.NodeProto:
    """A copy of a node with other names.

    Parameters
    ----------
    node : onnx.NodeProto
    named : dict of str -> str
        Tensors' new names; those that are not in it keep theirs.
    fresh : callable
        Makes a name that nothing has: for nodes, and for what subgraphs call their own.
    given : dict of str -> AttributeProto, optional
        What attributes refer to, for a node of a function's body; a reference to what is not there
        leaves the attribute out, as ONNX has it.
    """
    made = onnx.NodeProto()
    made.CopyFrom(node)
    made.input[:] = [named.get(name, name) for name in node.input]
    made.output[:] = [named.get(name, name) for name in node.output]
    if node.name:
        made.name = fresh(node.name)
    del made.attribute[:]
    for attribute in node.attribute:
        if given is not None and attribute.ref_attr_name:
            if attribute.ref_attr_name in given:
                made.attribute.add().CopyFrom(given[attribute.ref_attr_name])
                made.attribute[-1].name = attribute.name
            continue
        made.attribute.add().CopyFrom(attribute)
        for graph in _graphs_of(made.attribute[-1]):
            _rename(graph, named, fresh, given)
    return made


def set_apart(proto: onnx.ModelProto) -> None:
    """Call by other names what subgraphs of the graph call as something else is called, in place.

    Nodes that were put in the order that they run, or in another's place, may stand before a subgraph now
    whose names are theirs; onnxruntime takes that for a tensor that is made twice.
    """
    names = Names(proto)
    for node in proto.graph.node:
        if has_graphs(node):
            names.forget(node)
            called, node.name = node.name, ""
            node.CopyFrom(moved(node, {}, names.unused))
            node.name = called


def is_clashing(name: str) -> bool:
    """Whether onnxruntime's optimiser has given a constant its name, in a file that it wrote.

    It gives it again, and takes that for a tensor that is made twice: of a file with other outputs than
    before it no longer knows that the name is taken.
    """
    return name.startswith(("gemm_input_shape", "gemm_output_shape"))


def call_otherwise(proto: onnx.ModelProto) -> bool:
    """Give such constants of the graph another name, in place; whether there are any."""
    names = Names(proto)
    held = [tensor for tensor in proto.graph.initializer if is_clashing(tensor.name)]
    new = {tensor.name: names.unused(f"kept/{tensor.name}") for tensor in held}
    for tensor in held:
        tensor.name = new[tensor.name]
    for scope in scopes_of(proto) if new else ():
        if not scope.outermost.is_function:
            for node in scope.body.node:
                node.input[:] = [new.get(name, name) for name in node.input]
    return bool(new)


def _rename(
    graph: onnx.GraphProto, named: Mapping[str, str], fresh: Callable[[str], str], given: Attributes | None
) -> None:
    """Give a subgraph's own tensors fresh names, in place; its recursion is as deep as the file nests."""
    own = dict.fromkeys(filter(None, _tensors(Scope(graph))))
    inside = {**named, **{name: fresh(name) for name in own}}
    nodes = [moved(node, inside, fresh, given) for node in graph.node]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    sparse = [tensor.values for tensor in graph.sparse_initializer]
    for held in (*graph.input, *graph.output, *graph.initializer, *sparse):
        held.name = inside.get(held.name, held.name)


def _made(scope: Scope) -> Iterable[str]:
    """The names that a scope gives, to tensors and to nodes."""
    return filter(None, (*dict.fromkeys(_tensors(scope)), *(node.name for node in scope.body.node)))


def _tensors(scope: Scope) -> Iterable[str]:
    return (*scope.inputs, *scope.initializers, *(name for node in scope.body.node for name in node.output))


def _graphs_of(attribute: onnx.AttributeProto) -> Iterable[onnx.GraphProto]:
    if attribute.type not in GRAPHS:
        return ()
    return (attribute.g,) if attribute.type == KINDS.GRAPH else attribute.graphs


def _graphs(node: onnx.NodeProto) -> Iterable[onnx.GraphProto]:
    return [graph for attribute in node.attribute for graph in _graphs_of(attribute)]
