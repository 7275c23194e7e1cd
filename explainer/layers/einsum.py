"""Einsum: sums of products by an equation, whatever the operands are, weights or activations."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.equations import DOTS, Equation
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_all
from ..tensor import Bundle, Expand, Shape, Unsqueeze, Value, sum_to
from .base import Bound, Layer, attribute
from .kinds import DENSE, MOVEMENT, PRODUCT, SCALE, SUM, Kind
from .parameters import Parameters
from .registry import register

# The parameter that all constant operands make together, and the one that is a gate.
WEIGHT, GATE = "w", "g"


class Contraction(Layer):
    """z = Σ of the products of all operands, over the letters that the output lacks.

    Constant operands are multiplied into one weight, with the letters that others need. So an equation has
    the activations' operands, and that of the weight last.
    """

    facts = Facts(sign=as_all)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        whole = Equation.of(attribute(node, "equation"))
        if len(whole.operands) != len(node.inputs):
            raise UnsupportedError(f"its equation has {len(whole.operands)} operands, not {len(node.inputs)}")
        places = [place for place, name in enumerate(node.inputs) if name in graph.carrying]
        constants = [place for place in range(len(node.inputs)) if place not in places]
        own = [whole.operands[place] for place in places]
        weights = [whole.operands[place] for place in constants]
        self.operands.update((str(place), node.inputs[place]) for place in constants)
        needed = "".join(dict.fromkeys(letter for operand in weights for letter in operand))
        needed = "".join(letter for letter in needed if letter in (DOTS, *whole.output, *"".join(own)))
        self.weighing = Equation(tuple(weights), needed)
        self.equation = Equation((*own, needed) if constants else tuple(own), whole.output)

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        constants = [values[self.operands[letter]] for letter in self.operands if letter.isdigit()]
        if not constants:
            return {}
        if self.weighing.operands == (self.weighing.output,):
            return {WEIGHT: constants[0]}
        return {WEIGHT: tensor.Einsum(*constants, equation=str(self.weighing))}

    def factors(self, x: Value, p: Parameters) -> list[Value]:
        """The operands of the equation."""
        activations = x if isinstance(x, Bundle) else (x,)
        return [*activations, p[WEIGHT]] if WEIGHT in p else [*activations]

    def implied(self, z: Value, p: Parameters) -> Value:
        """Times the weight that a sum has of itself."""
        return z

    def forward(self, x: Value, p: Parameters) -> Value:
        factors = self.factors(x, p)
        return self.implied(tensor.Einsum(*factors, equation=str(self._spelled(factors))), p)

    def transpose(self, s: Value, at: Bound) -> Value:
        factors, s = self.factors(at.x, at.p), self.implied(s, at.p)
        parts = [self.toward(place, s, factors) for place in self.signals]
        return Bundle(parts) if isinstance(at.x, Bundle) else parts[0]

    @property
    def signals(self) -> Sequence[int]:
        """The operands that activations are."""
        return range(len(self.inputs))

    def _spelled(self, factors: list[Value]) -> Equation:
        said = self.equation.spelled([factor.ndim for factor in factors])
        assert said is not None
        return said

    def toward(self, place: int, s: Value, factors: list[Value]) -> Value:
        """(∂z/∂factor)ᵀ s: the equation with output and factor in each other's place."""
        said, own = self._spelled(factors), factors[place]
        others = [factor for other, factor in enumerate(factors) if other != place]
        letters = [letters for other, letters in enumerate(said.operands) if other != place]
        free = [letter for letter in string.ascii_letters if letter not in str(said)]
        wanted = ""
        for axis, letter in enumerate(said.operands[place]):
            if letter in wanted:  # a diagonal: the second axis by an identity
                others.append(np.eye(own.shape[axis], dtype=s.dtype))
                letters.append(letter + free.pop())
                letter = letters[-1][1]
            wanted += letter
        there = said.output + "".join(letters)
        known = "".join(letter for letter in wanted if letter in there)
        c = tensor.Einsum(s, *others, equation=str(Equation((said.output, *letters), known)))
        missing = [axis for axis, letter in enumerate(wanted) if letter not in there]
        c = Unsqueeze(c, np.array(missing)) if missing else c
        c = sum_to(c, own.shape)
        # Summed over by itself, or with factors of size 1: every place alike.
        return c if c.shape == own.shape else Expand(c, Shape(own))


class EinsumSum(Contraction):
    """One activation, summed along some axes."""

    kind = SUM

    def implied(self, z: Value, p: Parameters) -> Value:
        return z if p.change is None else z * p.implied(z.dtype.type(1))


class EinsumMovement(Contraction):
    """One activation, its axes in another order, or of some the diagonal."""

    kind = MOVEMENT


class EinsumScale(Contraction):
    """One activation, each value times a factor of its own."""

    kind = SCALE


class EinsumProduct(Contraction):
    """Several activations, a weight that is no rule's to change: of degree 2, as a MatMul's, or more."""

    kind = PRODUCT
    measures = frozenset({WEIGHT})

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.degree = len(self.inputs)


class GatedEinsum(Contraction):
    """A signal and a gate, which is a parameter of the call: the weights of an attention and its values."""

    kind = PRODUCT
    measures = frozenset({WEIGHT, GATE})

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        gate = node.gate or 0
        self.degree = len(self.inputs)
        # Its place among the activations.
        self.gate = sum(name in graph.carrying for name in node.inputs[:gate])
        self.operands[GATE] = node.inputs[gate]

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        places = range(len(self.node.inputs))
        return tuple(
            self.node.inputs[place]
            for place in places
            if place != self.node.gate and self.node.inputs[place] in graph.carrying
        )

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {GATE: values[self.operands[GATE]], **super().prepare(values)}

    def factors(self, x: Value, p: Parameters) -> list[Value]:
        others = super().factors(x, p)
        return [*others[: self.gate], p[GATE], *others[self.gate :]]

    @property
    def signals(self) -> Sequence[int]:
        return [place for place in range(len(self.inputs) + 1) if place != self.gate]


@register("Einsum")
class Einsum(Contraction):
    """One activation and constants: a linear map with weights."""

    kind: ClassVar[Kind] = DENSE
    of_several = EinsumProduct
    gated = GatedEinsum
    forms = (EinsumSum, EinsumMovement, EinsumScale)

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        chosen = super().form(node, graph)
        if chosen is not cls:
            return chosen
        said = Equation.of(attribute(node, "equation"))
        own = next(
            letters
            for letters, name in zip(said.operands, node.inputs, strict=False)
            if name in graph.carrying
        )
        if len(node.inputs) == 1:
            return EinsumMovement if set(own) == set(said.output) else EinsumSum
        return EinsumScale if own == said.output and len(set(own)) == len(own) else cls
