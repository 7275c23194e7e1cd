"""Any method, asked again and again around the input: SmoothGrad and its relatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..tensor import Array, Value, largest, smallest
from .base import Gradient, Method, Problem, Progress
from .sampling import Sampling

# What is made of the maps a under noise.
KINDS = {
    "smoothgrad": "E[a], the mean of gradients a under noise. Smilkov et al. 2017.",
    "smoothgrad_sq": "E[a²], the mean of their squares. Hooker et al. 2019.",
    "vargrad": "E[a²] − E[a]², their variance. Adebayo et al. 2018.",
}


@dataclass(frozen=True)
class Noise(Sampling):
    """The mean, the mean square or the variance of a method's maps under Gaussian noise on the input.

    a_k = method(x + σ·n_k), n_k standard normal: E[a], Smilkov et al. 2017; E[a²], Hooker et al.
    2019; E[a²] − E[a]², Adebayo et al. 2018. captum's NoiseTunnel.

    Parameters
    ----------
    kind : str
        "smoothgrad", "smoothgrad_sq" or "vargrad".
    n_samples : int
    noise_level : float
        σ as a share of each sample's range, largest less smallest value.
    stdev : float, optional
        σ itself, in the units of the input, instead.
    seed : int
        Of the noise: the same for every sample of a batch.
    around : Method
        What is asked.
    batch_size
        See `Sampling`.
    """

    kind: str = "smoothgrad"
    n_samples: int = 20
    noise_level: float = 0.1
    stdev: float | None = None
    seed: int = 0
    around: Method = field(default_factory=Gradient)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.kind in KINDS, f"kind is {self.kind!r}; there is: {', '.join(KINDS)}")
        self.require(self.n_samples >= 1, f"n_samples must be 1 or more, not {self.n_samples}")
        level = self.noise_level if self.stdev is None else self.stdev
        self.require(level >= 0, f"noise must not be negative; {level} is")

    def steps(self, x: Array) -> dict[str, Array]:
        random = np.random.default_rng(self.seed)
        return {"noise": random.standard_normal((self.n_samples, *x.shape[1:])).astype(x.dtype)}

    def point(self, x: Value, origin: Value, row: Mapping[str, Value]) -> Value:
        if self.stdev is not None:
            return x + row["noise"] * self.stdev
        return x + row["noise"] * ((largest(x) - smallest(x)) * self.noise_level)

    def value(self, x: Value, origin: Value, row: Mapping[str, Value], point: Value, answer: Value) -> Value:
        return self.around.read(point, answer)

    def finish(self, x: Value, origin: Value, mean: Value, square: Value) -> Value:
        if self.kind == "smoothgrad":
            return mean
        return square if self.kind == "smoothgrad_sq" else square - mean * mean

    def __call__(self, problem: Problem, progress: Progress | None = None) -> dict[str, Array]:
        if self.around.single:
            return super().__call__(problem, progress)
        feeds = problem.feeds
        tables = {name: self.steps(x)["noise"] for name, x in feeds.items()}
        mean, square = ({name: np.zeros_like(x) for name, x in feeds.items()} for _ in range(2))
        for step in range(self.n_samples):
            points = {n: self.point(x, 0.0, {"noise": tables[n][step]}) for n, x in feeds.items()}
            for name, value in self.around(problem.at(points)).items():
                mean[name] += value / self.n_samples
                square[name] += value * value / self.n_samples
            if progress is not None:
                progress(step + 1, self.n_samples)
        return {name: self.finish(x, 0.0, mean[name], square[name]) for name, x in feeds.items()}
