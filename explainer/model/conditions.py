"""What is known of the conditions of Ifs before anything is run: what they are, or what they depend on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import ModelError
from ..tensor import Array
from .constants import computed
from .node import input_of
from .open_sizes import known_by_sizes
from .operators import known
from .reading import Source
from .runtime import Runtime
from .scopes import captured_names, graphs_of
from .tensors import name_of

# Bytes of the zeros that a condition may be run at.
LARGEST = 1 << 28
# The sizes of what these make are told by the values of all that they read, or by chance.
MAKING = frozenset(
    {
        *("BlackmanWindow", "Compress", "ConcatFromSequence", "ConstantOfShape", "HammingWindow"),
        *("HannWindow", "If", "ImageDecoder", "Loop", "MelWeightMatrix", "NonMaxSuppression", "NonZero"),
        *("Optional", "OptionalGetElement", "Range", "Scan", "SequenceAt", "SequenceConstruct"),
        *("SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceMap", "SplitToSequence"),
        *("StringNormalizer", "StringSplit", "TfIdfVectorizer", "Unique"),
    }
)
# Those of these by the values of all operands but the first.
SIZING = frozenset(
    {
        *("AffineGrid", "CenterCropPad", "Col2Im", "DFT", "Expand", "MaxUnpool", "OneHot", "Pad"),
        *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"),
        *("ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Reshape", "Resize", "STFT", "Slice"),
        *("Split", "Squeeze", "Tile", "TopK", "Unsqueeze", "Upsample"),
    }
)


def known_conditions(source: Source, names: Iterable[str], runtime: Runtime) -> dict[str, bool]:
    """Of some conditions those that are the same in every run, and what they are.

    Parameters
    ----------
    source : Source
        Its nodes in the order that they run.
    names : iterable of str
        Tensors of its graph.
    runtime : Runtime
        What computes them.

    Returns
    -------
    dict of tensor name -> bool
    """
    graph, wanted = source.proto.graph, list(dict.fromkeys(names))
    sizes = known_by_sizes(source.proto, wanted)
    held = {name_of(tensor): tensor for tensor in (*graph.initializer, *graph.sparse_initializer)}
    fixed = {*held, *sizes}
    for node in graph.node:
        reads = {name for name in (*node.input, *captured_names(node)) if name}
        if fixed.issuperset(reads) and not _is_random(node):
            fixed.update(filter(None, node.output))
    decided: dict[str, bool] = {}

    def stored(name: str) -> Array:
        return sizes[name] if name in sizes else source.value(name, held[name])

    for name in wanted:
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
    sizes = {name: [size or 1 for size in one.shape or ()] for name, one in shapes.items()}
    if sum(math.prod(size) * shapes[name].dtype.itemsize for name, size in sizes.items()) > LARGEST:
        raise ModelError(f"{condition!r} depends on tensors that are too large to run it")
    zeros = {name: np.zeros(size, shapes[name].dtype) for name, size in sizes.items()}
    held = {name_of(tensor): tensor for tensor in source.proto.graph.initializer}

    def stored(name: str) -> Array:
        return source.value(name, held[name])

    part = onnx.ModelProto()
    part.CopyFrom(source.proto)
    part.graph.initializer.extend(numpy_helper.from_array(zero, name) for name, zero in zeros.items())
    return computed(replace(source, proto=part), condition, (), {}, stored, runtime)[condition]


def _sizing(node: onnx.NodeProto, is_onnx: bool, reads: list[str], strict: bool) -> list[str]:
    """What of all that a node reads counts by its size alone for the sizes of what it makes."""
    if is_onnx and node.op_type == "If" and not strict:
        return [name for name in reads if name not in node.input]
    if not is_onnx or node.op_type in MAKING:
        return []
    return list(node.input[:1]) if node.op_type in SIZING else reads


def _is_random(node: onnx.NodeProto) -> bool:
    """Whether a node, or one in its subgraphs, makes another output in every run."""
    return any(
        known(one.op_type).random for graph in graphs_of(onnx.GraphProto(node=[node])) for one in graph.node
    )
