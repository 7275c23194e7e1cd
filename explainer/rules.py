"""What a rule says: arithmetic over a map, an input and a relevance. No operator is known here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .errors import CompositeError
from .tensor import Value, inner, signed_epsilon, stabilize

if TYPE_CHECKING:
    from .layers import Layer


@dataclass(frozen=True)
class Rule:
    """R_in = rule(layer, x, R): how a layer's relevance is handed to its inputs.

    Attributes
    ----------
    reads_values : bool
        Whether the rule looks at the layer's input and output, or only at its transpose.
    proportional : bool
        Whether R_in is x times something: an input of 0 gets no relevance.
    """

    reads_values: ClassVar[bool] = False
    proportional: ClassVar[bool] = False

    def __call__(self, layer: Layer, x: Value, R: Value) -> Value:
        raise NotImplementedError

    def shares(self, layer: Layer, R: Value) -> tuple[Value, Value]:
        """What no input receives: the bias's share and ε's, arrays that sum up to them per sample.

        Asked for after the rule was called with the same bound layer. None stands for nothing.
        ΣR = ΣR_in + Σ bias share + Σ ε share.
        """
        return None, None

    def __str__(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Epsilon(Rule):
    """R_in = x · Wᵀ(R / st(z)), st(z) = z + sign(z)·ε, sign(0) = +1; z includes the bias.

    Bach et al. 2015 (PLOS ONE 10(7): e0130140), eq. 58; Montavon et al. 2019, LRP-ε.

    Parameters
    ----------
    eps : float
        The stabiliser ε > 0, in the units of z.

    Raises
    ------
    CompositeError
        ε is not a positive number.
    """

    eps: float = 1e-6
    reads_values: ClassVar[bool] = True
    proportional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.eps) and self.eps > 0):
            raise CompositeError(f"epsilon: eps must be a positive number, not {self.eps}")

    def __call__(self, layer: Layer, x: Value, R: Value) -> Value:
        z = layer(x)
        s = layer.s = R / stabilize(z, self.eps, signed=layer.signed)
        c = layer.transpose(s)
        return x * c

    def shares(self, layer: Layer, R: Value) -> tuple[Value, Value]:
        s, z = layer.s, layer(layer.x)
        if not layer.signed:
            return layer.bias_share(s), s * self.eps
        return layer.bias_share(s), inner(s, signed_epsilon(z, self.eps))

    def __str__(self) -> str:
        return f"epsilon:{self.eps:g}"


@dataclass(frozen=True)
class Pass(Rule):
    """R_in = R: an activation passes its relevance unchanged. Montavon et al. 2019, sec. 10.3."""

    def __call__(self, layer: Layer, x: Value, R: Value) -> Value:
        return R


@dataclass(frozen=True)
class Route(Rule):
    """R_in = Aᵀ R, where A moves values: relevance goes where the value came from.

    Reshapes, slices and concatenations; and max pooling, whose window hands all to its first
    maximum (winner takes all; Bach et al. 2015, sec. "Pooling").
    """

    def __call__(self, layer: Layer, x: Value, R: Value) -> Value:
        return layer.transpose(R)

    def shares(self, layer: Layer, R: Value) -> tuple[Value, Value]:
        return layer.bias_share(R), None

    def __str__(self) -> str:
        return "route"
