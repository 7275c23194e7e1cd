"""What a rule answers: relevance for every input, and the account of what went elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from ..tensor import Abs, Bundle, Value, above, dot, finite
from .relevance import Denominator, Relevance, dividing

if TYPE_CHECKING:
    from ..layers import Bound

# What of a layer's relevance went to constants, to ε and to an intercept: arrays that sum up to it per
# sample; None stands for nothing.
Shares: TypeAlias = tuple[Value, Value, Value]
# What constants took of it: values shaped like its output, and others that are only to be summed.
Laid: TypeAlias = tuple[list[Value], list[Value]]


@dataclass(frozen=True, eq=False)
class Division:
    """One s = R / st(z): what of it falls to the bias, what the stabiliser keeps, what no tangent explains.

    Attributes
    ----------
    layer : Bound
        Whose bias counted in z.
    by : Denominator, or Value
        What R was divided by.
    s : Value
    factor : float
        What the rule multiplied this part by.
    """

    layer: Bound
    by: Denominator
    s: Value
    factor: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", dividing(self.by))

    def shares(self) -> Shares:
        """The bias's share, ε's and the intercept's."""
        shares = self.layer.bias_share(self.s), self.by.leak(self.s), self.layer.intercept_share(self.s)
        if self.layer.is_decided:
            shares = _decided(shares)
        if self.factor == 1:
            return shares
        bias, leak, intercept = (None if part is None else part * self.factor for part in shares)
        return bias, leak, intercept

    def at_constant(self, letter: str) -> Value:
        """What of it falls to a constant that the layer adds, where it lies in z; None for nothing."""
        if self.layer.bias is None:
            return None
        return self.s * self.layer.layer.constant(letter, self.layer) * self.factor

    def constants(self) -> Laid:
        """What falls to all constants of the layer and to its intercept."""
        return _constants(self.layer, self.s if self.factor == 1 else self.s * self.factor)


def _decided(shares: Shares) -> Shares:
    """A constant that the input has chosen is no bias: near x the map is Jx and this, its intercept."""
    bias, leak, intercept = shares
    return None, leak, bias if intercept is None else intercept if bias is None else bias + intercept


@dataclass(frozen=True, eq=False)
class Moved:
    """Relevance that went where its value came from: what constants had put there is their share."""

    layer: Bound
    R: Relevance

    def shares(self) -> Shares:
        """See `Division`."""
        if not self.layer.has_constants:
            return None, None, None
        shares = self.layer.bias_share(self.R.whole), None, None
        return _decided(shares) if self.layer.is_decided else shares

    def at_constant(self, letter: str) -> Value:
        """See `Division`."""
        return self.layer.layer.at_constant(letter, self.R.whole, self.layer)

    def constants(self) -> Laid:
        """See `Division`."""
        return ([self.layer.bias_share(self.R.whole)] if self.layer.has_constants else []), []


@dataclass(frozen=True, eq=False)
class Sloped:
    """A gradient s of z that went on through a layer's slope: a constant inside of it has one too.

    x times what it hands on, and all constants' parts, add up to z·s.

    Attributes
    ----------
    layer : Bound
    s : Value
    degree : int
        How many factors of z have a whole gradient.
    """

    layer: Bound
    s: Value
    degree: int = 1

    def shares(self) -> Shares:
        """See `Division`; a gradient is no relevance, and has none."""
        return None, None, None

    def at_constant(self, letter: str) -> Value:
        """∂/∂c of a constant c, in each place of z where it lies."""
        return self.layer.layer.at_constant(letter, self.s, self.layer)

    def constants(self) -> Laid:
        """See `Division`: s times what the constants are."""
        layer = self.layer
        if layer.has_constants:
            return [layer.bias_share(self.s * finite(layer(layer.x)))], []
        laid, rest = _constants(layer, self.s)
        if self.degree > 1:  # a gradient through n factors is n times what they make
            laid = [*laid, self.s * layer(layer.x) * (1 - self.degree)]
        return laid, rest


@dataclass(frozen=True, eq=False)
class Kept:
    """Relevance on a z of 0, which is handed to nobody."""

    R: Relevance
    z: Value

    def shares(self) -> Shares:
        """See `Division`."""
        return None, dot(self.R.whole, 1 - above(Abs(self.z), 0)), None


@dataclass(frozen=True, eq=False)
class Fallen:
    """Relevance of a constant inside a layer: its whole share."""

    R: Value

    def shares(self) -> Shares:
        """See `Division`."""
        return self.R, None, None

    def constants(self) -> Laid:
        """See `Division`."""
        return [], [self.R]


def _constants(layer: Bound, s: Value) -> Laid:
    """What of s·z falls to a layer's bias and to its intercept."""
    laid, rest = list[Value](), list[Value]()
    for whole, share in ((layer.bias, layer.bias_share), (layer.intercept, layer.intercept_share)):
        if whole is not None:
            laid.append(s * whole)
        elif (part := share(s)) is not None:
            rest.append(part)
    return laid, rest


@dataclass(frozen=True, eq=False)
class Handed:
    """What a rule answers: R_in = x·c, or c alone where x is None, and its account of the rest.

    ΣR = ΣR_in + Σ of all shares of constants and of ε.

    Attributes
    ----------
    value, factor : Value
        x and c; Bundles where the layer has several inputs.
    account : tuple of Division, Moved, Sloped, Kept or Fallen
        What was divided, moved or kept back. A rule that leaves an entry out is found out: the
        walk stops where what went out is not what came in.
    """

    value: Value
    factor: Value
    account: tuple[Division | Moved | Sloped | Kept | Fallen, ...] = ()

    def __post_init__(self) -> None:
        known = isinstance(self.account, tuple) and all(hasattr(entry, "shares") for entry in self.account)
        if not known:
            given = self.account if isinstance(self.account, tuple) else (self.account,)
            what = ", ".join(type(entry).__name__ for entry in given)
            raise TypeError(f"the account is a tuple, (Division(layer, z, s),), and not {what}")

    @property
    def whole(self) -> Value:
        """R_in, multiplied out."""
        return self.factor if self.value is None else self.value * self.factor

    def __add__(self, other: Handed) -> Handed:
        """The sum of two parts that hand on x·c with the same x."""
        assert self.value is other.value
        return Handed(self.value, self.factor + other.factor, self.account + other.account)

    def times(self, factor: float) -> Handed:
        """This part of a rule times a number."""
        account = tuple(
            replace(entry, factor=entry.factor * factor) if isinstance(entry, Division) else entry
            for entry in self.account
        )
        return Handed(self.value, self.factor * factor, account)

    def at_constant(self, letter: str) -> Value:
        """What a constant inside the layer gets, where it lies in z; None for nothing."""
        told = [entry.at_constant(letter) for entry in self.account if hasattr(entry, "at_constant")]
        found = [part for part in told if part is not None]
        return sum(found[1:], found[0]) if found else None

    def constants(self) -> Laid:
        """What constants of the layer and its intercept get."""
        found = [entry.constants() for entry in self.account if hasattr(entry, "constants")]
        return [part for laid, _ in found for part in laid], [part for _, rest in found for part in rest]

    def parts(self) -> tuple[Relevance, ...]:
        """The relevance of every input of the layer."""
        if not isinstance(self.factor, Bundle):
            return (Relevance(self.value, self.factor),)
        values = self.value if isinstance(self.value, Bundle) else (self.value,) * len(self.factor)
        return tuple(map(Relevance, values, self.factor))
