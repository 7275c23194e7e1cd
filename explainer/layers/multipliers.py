"""DeepLIFT's rescale rule where several numbers meet: chains of functions of one number, Δout/Δin of each.

Shrikumar et al. 2017, sec. 3.2 and 3.5.1. At a last Softmax or Sigmoid the sums are differences of p.
"""

from __future__ import annotations

from collections.abc import Callable

from ..tensor import Abs, Array, Exp, Log, Max, ReduceSum, Sigmoid, Tanh, Value, Where

# What log is taken of at least: below it p·log p is 0 in float32.
TINY = 1e-37
# Below which Δx counts as 0, as in the rule `Rescale`.
STILL = 1e-10


def rescaled(z: Value, z0: Value, x: Value, x0: Value, slope: Value) -> Value:
    """Δz/Δx, the slope where nothing changed; of functions of one number."""
    change = x - x0
    still = Abs(change) < STILL
    return Where(still, slope, (z - z0) / Where(still, change.dtype.type(1), change))


def sigmoid_multipliers(z: Value, z0: Value) -> Value:
    """(σ(z) − σ(z')) / (z − z'), the derivative where both are the same; z0 is z'.

    As σ(b)·σ(−a)·(1 − e^(a−b)) / (b − a), a the smaller of z and z', it loses no digits.
    """
    larger, smaller = Max(z, z0), -Max(-z, -z0)
    return Sigmoid(larger) * Sigmoid(-smaller) * _mean_decay(larger - smaller)


def softmax_multipliers(
    z: Value, z0: Value, p: Value, p0: Value, axes: Array, chosen: Callable[[Value], Value]
) -> Value:
    """m with Σ_j m_j·(z_j − z'_j) = Σ_t (p_t − p'_t): the rescale rule at exp, log and exp.

    p_t = exp(z_t − log Σ_j exp z_j) is made of functions of one number, so the rule and its chain rule
    (Shrikumar et al. 2017, sec. 3.2 and 3.5.1) say all of it:

        m_j = Δp_t/Δl_t · (δ_jt − q_j),   l = log p,   q_j = (Δe_j/Δz_j) · (ΔL/ΔS),

    e_j = exp z_j, S = Σ_j e_j, L = log S. (captum divides Δp_t by Δz_t alone and takes the mean over
    the batch and its references away: such sums are not Δp_t, and another sample changes them.)

    Parameters
    ----------
    z, z0 : Value
        The logits of the sample and of the reference.
    p, p0 : Value
        Their softmax.
    axes : array of int
        Along which classes compete.
    chosen : callable
        Keeps a value at the targets t, and is 0 elsewhere.
    """
    L, L0, q = _shares(z, z0, p, p0, axes)
    of_log = chosen(Max(p, p0) * _mean_decay(Abs((z - L) - (z0 - L0))))
    return of_log - q * ReduceSum(of_log, axes)


def log_softmax_multipliers(
    z: Value, z0: Value, p: Value, p0: Value, axes: Array, chosen: Callable[[Value], Value]
) -> Value:
    """m with Σ_j m_j·(z_j − z'_j) = Σ_t (l_t − l'_t), l = log p: δ_jt − q_j, see `softmax_multipliers`."""
    of_log = chosen(p * 0 + 1)
    return of_log - _shares(z, z0, p, p0, axes)[2] * ReduceSum(of_log, axes)


def log_sum_multipliers(z: Value, z0: Value, p: Value, p0: Value, axes: Array) -> Value:
    """q with Σ_j q_j·(z_j − z'_j) = ΔL, L = log Σ e^z and p its slope."""
    return _shares(z, z0, p, p0, axes)[2]


def _shares(z: Value, z0: Value, p: Value, p0: Value, axes: Array) -> tuple[Value, Value, Value]:
    """L, L' and q: Δe_j/Δz_j · ΔL/ΔS."""
    # L = z_j − log p_j for every j; weighted by p_j nothing overflows, and p_j = 0 adds nothing.
    L, L0 = (ReduceSum(w * (x - Log(Max(w, w.dtype.type(TINY)))), axes) for x, w in ((z, p), (z0, p0)))
    rises, growth = L > L0, Abs(L - L0)
    # In units of the larger S: its own e_j is p_j, the other's p_j·e^(−|ΔL|).
    more, less = Where(rises, p, p0), Where(rises, p0, p) * Exp(-growth)
    # (a − b)/(log a − log b) = max(a, b)·(1 − e^(−u))/u, u = |log a − log b|.
    return L, L0, Max(more, less) * _mean_decay(Abs(z - z0)) / _mean_decay(growth)


def _mean_decay(u: Value) -> Value:
    """(1 − e^(−u)) / u for u ≥ 0, 1 at 0; by tanh(u/2)·(1 + e^(−u)), which has all its digits near 0."""
    still = u < TINY
    slope = Tanh(u * 0.5) * (Exp(-u) + 1) / Where(still, u.dtype.type(1), u)
    return Where(still, u.dtype.type(1), slope)
