"""Activations that exporters write out node by node: GELU, SiLU, LogSigmoid and others become one again.

Read node by node each is a product of two activations, both of them made of one x. As a function of x alone
it hands relevance on unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ..model.graph import Graph, Node
from .base import register
from .matching import Match
from .pattern import Pattern

# How far a constant may be from what it stands for: float16 rounds to 5e-4.
ROUNDING = 1e-3


class Form(Pattern):
    """An activation written out: its constants have the values that make it one.

    Attributes
    ----------
    operator, attributes
        ONNX's own operator that computes the same.
    constants : dict of name in the patterns -> value
        One number each. A constant named D divides, one named M multiplies.
    """

    quiet = True
    operator: ClassVar[str]
    constants: ClassVar[Mapping[str, float]] = {}

    def check(self, graph: Graph, match: Match) -> str | None:
        for label, wanted in self.constants.items():
            if not (name := match.get(label)):
                continue  # another way to write it has this one
            found = number(graph, name)
            if found is None:
                return f"{name!r} is no single number"
            if not math.isclose(found, wanted, rel_tol=ROUNDING):
                return f"{name!r} is {found:g}, where {self.operator} has {wanted:g}"
        return None

    def attributes(self, match: Match) -> Mapping[str, Any]:
        """Those of the operator."""
        return {}

    def group(self, match: Match) -> Node:
        return match.becomes(self.operator, [match["x"]], attributes=self.attributes(match))


def number(graph: Graph, name: str) -> float | None:
    """The value of a constant that is a single number."""
    value = graph.constant(name)
    return float(value.reshape(())) if value.size == 1 else None


SCALED = ("d = Div (x, D)", "d = Mul (x, M)")
HALVES = (
    "m = Mul (x, a); y = Mul (m, H)",
    "h = Mul (x, H); y = Mul (h, a)",
    "h = Mul (a, H); y = Mul (x, h)",
    "m = Mul (x, a); y = Div (m, T)",
    "h = Div (x, T); y = Mul (h, a)",
    "h = Div (a, T); y = Mul (x, h)",
)


@register("gelu")
class Gelu(Form):
    """x·(1 + erf(x/√2))/2. Hendrycks & Gimpel 2016."""

    known_as = "GELU"
    operator = "Gelu"
    constants: ClassVar = {"D": math.sqrt(2), "M": math.sqrt(0.5), "O": 1, "H": 0.5, "T": 2}
    patterns = tuple(f"{scaled}; e = Erf (d); a = Add (e, O); {half}" for scaled in SCALED for half in HALVES)

    def attributes(self, match: Match) -> Mapping[str, Any]:
        return {"approximate": "none"}


@register("gelu_tanh")
class GeluTanh(Gelu):
    """x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2."""

    known_as = "GELU (tanh)"
    constants: ClassVar = {"E": 3, "K": 0.044715, "R": math.sqrt(2 / math.pi), "O": 1, "H": 0.5, "T": 2}
    patterns = tuple(
        f"{cube}; j = Add (x, i); k = Mul (j, R); t = Tanh (k); a = Add (t, O); {half}"
        for cube in (
            "c = Pow (x, E); i = Mul (c, K)",
            "u = Mul (x, x); c = Mul (x, u); i = Mul (c, K)",
            "u = Mul (x, x); v = Mul (u, K); i = Mul (x, v)",
            "v = Mul (x, K); u = Mul (x, v); i = Mul (x, u)",
        )
        for half in HALVES
    )

    def attributes(self, match: Match) -> Mapping[str, Any]:
        return {"approximate": "tanh"}


@register("silu")
class Silu(Form):
    """x·σ(x), also called Swish. Elfwing et al. 2017."""

    known_as = "SiLU"
    operator = "Swish"
    patterns = ("s = Sigmoid (x); y = Mul (x, s)",)

    def attributes(self, match: Match) -> Mapping[str, Any]:
        return {"alpha": 1.0}


@register("quick_gelu")
class QuickGelu(Silu):
    """x·σ(1.702·x)."""

    known_as = "QuickGELU"
    constants: ClassVar = {"C": 1.702}
    patterns = ("t = Mul (x, C); s = Sigmoid (t); y = Mul (x, s)",)

    def attributes(self, match: Match) -> Mapping[str, Any]:
        return {"alpha": 1.702}


@register("hard_swish")
class HardSwish(Form):
    """x·min(max(x + 3, 0), 6)/6. Howard et al. 2019."""

    known_as = "HardSwish"
    operator = "HardSwish"
    constants: ClassVar = {"T": 3, "H": 6, "D": 6, "M": 1 / 6}
    patterns = tuple(
        f"a = Add (x, T); c = Clip (a, L, H); {tail}"
        for tail in (
            "m = Mul (x, c); y = Div (m, D)",
            "m = Mul (x, c); y = Mul (m, M)",
            "d = Div (c, D); y = Mul (x, d)",
            "d = Mul (c, M); y = Mul (x, d)",
        )
    )

    def check(self, graph: Graph, match: Match) -> str | None:
        return super().check(graph, match) or not_from_zero(graph, match)


@register("hard_sigmoid")
class HardSigmoid(HardSwish):
    """min(max(x + 3, 0), 6)/6."""

    known_as = "HardSigmoid"
    operator = "HardSigmoid"
    patterns = tuple(
        f"a = Add (x, T); c = Clip (a, L, H); {tail}" for tail in ("y = Div (c, D)", "y = Mul (c, M)")
    )

    def attributes(self, match: Match) -> Mapping[str, Any]:
        return {"alpha": 1 / 6, "beta": 0.5}


def not_from_zero(graph: Graph, match: Match) -> str | None:
    """Why a Clip does not begin at 0."""
    return None if number(graph, match["L"]) == 0 else f"{match['L']!r} is not 0"


@register("mish")
class Mish(Form):
    """x·tanh(log(1 + e^x)). Misra 2019."""

    known_as = "Mish"
    operator = "Mish"
    patterns = ("t = Softplus (x); h = Tanh (t); y = Mul (x, h)",)


INVERTED = ("y = Reciprocal (a)", "y = Div (N, a)")


@register("sigmoid")
class Sigmoid(Form):
    """1/(1 + e^−x), e^x/(1 + e^x), or ½·tanh(x/2) + ½."""

    operator = "Sigmoid"
    constants: ClassVar = {"O": 1, "N": 1, "H": 0.5, "K": 0.5, "L": 0.5, "D": 2, "M": -1, "Z": 0}
    patterns = (
        *(
            f"{minus}; e = Exp (n); a = Add (e, O); {tail}"
            for minus in ("n = Neg (x)", "n = Mul (x, M)", "n = Sub (Z, x)")
            for tail in INVERTED
        ),
        "e = Exp (x); a = Add (e, O); y = Div (e, a)",
        *(
            f"{half}; t = Tanh (h); s = Mul (t, K); y = Add (s, L)"
            for half in ("h = Mul (x, H)", "h = Div (x, D)")
        ),
        *(
            f"{half}; t = Tanh (h); a = Add (t, O); y = Mul (a, K)"
            for half in ("h = Mul (x, H)", "h = Div (x, D)")
        ),
    )


@register("falling_sigmoid")
class FallingSigmoid(Form):
    """1/(1 + e^x), which is σ(−x): the Reciprocal of a group, which ONNX has no operator for."""

    operator = "Reciprocal"
    constants: ClassVar = {"O": 1, "N": 1}
    patterns = tuple(f"e = Exp (x); a = Add (e, O); {tail}" for tail in INVERTED)


@register("softplus")
class Softplus(Form):
    """log(1 + e^x)."""

    operator = "Softplus"
    constants: ClassVar = {"O": 1}
    patterns = ("e = Exp (x); a = Add (e, O); y = Log (a)",)


@register("log_sigmoid")
class LogSigmoid(Form):
    """log σ(x): the Log of a group, which ONNX has no operator for."""

    operator = "Log"
    patterns = ("s = Sigmoid (x); y = Log (s)",)
