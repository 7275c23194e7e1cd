"""The papers' formulas on dense matrices: what every rule is compared with.

A layer is z = W x + b with W (outputs, inputs), all vectors flat. Nothing here knows the library.

Bach et al. 2015 write every rule as messages: R_j = Σ_k z_kj / (Σ_j z_kj + b_k) · R_k, where z_kj = w_kj x_j
is what input j adds to output k. So a rule is a matrix of messages and what counts as bias.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray
Stabilizer: TypeAlias = Callable[[Array], Array]


class Shares(NamedTuple):
    """R_in by input, and what falls to the bias and to the stabiliser by output."""

    R_in: Array
    bias: Array
    epsilon: Array

    def __add__(self, other: Any) -> "Shares":
        return Shares(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def times(self, factor: float) -> "Shares":
        return Shares(*(factor * part for part in self))


def sign(z: Array) -> Array:
    """+1 or -1, with sign(0) = +1."""
    return np.where(z < 0, -1.0, 1.0)


def plus(a: Array) -> Array:
    """a⁺."""
    return np.where(a > 0, a, 0.0)


def minus(a: Array) -> Array:
    """a⁻."""
    return np.where(a < 0, a, 0.0)


def stabilizer(
    eps: float = 1e-6, clip: bool = False, norm_scale: bool = False, signed: bool = True, samples: int = 1
) -> Stabilizer:
    """z + sign(z)·ε; z + ε if not signed; sign(z)·max(|z|, ε) if clip; ε in units of each sample's rms."""

    def st(z: Array) -> Array:
        rows = z.reshape(samples, -1)
        scale = np.sqrt((rows**2).mean(axis=1, keepdims=True)) if norm_scale else 1.0
        e = np.broadcast_to(eps * scale, rows.shape).ravel()
        if clip:
            return sign(z) * np.maximum(abs(z), e)
        return z + (sign(z) if signed else 1.0) * e

    return st


def handed_on(messages: Array, b: Array, R: Array, st: Stabilizer | float) -> Shares:
    """R_j = Σ_k z_kj / st(Σ_j z_kj + b_k) · R_k, and the shares of b_k and of st; a number is its ε."""
    st = st if callable(st) else stabilizer(st)
    z = messages.sum(axis=1) + b
    s = R / st(z)
    return Shares(messages.T @ s, b * s, (st(z) - z) * s)


def zero(W: Array, b: Array, x: Array, R: Array) -> Shares:
    """LRP-0 (Bach et al. 2015, eq. 56), 0/0 := 0."""
    s = np.divide(R, W @ x + b, out=np.zeros_like(R), where=R != 0)
    return Shares((W * x).T @ s, b * s, np.zeros_like(s))


def epsilon(W: Array, b: Array, x: Array, R: Array, st: Stabilizer | float) -> Shares:
    """R_j = Σ_k x_j w_kj / st(z_k) · R_k (Bach et al. 2015, eq. 58)."""
    return handed_on(W * x, b, R, st)


def zplus(W: Array, b: Array, x: Array, R: Array, st: Stabilizer | float) -> Shares:
    """Positive messages only (Montavon et al. 2017, z⁺)."""
    return handed_on(plus(W * x), plus(b), R, st)


def alpha_beta(
    W: Array,
    b: Array,
    x: Array,
    R: Array,
    st: Stabilizer | float,
    alpha: float,
    beta: float,
    full_bias: bool = False,
) -> Shares:
    """Positive and negative messages apart (Bach et al. 2015, eq. 60); iNNvestigate's with the whole bias."""
    positive = handed_on(plus(W * x), b if full_bias else plus(b), R, st)
    negative = handed_on(minus(W * x), b if full_bias else minus(b), R, st)
    return positive.times(alpha) + negative.times(-beta)


def gamma(
    W: Array,
    b: Array,
    x: Array,
    R: Array,
    st: Stabilizer | float,
    gamma: float,
    zero_bias: bool = False,
) -> Shares:
    """Messages that agree in sign with z_k are boosted (Andéol et al. 2021, generalised LRP-γ).

    `zero_bias` leaves the bias out of the denominators; the sign of z is that with it.
    """
    z, b = W @ x + b, 0 * b if zero_bias else b
    up = handed_on(W * x + gamma * plus(W * x), b + gamma * plus(b), R * (z > 0), st)
    down = handed_on(W * x + gamma * minus(W * x), b + gamma * minus(b), R * (z < 0), st)
    return up + down + Shares(0 * x, 0 * R, R * (z == 0))


def zbox(W: Array, b: Array, x: Array, R: Array, st: Stabilizer | float, low: Any, high: Any) -> Shares:
    """Messages counted from the least that the box allows (Montavon et al. 2017, z^B); b cancels."""
    return handed_on(W * x - plus(W) * low - minus(W) * high, 0 * b, R, st)


def wsquare(W: Array, b: Array, x: Array, R: Array, st: Stabilizer | float) -> Shares:
    """Squared weights, the bias's too, whatever the input (Montavon et al. 2017, w²)."""
    return handed_on(W**2, b**2, R, st)


def flat(W: Array, b: Array, x: Array, R: Array, st: Stabilizer | float) -> Shares:
    """Evenly over the inputs that a neuron has (Bach et al. 2016); no bias."""
    return handed_on(1.0 * (W != 0), 0 * b, R, st)


def plain_gamma(W: Array, b: Array, x: Array, R: Array, st: Stabilizer | float, gamma: float) -> Shares:
    """W + γW⁺ whatever the sign of the input, and the bias as it is: captum's GammaRule."""
    return handed_on((W + gamma * plus(W)) * x, b, R, st)


def plain_zplus(W: Array, b: Array, x: Array, R: Array, st: Stabilizer | float) -> Shares:
    """W⁺ whatever the sign of the input, and the bias as it is: captum's Alpha1_Beta0_Rule."""
    return handed_on(plus(W) * x, b, R, st)


def route(W: Array, R: Array) -> Shares:
    """Relevance goes where the value came from; what came from no input is the bias's."""
    kept = (W != 0).any(axis=1)
    return Shares(W.T @ R, np.where(kept, 0.0, R), np.zeros_like(R))
