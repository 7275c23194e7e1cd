"""An If whose condition is the same in every run: the branch that is taken, put in its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import ModelError
from ..tensor import Array
from .constants import computed
from .node import input_of
from .notes import Note
from .open_sizes import known_by_sizes
from .operators import known
from .reading import Source
from .renaming import Names, moved
from .runtime import Runtime
from .scopes import Scope, captured_names
from .tensors import name_of

# The sizes of what these make are told by the values of all that they read, or by chance.
MAKING = frozenset(
    {
        *(
            "Compress",
            "ConstantOfShape",
            "If",
            "ImageDecoder",
            "Loop",
            "MelWeightMatrix",
            "NonMaxSuppression",
        ),
        *("NonZero", "Optional", "OptionalGetElement", "Range", "Scan", "SequenceAt", "SequenceConstruct"),
        *("SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceMap", "ConcatFromSequence"),
        *("SplitToSequence", "StringSplit", "StringNormalizer", "Unique", "BlackmanWindow", "HammingWindow"),
        *("HannWindow", "TfIdfVectorizer"),
    }
)
# Those of these by the values of all operands but the first.
SIZING = frozenset(
    {
        *("AffineGrid", "CenterCropPad", "Col2Im", "DFT", "Expand", "MaxUnpool", "OneHot", "Pad", "ReduceL1"),
        *(
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceProd",
        ),
        *("ReduceSum", "ReduceSumSquare", "Reshape", "Resize", "STFT", "Slice", "Split", "Squeeze", "Tile"),
        *("TopK", "Unsqueeze", "Upsample"),
    }
)


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
    if not any(is_if(node) for node in graph.node):
        return False
    decided = _conditions(source, runtime)
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


def _conditions(source: Source, runtime: Runtime) -> dict[str, bool]:
    """Of the conditions those that are the same in every run, and what they are."""
    graph = source.proto.graph
    wanted = [node.input[0] for node in graph.node if is_if(node)]
    sizes = known_by_sizes(source.proto, wanted)
    held = {name_of(tensor): tensor for tensor in (*graph.initializer, *graph.sparse_initializer)}
    fixed = {*held, *sizes}
    for node in graph.node:
        reads = {name for name in (*node.input, *captured_names(node)) if name}
        if fixed.issuperset(reads) and not known(node.op_type).random:
            fixed.update(filter(None, node.output))
    decided: dict[str, bool] = {}

    def stored(name: str) -> Array:
        return sizes[name] if name in sizes else source.value(name, held[name])

    for name in dict.fromkeys(wanted):
        try:
            if name in sizes or name in held:
                value = stored(name)
            elif name in fixed:
                value = computed(source, name, (), sizes, stored, runtime)[name]
            else:
                value = _by_running(source, name, runtime)
        except ModelError:  # what cannot be computed stays an If, and has its say where it is explained
            continue
        if value.size == 1:
            decided[name] = bool(value.reshape(()))
    return decided


def _by_running(source: Source, condition: str, runtime: Runtime) -> Array:
    """A condition that depends on sizes alone, all of which the file tells: run at zeros of these sizes.

    Raises
    ------
    ModelError
        It depends on more, or cannot be computed.
    """
    inputs, sized = open_condition(source.proto, condition, strict=True)
    declared = {value.name: value for value in source.proto.graph.input}
    shapes = {name: input_of(declared[name]) for name in sized}
    open_ = [name for name, one in shapes.items() if one.shape is None or None in one.shape]
    if inputs or open_ or not sized or any(one.dtype == object for one in shapes.values()):
        raise ModelError(f"{condition!r} depends on {', '.join((*inputs, *open_)) or 'what is no input'}")
    zeros = {
        name: np.zeros([size or 1 for size in one.shape or ()], one.dtype) for name, one in shapes.items()
    }
    held = {name_of(tensor): tensor for tensor in source.proto.graph.initializer}

    def stored(name: str) -> Array:
        return source.value(name, held[name])

    part = onnx.ModelProto()
    part.CopyFrom(source.proto)
    part.graph.initializer.extend(numpy_helper.from_array(zero, name) for name, zero in zeros.items())
    return computed(replace(source, proto=part), condition, (), {}, stored, runtime)[condition]


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
    nodes = [moved(one, named, names.unused) for one in (*branch.node,)]
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


def open_condition(
    proto: onnx.ModelProto, condition: str, strict: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a condition is computed from that is not the same in every run.

    Parameters
    ----------
    proto : onnx.ModelProto
        Its nodes in the order that they run.
    condition : str
    strict : bool
        Whether the branches of another If count as sizing what they hand out by the values that they read;
        else only its own condition does, as a message tells it.

    Returns
    -------
    inputs : tuple of str
        The inputs whose values it depends on.
    sized : tuple of str
        Those of which it depends on the sizes alone.
    """
    graph = proto.graph
    held = {name_of(tensor) for tensor in graph.initializer}
    given = [value.name for value in graph.input if value.name not in held]
    by_value, by_size = {condition}, set[str]()
    for node in reversed(graph.node):
        reads = [name for name in (*node.input, *captured_names(node)) if name]
        is_onnx = node.domain in ("", "ai.onnx")
        if not by_value.isdisjoint(node.output):
            (by_size if is_onnx and known(node.op_type).shape_alone else by_value).update(reads)
        elif not by_size.isdisjoint(node.output):
            sizes = _sizing(node, is_onnx, reads, strict)
            by_size.update(sizes)
            by_value.update(name for name in reads if name not in sizes)
    return tuple(n for n in given if n in by_value), tuple(n for n in given if n in by_size - by_value)


def _sizing(node: onnx.NodeProto, is_onnx: bool, reads: list[str], strict: bool) -> list[str]:
    """What of all that a node reads counts by its size alone for the sizes of what it makes."""
    if is_onnx and node.op_type == "If" and not strict:
        return [name for name in reads if name not in node.input]
    if not is_onnx or node.op_type in MAKING:
        return []
    return list(node.input[:1]) if node.op_type in SIZING else reads
