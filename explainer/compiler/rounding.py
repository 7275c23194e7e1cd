"""How far a walk in ONNX may be from NumPy's on the same values: only rounding is between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..tensor import Array

# |a − b| / |b| of a sample, and of the nearest one that was tried, which tells whether a factor is off: where
# a Sigmoid is saturated, onnxruntime's own is by more than rounding (seen: 7e-5). Ten times what was seen
# (docs/architecture.md). Both walk in float32, whatever the file computes in.
WALK, NEAREST = 1e-4, 1e-5
# Where it is more, the map itself may be hard to compute: so many times what NumPy's own answer moves by when
# it is walked in float64 from the same values, every answer of a walk moved by `ROUNDING` of itself.
CONDITION, ROUNDING = 10, 2.0**-20
# Of the longest map so far, what float32 does not resolve: the whole map where a Sigmoid is saturated, whose
# last digits onnxruntime cuts off (σ(−18) is 0 there).
NOTHING = float(np.finfo(np.float32).eps)


def beyond_rounding(got: Array, wanted: Array, precise: Callable[[], Array], longest: float = 0.0) -> str:
    """How a map differs from NumPy's by more than rounding; "" where it does not.

    Parameters
    ----------
    got, wanted : array (N, ...)
    precise : callable
        NumPy's answer in float64, moved by rounding; asked for where the map may be hard to compute.
    longest : float
        The length of the longest map that was compared: next to it a map may be nothing.
    """
    if got.shape != wanted.shape:
        return f"is {list(got.shape)}, and NumPy's {list(wanted.shape)}"
    if not np.isfinite(got).all():
        return "is not finite where NumPy's is"
    gaps, allowed = distances(got, wanted), np.maximum(WALK * lengths(wanted), NOTHING * longest)
    if not np.all(gaps <= allowed):
        allowed += CONDITION * distances(precise(), wanted)
    if np.all(gaps <= allowed):
        return ""
    with np.errstate(all="ignore"):
        return f"differs from NumPy's by {float(np.max(gaps / lengths(wanted))):.2g} of its length"


class Nearest:
    """The sample that was nearest to NumPy's, of all that were tried."""

    def __init__(self) -> None:
        self.gap = 0.0
        self._slack: Callable[[], float] | None = None

    def look(self, got: Array, wanted: Array, precise: Callable[[], Array]) -> None:
        """Look at some more, as `beyond_rounding` has them; a map that is 0 everywhere tells nothing."""
        sizes = lengths(wanted)
        parts = np.divide(distances(got, wanted), sizes, out=np.full(len(sizes), np.inf), where=sizes > 0)
        sample = int(np.argmin(parts))
        if np.isfinite(parts[sample]) and (self._slack is None or parts[sample] < self.gap):
            self.gap = float(parts[sample])
            self._slack = lambda: float(distances(precise(), wanted)[sample] / sizes[sample])

    @property
    def is_beyond(self) -> bool:
        """Whether even that one differs by more than rounding."""
        return self._slack is not None and not (
            self.gap <= NEAREST or self.gap <= NEAREST + CONDITION * self._slack()
        )


def lengths(a: Array) -> Array:
    """The length of each sample as a vector."""
    return np.asarray(np.linalg.norm(a.astype(np.float64).reshape(len(a), -1), axis=1))


def distances(a: Array, b: Array) -> Array:
    """How far two samples are apart, for each."""
    return lengths(a.astype(np.float64) - b)
