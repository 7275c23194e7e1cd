"""Relevance on its way: what a rule is handed, what it divides by, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ..tensor import (
    Abs,
    Array,
    Bundle,
    Equal,
    Value,
    Where,
    above,
    dot,
    root_mean_square,
    share,
    signed_epsilon,
    stabilize,
    summed,
    total,
    total_of_products,
)

if TYPE_CHECKING:
    from ..layers import Bound


# What of a layer's relevance went to constants, to ε and to an intercept: arrays that sum up to it per
# sample; None stands for nothing.
Shares: TypeAlias = tuple[Value, Value, Value]


@dataclass(frozen=True, eq=False)
class Relevance:
    """R = x·c: the value of a tensor times a factor, multiplied out only where somebody looks.

    A rule that hands on x·c is followed by one that divides by that same x. So R / st(x) is
    c·|x| / (|x| + ε): a share between 0 and 1, and no division by almost nothing.

    Attributes
    ----------
    value : Value
        x; None where the factor is the relevance itself.
    factor : Value
        c.
    """

    # NumPy must not take it for a number: array * relevance is an error.
    __array_ufunc__ = None

    value: Value
    factor: Value

    @property
    def whole(self) -> Value:
        """R, multiplied out."""
        return self.factor if self.value is None else self.value * self.factor

    def total(self, samples: int) -> Array:
        """ΣR of each sample, (N,) in float64; on arrays."""
        if self.value is None:
            return total(self.factor, samples)
        return total_of_products(self.value, self.factor, samples)

    def __truediv__(self, denominator: Denominator | Value) -> Value:
        """s = R / st(z); by a plain z, 0/0 is 0."""
        by = dividing(denominator)
        if self.value is None or not by.is_share_of(self.value):
            return self.whole / by.beneath(self.whole)
        return self.factor * by.share(self.value)

    def __mul__(self, mask: Value) -> Relevance:
        return Relevance(self.value, self.factor * mask)

    def __add__(self, other: Relevance) -> Relevance:
        """The sum over two readers of a tensor: their factors add, since both hand on x·c with the same x."""
        if self.value is other.value:
            return Relevance(self.value, self.factor + other.factor)
        return Relevance(None, self.whole + other.whole)


class Denominator(Protocol):
    """What relevance is divided by."""

    def beneath(self, R: Value) -> Value:
        """The number under R."""

    def is_share_of(self, x: Value) -> bool:
        """Whether x divided by it is a finite number wherever x is."""

    def share(self, x: Value) -> Value:
        """x divided by it."""

    def leak(self, s: Value) -> Value:
        """What it keeps for itself of s·z, to be summed; None for nothing."""


@dataclass(frozen=True)
class Stabilizer:
    """st(z) = z + sign(z)·ε, sign(0) = +1: what keeps a denominator away from 0. Bach et al. 2015, eq. 58.

    Attributes
    ----------
    eps : float
        ε > 0, in the units of z.
    norm_scale : bool
        ε times the root mean square of z, sample by sample.
    clip : bool
        st(z) = sign(z)·max(|z|, ε).
    signed : bool
        False: st(z) = z + ε.
    """

    eps: float
    norm_scale: bool = False
    clip: bool = False
    signed: bool = True

    def __call__(self, z: Value, degree: int = 1) -> Stable:
        """st(degree·z), ready to be divided by."""
        return Stable(z, self, degree)


@dataclass(frozen=True, eq=False)
class Stable:
    """st(n·z); n is the number of activations whose product z is (Euler: Σ x·Jᵀs = n·z·s)."""

    z: Value
    stabilizer: Stabilizer
    degree: int = 1

    @property
    def multiple(self) -> Value:
        """n·z."""
        return self.z if self.degree == 1 else self.z * self.degree

    def beneath(self, R: Value) -> Value:
        """st(n·z)."""
        z, st = self.multiple, self.stabilizer
        if not (st.norm_scale or st.clip):
            return stabilize(z, st.eps, signed=st.signed)
        eps = root_mean_square(z) * st.eps if st.norm_scale else z.dtype.type(st.eps)
        sign = signed_epsilon(z, 1.0) if st.signed else 1
        if not st.clip:
            return z + sign * eps
        size = z * sign
        return sign * Where(size < eps, eps, size)

    def is_share_of(self, x: Value) -> bool:
        return True

    def share(self, x: Value) -> Value:
        st = self.stabilizer
        if x is not self.z or st.norm_scale or st.clip:
            return x / self.beneath(x)
        part = share(x, st.eps / self.degree, signed=st.signed)
        return part if self.degree == 1 else part * (1 / self.degree)

    def leak(self, s: Value) -> Value:
        st = self.stabilizer
        if st.norm_scale or st.clip:
            return s * (self.beneath(s) - self.multiple)
        return dot(s, signed_epsilon(self.z, st.eps)) if st.signed else summed(s) * st.eps


@dataclass(frozen=True, eq=False)
class Exact:
    """z itself; 0 divided by anything is 0, and so is 0/0."""

    z: Value
    degree: int = 1

    def beneath(self, R: Value) -> Value:
        z = self.z if self.degree == 1 else self.z * self.degree
        return Where(Equal(R, 0), z.dtype.type(1), z)

    def is_share_of(self, x: Value) -> bool:
        return x is self.z  # of any other, R may be 0 where x is not and z is

    def share(self, x: Value) -> Value:
        return x / self.beneath(x)

    def leak(self, s: Value) -> Value:
        return None


def dividing(by: Denominator | Value) -> Denominator:
    """A denominator; a plain z is one that keeps nothing."""
    return by if hasattr(by, "beneath") else Exact(by)


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
        if self.factor == 1:
            return shares
        bias, leak, intercept = (None if part is None else part * self.factor for part in shares)
        return bias, leak, intercept


@dataclass(frozen=True, eq=False)
class Moved:
    """Relevance that went where its value came from: what constants had put there is their share."""

    layer: Bound
    R: Relevance

    def shares(self) -> Shares:
        """See `Division`."""
        return self.layer.bias_share(self.R.whole) if self.layer.has_constants else None, None, None


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


@dataclass(frozen=True, eq=False)
class Handed:
    """What a rule answers: R_in = x·c, or c alone where x is None, and its account of the rest.

    ΣR = ΣR_in + Σ of all shares of constants and of ε.

    Attributes
    ----------
    value, factor : Value
        x and c; Bundles where the layer has several inputs.
    account : tuple of Division, Moved, Kept or Fallen
        What was divided, moved or kept back. A rule that leaves an entry out is found out: the
        walk stops where what went out is not what came in.
    """

    value: Value
    factor: Value
    account: tuple[Division | Moved | Kept | Fallen, ...] = ()

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

    def parts(self) -> tuple[Relevance, ...]:
        """The relevance of every input of the layer."""
        if not isinstance(self.factor, Bundle):
            return (Relevance(self.value, self.factor),)
        values = self.value if isinstance(self.value, Bundle) else (self.value,) * len(self.factor)
        return tuple(map(Relevance, values, self.factor))
