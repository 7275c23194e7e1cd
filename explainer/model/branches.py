"""An If whose condition is the same in every run: the branch that is taken, put in its place."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from .conditions import known_conditions
from .notes import Note
from .reading import Source
from .renaming import Names, moved
from .runtime import Runtime
from .scopes import Scope


def take_branches(source: Source, runtime: Runtime, notes: list[Note]) -> bool:
    """Put the branches of the graph's own Ifs in their places, in place, where conditions are known.

    Parameters
    ----------
    source : Source
        Its nodes in the order that they run.
    runtime : Runtime
    notes : list of Note
        What is noted down.

    Returns
    -------
    bool
        Whether anything was changed.
    """
    graph = source.proto.graph
    asked = [node.input[0] for node in graph.node if is_if(node)]
    decided = known_conditions(source, asked, runtime) if asked else {}
    if not decided:
        return False
    names = Names(source.proto)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if is_if(node) and node.input[0] in decided:
            nodes += _taken(graph, node, decided[node.input[0]], names, notes)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return True


def is_if(node: onnx.NodeProto) -> bool:
    """Whether a node is ONNX's own If."""
    return node.op_type == "If" and node.domain in ("", "ai.onnx")


def _taken(
    graph: onnx.GraphProto, node: onnx.NodeProto, condition: bool, names: Names, notes: list[Note]
) -> Iterable[onnx.NodeProto]:
    """The nodes of the branch; what it holds becomes the graph's."""
    chosen = "then_branch" if condition else "else_branch"
    branch = next(attribute.g for attribute in node.attribute if attribute.name == chosen)
    # The branches' own names are free now, but for those that something else has too.
    names.forget(node)
    named: dict[str, str] = {}
    scope = Scope(branch)
    made = {name for one in branch.node for name in one.output if name}
    handed: list[onnx.NodeProto] = []
    for inner, outer in zip((value.name for value in branch.output), node.output, strict=False):
        if outer and inner in made and inner not in named:
            named[inner] = outer
        elif outer:  # of the scope around, held by the branch, or handed out twice
            handed.append(onnx.helper.make_node("Identity", [inner], [outer], names.unused(f"{outer}/taken")))
    for name in (*scope.initializers, *(name for one in branch.node for name in one.output)):
        if name and name not in named:
            named[name] = names.unused(name)
    for tensor in branch.initializer:
        graph.initializer.add().CopyFrom(tensor)
        graph.initializer[-1].name = named[tensor.name]
    for sparse in branch.sparse_initializer:
        graph.sparse_initializer.add().CopyFrom(sparse)
        graph.sparse_initializer[-1].values.name = named[sparse.values.name]
    nodes = [moved(one, named, names.unused) for one in branch.node]
    nodes += [moved(one, named, lambda name: name) for one in handed]
    members = tuple(one.name or next(filter(None, one.output), "") for one in nodes)
    notes.append(
        Note(
            "branches",
            members,
            ("If",),
            node.name or node.output[0],
            became=f"its {chosen}, the same in every run",
        )
    )
    return nodes
