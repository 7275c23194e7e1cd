"""What squashes a gate or a candidate of a recurrent layer: every function that onnxruntime has there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import UnsupportedError
from ..tensor import Abs, Exp, Log, Max, Min, Sigmoid, Tanh, Value, Where, above
from ..tensor import Relu as relu
from .multipliers import rescaled

# Name -> f(z, α, β), and its derivative of z and y = f(z).
Function = Callable[[Value, float, float], Value]
Slope = Callable[[Value, Value, float, float], Value]
FUNCTIONS: dict[str, tuple[Function, Slope]] = {
    "affine": (lambda z, a, b: z * a + b, lambda z, y, a, b: z * 0 + a),
    "elu": (
        lambda z, a, b: relu(z) + (Exp(-relu(-z)) - 1) * a,
        lambda z, y, a, b: Where(z > 0, z * 0 + 1, y + a),
    ),
    "hardsigmoid": (
        lambda z, a, b: Max(Min(z * a + b, z * 0 + 1), z * 0),
        lambda z, y, a, b: above(y, 0) * above(-y, -1) * a,
    ),
    "leakyrelu": (
        lambda z, a, b: relu(z) - relu(-z) * a,
        lambda z, y, a, b: Where(z > 0, z * 0 + 1, z * 0 + a),
    ),
    "relu": (lambda z, a, b: relu(z), lambda z, y, a, b: above(y, 0)),
    "scaledtanh": (
        lambda z, a, b: Tanh(z * b) * a,
        lambda z, y, a, b: (1 - Tanh(z * b) * Tanh(z * b)) * (a * b),
    ),
    "sigmoid": (lambda z, a, b: Sigmoid(z), lambda z, y, a, b: y * (1 - y)),
    "softplus": (
        lambda z, a, b: relu(z) + Log(Exp(-Abs(z)) + 1),
        lambda z, y, a, b: Sigmoid(z),
    ),
    "softsign": (lambda z, a, b: z / (Abs(z) + 1), lambda z, y, a, b: 1 / ((Abs(z) + 1) * (Abs(z) + 1))),
    "tanh": (lambda z, a, b: Tanh(z), lambda z, y, a, b: 1 - y * y),
    "thresholdedrelu": (lambda z, a, b: z * above(z, a), lambda z, y, a, b: above(z, a)),
}
# The numbers of those that have some, as onnxruntime takes them where the node does not say.
ALPHA = {
    **{"affine": 0.0, "elu": 1.0, "hardsigmoid": 0.2, "leakyrelu": 0.01},
    **{"scaledtanh": 0.0, "thresholdedrelu": 0.0},
}
BETA = {"affine": 0.0, "hardsigmoid": 0.5, "scaledtanh": 0.0}
# What these are at 0, where that is not 0.
AT_0: dict[str, Callable[[float, float], float]] = {
    "affine": lambda a, b: b,
    "hardsigmoid": lambda a, b: max(0.0, min(1.0, b)),
    "sigmoid": lambda a, b: 0.5,
    "softplus": lambda a, b: 0.6931471805599453,
}


class Squashed(NamedTuple):
    """y = f(z), and ∂y/∂z."""

    y: Value
    slope: Value
    z: Value

    def between(self, other: Squashed) -> Squashed:
        """The mean y of both, and Δy/Δz for its slope: DeepLIFT's rescale rule."""
        slope = rescaled(self.y, other.y, self.z, other.z, self.slope)
        return Squashed((self.y + other.y) * 0.5, slope, self.z)


@dataclass(frozen=True)
class Squashing:
    """One function with its numbers."""

    name: str
    alpha: float
    beta: float

    def __call__(self, z: Value) -> Value:
        """y = f(z)."""
        return FUNCTIONS[self.name][0](z, self.alpha, self.beta)

    def slope(self, z: Value, y: Value) -> Value:
        """∂y/∂z."""
        return FUNCTIONS[self.name][1](z, y, self.alpha, self.beta)

    def at(self, z: Value, clip: float | None) -> Squashed:
        """f(z) and its slope, z clipped to ±clip before."""
        if clip is None:
            y = self(z)
            return Squashed(y, self.slope(z, y), z)
        clipped = clip - relu(2 * clip - relu(z + clip))
        y = self(clipped)
        return Squashed(y, self.slope(clipped, y) * above(z, -clip) * above(-z, -clip), z)

    @property
    def at_0(self) -> float:
        """f(0)."""
        return AT_0[self.name](self.alpha, self.beta) if self.name in AT_0 else 0.0


def squashings(names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]) -> list[Squashing]:
    """Functions by name; those that have numbers take the next that is given, as long as there is one.

    Raises
    ------
    UnsupportedError
        onnxruntime has no such function.
    """
    if unknown := [name for name in names if name.lower() not in FUNCTIONS]:
        raise UnsupportedError(f"its activation {unknown[0]!r}: {', '.join(FUNCTIONS)} are known")
    alpha, beta = iter(alphas), iter(betas)

    def next_of(given: Iterator[float], defaults: dict[str, float], name: str) -> float:
        return float(next(given, defaults[name])) if name in defaults else 0.0

    folded = [name.lower() for name in names]
    return [Squashing(name, next_of(alpha, ALPHA, name), next_of(beta, BETA, name)) for name in folded]
