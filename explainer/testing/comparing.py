"""What all checks have in common: errors relative to the largest value, and how they are said."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Array


def require(condition: bool, message: str) -> None:
    """Raise an AssertionError unless the condition holds, whether Python optimises asserts away or not."""
    if not condition:
        raise AssertionError(message)


def drawn(name: str) -> np.random.Generator:
    """Random numbers of a name's own: never those of a model's inputs, which have a number for a seed."""
    return np.random.default_rng([*name.encode()])


def is_array(value: Any) -> bool:
    """Whether a value is an array, or the Bundle of arrays that several inputs are."""
    parts = value if isinstance(value, tuple) else (value,)
    return all(isinstance(part, np.ndarray | np.generic) for part in parts)


def relative(a: Any, b: Any) -> float:
    """Largest |a − b| relative to the largest |b|; infinity where the shapes differ."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        return float("inf")
    gap = float(np.max(np.abs(a - b), initial=0))
    return gap / (float(np.max(np.abs(b), initial=0)) or 1.0)


def by_sample(share: Any, samples: int) -> Array:
    """A share as one number per sample, (N,); it may be summed already over all but the batch."""
    return np.zeros(samples) if share is None else np.reshape(share, (samples, -1)).sum(1)
