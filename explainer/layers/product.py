"""Products of two activations: neither factor is a weight."""

from __future__ import annotations

import numpy as np

from ..tensor import Bundle, Squeeze, Transpose, Unsqueeze, Value, sum_to
from .base import Bound, Layer, Parameters
from .kinds import PRODUCT


class Product(Layer):
    """z = a ∘ b, both of them computed from the input; the same tensor twice is a square.

    a·∂z/∂a and b·∂z/∂b are z each: together 2·z (Euler), which is what a rule has to divide.
    """

    kind = PRODUCT
    degree = 2


class ElementwiseProduct(Product):
    """a·b, either of them spread over the other."""

    def forward(self, x: Value, p: Parameters) -> Value:
        a, b = x
        return a * b

    def transpose(self, s: Value, at: Bound) -> Value:
        a, b = at.x
        return Bundle((sum_to(s * b, a.shape), sum_to(s * a, b.shape)))


class MatrixProduct(Product):
    """a·b, matrices in their last two axes, the axes before them spread; a vector is a row or a column."""

    def forward(self, x: Value, p: Parameters) -> Value:
        a, b = x
        return a @ b

    def transpose(self, s: Value, at: Bound) -> Value:
        a, b = at.x
        # A vector is a matrix whose other axis is not in z.
        if b.ndim == 1:
            s = Unsqueeze(s, np.array([s.ndim]))
        if a.ndim == 1:
            s = Unsqueeze(s, np.array([s.ndim - 1]))
        rows = a if a.ndim > 1 else Unsqueeze(a, np.array([0]))
        columns = b if b.ndim > 1 else Unsqueeze(b, np.array([1]))
        c = sum_to(s @ _turned(columns), rows.shape), sum_to(_turned(rows) @ s, columns.shape)
        return Bundle(
            part if factor.ndim > 1 else Squeeze(part, np.array([axis]))
            for part, factor, axis in zip(c, (a, b), (0, 1), strict=True)
        )


def _turned(x: Value) -> Value:
    """The matrices in the last two axes, transposed."""
    return Transpose(x, perm=[*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])
