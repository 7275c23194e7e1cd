"""The explanation compiled into the model file: the same walk, run on symbols."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import numpy_helper

from . import composites
from .backward import backward
from .choices import Choice, choices_of, given, names_samples
from .composites import CompositeLike, RulesLike
from .errors import InputError, ModelError
from .files import write_whole
from .graph import Graph, ModelLike
from .plan import Plan, make_plan
from .preprocess import defaults_from, of_metadata
from .proof import Examples, prove
from .runner import Runner
from .targets import Target, TargetLike, choose, finish, labels_of, put_relevance, resolve_target, seed
from .tensor import FLOAT32, Array, Cast, Recorder, Symbol, Value

Choices: TypeAlias = "tuple[Choice, ...]"

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
    against: TargetLike | None = None,
    keep: Collection[str] | str = (),
    image_size: int | tuple[int, int] | None = None,
) -> onnx.ModelProto:
    """Emit an ONNX file that returns its original outputs and their relevance.

    A target that is an index becomes an input of the file, ``target``, which may be left out: whole
    numbers, one or one per sample; what was compiled is the default, and a negative number is each
    sample's largest output. A margin's other side is the input ``against`` likewise; a negative
    number is the best other class.

    The batch stays dynamic where the model's is; spatial sizes are fixed. The result is checked by
    onnx.checker, and by running it: its outputs are the original's, its relevance NumPy's.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
    path : path, optional
        Where to write it, whole or not at all.
    composite, rules, dialect, eps, keep
        See `Explainer`.
    target, start, against
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
    asked: dict[str, Any] = {"target": "top" if target is None else target, "how": start, "against": against}
    goal = resolve_target(original, labels=labels_of(original), **asked)
    if isinstance(goal.index, np.ndarray) or isinstance(goal.against, np.ndarray):
        raise InputError(
            "compile: one target for all samples; several are the compiled file's own input 'target'"
        )
    bounds = defaults_from(lambda: of_metadata(original.metadata))
    chosen = composites.get(composite, rules=rules, dialect=dialect, eps=eps, defaults=bounds)
    make_plan(original, chosen, goal.where, keep)  # complaints first, in the names of the file as given
    proto = raised(original)
    graph = Graph.load(proto)
    graph = graph.having(source=replace(graph.source, title=original.title))
    # A converter may insert nodes before the output: the target is looked up anew.
    goal = resolve_target(graph, labels=labels_of(graph), **asked)
    plan = make_plan(graph, chosen, goal.where, keep)
    _refuse_taken_names(plan)
    examples = Examples.of(graph, image_size)
    emitted, choices = _emit(proto, plan, goal, examples)
    proto.CopyFrom(emitted)
    _declare(proto, composite, asked, goal, choices)
    prove(proto, original, plan, output_names(plan), goal, examples, choices)
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


def _emit(
    proto: onnx.ModelProto, plan: Plan, target: Target, examples: Examples
) -> tuple[onnx.ModelProto, Choices]:
    """The model with the walk's nodes behind its own, and the inputs that choose its target."""
    feeds = examples.feeds(2)
    samples = next(iter(feeds.values())).shape[0]
    runner = Runner(plan, np.dtype(np.float32))
    activations = {**runner.session.run(feeds), **feeds}
    recorder = Recorder(_unused_prefix(plan.graph))
    symbols = _Symbols(recorder, plan.graph, activations)
    found = choose(target, activations, samples)
    if examples.is_dynamic and names_samples(found):
        raise InputError(f"compile: {target} names samples, and the file's batch is free")
    choices = choices_of(target, found, _names(plan.graph))
    target = given(target, choices, recorder)
    begin = seed if plan.gradient else put_relevance
    R = begin(target, choose(target, symbols, samples), symbols, samples)
    relevance = backward(plan, symbols, R, lambda step: step.layer.prepare(symbols))
    relevance = {name: finish(target, symbol) for name, symbol in relevance.items()}

    emitted = onnx.ModelProto()
    emitted.CopyFrom(proto)
    for operator, inputs, outputs, attributes in recorder.nodes:
        emitted.graph.node.append(_node(operator, inputs, outputs, attributes))
    emitted.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in recorder.constants.items())
    for choice in choices:
        default = np.array([choice.default], dtype=np.int64)
        emitted.graph.initializer.append(numpy_helper.from_array(default, choice.name))
        emitted.graph.input.append(
            onnx.helper.make_tensor_value_info(choice.name, onnx.TensorProto.INT64, [f"{choice.name}s"])
        )
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
    return emitted, choices


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


def _names(graph: Graph) -> set[str]:
    """Every name that the file uses for a tensor."""
    given = {value.name for value in graph.inputs} | set(graph.initializers)
    return given | {name for node in graph.nodes for name in (*node.inputs, *node.outputs)}


def _unused_prefix(graph: Graph) -> str:
    prefix = "lrp"
    while any(name.startswith(prefix + "/") for name in _names(graph)):
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
    proto: onnx.ModelProto, composite: CompositeLike, asked: Mapping[str, Any], goal: Target, choices: Choices
) -> None:
    """Say in the file what was compiled into it."""
    facts = {
        "composite": str(composite),
        "target": str(asked["target"]),
        "start": goal.how,
        "from": str(goal.where),
        "inputs": {choice.name: choice.default for choice in choices},
    }
    if asked["against"] is not None:
        facts["against"] = str(asked["against"])
    entry = proto.metadata_props.add()
    entry.key, entry.value = "onnx_lrp", json.dumps(facts)
