"""Elementary functions of one value, as they stand alone in a graph.

What is 0 at 0 hands relevance on unchanged, as activations do. What is not, as e^x, follows its tangent at x,
and the intercept f(x) − f′(x)·x has its share. A power with a whole exponent is a product of so many equal
factors, so that x² and x·x are one map.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first, never_negative
from ..tensor import Array, Cos, Cosh, Exp, Min, Sigmoid, Sinh, Sqrt, Value, Where, above, cast_to, sum_to
from .activations import Activation
from .base import Bound, Layer
from .curved import Curved
from .kinds import PRODUCT
from .multipliers import rescaled
from .parameters import Parameters
from .registry import register


class Function(Activation):
    """z_i = f(x_i), f a primitive with its slope beside it; f(0) = 0."""

    f: Callable[[Value], Value]
    slope: Callable[[Value], Value]

    def forward(self, x: Value, p: Parameters) -> Value:
        return type(self).f(x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return type(self).slope(x)


class Curve(Curved, Function):
    """f(0) is not 0, so no z is all x's own: R_in = x·f′(x)·R / f(x), and the rest is the intercept's."""

    by_place = True

    def multipliers(self, s: Value, at: Bound) -> Value:
        return by_value(s, at, self.derivative(at.x, at.p))


def by_value(s: Value, at: Bound, slope: Value) -> Value:
    """s·Δz/Δx, of values that are each made of one."""
    other = at.reference
    assert other is not None
    return sum_to(s * rescaled(at(at.x), other(other.x), at.x, other.x, slope), at.x.shape)


@register("Abs")
class Abs(Function):
    """|x|; its slope at 0 is 0."""

    rises_from = 0
    facts = Facts(sign=never_negative)
    f, slope = staticmethod(tensor.Abs), staticmethod(tensor.Sign)


@register("Sqrt")
class SquareRoot(Function):
    """√x."""

    rises_from = -math.inf
    facts = Facts(sign=never_negative)
    f, slope = staticmethod(Sqrt), staticmethod(lambda x: 0.5 / Sqrt(x))


@register("Erf")
class ErrorFunction(Function):
    """2/√π ∫₀ˣ e^(−t²) dt."""

    rises_from = -math.inf
    facts = Facts(sign=as_first)
    f, slope = staticmethod(tensor.Erf), staticmethod(lambda x: Exp(x * -x) * (2 / math.sqrt(math.pi)))


@register("Sin")
class Sine(Function):
    """sin x."""

    f, slope = staticmethod(tensor.Sin), staticmethod(Cos)


@register("Tan")
class Tangent(Function):
    """tan x."""

    f, slope = staticmethod(tensor.Tan), staticmethod(lambda x: 1 / (Cos(x) * Cos(x)))


@register("Asin")
class ArcSine(Function):
    """arcsin x."""

    rises_from = -math.inf
    facts = Facts(sign=as_first)
    f, slope = staticmethod(tensor.Asin), staticmethod(lambda x: 1 / Sqrt(1 - x * x))


@register("Atan")
class ArcTangent(Function):
    """arctan x."""

    rises_from = -math.inf
    facts = Facts(sign=as_first)
    f, slope = staticmethod(tensor.Atan), staticmethod(lambda x: 1 / (1 + x * x))


@register("Sinh")
class HyperbolicSine(Function):
    """sinh x."""

    rises_from = -math.inf
    facts = Facts(sign=as_first)
    f, slope = staticmethod(Sinh), staticmethod(Cosh)


@register("Asinh")
class InverseHyperbolicSine(Function):
    """arsinh x."""

    rises_from = -math.inf
    facts = Facts(sign=as_first)
    f, slope = staticmethod(tensor.Asinh), staticmethod(lambda x: 1 / Sqrt(x * x + 1))


@register("Atanh")
class InverseHyperbolicTangent(Function):
    """artanh x."""

    rises_from = -math.inf
    facts = Facts(sign=as_first)
    f, slope = staticmethod(tensor.Atanh), staticmethod(lambda x: 1 / (1 - x * x))


@register("Exp")
class Exponential(Curve):
    """e^x: of R, x·R is x's, and (1 − x)·R the intercept's."""

    rises_from = -math.inf
    facts = Facts(sign=never_negative)
    f, slope = staticmethod(Exp), staticmethod(Exp)


class LogSigmoid(Activation):
    """log σ(x) = −log(1 + e⁻ˣ), written out: an activation as Softplus is."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return Min(x, 0) - tensor.Log(Exp(Min(x, -x)) + 1)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return Sigmoid(-x)


@register("Log")
class Logarithm(Curve):
    """log x; of a group, log σ(x)."""

    rises_from = -math.inf

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        return LogSigmoid if node.members else cls

    f, slope = staticmethod(tensor.Log), staticmethod(lambda x: 1 / x)


class FallingSigmoid(Activation):
    """σ(−x) = 1/(1 + eˣ), written out: it hands on unchanged, as σ does and as a factor of −1 does."""

    def forward(self, x: Value, p: Parameters) -> Value:
        return Sigmoid(-x)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return -Sigmoid(x) * Sigmoid(-x)


@register("Reciprocal")
class Reciprocal(Curve):
    """1/x: −R is x's, and 2R the intercept's; of a group, σ(−x)."""

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        return FallingSigmoid if node.members else cls

    rises_from = 0
    facts = Facts(sign=as_first)
    f, slope = staticmethod(lambda x: 1 / x), staticmethod(lambda x: -1 / (x * x))


@register("Cos")
class Cosine(Curve):
    """cos x."""

    f, slope = staticmethod(Cos), staticmethod(lambda x: -tensor.Sin(x))


@register("Acos")
class ArcCosine(Curve):
    """arccos x."""

    rises_from = -math.inf
    facts = Facts(sign=never_negative)
    f, slope = staticmethod(tensor.Acos), staticmethod(lambda x: -1 / Sqrt(1 - x * x))


@register("Cosh")
class HyperbolicCosine(Curve):
    """cosh x."""

    rises_from = 0
    facts = Facts(sign=never_negative)
    f, slope = staticmethod(Cosh), staticmethod(Sinh)


@register("Acosh")
class InverseHyperbolicCosine(Curve):
    """arcosh x."""

    rises_from = -math.inf
    facts = Facts(sign=never_negative)
    held = Layer.held  # there is no chord from 0
    f, slope = staticmethod(tensor.Acosh), staticmethod(lambda x: 1 / Sqrt(x * x - 1))


class Steps(Function):
    """Flat between its steps: relevance passes unchanged, a gradient ends there and its plan says so."""

    rises_from = -math.inf
    facts = Facts(sign=as_first)
    flat = True
    slope = staticmethod(lambda x: x * 0)


@register("Sign")
class Sign(Steps):
    """−1, 0 or 1."""

    f = staticmethod(tensor.Sign)


@register("Round")
class Round(Steps):
    """The nearest whole number."""

    f = staticmethod(tensor.Round)


@register("Floor")
class Floor(Steps):
    """The next whole number below."""

    f = staticmethod(tensor.Floor)


@register("Ceil")
class Ceil(Steps):
    """The next whole number above."""

    f = staticmethod(tensor.Ceil)


@register("Shrink")
class Shrink(Activation):
    """x less bias·sign(x) where |x| exceeds lambd, else 0."""

    facts = Facts()

    def forward(self, x: Value, p: Parameters) -> Value:
        bias = x.dtype.type(self.get("bias"))
        return (x - Where(x < 0, -bias, bias)) * self.derivative(x, p)

    def derivative(self, x: Value, p: Parameters) -> Value:
        return above(tensor.Abs(x), self.get("lambd"))


class Raised(Layer):
    """x to a constant exponent."""

    measures = frozenset({"exponent"})
    by_place = True
    rises_from = 0

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "exponent", 1, "exponent")

    def exponent(self, x: Value, p: Parameters) -> Value:
        """In the type of x."""
        return cast_to(x.dtype, p["exponent"])

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Pow(x, self.exponent(x, p))

    def derivative(self, x: Value, p: Parameters) -> Value:
        """n·xⁿ⁻¹."""
        n = self.exponent(x, p)
        return tensor.Pow(x, n - 1) * n

    def transpose(self, s: Value, at: Bound) -> Value:
        return sum_to(s * self.derivative(at.x, at.p), at.x.shape)


class WholePower(Raised):
    """xⁿ, n whole: a product of n equal factors, each with an equal share. So x² is x·x."""

    kind = PRODUCT
    keeps_maps = True

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.degree = int(np.ravel(graph.constant(node.inputs[1]))[0])


class CurvedPower(Raised, Curved):
    """A negative exponent, or one for each place: for n = −1/2 say −R/2 is x's, and 3R/2 the intercept's."""

    def multipliers(self, s: Value, at: Bound) -> Value:
        return by_value(s, at, self.derivative(at.x, at.p))


@register("Pow")
class Power(Raised, Activation):
    """A broken exponent above 0, and 1: 0 stays 0, so that relevance is handed on unchanged.

    Raises
    ------
    UnsupportedError
        The exponent is computed, from the input or from its shape.
    """

    forms = (WholePower, CurvedPower)

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        exponent = node.inputs[1]
        if exponent in graph.carrying:
            raise UnsupportedError("its exponent is computed from the input")
        if not graph.is_constant(exponent):
            raise UnsupportedError("its exponent is not the same in every run")
        return cls.by_exponent(graph.constant(exponent))

    @classmethod
    def by_exponent(cls, exponent: Array) -> type[Layer]:
        """The class for an exponent's values."""
        if exponent.size != 1:
            return CurvedPower
        n = float(exponent.reshape(()))
        if n > 1 and n == int(n):
            return WholePower
        return cls if n > 0 else CurvedPower
