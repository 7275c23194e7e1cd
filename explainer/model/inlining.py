"""Functions that are explained through their body: a model's own, and those that ONNX itself defines.

Where an operator has a layer, that explains it; any other call is replaced by what it calls, in the file
that is run as in the graph that is read, so that there is one set of names. A body is in the model's opset,
whatever opset it says itself: so onnxruntime runs it, and ONNX wants the two to agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx

from ..errors import ModelError
from .bodies import Bodies, Key, key, key_of, name_of_call, operator_of
from .learned import OPSET
from .notes import Note
from .renaming import Names, moved
from .scopes import called, scopes_of
from .signature import opsets_of

# What bodies may come to, all together: functions that call functions grow as powers of two, and a
# Constant in a body is there once for every call. Calls count too, for a body may be nothing but calls.
MOST_NODES, MOST_BYTES = 1 << 18, 1 << 30
DEEPEST = 100  # onnxruntime's own bound


@dataclass
class Inlined:
    """What became of a model's calls.

    Attributes
    ----------
    notes : list of Note
    kept : dict of str -> str
        Operators that stay calls, and why; those that have a layer are none of them.
    nodes, bytes : int
        What bodies have come to so far.
    """

    notes: list[Note] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    nodes: int = 0
    bytes: int = 0

    def add(self, body: Sequence[onnx.NodeProto]) -> bool:
        """Count a body; whether there is room for it."""
        self.nodes += 1 + len(body)
        self.bytes += sum(node.ByteSize() for node in body)
        return self.nodes <= MOST_NODES and self.bytes <= MOST_BYTES


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
    bodies = Bodies(proto, has_layer, done.kept)
    if not any(bodies.of(node) is not None for node in proto.graph.node):
        return False
    names, opsets, imported = Names(proto), _opsets(proto), set[str]()
    nodes: list[onnx.NodeProto] = []
    changed = False
    # Of every node the call in the graph that it comes from: a list as a stack, for calls nest.
    waiting = [(node, "", 0) for node in reversed(proto.graph.node)]
    origins: dict[str, tuple[str, str, list[str]]] = {}
    while waiting:
        node, origin, depth = waiting.pop()
        function = bodies.of(node)
        if function is None:
            nodes.append(node)
            if origin:
                origins[origin][2].append(name_of_call(node))
            continue
        made = _body(function, node, names)
        changed, origin = True, origin or name_of_call(node)
        origins.setdefault(origin, (operator_of(node), _became(function, opsets), []))
        waiting += [(one, origin, depth + 1) for one in reversed(made)]
        imported.update(opsets_of(function.opset_import))
        if depth >= DEEPEST:
            raise ModelError(
                f"{title}: its functions call each other more than {DEEPEST} deep; onnxruntime runs no such "
                "file"
            )
        if not done.add(made):
            raise ModelError(
                f"{title}: the bodies of its functions come to more than {MOST_NODES:,} nodes or "
                f"{MOST_BYTES >> 30} GiB where they are called; {called(node)} is one of them"
            )
    for origin, (operator, became, members) in origins.items():
        done.notes.append(Note("functions", tuple(members), (operator,), origin, became=became))
    if changed:
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        there = opsets_of(proto.opset_import)
        for domain in imported - there.keys():
            proto.opset_import.add(domain=domain, version=opsets.get(domain, OPSET))
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


def _body(function: onnx.FunctionProto, node: onnx.NodeProto, names: Names) -> list[onnx.NodeProto]:
    """What a call comes to."""
    given = {attribute.name: attribute for attribute in function.attribute_proto}
    given |= {attribute.name: attribute for attribute in node.attribute}
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

    for name in (name for one in function.node for name in one.output if name):
        if name not in named:
            named[name] = results.get(name) or fresh(name)
    return [*(moved(one, named, fresh, given) for one in function.node), *made]


def _became(function: onnx.FunctionProto, opsets: Mapping[str, int]) -> str:
    """What to call a body in the note."""
    theirs, ours = opsets_of(function.opset_import).get("", 0), opsets.get("", 0)
    another = function.domain and theirs != ours and theirs
    return f"its body, in the model's opset {ours} and not its own {theirs}" if another else "its body"


def _opsets(proto: onnx.ModelProto) -> dict[str, int]:
    """The model's; of what it does not import itself, the newest that one of its functions does."""
    found: dict[str, int] = {}
    for function in proto.functions:
        for domain, version in opsets_of(function.opset_import).items():
            found[domain] = max(version, found.get(domain, version))
    return found | opsets_of(proto.opset_import)
