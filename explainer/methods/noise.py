"""Any method, asked again and again around the input: SmoothGrad and its relatives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..composites import Composite
from ..model.graph import Graph
from ..model.told import Axes
from ..plain.checks import is_number, is_one_of
from ..plan import Plan
from ..targets import Anchor
from ..tensor import Array, Value, largest, smallest
from .base import Method, Progress
from .paths import noise_for
from .question import Question
from .sampling import Moments, Sampling
from .single import Walk
from .trace import Trace, Values

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
    batch_size, hold
        See `Sampling`.
    """

    kind: str = "smoothgrad"
    n_samples: int = 20
    noise_level: float = 0.1
    stdev: float | None = None
    seed: int = 0
    around: Method = field(default_factory=Walk)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(is_one_of(self.kind, KINDS), f"kind is {self.kind!r}; there is: {', '.join(KINDS)}")
        self.require(isinstance(self.around, Method), f"around is {self.around!r}; expected a method")
        self.require_whole("n_samples")
        self.require_whole("seed", least=0)
        option = "noise_level" if self.stdev is None else "stdev"
        size = getattr(self, option)
        self.require(is_number(size) and size >= 0, f"{option} must be 0 or more, not {size!r}")

    @property
    def walks(self) -> bool:
        return self.around.walks

    def plan(
        self,
        graph: Graph,
        composite: Composite,
        anchor: Anchor,
        keep: Collection[str] | str = (),
        conditioned: Collection[str] = (),
    ) -> Plan:
        return self.around.plan(graph, composite, anchor, keep, conditioned)

    def require_askable(self, graph: Graph, layout: str = "", plan: Plan | None = None) -> None:
        super().require_askable(graph, layout, plan)
        self.around.require_askable(graph, layout, plan)

    def repeats(self, x: Array) -> bool:
        return self.around.repeats(x)

    def require_compilable(self) -> None:
        self.around.require_compilable()
        if not self.around.single:
            raise self.around.not_compilable(
                "under noise asks again and again: a file holds one loop of walks"
            )

    def held(self, question: Question) -> tuple[str, ...]:
        return (*super().held(question), *self.around.held(question))

    def named(self, question: Question) -> list[str]:
        return list(dict.fromkeys([*super().named(question), *self.around.named(question)]))

    @property
    def squares(self) -> bool:
        return self.kind != "smoothgrad"

    @property
    def count(self) -> int:
        return self.n_samples

    def briefly(self) -> Noise:
        return replace(self, n_samples=min(self.n_samples, 3))

    def table(self, name: str, x: Array, axes: Axes) -> dict[str, Array]:
        return {"noise": noise_for(name, x, self.n_samples, self.seed).astype(x.dtype)}

    def point(self, x: Value, origin: Value, row: Mapping[str, Value]) -> Value:
        if self.stdev is not None:
            return x + row["noise"] * self.stdev
        return x + row["noise"] * ((largest(x) - smallest(x)) * self.noise_level)

    def value(self, x: Value, origin: Value, row: Mapping[str, Value], point: Value, answer: Value) -> Value:
        return self.around.read(point, answer)

    def shifts(self, trace: Trace) -> Values:
        if self.kind != "vargrad":
            return {}
        answers = trace.walk()
        # onnxruntime before 1.25 ends the process where a Conv is read by a Loop alone: not so behind a Neg.
        return {name: -self.around.read(x, answers[name]) for name, x in trace.inputs.items()}

    def finish(self, x: Value, origin: Value, mean: Value, square: Value) -> Value:
        if self.kind == "smoothgrad":
            return mean
        return square if self.kind == "smoothgrad_sq" else square - mean * mean

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        if self.around.single:
            return super().__call__(question, progress)
        feeds, rows = question.feeds, np.arange(question.samples)
        tables = {name: self.table(name, x, question.axes[name])["noise"] for name, x in feeds.items()}
        sums = Moments(question.samples, self.n_samples, self.squares)
        for number in range(self.n_samples):
            points = {name: self.point(x, 0.0, {"noise": tables[name][number]}) for name, x in feeds.items()}
            asked = question.at(points)
            found = self.around(asked)
            self.around.check_maps(found, asked)
            for name, value in found.items():
                sums.add(name, value, rows)
            if progress is not None:
                progress(number + 1, self.n_samples)
        mapped = {name: feeds[name] for name in sums.mean}  # a map may be of some inputs alone
        return self.finished(mapped, dict.fromkeys(mapped, np.zeros(1)), sums)
