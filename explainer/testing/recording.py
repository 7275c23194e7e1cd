"""A formula over primitives recorded on symbols, as a model that onnxruntime runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..compiler.writing import node_of
from ..model.session import Session
from ..tensor import Array, Recorder, Symbol
from .comparing import relative, require

OPSET, IR_VERSION = 21, 10


def recorded(
    values: Sequence[Any], body: Callable[..., Any]
) -> tuple[Recorder, tuple[Symbol, ...], list[Array]]:
    """`body` on symbols for the float arrays among `values`, built into a model and run.

    Returns
    -------
    recorder : Recorder
        What was recorded.
    outputs : tuple of Symbol
        What the body returned.
    theirs : list of array
        What onnxruntime made of it.
    """
    recorder = Recorder("lrp")
    symbols: list[Any] = []
    feeds: dict[str, Array] = {}
    for index, value in enumerate(values):
        if isinstance(value, np.ndarray) and value.dtype != np.int64:
            feeds[f"x{index}"] = value
            symbols.append(Symbol(recorder, f"x{index}", value))
        else:
            symbols.append(value)
    outputs = body(*symbols)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    graph = helper.make_graph(
        [node_of(entry) for entry in recorder.nodes],
        "recorded",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in feeds.items()
        ],
        [helper.make_empty_tensor_value_info(output.name) for output in outputs],
        [numpy_helper.from_array(value, name) for name, value in recorder.constants.items()],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    names = [output.name for output in outputs]
    found = Session(model.SerializeToString(), names, title="what was recorded").run(feeds)
    return recorder, outputs, [found[name] for name in names]


def check_recording(
    values: Sequence[Any], body: Callable[..., Any], *, nodes: int | None = None, tolerance: float = 2e-6
) -> None:
    """What a body of primitives gives on arrays, onnxruntime gives for what it records on symbols.

    Parameters
    ----------
    values : sequence
        Arguments of `body`; arrays become symbols, but for arrays of int64 (axes and sizes).
    body : callable
        Returns a value, or a tuple of them.
    nodes : int, optional
        How many nodes it may take, no more and no fewer.
    tolerance : float
        Of the largest difference, relative to the largest value.

    Raises
    ------
    AssertionError
    """
    eager = body(*values)
    eager = eager if isinstance(eager, tuple) else (eager,)
    recorder, outputs, theirs = recorded(values, body)
    count = len(recorder.nodes)
    require(nodes is None or count == nodes, f"it records {count} nodes, not {nodes}: {recorder.nodes}")
    for place, (ours, symbol, their) in enumerate(zip(eager, outputs, theirs, strict=True)):
        types = (ours.dtype, symbol.dtype, their.dtype)
        require(len(set(types)) == 1, f"output {place} is {types[0]} on arrays, {types[1:]} recorded")
        np.testing.assert_array_equal(ours, symbol.value)
        if their.dtype.kind == "f":
            gap = relative(ours, their)
            require(
                gap < tolerance, f"output {place}: onnxruntime's differs by {gap:.2g} of the largest value"
            )
        else:
            np.testing.assert_array_equal(ours, their)
