"""Relevance on its way: what a rule is handed, and what it divides by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..tensor import (
    Array,
    Equal,
    Value,
    Where,
    dot,
    root_mean_square,
    share,
    signed_epsilon,
    stabilize,
    summed,
    total,
    total_of_products,
)


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
