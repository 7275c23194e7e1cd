"""What every rule is: arithmetic over a map, an input and a relevance. No operator is known here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import CompositeError, shown
from ..tensor import Value, by_sign, negative, positive
from .handed import Handed
from .relevance import Relevance, Stabilizer, Stable

if TYPE_CHECKING:
    from ..layers import Bound, Kind, Layer


@dataclass(frozen=True)
class Rule:
    """rule(layer, x, R) -> Handed: how the relevance of a layer's output is handed to its inputs.

    Attributes
    ----------
    kinds : frozenset of str, or None
        The kinds of layers that the rule can be put on, by their names (``"activation"``) or by what
        they are able to (``"linear"``: see `explainer.layers.kinds.Kind`); None is any.
    reads : frozenset of str, or None
        What of the layer's values the rule looks at: "x", "z"; None is what the transpose looks at.
    proportional : bool
        Whether R_in is x times something: an input of 0 gets no relevance. Where a first layer's rule says
        no, normalisation in front of it hands relevance on unchanged.
    conserving : bool
        Whether what comes in goes out, to inputs, constants and ε; not so for a gradient.
    divides_by_degree : bool
        Whether it divides by n·z where z is a product of n activations, which hands on n·z.
    differentiates : bool
        Whether it hands on the slope times R alone: where that is 0 everywhere, nothing.
    """

    kinds: ClassVar[frozenset[str] | None] = None
    reads: ClassVar[frozenset[str] | None] = None
    proportional: ClassVar[bool] = False
    conserving: ClassVar[bool] = True
    divides_by_degree: ClassVar[bool] = False
    differentiates: ClassVar[bool] = False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        """What the layer's inputs get.

        Parameters
        ----------
        layer : Bound
        x : Value
            The layer's input.
        R : Relevance
            Of its output; `R / self.stabilize(z)` divides it, `R.whole` is the plain number.

        Returns
        -------
        Handed
            x and its factor, or plain relevance, and what was divided.
        """
        raise CompositeError(f"rule {self}: it has no __call__(self, layer, x, R); see docs/adding-a-rule.md")

    @classmethod
    def fits(cls, kind: Kind) -> bool:
        """Whether the rule can be put on layers of a kind."""
        return cls.kinds is None or not cls.kinds.isdisjoint(kind.words)

    def reads_at(self, layer: Layer) -> frozenset[str]:
        """What of a layer's values the rule looks at."""
        return layer.transpose_reads if self.reads is None else self.reads

    @property
    def takes_relu(self) -> bool:
        """Whether relu(z) may stand for z where a Relu alone reads it."""
        return False

    @classmethod
    def name(cls) -> str:
        """The rule's name in text: ``alpha_beta``."""
        return snake_case(cls.__name__)

    def __str__(self) -> str:
        plain, named = [], []
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not entry.kw_only:
                plain.append(_text(value))
            elif value != entry.default:
                named.append(f"{entry.name}={_text(value)}")
        return f"{self.name()}:{','.join(plain + named)}" if plain or named else self.name()


@dataclass(frozen=True)
class Stabilized(Rule):
    """A rule that divides by a stabilised st(z) = z + sign(z)·ε, sign(0) = +1.

    Parameters
    ----------
    eps : float
        The stabiliser ε > 0, in the units of z.
    zero_params : str or tuple of str
        "bias": the bias is left out of the denominators (zennit's option of this name). On deep
        networks that have biases the relevance then grows without bound.

    Raises
    ------
    CompositeError
        A parameter is out of range.
    """

    eps: float = field(default=1e-6, kw_only=True)
    zero_params: str | tuple[str, ...] = field(default=(), kw_only=True)
    kinds: ClassVar[frozenset[str] | None] = frozenset({"linear"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x"})
    proportional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.require(
            self.number("eps", "a positive number") > 0, f"eps must be a positive number, not {self.eps}"
        )
        given = self.zero_params
        names = tuple(given) if isinstance(given, tuple | list | frozenset) else (given,)
        self.require(
            all(isinstance(name, str) and name == "bias" for name in names),
            f"zero_params can be 'bias', not {shown(given)}: without weights nothing goes on",
        )
        object.__setattr__(self, "zero_params", names)

    def number(self, name: str, expected: str = "a number") -> float:
        """A parameter that has to be a finite number; one of another library's becomes Python's."""
        value = getattr(self, name)
        self.require(is_finite(value), f"{name} must be {expected}, not {shown(value)}")
        if not isinstance(value, int | float):
            object.__setattr__(self, name, float(value))
        return float(value)

    def flag(self, *names: str) -> None:
        """Refuse parameters that are neither true nor false: of anything else Python makes one in silence."""
        for name in names:
            value = getattr(self, name)
            is_flag = type(value).__name__ in ("bool", "bool_", "int") and value in (0, 1)
            self.require(is_flag, f"{name} must be True or False, not {shown(value)}")

    def require(self, condition: bool, reason: str) -> None:
        """Refuse a parameter, with the reason."""
        if not condition:
            raise CompositeError(f"{self.name()}: {reason}")

    def counted(self, layer: Bound) -> Bound:
        """The layer with the bias that counts in denominators."""
        return layer.without_bias() if self.zero_params else layer

    def stabilize(self, z: Value) -> Stable:
        """st(z), to divide by."""
        return Stabilizer(self.eps)(z)


class Terms:
    """z = W'x⁺ + b' + W''x⁻: the map on the input's positive and negative part, weights changed apart.

    Where the input is known not to be negative, the second term is none.

    Parameters
    ----------
    layer : Bound
    x : Value
    on_positive, on_negative : callable
        What is done to the weights that meet x⁺ (and to the bias), and to those that meet x⁻.
    """

    def __init__(
        self,
        layer: Bound,
        x: Value,
        on_positive: Callable[[Value], Value],
        on_negative: Callable[[Value], Value],
    ) -> None:
        self.x, self.main = x, layer.with_params(on_positive)
        self.other = None if layer.nonnegative else layer.with_params(on_negative).without_bias()

    def forward(self) -> Value:
        """z."""
        if self.other is None:
            return self.main(self.x)
        return self.main(positive(self.x)) + self.other(negative(self.x))

    def transpose(self, s: Value) -> Value:
        """c, by which x is multiplied: W'ᵀs where x is positive, W''ᵀs where it is negative."""
        c = self.main.transpose(s)
        return c if self.other is None else by_sign(self.x, c, self.other.transpose(s))


def is_finite(value: Any) -> bool:
    """Whether a parameter is a finite number, which neither True nor an array nor a length of time is."""
    if isinstance(value, bool | str | bytes) or hasattr(value, "__len__") or not hasattr(value, "__float__"):
        return False
    try:
        return math.isfinite(float(value)) and bool(value - 0.5 < value)
    except (TypeError, ValueError, ArithmeticError):
        return False


def snake_case(name: str) -> str:
    """``AlphaBeta`` -> ``alpha_beta``; ``ZPlus`` -> ``zplus``, as the field writes it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _text(value: Any) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool):
        short = f"{value:g}"
        return short if float(short) == value else repr(float(value))
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    return str(value)
