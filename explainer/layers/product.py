"""Products of two activations: neither factor is a weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..model.graph import Graph, Node
from ..tensor import Bundle, Squeeze, Transpose, Unsqueeze, Value, sum_to
from .base import Bound, Layer
from .kinds import PRODUCT
from .parameters import Parameters


class Product(Layer):
    """z = a ∘ b, both of them computed from the input; the same tensor twice is a square.

    a·∂z/∂a and b·∂z/∂b are z each: together 2·z (Euler), which is what a rule has to divide.
    """

    kind = PRODUCT
    degree = 2

    @staticmethod
    def product(a: Value, b: Value) -> Value:
        """a ∘ b."""
        raise NotImplementedError

    @staticmethod
    def toward(place: int, s: Value, factors: Sequence[Value]) -> Value:
        """(∂z/∂factor)ᵀ s of one of the two."""
        raise NotImplementedError

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.product(*x)

    def transpose(self, s: Value, at: Bound) -> Value:
        return Bundle(self.toward(place, s, at.x) for place in (0, 1))


class ElementwiseProduct(Product):
    """a·b, either of them spread over the other."""

    keeps_maps = True
    by_place = True

    @staticmethod
    def product(a: Value, b: Value) -> Value:
        return a * b

    @staticmethod
    def toward(place: int, s: Value, factors: Sequence[Value]) -> Value:
        return sum_to(s * factors[1 - place], factors[place].shape)


class MatrixProduct(Product):
    """a·b, matrices in their last two axes, the axes before them spread; a vector is a row or a column."""

    @staticmethod
    def product(a: Value, b: Value) -> Value:
        return a @ b

    @staticmethod
    def toward(place: int, s: Value, factors: Sequence[Value]) -> Value:
        a, b = factors
        # A vector is a matrix whose other axis is not in z.
        if b.ndim == 1:
            s = Unsqueeze(s, np.array([s.ndim]))
        if a.ndim == 1:
            s = Unsqueeze(s, np.array([s.ndim - 1]))
        if place == 0:
            columns = b if b.ndim > 1 else Unsqueeze(b, np.array([1]))
            rows = sum_to(s @ _turned(columns), a.shape if a.ndim > 1 else (1, *a.shape))
            return rows if a.ndim > 1 else Squeeze(rows, np.array([0]))
        rows = a if a.ndim > 1 else Unsqueeze(a, np.array([0]))
        columns = sum_to(_turned(rows) @ s, b.shape if b.ndim > 1 else (*b.shape, 1))
        return columns if b.ndim > 1 else Squeeze(columns, np.array([1]))


def _turned(x: Value) -> Value:
    """The matrices in the last two axes, transposed."""
    return Transpose(x, perm=[*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


class Gated(Layer):
    """z = x ∘ g, or g ∘ x: x carries the signal, and the gate g is a parameter of this call.

    A squeeze-excite branch, the weights of an attention; `explainer.canonizers.gates` says which. All
    relevance goes to the signal (Arras et al. 2017; CP-LRP, Ali et al. 2022).
    """

    kind = PRODUCT
    whole: ClassVar[type[Product]]

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.gate = node.gate or 0
        self.operands["g"] = node.inputs[self.gate]

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        return (self.node.inputs[1 - (self.node.gate or 0)],)

    @property
    def keeps_maps(self) -> bool:
        return self.whole is ElementwiseProduct

    def factors(self, x: Value, p: Parameters) -> tuple[Value, Value]:
        """The two in their order."""
        return (p["g"], x) if self.gate == 0 else (x, p["g"])

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.whole.product(*self.factors(x, p))

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.whole.toward(1 - self.gate, s, self.factors(at.x, at.p))


class GatedProduct(Gated):
    """x·g, either of them spread over the other."""

    by_place = True  # the gate is a parameter of the call
    whole = ElementwiseProduct


class GatedMatrixProduct(Gated):
    """x·g or g·x, matrices in their last two axes: an attention's weights times its values."""

    whole = MatrixProduct
