"""The types that a QuantizeLinear rounds to, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from ..errors import UnsupportedError
from ..tensor import Abs, Floor, Log, Max, Pow, Value
from .graph import Graph
from .node import Node
from .types import Types

# Of these onnxruntime hands no values to Python.
UNTOLD = frozenset(
    getattr(TensorProto, name)
    for name in (
        *("INT4", "UINT4", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"),
        *("INT2", "UINT2", "FLOAT4E2M1"),
    )
    if hasattr(TensorProto, name)
)


def quantised_type(node: Node, graph: Graph) -> int:
    """The type of what a QuantizeLinear makes, 0 where the file does not tell."""
    zero, told = node.operand(2), node.attributes.get("output_dtype", 0)
    if not zero:
        return int(told) or TensorProto.UINT8
    if graph.is_constant(zero):
        return int(onnx.helper.np_dtype_to_tensor_dtype(graph.constant(zero).dtype))
    return int(told) or Types(graph.source.proto).kind(zero)


@dataclass(frozen=True)
class Numbers:
    """The numbers of a type that values are rounded to.

    Attributes
    ----------
    ends : (float, float)
        The least and the largest.
    last : float
        How far these are from their neighbours.
    digits, least : int or None
        Of a floating type: the binary digits behind the first one, and the exponent from which on there are
        fewer.
    """

    ends: tuple[float, float]
    last: float = 1.0
    digits: int | None = None
    least: int = 0

    def step(self, q: Value) -> Value | float:
        """How far numbers are from each other around q."""
        if self.digits is None:
            return 1.0
        size = Max(Abs(q), np.asarray(2.0**self.least, q.dtype))
        return Pow(np.asarray(2.0, q.dtype), Floor(Log(size) / float(np.log(2))) - self.digits)


def _whole(bits: int, signed: bool) -> Numbers:
    return Numbers((-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1))


def _floating(largest: float, digits: int, least: int) -> Numbers:
    return Numbers((-largest, largest), 2.0 ** (int(np.log2(largest)) - digits), digits, least)


NUMBERS: dict[int, Numbers] = {
    TensorProto.UINT4: _whole(4, signed=False),
    TensorProto.INT4: _whole(4, signed=True),
    TensorProto.UINT8: _whole(8, signed=False),
    TensorProto.INT8: _whole(8, signed=True),
    TensorProto.UINT16: _whole(16, signed=False),
    TensorProto.INT16: _whole(16, signed=True),
    TensorProto.FLOAT8E4M3FN: _floating(448, 3, -6),
    TensorProto.FLOAT8E4M3FNUZ: _floating(240, 3, -7),
    TensorProto.FLOAT8E5M2: _floating(57344, 2, -14),
    TensorProto.FLOAT8E5M2FNUZ: _floating(57344, 2, -15),
}


def numbers_of(node: Node, graph: Graph) -> Numbers:
    """The numbers that a QuantizeLinear rounds to.

    Raises
    ------
    UnsupportedError
        The file does not tell, or they are others; the message is the reason alone.
    """
    kind = quantised_type(node, graph)
    if kind not in NUMBERS:
        raise UnsupportedError(
            f"its numbers are {TensorProto.DataType.Name(kind).lower()}"
            if kind
            else "the file does not tell "
            f"the type of its zero point {node.operand(2)!r}; give the node an output_dtype"
        )
    return NUMBERS[kind]
