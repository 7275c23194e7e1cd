"""From relevance to what is drawn: one amount per pixel, and the amount that gets the full colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..plain.checks import check_held, is_number, is_one_of, several
from ..plain.keywords import only_named

SIGNS = ("all", "positive", "negative", "absolute_value")
PERCENTILE = 99.5
LONGEST_ROW = 512

Plane = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """Which amounts of a map are drawn, and how their scale is found; see `render` for the fields."""

    layout: str = "NCHW"
    sign: str = "all"
    pool: int = 1
    percentile: float = PERCENTILE
    outlier_perc: float | None = None

    def __post_init__(self) -> None:
        if not is_one_of(self.layout, ("NCHW", "NHWC")):
            raise InputError(f"layout is {self.layout!r}; expected NCHW or NHWC")
        if not is_one_of(self.sign, SIGNS):
            raise InputError(f"sign is {self.sign!r}; expected one of {', '.join(SIGNS)}")
        if not (is_number(self.pool) and self.pool >= 1 and self.pool % 1 == 0):
            raise InputError(f"pool is {self.pool}; expected a whole number of pixels from 1 on")
        if not (is_number(self.percentile) and 0 < self.percentile <= 100):
            raise InputError(f"percentile is {self.percentile}; expected above 0 and up to 100")
        if self.outlier_perc is not None and not (
            is_number(self.outlier_perc) and 0 <= self.outlier_perc < 100
        ):
            raise InputError(f"outlier_perc is {self.outlier_perc}; expected from 0 on and below 100")

    def amounts(self, relevance: ArrayLike) -> Plane:
        """Return what is drawn: signed for "all", else positive.

        Raises
        ------
        InputError
            What is no map, or a `pool` that makes one square of it.
        """
        plane = to_plane(relevance, self.layout)
        if self.pool > 1 and self.pool >= max(plane.shape):
            height, width = plane.shape
            raise InputError(
                f"pool is {self.pool}, and the map has {width}x{height} pixels: one sum is all that is left; "
                f"expected fewer than {max(plane.shape)}"
            )
        return of_sign(pooled(plane, int(self.pool)), self.sign)

    def limit(self, amounts: Plane) -> float:
        """Return the amount that gets the full colour; 0 if there is no relevance."""
        if self.outlier_perc is None:
            return extent(amounts, self.percentile)
        return threshold(amounts, self.outlier_perc)


@only_named()
def shared_scale(
    relevances: Sequence[ArrayLike],
    *,
    layout: str = "NCHW",
    percentile: float = PERCENTILE,
    sign: str = "all",
    outlier_perc: float | None = None,
    pool: int = 1,
) -> float:
    """Return the one scale under which several maps can be compared: the largest of their own.

    Parameters
    ----------
    relevances : sequence of array_like
        One sample each, as `render` takes them.
    layout, percentile, sign, outlier_perc, pool
        As for `render`.

    Returns
    -------
    float
        To be given to `render` as ``scale``; 0 if there is no relevance at all.

    Raises
    ------
    InputError
        As `render`.
    """
    measure = Measure(layout, sign, pool, percentile, outlier_perc)
    if isinstance(relevances, str | bytes | Mapping) or (maps := several(relevances)) is None:
        raise InputError(f"shared_scale: a list of maps, not {relevances!r}")
    return max((measure.limit(measure.amounts(relevance)) for relevance in maps), default=0.0)


@only_named()
def normalize_relevance(
    relevance: ArrayLike,
    sign: str = "absolute_value",
    outlier_perc: float = 2,
    *,
    layout: str = "NCHW",
) -> Plane:
    """Return a map as captum draws it: channels summed, outliers cut, from -1 to 1.

    Parameters
    ----------
    relevance : array_like
        One sample, as `render` takes it.
    sign : {"absolute_value", "positive", "negative", "all"}
        Which amounts count. All but "all" give numbers from 0 to 1, "negative" too.
    outlier_perc : float
        In [0, 100): the pixels that get 1 are the largest ones that together hold this share, in
        percent, of all relevance of that sign. It is a share of relevance, not of pixels.
    layout : {"NCHW", "NHWC"}
        Where `relevance` has its channels.

    Returns
    -------
    array (H, W) of float64

    Raises
    ------
    InputError
        As `render`.

    Notes
    -----
    The same as `captum.attr.visualization` 0.9 computes, except that a map without relevance is 0
    where captum stops.
    """
    measure = Measure(layout, sign, outlier_perc=outlier_perc)
    amounts = measure.amounts(relevance)
    return shares_of(amounts, measure.limit(amounts))


def to_plane(relevance: ArrayLike, layout: str) -> Plane:
    """Return the two-dimensional map that is drawn."""
    check_held("the relevance", relevance)
    try:
        given = np.asarray(relevance)
        if given.dtype.kind not in "fiub":
            raise TypeError(f"{type(relevance).__name__} of {given.dtype}")
        values = given.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the relevance is not an array of numbers: {error}") from None
    if values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"the relevance of shape {values.shape} is empty or not finite: it cannot be drawn")
    if values.ndim < 2:
        flat = values.ravel()
        rows = -(-flat.size // LONGEST_ROW)
        row = -(-flat.size // rows)
        return np.pad(flat, (0, rows * row - flat.size)).reshape(rows, row)
    if values.ndim > 2 and layout == "NHWC":
        values = np.moveaxis(values, -1, 0)
    return np.asarray(values.sum(axis=tuple(range(values.ndim - 2))))


def pooled(plane: Plane, size: int) -> Plane:
    """Give every pixel the sum over its square of size × size; squares at the far edges are cut."""
    if size == 1:
        return plane
    height, width = plane.shape
    sums = np.add.reduceat(plane, range(0, height, size), axis=0)
    sums = np.add.reduceat(sums, range(0, width, size), axis=1)
    return sums.repeat(size, 0).repeat(size, 1)[:height, :width]


def of_sign(plane: Plane, sign: str) -> Plane:
    """Return the amounts that count: as they are, or of one sign, or of both without it."""
    if sign == "all":
        return plane
    if sign == "absolute_value":
        return np.abs(plane)
    return np.maximum(plane if sign == "positive" else -plane, 0)


def extent(amounts: Plane, percentile: float) -> float:
    """Return the amount that covers this share of the pixels, or the largest if that is zero."""
    sizes = np.abs(amounts)
    return float(np.percentile(sizes, percentile, method="higher") or sizes.max())


def threshold(amounts: Plane, outlier_perc: float) -> float:
    """Return the smallest of the largest amounts that together hold this share of the relevance."""
    sizes = np.sort(np.abs(amounts), axis=None)
    with np.errstate(over="ignore"):
        sums = np.cumsum(sizes)
        # In captum's order of operations: a rounding error would choose another pixel.
        place = np.searchsorted(sums, sums[-1] * 0.01 * (100 - outlier_perc))
    return float(sizes[min(place, sizes.size - 1)])


def shares_of(amounts: Plane, limit: float) -> Plane:
    """Return amounts as shares of the limit, from -1 to 1."""
    # A limit of 0 comes from maps without any relevance: then the sign alone is what can be drawn.
    with np.errstate(over="ignore"):
        return np.clip(amounts / limit, -1, 1) if limit > 0 else np.sign(amounts)
