"""Integrated Gradients and its relatives: gradients between a baseline and the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..tensor import Array, Value
from .base import Baseline, Problem, baseline_for, missed, per_step
from .sampling import Sampling

GAUSS_LEGENDRE = "gausslegendre"
RIEMANN = ("riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid")


@dataclass(frozen=True)
class IntegratedGradients(Sampling):
    """(x − x')·∫₀¹ ∂f/∂x (x' + α(x − x')) dα. Sundararajan et al. 2017, eq. 1.

    Parameters
    ----------
    n_steps : int
        Points on the straight line from the baseline to the input.
    baseline : float, tuple, array or dict
        x': a number, one per channel, a sample or a batch; a dict has one per input.
    quadrature : str
        "gausslegendre", captum's default; "riemann_right", zennit's; "riemann_left",
        "riemann_middle" or "riemann_trapezoid".
    batch_size
        See `Sampling`.
    """

    n_steps: int = 50
    baseline: Baseline = field(default=0.0, hash=False)
    quadrature: str = GAUSS_LEGENDRE

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (GAUSS_LEGENDRE, *RIEMANN)
        self.require(
            self.quadrature in known, f"quadrature is {self.quadrature!r}; there is: {', '.join(known)}"
        )
        least = 2 if self.quadrature == "riemann_trapezoid" else 1
        self.require(self.n_steps >= least, f"n_steps must be {least} or more, not {self.n_steps}")

    @property
    def origin(self) -> Baseline:
        return self.baseline

    def delta(self, problem: Problem, found: Mapping[str, Array]) -> Array | None:
        return missed(problem, self.baseline, found)

    def nodes(self) -> tuple[Array, Array]:
        """Places on [0, 1] and their weights, (K,) each."""
        n = self.n_steps
        if self.quadrature == GAUSS_LEGENDRE:
            places, weights = np.polynomial.legendre.leggauss(n)
            return (places + 1) / 2, weights / 2
        if self.quadrature == "riemann_trapezoid":
            # n points bound n − 1 intervals. (captum divides by n: its sum misses a share of 1/n.)
            weights = np.full(n, 1 / (n - 1))
            weights[[0, -1]] /= 2
            return np.linspace(0, 1, n), weights
        first = {"riemann_left": 0.0, "riemann_middle": 0.5, "riemann_right": 1.0}[self.quadrature]
        return (np.arange(n) + first) / n, np.full(n, 1 / n)

    def steps(self, x: Array) -> dict[str, Array]:
        places, weights = self.nodes()
        return {"alpha": per_step(places, x), "weight": per_step(weights * self.n_steps, x)}

    def point(self, x: Value, origin: Value, row: Mapping[str, Value]) -> Value:
        return origin + row["alpha"] * (x - origin)

    def value(self, x: Value, origin: Value, row: Mapping[str, Value], point: Value, answer: Value) -> Value:
        return row["weight"] * answer

    def finish(self, x: Value, origin: Value, mean: Value, square: Value) -> Value:
        return (x - origin) * mean


@dataclass(frozen=True)
class GradientShap(Sampling):
    """E[(x̃ − x')·∂f/∂x (x' + u(x̃ − x'))], x̃ = x + noise, x' a random baseline, u uniform on [0, 1].

    Lundberg & Lee 2017 (expected gradients); captum's GradientShap.

    Parameters
    ----------
    n_samples : int
    baselines : float, tuple or array
        A number, one per channel, or an array of samples (B, ...) of which each step draws one.
    stdev : float
        The noise's standard deviation, in the units of the input.
    seed : int
        Of all that is drawn: the same for every sample of a batch.
    batch_size
        See `Sampling`.
    """

    n_samples: int = 5
    baselines: Baseline = field(default=0.0, hash=False)
    stdev: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.n_samples >= 1, f"n_samples must be 1 or more, not {self.n_samples}")
        self.require(self.stdev >= 0, f"stdev must not be negative; {self.stdev} is")

    def steps(self, x: Array) -> dict[str, Array]:
        random = np.random.default_rng(self.seed)
        one = x[:1]
        pool = None if isinstance(self.baselines, Mapping) else np.asarray(self.baselines)
        rows = (
            np.broadcast_to(baseline_for(self.baselines, "", one), one.shape)
            if pool is None or pool.ndim != x.ndim
            else np.concatenate([baseline_for(row, "", one) for row in pool])
        )
        drawn = random.integers(0, len(rows), self.n_samples)
        alpha = random.uniform(size=self.n_samples)
        noise = random.standard_normal((self.n_samples, *x.shape[1:])) * self.stdev
        return {
            "alpha": per_step(alpha, x),
            "origin": rows[drawn].astype(x.dtype),
            "noise": noise.astype(x.dtype),
        }

    def point(self, x: Value, origin: Value, row: Mapping[str, Value]) -> Value:
        return row["origin"] + row["alpha"] * (x + row["noise"] - row["origin"])

    def value(self, x: Value, origin: Value, row: Mapping[str, Value], point: Value, answer: Value) -> Value:
        return (x + row["noise"] - row["origin"]) * answer
