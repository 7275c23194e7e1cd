"""The explanation compiled into the model file: the same walk, run on symbols."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from . import composites
from .backward import backward
from .composites import CompositeLike, RulesLike
from .errors import InputError, ModelError
from .files import write_whole
from .graph import Graph, ModelLike
from .plan import Plan, make_plan
from .preprocess import defaults_from, of_metadata
from .proof import Examples, prove
from .runner import Runner
from .targets import Index, TargetLike, check_start, choose, labels_of, put_relevance, resolve_target
from .tensor import FLOAT32, Array, Cast, Recorder, Symbol, Value

# ScatterElements adds up, as the transpose of overlapping max pooling must, since opset 16.
OPSET = 16
IR_VERSION = 8


def compile(
    model: ModelLike,
    path: str | os.PathLike[str] | None = None,
    *,
    composite: CompositeLike = "epsilon",
    rules: RulesLike = (),
    dialect: str | None = None,
    eps: float | None = None,
    target: TargetLike | None = None,
    start: str = "output",
    keep: Collection[str] | str = (),
    image_size: int | tuple[int, int] | None = None,
) -> onnx.ModelProto:
    """Emit an ONNX file that returns its original outputs and their relevance.

    The batch stays dynamic where the model's is; spatial sizes are fixed. The result is checked by
    onnx.checker, and by running it: its outputs are the original's, its relevance NumPy's.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
    path : path, optional
        Where to write it, whole or not at all.
    composite, rules, dialect, eps, keep
        See `Explainer`.
    target, start
        See `explain`; None is "top": each sample's largest output.
    image_size : int or (height, width), optional
        For a model whose spatial size is dynamic; its preprocessing's size by default.

    Returns
    -------
    onnx.ModelProto
        With the further outputs ``relevance`` (``relevance/NAME`` for each input of a model that
        has several) and ``relevance/NAME`` for each kept tensor.

    Raises
    ------
    UnsupportedError, TargetError, ModelError, InputError, OutputError
    """
    original = Graph.load(model)
    where, index = resolve_target(original, "top" if target is None else target, labels_of(original))
    check_start(start, index)
    if isinstance(index, np.ndarray):
        raise InputError("compile: one target for all samples; an array of indices has no place in a file")
    bounds = defaults_from(lambda: of_metadata(original.metadata))
    chosen = composites.get(composite, rules=rules, dialect=dialect, eps=eps, defaults=bounds)
    make_plan(original, chosen, where, keep)  # complaints first, in the names of the file as given
    proto = raised(original)
    graph = Graph.load(proto)
    graph = graph.having(source=replace(graph.source, title=original.title))
    # A converter may insert nodes before the output: the target is looked up anew.
    where, index = resolve_target(graph, "top" if target is None else target, labels_of(graph))
    plan = make_plan(graph, chosen, where, keep)
    _refuse_taken_names(plan)
    examples = Examples.of(graph, image_size)
    proto.CopyFrom(_emit(proto, plan, index, start, examples))
    _declare(proto, plan, composite, target, start)
    prove(proto, original, plan, output_names(plan), index, start, examples)
    if path is not None:
        with write_whole(Path(path)) as file:
            file.write(proto.SerializeToString())
    return proto


def raised(graph: Graph) -> onnx.ModelProto:
    """The model with its weights inside, in an opset that can express the walk.

    Raises
    ------
    ModelError
        The converter fails, or the converted model's outputs differ.
    """
    proto: onnx.ModelProto = onnx.ModelProto.FromString(graph.source.data)
    for tensor in proto.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(numpy_helper.from_array(graph.constant(tensor.name), tensor.name))
    if graph.opset < OPSET:
        proto = _converted(proto, graph)
    # Before IR 4 every initializer was an input too: a constant could not be told from a default.
    proto.ir_version = max(proto.ir_version, IR_VERSION)
    inputs = [value for value in proto.graph.input if value.name not in graph.initializers]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    return proto


def _converted(proto: onnx.ModelProto, graph: Graph) -> onnx.ModelProto:
    from onnx import version_converter

    try:
        return version_converter.convert_version(proto, OPSET)
    except Exception as error:  # the converter raises whatever its C++ side does
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{graph.title}: compiling needs opset {OPSET}, and onnx.version_converter cannot raise "
            f"this model from {graph.opset}: {reason[:300]}"
        ) from error


class _Symbols(dict[str, Value]):
    """Tensor name -> Symbol, constants made when they are asked for.

    Whole numbers (axes, sizes) stay arrays: they shape the graph instead of flowing through it.
    """

    def __init__(self, recorder: Recorder, graph: Graph, activations: Mapping[str, Array]) -> None:
        super().__init__()
        self.recorder, self.graph = recorder, graph
        for name, value in activations.items():
            # Inputs may be whole numbers themselves (pixels).
            flows = value.dtype.kind == "f" or name in graph.carrying
            self[name] = self._floating(name, value) if flows else value

    def __missing__(self, name: str) -> Value:
        value = self.graph.constant(name)
        self[name] = self._floating(name, value) if value.dtype.kind == "f" else value
        return self[name]

    def _floating(self, name: str, value: Array) -> Value:
        symbol = Symbol(self.recorder, name, value)
        return symbol if value.dtype == np.float32 else Cast(symbol, to=FLOAT32)


def _emit(proto: onnx.ModelProto, plan: Plan, index: Index, how: str, examples: Examples) -> onnx.ModelProto:
    """The model with the walk's nodes behind its own."""
    feeds = examples.feeds(2)
    samples = next(iter(feeds.values())).shape[0]
    runner = Runner(plan, np.dtype(np.float32))
    activations = {**runner.session.run(feeds), **feeds}
    recorder = Recorder(_unused_prefix(plan.graph))
    symbols = _Symbols(recorder, plan.graph, activations)
    R = put_relevance(plan.start, choose(plan.start, index, symbols, samples), how, symbols, samples)
    relevance = backward(plan, symbols, R, lambda step: step.layer.prepare(symbols))

    emitted = onnx.ModelProto()
    emitted.CopyFrom(proto)
    for operator, inputs, outputs, attributes in recorder.nodes:
        emitted.graph.node.append(_node(operator, inputs, outputs, attributes))
    emitted.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in recorder.constants.items())
    batch = _batch_name(proto) if examples.is_dynamic else samples
    for name, tensor in output_names(plan).items():
        symbol = relevance[tensor]
        emitted.graph.node.append(onnx.helper.make_node("Identity", [symbol.name], [name], f"to {name}"))
        emitted.graph.output.append(_value_info(name, symbol.value, samples, batch))
    for value in emitted.graph.input:
        _fix_sizes(value, {v.name: examples.shape(v, samples) for v in examples.inputs}.get(value.name))
    # Sizes inferred for a dynamic image no longer hold.
    del emitted.graph.value_info[:]
    for value in emitted.graph.output:
        if not value.type.tensor_type.HasField("shape") and isinstance(activations[value.name], np.ndarray):
            value.CopyFrom(_value_info(value.name, activations[value.name], samples, batch))
    return emitted


def _refuse_taken_names(plan: Plan) -> None:
    """Say what onnx.checker would only call a violated single assignment."""
    taken = set(output_names(plan)) & {name for node in plan.graph.nodes for name in node.outputs}
    if taken:
        raise ModelError(
            f"{plan.graph.title}: it has tensors called {', '.join(map(repr, sorted(taken)))} already; "
            "was it compiled before? Compile the original"
        )


def _batch_name(proto: onnx.ModelProto) -> str:
    """What the file calls its dynamic batch."""
    names = [value.type.tensor_type.shape.dim[0].dim_param for value in proto.graph.input]
    return next(filter(None, names), "N")


def _value_info(name: str, example: Array, samples: int, batch: str | int) -> onnx.ValueInfoProto:
    """A tensor like `example`, its batch called `batch`."""
    shape = [batch if axis == 0 and size == samples else size for axis, size in enumerate(example.shape)]
    return onnx.helper.make_tensor_value_info(
        name, onnx.helper.np_dtype_to_tensor_dtype(example.dtype), shape
    )


def output_names(plan: Plan) -> dict[str, str]:
    """The emitted outputs: their name -> the tensor whose relevance they hold."""
    single = len(plan.sources) == 1
    names = {"relevance" if single else f"relevance/{name}": name for name in plan.sources}
    return names | {f"relevance/{name}": tensor for name, tensor in plan.keep.items()}


def _unused_prefix(graph: Graph) -> str:
    names = {name for node in graph.nodes for name in (*node.inputs, *node.outputs)} | set(graph.initializers)
    prefix = "lrp"
    while any(name.startswith(prefix + "/") for name in names):
        prefix += "_"
    return prefix


def _node(operator: str, inputs: list[str], outputs: list[str], attributes: dict[str, Any]) -> onnx.NodeProto:
    plain = {
        key: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in attributes.items()
    }
    return onnx.helper.make_node(operator, inputs, outputs, name=outputs[0], **plain)


def _fix_sizes(value: onnx.ValueInfoProto, shape: tuple[int, ...] | None) -> None:
    for axis, dimension in enumerate(value.type.tensor_type.shape.dim if shape else ()):
        if axis and not dimension.dim_value:
            assert shape is not None
            dimension.Clear()
            dimension.dim_value = shape[axis]


def _declare(
    proto: onnx.ModelProto, plan: Plan, composite: CompositeLike, target: TargetLike | None, start: str
) -> None:
    """Say in the file what was compiled into it."""
    facts = {
        "composite": str(composite),
        "target": str(target or "top"),
        "start": start,
        "from": str(plan.start),
    }
    entry = proto.metadata_props.add()
    entry.key, entry.value = "onnx_lrp", json.dumps(facts)
