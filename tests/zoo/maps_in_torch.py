"""Resize and recurrent nets as PyTorch computes them, for a file's own gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import Tensor

from explainer.model.graph import Node

# ONNX has i, o, f, g and z, r, n; PyTorch i, f, g, o and r, z, n.
ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def resized(node: Node, operands: Sequence[Any], shape: Sequence[int]) -> Tensor:
    """A Resize axis by axis: each is a matrix, which onnxruntime itself says of unit vectors, in float32."""
    x, *others = operands
    # The scales, in an operand or before opset 9 an attribute, where sizes are not given.
    scales = None if len(others) == 3 else others[-1] if others else node.attributes["scales"]
    axes = list(node.attributes.get("axes") or range(x.ndim))
    for axis, size in enumerate(shape):
        if size != x.shape[axis]:
            scale = None if scales is None else float(scales[axes.index(axis)])
            matrix = torch.from_numpy(matrix_of(node, x.shape[axis], size, scale)).double()
            x = torch.tensordot(x.movedim(axis, -1), matrix, 1).movedim(-1, axis)
    return x


def matrix_of(node: Node, had: int, size: int, scale: float | None) -> np.ndarray:
    """(input, output) of one axis, the second to last of four."""
    attributes = {name: value for name, value in node.attributes.items() if name not in ("axes", "scales")}
    sizes = {"scales": np.array([1, 1, scale or 1, 1], np.float32)}
    if scale is None:
        sizes = {"scales": np.zeros(0, np.float32), "sizes": np.array([had, 1, size, 1])}
    opset = max(node.opset, 10)  # where an Upsample is a Resize
    operands = {"roi": np.zeros(8, np.float32)} | sizes if opset > 10 else sizes
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", *operands], ["z"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", kind, [had, 1, had, 1])],
        [helper.make_tensor_value_info("z", kind, [had, 1, size, 1])],
        [numpy_helper.from_array(value, name) for name, value in operands.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.eye(had, dtype=np.float32)[:, None, :, None]})[0][:, 0, :, 0]


def recurrent(
    node: Node,
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Any = None,
    h: Tensor | None = None,
    c: Tensor | None = None,
) -> list[Tensor]:
    """PyTorch's own net of the node's weights: its outputs."""
    a, operator, (directions, _, hidden) = node.attributes, node.operator, r.shape
    assert lengths is None or set(lengths) == {len(x)}
    said = [one if isinstance(one, str) else one.decode() for one in a.get("activations") or ()]
    assert said in ([], ACTIVATIONS[operator] * directions)
    assert operator != "GRU" or a["linear_before_reset"]
    assert not a.get("layout") and not a.get("input_forget") and not a.get("clip")
    net = getattr(torch.nn, operator)(x.shape[2], hidden, bidirectional=directions == 2).double()
    b = w.new_zeros(directions, 2 * w.shape[1]) if b is None else b

    def turned(rows: Tensor) -> Tensor:
        return rows.unflatten(0, (-1, hidden))[list(ORDER[operator])].flatten(0, 1)

    with torch.no_grad():
        for place in range(directions):
            wb, rb = b[place].chunk(2)
            parts = {"weight_ih": w[place], "weight_hh": r[place], "bias_ih": wb, "bias_hh": rb}
            for name, rows in parts.items():
                getattr(net, f"{name}_l0{'_reverse' * place}").copy_(turned(rows))
    back = a["direction"] == "reverse"
    state = None if h is None else (h, h.new_zeros(h.shape) if c is None else c) if operator == "LSTM" else h
    y, last = net(x.flip(0) if back else x, state)
    y = (y.flip(0) if back else y).unflatten(2, (directions, hidden)).transpose(1, 2)
    return [y, *(last if isinstance(last, tuple) else (last,))]
