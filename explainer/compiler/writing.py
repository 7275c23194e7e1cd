"""From what was recorded to a model file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from ..model.scopes import graphs_of
from ..tensor import Array, Recorder, Symbol
from .choices import Choice
from .examples import Examples


def written(
    proto: onnx.ModelProto,
    recorder: Recorder,
    results: Mapping[str, Symbol],
    choices: Sequence[Choice],
    examples: Examples,
    outputs: Mapping[str, Array],
    samples: int,
) -> onnx.ModelProto:
    """The model with the recorded nodes behind its own.

    Parameters
    ----------
    proto : onnx.ModelProto
    recorder : Recorder
    results : dict of output name -> Symbol
        The outputs that are added.
    choices : sequence of Choice
        The inputs that are added.
    examples : Examples
    outputs : dict of name -> array
        An example of each of the model's own outputs.
    samples : int
        Of the example; where its inputs hold none, what else their first axis holds.
    """
    emitted = onnx.ModelProto()
    emitted.CopyFrom(proto)
    emitted.graph.node.extend(map(node_of, recorder.nodes))
    emitted.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in recorder.constants.items())
    for choice in choices:
        default = np.array([choice.default], dtype=np.int64)
        emitted.graph.initializer.append(numpy_helper.from_array(default, choice.name))
        emitted.graph.input.append(
            onnx.helper.make_tensor_value_info(choice.name, onnx.TensorProto.INT64, [f"{choice.name}s"])
        )
    batch = _batch_name(proto) if examples.is_dynamic else samples
    for name, symbol in results.items():
        with recorder.scoped("end"):
            ends = onnx.helper.make_node("Identity", [symbol.name], [name], recorder.fresh(name))
        emitted.graph.node.append(ends)
        emitted.graph.output.append(_value_info(name, symbol.value, samples, batch))
    for value in emitted.graph.input:
        _fix_sizes(
            value,
            {v.name: examples.shape(v, samples) for v in examples.inputs}.get(value.name),
            examples.batch is not None,
        )
    # Sizes inferred for a dynamic image no longer hold.
    del emitted.graph.value_info[:]
    for value in emitted.graph.output:
        is_tensor = value.type.WhichOneof("value") in ("tensor_type", None)
        if is_tensor and isinstance(outputs.get(value.name), np.ndarray):
            _settle(value, outputs[value.name], samples, batch)
    return emitted


def node_of(entry: Any) -> onnx.NodeProto:
    """What a Recorder holds, a copied node or (operator, inputs, outputs, attributes), as a node."""
    if isinstance(entry, onnx.NodeProto):
        return entry
    operator, inputs, outputs, attributes = entry
    plain = {
        key: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in attributes.items()
    }
    return onnx.helper.make_node(operator, inputs, outputs, name=outputs[0], **plain)


def names_of(graph: onnx.GraphProto) -> set[str]:
    """Every name that a file uses for a tensor, in subgraphs too."""
    names: set[str] = set()
    for inner in graphs_of(graph):
        names.update(value.name for value in (*inner.input, *inner.initializer))
        names.update(name for node in inner.node for name in (*node.input, *node.output))
    return names


def unused_prefix(names: Collection[str]) -> str:
    """A prefix that no name has."""
    prefix = "lrp"
    while any(name.startswith(prefix + "/") for name in names):
        prefix += "_"
    return prefix


def _batch_name(proto: onnx.ModelProto) -> str:
    """What the file calls its dynamic batch."""
    shapes = (value.type.tensor_type.shape.dim for value in proto.graph.input)
    names = [shape[0].dim_param for shape in shapes if shape]
    return next(filter(None, names), "N")


def _value_info(name: str, example: Array, samples: int, batch: str | int) -> onnx.ValueInfoProto:
    """A tensor like `example`, its batch called `batch`."""
    shape = [batch if axis == 0 and size == samples else size for axis, size in enumerate(example.shape)]
    return onnx.helper.make_tensor_value_info(
        name, onnx.helper.np_dtype_to_tensor_dtype(example.dtype), shape
    )


def _settle(value: onnx.ValueInfoProto, example: Array, samples: int, batch: str | int) -> None:
    """Declare of an output what it is where nothing or something else is: onnxruntime believes it."""
    found = _value_info(value.name, example, samples, batch)
    declared, real = (there.type.tensor_type.shape.dim for there in (value, found))
    if not value.type.tensor_type.HasField("shape") or len(declared) != len(real):
        value.CopyFrom(found)
        return
    for here, there, size in zip(declared, real, example.shape, strict=True):
        if here.dim_value and (here.dim_value != size or there.dim_param):
            here.CopyFrom(there)


def _fix_sizes(value: onnx.ValueInfoProto, shape: tuple[int, ...] | None, batch: bool) -> None:
    for axis, dimension in enumerate(value.type.tensor_type.shape.dim if shape else ()):
        if (axis or batch) and not dimension.dim_value:
            assert shape is not None
            dimension.Clear()
            dimension.dim_value = shape[axis]
