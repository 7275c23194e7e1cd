"""What a method is: a way of asking a model, at one point or at many, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from ..errors import InputError
from ..tensor import Array, Value, total

# Called with what is done and what there is to do, in model runs.
Progress: TypeAlias = Callable[[int, int], None]
# What stands for "nothing was there": a number, one per channel, a sample or a batch; a dict per input.
Baseline: TypeAlias = "float | tuple[float, ...] | Array | Mapping[str, Any]"


class Problem(Protocol):
    """One batch, and what is explained of it; asked at the batch itself or elsewhere.

    Attributes
    ----------
    feeds : dict of input name -> array (N, ...)
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

    def attribute(self, feeds: Mapping[str, Array], rows: Array) -> dict[str, Array]:
        """What one walk from each of M points hands to the inputs: the gradient, as a rule."""

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
    walks : bool
        Whether it walks at all, or only asks for scores: then any model will do.
    """

    composite: ClassVar[str] = "gradient"
    single: ClassVar[bool] = False
    walks: ClassVar[bool] = True

    def __call__(self, problem: Problem, progress: Progress | None = None) -> dict[str, Array]:
        answers = problem.attribute(problem.feeds, np.arange(problem.samples))
        return {name: self.read(x, answers[name]) for name, x in problem.feeds.items()}

    def read(self, x: Value, answer: Value) -> Value:
        """The attribution that one walk is, in primitives."""
        return answer

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


@dataclass(frozen=True)
class Walk(Method):
    """One walk by a composite: LRP, or whatever the composite's rules make of it."""

    composite: ClassVar[str] = ""
    single: ClassVar[bool] = True


@dataclass(frozen=True)
class Gradient(Method):
    """∂f/∂x. Simonyan et al. 2014 (whose maps are its absolute value)."""

    single: ClassVar[bool] = True


@dataclass(frozen=True)
class InputXGradient(Gradient):
    """x · ∂f/∂x. Shrikumar et al. 2016."""

    def read(self, x: Value, answer: Value) -> Value:
        return x * answer


def baseline_for(baseline: Baseline, name: str, x: Array) -> Array:
    """A baseline as an array (1 or N, ...) in the shape of the samples of `x`, the batch of input `name`.

    Raises
    ------
    InputError
        It fits neither a sample, nor the batch, nor the channels.
    """
    value = baseline.get(name, 0.0) if isinstance(baseline, Mapping) else baseline
    array = np.asarray(value, dtype=x.dtype)
    if array.ndim == 1 and x.ndim > 2 and len(array) == x.shape[1]:
        array = array.reshape(-1, *[1] * (x.ndim - 2))
    samples = len(array) if array.ndim == x.ndim else 1
    try:
        if samples not in (1, len(x)):
            raise ValueError
        return np.broadcast_to(array, (samples, *x.shape[1:]))
    except ValueError:
        raise InputError(
            f"baseline: shape {array.shape} is neither a number, nor one per channel, nor a sample or the "
            f"batch of input {name!r}, {x.shape}"
        ) from None


def missed(problem: Problem, baseline: Baseline, found: Mapping[str, Array]) -> Array:
    """Σ attributions − (f(x) − f(x')), (N,): 0 where a method is complete."""
    rows = np.arange(problem.samples)
    origins = {
        name: np.array(np.broadcast_to(baseline_for(baseline, name, x), x.shape))
        for name, x in problem.feeds.items()
    }
    sums = np.sum([total(value, problem.samples) for value in found.values()], axis=0)
    return np.asarray(sums - (problem.score(problem.feeds, rows) - problem.score(origins, rows)))


def per_step(values: Array, x: Array) -> Array:
    """One number per step as they broadcast to points like `x`: (K, 1, ...)."""
    return np.asarray(values, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))
