"""What a method is: a way of asking a model, at one point or at many, and what it makes of the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from ..errors import InputError
from ..tensor import Array, Value, total
from .baselines import Baseline, is_baseline, origins_of

# Called with what is done and what there is to do, in model runs.
Progress: TypeAlias = Callable[[int, int], None]


class Problem(Protocol):
    """One batch, and what is explained of it; asked at the batch itself or elsewhere.

    Attributes
    ----------
    feeds : dict of input name -> array (N, ...)
        The inputs that are explained, in the type that attributions are computed in.
    samples : int
        N.
    layout : str
        "NCHW" or "NHWC".
    """

    feeds: dict[str, Array]
    samples: int
    layout: str

    def at(self, feeds: dict[str, Array]) -> Problem:
        """The same question about another batch of as many samples."""

    def score(self, feeds: Mapping[str, Array], rows: Array) -> Array:
        """What is explained, (M,), at M points; `rows` (M,) says for which sample each is asked."""

    def attribute(
        self,
        feeds: Mapping[str, Array],
        rows: Array,
        *,
        references: Mapping[str, Array] | None = None,
        points: int = 0,
    ) -> dict[str, Array]:
        """What one walk from each of M points hands to the inputs: the gradient, as a rule.

        `references` are M points that rules compare with. `points` says how many there will be in
        all, if more than these.
        """

    def inner(self, tensor: str) -> tuple[Array, Array]:
        """An inner tensor's values for the batch itself, and what the walk hands to it."""


@dataclass(frozen=True)
class Method:
    """A way of explaining, its options as fields: ``method(problem, progress) -> {input: array}``.

    Attributes
    ----------
    composite : str
        The composite of its walks; "" where the caller's is used.
    single : bool
        Whether it is one walk from the input itself, and `read` all that it makes of it.
    elsewhere : bool
        Whether it asks at other points than the input.
    """

    composite: ClassVar[str] = "gradient"
    single: ClassVar[bool] = False
    elsewhere: ClassVar[bool] = False

    def __call__(self, problem: Problem, progress: Progress | None = None) -> dict[str, Array]:
        answers = problem.attribute(problem.feeds, np.arange(problem.samples))
        return {name: self.read(x, answers[name]) for name, x in problem.feeds.items()}

    @property
    def core(self) -> Method:
        """The method itself, without what is put around it."""
        return self

    @property
    def walks(self) -> bool:
        """Whether it walks at all, or only asks for scores: then any model will do."""
        return True

    def read(self, x: Value, answer: Value) -> Value:
        """The attribution that one walk is, in primitives."""
        return answer

    def repeats(self, x: Array) -> bool:
        """Whether every channel of the map of an input holds the whole amount of its place."""
        return False

    def delta(self, problem: Problem, found: Mapping[str, Array]) -> Array | None:
        """What the attributions miss of the sum that they should have, (N,); None where they need none."""
        return None

    @classmethod
    def options(cls) -> list[str]:
        """The names of its options."""
        return [entry.name for entry in fields(cls) if entry.init]

    def require(self, condition: bool, reason: str) -> None:
        """Refuse an option, with the reason."""
        if not condition:
            raise InputError(f"{type(self).__name__}: {reason}")

    def require_whole(self, option: str, least: int = 1) -> None:
        """Refuse an option that is not a whole number from `least` on."""
        value = getattr(self, option)
        self.require(
            is_whole(value) and value >= least,
            f"{option} must be a whole number from {least} on, not {value!r}",
        )

    def require_baseline(self, option: str) -> None:
        """Refuse an option that is no baseline."""
        value = getattr(self, option)
        self.require(
            is_baseline(value),
            f"{option} can be a finite number, one per channel, an array or 'mean'; not {value!r}",
        )


@dataclass(frozen=True)
class Walk(Method):
    """One walk by a composite: LRP, or whatever the composite's rules make of it."""

    composite: ClassVar[str] = ""
    single: ClassVar[bool] = True


@dataclass(frozen=True)
class InputXGradient(Method):
    """x · ∂f/∂x. Shrikumar et al. 2016."""

    single: ClassVar[bool] = True

    def read(self, x: Value, answer: Value) -> Value:
        return x * answer


def missed(problem: Problem, baseline: Baseline, found: Mapping[str, Array]) -> Array:
    """Σ attributions − (f(x) − f(x')), (N,): 0 where a method is complete."""
    rows = np.arange(problem.samples)
    origins = {
        name: np.broadcast_to(origin, problem.feeds[name].shape)
        for name, origin in origins_of(baseline, problem.feeds, problem.layout).items()
    }
    sums = np.sum([total(value, problem.samples) for value in found.values()], axis=0)
    return np.asarray(sums - (problem.score(problem.feeds, rows) - problem.score(origins, rows)))


def per_step(values: Array, x: Array) -> Array:
    """One number per step as they broadcast to points like `x`: (K, 1, ...)."""
    return np.asarray(values, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of Python or of NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return is_whole(value) or (isinstance(value, float | np.floating) and math.isfinite(value))
