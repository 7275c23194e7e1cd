"""The line that an activation is between 0 and x, held as if it were its map."""

from __future__ import annotations

import numpy as np

from ..tensor import Equal, Value, Where, finite
from .base import Bound, Layer
from .kinds import SCALE
from .parameters import Parameters


class Chord(Layer):
    """z = g·x + f(0), g = (f(x) − f(0)) / x held constant: of x·Φ(x), the gate Φ(x)."""

    kind = SCALE

    def __init__(self, activation: Layer) -> None:
        self.node, self.inputs, self.output = activation.node, activation.inputs, activation.output
        self.operands, self.place = {}, activation.place
        self.signed, self.nonnegative, self.has_constants = True, False, False
        self.is_decided = False

    def forward(self, x: Value, p: Parameters) -> Value:
        z = x * p["w"]
        return z + p["b"] if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * at.p["w"]

    def bias(self, at: Bound) -> Value:
        return at.p.get("b")


def chord(at: Bound, slope: Value) -> Bound:
    """An activation's chord at x; `slope` is f'(x), which it is where x is 0.

    An f without a value at 0, such as 1/x, is taken to be 0 there.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        start = finite(at.forward(at.x * 0))
    is_zero = Equal(at.x, 0)
    ratio = (at(at.x) - start) / Where(is_zero, at.x.dtype.type(1), at.x)
    gate = Where(is_zero, slope, ratio)
    return Chord(at.layer).bind(at.x, at.z, {"w": gate, "b": start})
