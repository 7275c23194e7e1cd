"""onnxruntime's own normalisations: RMS by another name, and those that add a second input first."""

from __future__ import annotations

from dataclasses import replace

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import Bundle, Value, sum_to
from .base import Bound, Layer
from .divided import DEVIATION
from .kinds import SUM
from .norms import LayerNormalization
from .parameters import Parameters
from .registry import register

SKIPS = ("com.microsoft.SkipLayerNormalization", "com.microsoft.SkipSimplifiedLayerNormalization")


@register("SimplifiedLayerNormalization")
class SimplifiedLayerNormalization(LayerNormalization):
    """x divided by the root of its mean square: what optimised files hold of an RMSNormalization."""

    centred = False


@register(*SKIPS)
class SkipNormalization(SimplifiedLayerNormalization):
    """x + skip, and a bias, normalised along the last axis; the sum is an output of its own."""

    @classmethod
    def of(cls, node: Node, graph: Graph, output: int = 0) -> Layer:
        return SkippedSum(node, graph, output) if output == 3 else cls(node, graph, output)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        if output:
            raise UnsupportedError("its mean or deviation is read")
        Layer.__init__(self, node, graph, output)
        self.centred = node.operator == SKIPS[0]
        self.added = added_to(self, node, graph)
        self.take_operand(graph, "w", 2, "scale")
        if self.centred:
            self.take_operand(graph, "b", 3, "bias")

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        return tuple(name for name in self.node.inputs[:2] if name in graph.carrying)

    def axes(self, x: Value) -> list[int]:
        return [x.ndim - 1]

    def unbiased(self, p: Parameters) -> Parameters:
        # Zeros where a constant may be what spreads the activation; the deviation is no bias.
        zeros = {letter: p[letter] * 0 for letter in self.added}
        return Parameters({**p.without("b"), **zeros}, p.change)

    def whole(self, x: Value, p: Parameters) -> Value:
        """x + skip + bias."""
        return whole(x, p, self.added)

    def forward(self, x: Value, p: Parameters) -> Value:
        return super().forward(self.whole(x, p), p)

    def held(self, at: Bound) -> Bound:
        found = super().held(at.at(self.whole(at.x, at.p), at.z))
        return found.at(at.x, at.z)

    def transpose(self, s: Value, at: Bound) -> Value:
        c = super().transpose(s, at.at(self.whole(at.x, at.p), at.z))
        return handed(c, at.x)

    def multipliers(self, s: Value, at: Bound) -> Value:
        other = at.reference
        assert other is not None
        here, there = (one.at(self.whole(one.x, one.p)) for one in (at, other))
        return handed(super().multipliers(s, replace(here, reference=there)), at.x)

    def intercept(self, at: Bound) -> Value:
        # What a constant summand has of it is no input's: of it only the share is known.
        return None if self.added else super().intercept(at.at(self.whole(at.x, at.p), at.z))

    def bias(self, at: Bound) -> Value:
        own, constants = at.p.get("b"), [at.p[letter] for letter in self.added]
        if not constants or DEVIATION not in at.p:
            return own
        spread = sum(constants[1:], constants[0]) + self.whole(at.x, at.p) * 0
        moved = self.centre(spread) / at.p[DEVIATION] * at.p["w"]
        return moved if own is None else moved + own


class SkippedSum(Layer):
    """The same node's sum, which the next residual reads."""

    kind = SUM

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.added = added_to(self, node, graph)

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        return tuple(name for name in self.node.inputs[:2] if name in graph.carrying)

    def forward(self, x: Value, p: Parameters) -> Value:
        return whole(x, p, self.added)

    def transpose(self, s: Value, at: Bound) -> Value:
        return handed(s if at.p.change is None else s * at.p.implied(s.dtype.type(1)), at.x)

    def bias(self, at: Bound) -> Value:
        constants = [at.p[letter] for letter in self.added]
        return sum(constants[1:], constants[0]) if constants else None

    def unbiased(self, p: Parameters) -> Parameters:
        return Parameters({letter: b * 0 for letter, b in p.items()}, p.change)


def added_to(layer: Layer, node: Node, graph: Graph) -> tuple[str, ...]:
    """Declare what is added and constant: a skip, and the bias, which is the last input."""
    last = 4 if node.operator == SKIPS[0] else 3
    for letter, index in (("x", 0), ("s", 1), ("a", last)):
        if not (index < 2 and node.operand(index) in graph.carrying):
            layer.take_operand(graph, letter, index, "bias")
    return tuple(letter for letter in "xsa" if letter in layer.operands)


def whole(x: Value, p: Parameters, added: tuple[str, ...]) -> Value:
    """The sum of all that is added."""
    terms = [*(x if isinstance(x, Bundle) else (x,)), *(p[letter] for letter in added)]
    return sum(terms[1:], terms[0])


def handed(c: Value, x: Value) -> Value:
    """To every summand, as it was spread."""
    terms = x if isinstance(x, Bundle) else (x,)
    found = Bundle(sum_to(c, term.shape) for term in terms)
    return found if len(found) > 1 else found[0]
