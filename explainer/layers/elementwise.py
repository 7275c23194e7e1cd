"""Addition of activations, and arithmetic with constants."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import NOTHING_KNOWN, Facts, as_all
from ..tensor import Bundle, Value, finite, sum_to
from .base import Bound, Layer
from .kinds import SCALE, SUM
from .parameters import Parameters
from .product import ElementwiseProduct, GatedProduct
from .quotients import HeldRatio, Inverse, Ratio
from .registry import register


@register("Add", "Sum")
class Add(Layer):
    """Σ ± x_i + b: activations share the relevance, constants are the bias and take their share."""

    kind = SUM
    facts = Facts(sign=as_all)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.signs: list[float] = []
        self.constant_signs: dict[str, float] = {}
        for index, name in enumerate(node.inputs):
            sign = self.sign_of(index)
            if name in graph.carrying:
                self.signs.append(sign)
            else:
                self.operands[f"b{index}"] = name
                self.constant_signs[name] = sign

    def sign_of(self, place: int) -> float:
        """What a summand is multiplied by."""
        return 1

    @property
    def keeps_maps(self) -> bool:
        return True

    by_place = True

    @property
    def rises_from(self) -> float:
        return -math.inf if len(self.inputs) == 1 else math.inf

    @property
    def constants(self) -> dict[str, str]:
        return dict(self.operands)

    def constant(self, letter: str, at: Bound) -> Value:
        return finite(at.p[letter]) if letter in at.p else self.bias(at)

    def at_constant(self, letter: str, s: Value, at: Bound) -> Value:
        return _signed(s, self.constant_signs[self.operands[letter]])

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        parts = {
            letter: _constant(values[name], self.constant_signs[name])
            for letter, name in self.operands.items()
        }
        if not parts:
            return {}
        b = {"b": functools.reduce(operator.add, parts.values())}
        return b if len(parts) == 1 else b | parts

    def bias(self, at: Bound) -> Value:
        b = at.p.get("b")
        return None if b is None else finite(b)  # a mask of −∞ is read by a Softmax, which hands nothing back

    def unbiased(self, p: Parameters) -> Parameters:
        # Zeros, not nothing: a constant may be what spreads the activation.
        return Parameters({letter: b * 0 for letter, b in p.items()}, p.change)

    def forward(self, x: Value, p: Parameters) -> Value:
        signed = zip(x if isinstance(x, Bundle) else (x,), self.signs, strict=True)
        z = functools.reduce(operator.add, (_weighted(term, sign, p) for term, sign in signed))
        return z + p["b"] if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        terms = at.x if isinstance(at.x, Bundle) else (at.x,)
        signs = zip(terms, self.signs, strict=True)
        c = Bundle(sum_to(_weighted(s, sign, at.p), term.shape) for term, sign in signs)
        return c if len(c) > 1 else c[0]


def _constant(b: Value, sign: float) -> Value:
    """b times its sign; of whole numbers −b is a number, since those without a sign would wrap round."""
    return _signed(b, sign) if sign == 1 or b.dtype.kind == "f" else 0.0 - b


def _signed(x: Value, sign: float) -> Value:
    return x if sign == 1 else -x if sign == -1 else x * x.dtype.type(sign)


def _weighted(x: Value, sign: float, p: Parameters) -> Value:
    """x times its sign, which is the weight that a sum has of itself."""
    if p.change is None:
        return _signed(x, sign)
    return x * p.implied(x.dtype.type(sign))


@register("Sub")
class Sub(Add):
    """x_0 − x_1, either of them a constant or not."""

    facts = NOTHING_KNOWN  # a difference has no sign of its own

    def sign_of(self, place: int) -> float:
        return -1 if place == 1 else 1

    @property
    def keeps_maps(self) -> bool:
        return False


@register("Mean")
class Mean(Add):
    """The mean of several operands: Σ x_i/n, constants among them."""

    def sign_of(self, place: int) -> float:
        return 1 / len(self.node.inputs)


class Scale(Layer):
    """x multiplied elementwise by a constant: a diagonal weight."""

    kind = SCALE
    what = "product"

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if len(self.inputs) != 1:
            raise UnsupportedError(f"a {self.what} of two activations")

    def forward(self, x: Value, p: Parameters) -> Value:
        return x * p["w"]

    def transpose(self, s: Value, at: Bound) -> Value:
        return sum_to(s * at.p["w"], at.x.shape)


@register("Mul")
class Mul(Scale):
    """A product with a constant."""

    facts = Facts(sign=as_all)
    of_several = ElementwiseProduct
    gated = GatedProduct

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        constant = 1 if node.inputs[0] in graph.carrying else 0
        self.take_operand(graph, "w", constant, "factor")


@register("Div")
class Div(Scale):
    """A division by a constant."""

    of_several = Ratio
    gated = HeldRatio

    @classmethod
    def of(cls, node: Node, graph: Graph, output: int = 0) -> Layer:
        above, below = (name in graph.carrying for name in node.inputs)
        return Inverse(node, graph, output) if below and not above else super().of(node, graph, output)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "w", 1, "divisor")

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {"w": 1 / values[self.operands["w"]]}


@register("Neg")
class Neg(Layer):
    """−x."""

    kind = SCALE

    def forward(self, x: Value, p: Parameters) -> Value:
        return x * p.implied(x.dtype.type(-1))

    def transpose(self, s: Value, at: Bound) -> Value:
        return s * at.p.implied(s.dtype.type(-1))
