"""Integrated Gradients and its relatives: gradients between a baseline and the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError
from ..model.told import Axes
from ..plain.checks import is_number, is_one_of
from ..tensor import Array, Value
from .base import missed, per_point
from .baselines import Baseline, check_names, origin_of, origins_of
from .question import Question
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
    baseline : float, tuple, array, "mean" or dict
        x': a number, one per channel, a sample or a batch; "mean", each channel's in the sample itself;
        a dict has one per input.
    quadrature : str
        "gausslegendre", captum's default; "riemann_right", zennit's; "riemann_left",
        "riemann_middle" or "riemann_trapezoid".
    batch_size, hold
        See `Sampling`.
    """

    n_steps: int = 50
    baseline: Baseline = field(default=0.0, hash=False)
    quadrature: str = GAUSS_LEGENDRE

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (GAUSS_LEGENDRE, *RIEMANN)
        self.require(
            is_one_of(self.quadrature, known),
            f"quadrature is {self.quadrature!r}; there is: {', '.join(known)}",
        )
        self.require_whole("n_steps", least=2 if self.quadrature == "riemann_trapezoid" else 1)
        self.require_baseline("baseline")

    def origins(self, feeds: Mapping[str, Array], axes: Mapping[str, Axes]) -> dict[str, Array]:
        return origins_of(self.baseline, feeds, axes)

    @property
    def count(self) -> int:
        return self.n_steps

    def briefly(self) -> IntegratedGradients:
        return replace(self, n_steps=min(self.n_steps, 3))

    def delta(self, question: Question, found: Mapping[str, Array]) -> Array | None:
        return missed(question, self.baseline, found)

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

    def table(self, name: str, x: Array, axes: Axes) -> dict[str, Array]:
        places, weights = self.nodes()
        return {"alpha": per_point(places, x), "weight": per_point(weights * self.n_steps, x)}

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
    baselines : float, tuple, array or dict
        A number, one per channel, or an array of samples (B, ...) of which each point draws one; a dict
        has them for each input, and all inputs have the same one of as many drawn.
    stdev : float
        The noise's standard deviation, in the units of the input.
    seed : int
        Of all that is drawn: the same for every sample of a batch.
    batch_size, hold
        See `Sampling`.
    """

    n_samples: int = 5
    baselines: Baseline = field(default=0.0, hash=False)
    stdev: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("n_samples")
        self.require_whole("seed", least=0)
        self.require_baseline("baselines")
        self.require(
            is_number(self.stdev) and self.stdev >= 0, f"stdev must be 0 or more, not {self.stdev!r}"
        )

    @property
    def count(self) -> int:
        return self.n_samples

    def origins(self, feeds: Mapping[str, Array], axes: Mapping[str, Axes]) -> dict[str, Array]:
        check_names(self.baselines, feeds)
        return super().origins(feeds, axes)  # each point has its own

    def briefly(self) -> GradientShap:
        return replace(self, n_samples=min(self.n_samples, 3))

    def table(self, name: str, x: Array, axes: Axes) -> dict[str, Array]:
        # Drawn first, and so alike for all inputs.
        alpha, which = np.random.default_rng(self.seed).uniform(size=(2, self.n_samples))
        pool = self.pool(name, x, axes)
        noise = noise_for(name, x, self.n_samples, self.seed) * self.stdev
        return {
            "alpha": per_point(alpha, x),
            "origin": pool[(which * len(pool)).astype(int)],
            "noise": noise.astype(x.dtype),
        }

    def pool(self, name: str, x: Array, axes: Axes) -> Array:
        """The baselines of input `name` to draw from, (B, ...).

        Raises
        ------
        InputError
            They do not fit the input.
        """
        given = self.baselines.get(name, 0.0) if isinstance(self.baselines, Mapping) else self.baselines
        if isinstance(given, str):
            raise InputError("gradient_shap draws baselines that are the same for all samples, not 'mean'")
        # Samples are told from one by their own axis; `x` stands for a batch of as many.
        samples = len(given) if np.ndim(given) == x.ndim else 1  # type: ignore[arg-type]
        return origin_of(given, name, np.broadcast_to(x[:1], (samples, *x.shape[1:])), axes)

    def point(self, x: Value, origin: Value, row: Mapping[str, Value]) -> Value:
        return row["origin"] + row["alpha"] * (x + row["noise"] - row["origin"])

    def value(self, x: Value, origin: Value, row: Mapping[str, Value], point: Value, answer: Value) -> Value:
        return (x + row["noise"] - row["origin"]) * answer


def noise_for(name: str, x: Array, count: int, seed: int) -> Array:
    """Standard normal noise for `count` points like the samples of `x`; every input has its own."""
    return np.random.default_rng([seed, *name.encode()]).standard_normal((count, *x.shape[1:]))
