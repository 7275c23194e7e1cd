"""Functions that are explained through their body: a model's own, and those that ONNX itself defines.

Where an operator has a layer, that explains it; any other call is replaced by what it calls, in the file
that is run as in the graph that is read, so that there is one set of names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx

from ..errors import ModelError
from .bodies import Bodies, Key, key, key_of, name_of_call, operator_of
from .notes import Note
from .renaming import Names, moved
from .scopes import called, has_graphs, scopes_of
from .signature import opsets_of

# What bodies may come to, all together: functions that call functions grow as powers of two, and a
# Constant in a body is there once for every call.
MOST_NODES, MOST_BYTES = 1 << 18, 1 << 30


@dataclass
class Inlined:
    """What became of a model's calls.

    Attributes
    ----------
    notes : list of Note
    kept : dict of str -> str
        Operators that stay calls, and why; those that have a layer are none of them.
    """

    notes: list[Note] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)


def inline(proto: onnx.ModelProto, has_layer: Callable[[str], bool], title: str, done: Inlined) -> bool:
    """Put the bodies of functions where they are called in the model's graph, in place.

    Parameters
    ----------
    proto : onnx.ModelProto
    has_layer : callable
        Of an operator's name: whether a layer explains it.
    title : str
        What to call the model in messages.
    done : Inlined
        What is noted down.

    Returns
    -------
    bool
        Whether anything was changed.

    Raises
    ------
    ModelError
        The bodies come to too much.
    """
    bodies = Bodies(proto, has_layer)
    if not any(bodies.of(node) is not None for node in proto.graph.node):
        return False
    names, opsets = Names(proto), opsets_of(proto.opset_import)
    nodes: list[onnx.NodeProto] = []
    size, changed = 0, False
    # Of every node the call in the graph that it comes from: a list as a stack, for calls nest.
    waiting = [(node, "") for node in reversed(proto.graph.node)]
    origins: dict[str, tuple[str, list[str]]] = {}
    while waiting:
        node, origin = waiting.pop()
        function = bodies.of(node)
        made = None if function is None else _body(function, node, names, opsets, done)
        if made is None:
            nodes.append(node)
            if origin:
                origins[origin][1].append(name_of_call(node))
            continue
        changed, origin = True, origin or name_of_call(node)
        origins.setdefault(origin, (operator_of(node), []))
        waiting += [(one, origin) for one in reversed(made)]
        size += sum(one.ByteSize() for one in made)
        if len(waiting) + len(nodes) > MOST_NODES or size > MOST_BYTES:
            raise ModelError(
                f"{title}: the bodies of its functions come to more than {MOST_NODES:,} nodes or "
                f"{MOST_BYTES >> 30} GiB where they are called; {called(node)} is one of them"
            )
    for origin, (operator, members) in origins.items():
        done.notes.append(Note("functions", tuple(members), (operator,), origin, became="its body"))
    if changed:
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        _import(proto, bodies.imports)
    return changed


def drop_unused(proto: onnx.ModelProto) -> None:
    """Leave out the functions that nothing calls any more."""
    there = {key(f.domain, f.name, f.overload): f for f in proto.functions}
    wanted: set[Key] = set()
    calls: dict[Key | None, set[Key]] = {}
    for scope in scopes_of(proto):
        home = scope.outermost
        body = home.body
        own = key(body.domain, body.name, body.overload) if home.is_function else None
        calls.setdefault(own, set()).update(map(key_of, scope.body.node))
    waiting = list(calls[None])
    while waiting:
        callee = waiting.pop()
        if callee in there and callee not in wanted:
            wanted.add(callee)
            waiting += calls[callee]
    left = [function for callee, function in there.items() if callee in wanted]
    if len(left) < len(proto.functions):
        del proto.functions[:]
        proto.functions.extend(left)


def _body(
    function: onnx.FunctionProto,
    node: onnx.NodeProto,
    names: Names,
    opsets: Mapping[str, int],
    done: Inlined,
) -> list[onnx.NodeProto] | None:
    """What a call comes to; None where it stays one, with the reason in `done.kept`."""
    given = {attribute.name: attribute for attribute in function.attribute_proto}
    given |= {attribute.name: attribute for attribute in node.attribute}
    body = [moved(one, {}, lambda name: name, given) for one in function.node]
    try:
        body = _in_opset(function, body, opsets)
    except ValueError as error:
        done.kept[operator_of(node)] = str(error)
        return None
    prefix = name_of_call(node)
    named = {
        formal: (node.input[i] if i < len(node.input) else "") for i, formal in enumerate(function.input)
    }
    made: list[onnx.NodeProto] = []
    results: dict[str, str] = {}
    for i, formal in enumerate(function.output):
        actual = node.output[i] if i < len(node.output) else ""
        if formal in named:  # handed through
            if actual:
                handed = named[formal]
                made.append(
                    onnx.helper.make_node("Identity", [handed], [actual], names.unused(f"{prefix}/{i}"))
                )
        elif actual:
            results[formal] = actual

    def fresh(name: str) -> str:
        return names.unused(f"{prefix}/{name}")

    for name in (name for one in body for name in one.output if name):
        if name not in named:
            named[name] = results.get(name) or fresh(name)
    return [*(moved(one, named, fresh) for one in body), *made]


def _in_opset(
    function: onnx.FunctionProto, body: list[onnx.NodeProto], opsets: Mapping[str, int]
) -> list[onnx.NodeProto]:
    """A body in the versions of operators that the model imports.

    Raises
    ------
    ValueError
        An operator of it is another one there, and cannot be written as the model's.
    """
    theirs = opsets_of(function.opset_import)
    there, here = theirs.get("", 0), opsets.get("", 0)
    made: list[onnx.NodeProto] = []
    for node in body:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in opsets or _since(node, theirs) == _since(node, opsets):
            made.append(node)
            continue
        try:
            if domain:
                raise ValueError("only ONNX's own operators can be written in another version")
            made += _converted(node, there, here)
        except Exception as error:  # the converter raises whatever its C++ side does
            raise ValueError(
                f"its body is written in opset {there}, in which {node.op_type} is another than in the "
                f"model's {here}; export it again with one opset"
            ) from error
    return made


def _converted(node: onnx.NodeProto, there: int, here: int) -> list[onnx.NodeProto]:
    """A node of one opset as nodes of another, by ONNX's own converter; it raises what it likes."""
    from onnx import version_converter

    if has_graphs(node):
        raise ValueError("what its subgraphs read would be unknown")
    kind = onnx.TensorProto.FLOAT
    reads, makes = dict.fromkeys(filter(None, node.input)), [name for name in node.output if name]
    graph = onnx.helper.make_graph(
        [node],
        "node",
        [onnx.helper.make_tensor_value_info(name, kind, None) for name in reads],
        [onnx.helper.make_tensor_value_info(name, kind, None) for name in makes],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", there)])
    raised = version_converter.convert_version(model, here).graph
    if [value.name for value in raised.output] != makes:
        raise ValueError("its outputs are called otherwise")
    kept = {*reads, *makes}
    named = {
        name: f"{makes[0]}/{name}"
        for one in (*raised.initializer, *raised.node)
        for name in ([one.name] if isinstance(one, onnx.TensorProto) else one.output)
        if name and name not in kept
    }
    held = (
        onnx.helper.make_node("Constant", [], [named[tensor.name]], value=tensor)
        for tensor in raised.initializer
    )
    return [*held, *(moved(one, named, lambda name: name) for one in raised.node)]


def _since(node: onnx.NodeProto, opsets: Mapping[str, int]) -> int | None:
    """The version that an operator has had since; None of one that the onnx package does not know."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        return int(onnx.defs.get_schema(node.op_type, opsets.get(domain, 1), domain).since_version)
    except onnx.defs.SchemaError:
        return None


def _import(proto: onnx.ModelProto, imports: Mapping[str, int]) -> None:
    there = opsets_of(proto.opset_import)
    for domain, version in imports.items():
        if domain not in there:
            proto.opset_import.add(domain=domain, version=version)
