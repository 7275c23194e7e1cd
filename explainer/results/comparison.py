"""How far two explanations are apart: what our own parity tests use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..plain.checks import is_number
from ..plain.keywords import only_named
from ..plain.tables import html_table
from ..tensor import Array
from ..text import printable
from .explanation import Explanation
from .keys import ONE, key_of

Comparable: TypeAlias = "Explanation | ArrayLike | Mapping[str, ArrayLike]"


@dataclass(frozen=True)
class Difference:
    """How far tensor `a` is from tensor `b`, each number the worst or the mean over samples.

    Attributes
    ----------
    error : float
        Largest |a − b| of a sample, relative to its largest |b|; the worst sample.
    cosine : float
        Cosine of the angle between a and b, -1 to 1; the worst sample.
    overlap : float
        The share of pixels that are among the top `top` of both, 0 to 1; the mean over samples.
    """

    error: float
    cosine: float
    overlap: float


class Comparison(dict[str, Difference]):
    """Tensor name -> Difference; printing it shows a table."""

    @property
    def error(self) -> float:
        """The largest error of all tensors."""
        return max((difference.error for difference in self.values()), default=0.0)

    def __repr__(self) -> str:
        return f"<Comparison of {len(self)} tensor(s): error {self.error:.3g} at most>"

    def _repr_html_(self) -> str:
        rows = [(name, f"{d.error:.3g}", f"{d.cosine:.6f}", f"{d.overlap:.3f}") for name, d in self.items()]
        return html_table(("tensor", "error", "cosine", "overlap"), rows)

    def __str__(self) -> str:
        lines = [f"{'tensor':40} {'error':>10} {'cosine':>10} {'overlap':>8}"]
        for name, d in self.items():
            lines.append(f"{printable(name)[-40:]:40} {d.error:10.3g} {d.cosine:10.6f} {d.overlap:8.3f}")
        return "\n".join(lines)


@only_named()
def compare(a: Comparable, b: Comparable, *, top: float = 0.05) -> Comparison:
    """Compare two explanations, or two arrays (N, ...), tensor by tensor; `b` is the reference.

    Parameters
    ----------
    a, b : Explanation, array, or dict of name -> array
    top : float
        Which share of the pixels counts as the top, 0 to 1.

    Returns
    -------
    Comparison
        Differences of the tensors that both have; `error`, `cosine` and `overlap` of each.

    Raises
    ------
    InputError
        They have no tensor in common, or shapes differ.
    """
    if not (is_number(top) and 0 < top <= 1):
        raise InputError(f"compare: top is a share between 0 and 1, not {top}")
    left, right = _tensors(a), _tensors(b)
    if len(left) == len(right) == 1:
        left = dict(zip(right, left.values(), strict=True))
    names = [name for name in right if name in left]
    if not names:
        raise InputError(
            f"nothing to compare: {sorted(map(str, left))} and {sorted(map(str, right))} share no tensor"
        )
    return Comparison({name: _difference(name, left[name], right[name], top) for name in names})


def _tensors(value: Comparable) -> dict[str, Array]:
    if isinstance(value, Explanation):
        if isinstance(value.relevance, dict):
            return value.relevance | value.relevances
        # A kept tensor may have the name that stands for the only input.
        kept = {key_of(name) if name == ONE else name: R for name, R in value.relevances.items()}
        return {ONE: value.relevance, **kept}
    if isinstance(value, Mapping):
        return {name: _array(name, array) for name, array in value.items()}
    return {ONE: _array(ONE, value)}


def _array(name: object, value: Any) -> Array:
    """What is to be compared, as an array of numbers.

    Raises
    ------
    InputError
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"compare: {name!r} is no array: {error}") from None
    if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        what = (
            "NaN or infinity in it" if array.dtype.kind == "f" else f"{type(value).__name__} of {array.dtype}"
        )
        raise InputError(f"compare: {name!r} is no array of finite numbers: {what}")
    return array


def _difference(name: str, a: Array, b: Array, top: float) -> Difference:
    if a.shape != b.shape or a.size == 0:
        raise InputError(
            f"compare: {name!r} has shapes {a.shape} and {b.shape}; compare maps of the same input"
        )
    samples = a.shape[0] if a.ndim else 1
    a, b = (value.astype(np.float64).reshape(samples, -1) for value in (a, b))
    largest = np.abs(b).max(axis=1)
    with np.errstate(over="ignore"):
        gap = np.abs(a - b).max(axis=1)
    # Of maps near the end of the number range no square is a number: the cosine is that of their shapes.
    a, b = (value / _largest(value) for value in (a, b))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(gap == 0, 0.0, gap / largest)
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        cosine = np.where(norms == 0, np.where(gap == 0, 1.0, 0.0), (a * b).sum(axis=1) / norms)
    count = max(1, round(top * a.shape[1]))
    ranks = [np.argsort(-value, axis=1, kind="stable")[:, :count] for value in (a, b)]
    shared = [len(np.intersect1d(one, other)) / count for one, other in zip(*ranks, strict=True)]
    return Difference(float(error.max()), float(cosine.min()), float(np.mean(shared)))


def _largest(values: Array) -> Array:
    """The largest amount of each sample, (N, 1); 1 where all are 0."""
    largest = np.abs(values).max(axis=1, keepdims=True)
    return np.where(largest == 0, 1.0, largest)
