"""zennit's picture of an array: 256 levels and a palette."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ..errors import InputError
from ..plain.checks import MOST, check_flag, is_whole
from ..plain.keywords import only_named
from .colours import LAST, ColorMap, Pixels, numbers_of

MOST_PIXELS = 1 << 28  # of a table of pictures


@only_named()
def imgify(
    array: ArrayLike,
    vmin: ArrayLike | None = None,
    vmax: ArrayLike | None = None,
    cmap: Any = "bwr",
    level: float = 1.0,
    symmetric: bool = False,
    grid: bool | tuple[int, int] = False,
    gridfill: int | None = None,
) -> Image.Image:
    """Draw an array as `zennit.image.imgify` does, pixel by pixel: no paper, no scale, no enlargement.

    Parameters
    ----------
    array : array_like
        (H, W), (1, H, W) or (H, W, 1); with `grid` one more axis in front. Of type uint8 it is taken
        as levels; any other is spread over the levels from `vmin` to `vmax`.
    vmin, vmax : float, optional
        What gets the first and the last colour. By default the array's smallest and largest value.
    cmap : str, ColorMap or callable
        See `ColorMap.of`.
    level : float
        Above 1 the ends of the colour map are reached earlier; below 1 they are not reached.
    symmetric : bool
        Spread from minus to plus the largest absolute value, so that 0 is in the middle.
    grid : bool or (rows, columns)
        The first axis counts pictures, each with its own range; they are set into a table, by
        default about a square.
    gridfill : int, optional
        The level of empty places; by default the lowest of all.

    Returns
    -------
    PIL.Image.Image
        In mode "P".

    Raises
    ------
    InputError
        If the array has another shape, is empty or not finite, or does not fit into the grid.
    """
    try:
        values = np.asarray(array)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"what is to be drawn is no array: {error}") from None
    check_flag("symmetric", symmetric)
    if not (gridfill is None or (is_whole(gridfill) and 0 <= gridfill <= LAST)):
        raise InputError(f"gridfill is {gridfill!r}; expected a level, 0 to {LAST}")
    shape = table_of(grid)
    axes = 3 if grid else 2
    if values.ndim == axes + 1 and 1 in (values.shape[-1], values.shape[-3]):
        values = values.squeeze(-1 if values.shape[-1] == 1 else -3)
    if values.ndim != axes or values.size == 0:
        expected = "(pictures, height, width)" if grid else "(height, width)"
        raise InputError(
            f"an array of shape {values.shape} cannot be drawn; expected {expected}, channels summed"
        )
    if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
        raise InputError(f"an array of {values.dtype} cannot be drawn unless all of it are finite numbers")
    if values.dtype != np.uint8:
        values = levels(values, vmin, vmax, symmetric)
    if grid:
        values = tabled(values, shape, gridfill)
    image = Image.fromarray(values)
    image.putpalette(ColorMap.of(cmap).palette(level).tobytes())
    return image


def levels(values: NDArray[Any], vmin: Any, vmax: Any, symmetric: bool) -> Pixels:
    """Return the level, 0 to 255, of every value; of a picture without any range the middle one."""
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    low, high = (edge((-2, -1), keepdims=True) for edge in (values.min, values.max))
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    low = low if vmin is None else end("vmin", vmin, low.shape)
    high = high if vmax is None else end("vmax", vmax, high.shape)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        span = high - low
        shares = (values - low) / span
    if not np.isfinite(span).all():
        raise InputError(f"the range from {np.min(low)} to {np.max(high)} is not finite: set vmin and vmax")
    # In the array's own precision and cut off, not rounded: these are zennit's levels.
    return np.asarray(np.where(span == 0, LAST // 2, shares * LAST).clip(0, LAST), dtype=np.uint8)


def end(name: str, given: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an end of the range: one number, or one for every picture."""
    numbers = numbers_of(name, given)
    try:
        np.broadcast_to(numbers, shape)
    except ValueError:
        raise InputError(
            f"{name}: a number, or one for every picture, {shape}, not {numbers.shape}"
        ) from None
    return np.asarray(given)


def table_of(grid: Any) -> tuple[int, int] | None:
    """Return the rows and columns that are asked for, or None."""
    if not isinstance(grid, tuple | list):
        check_flag("grid", grid)
        return None
    if len(grid) != 2 or not all(is_whole(size) and 1 <= size <= MOST for size in grid):
        raise InputError(f"grid is {grid!r}; expected True, False or (rows, columns)")
    return int(grid[0]), int(grid[1])


def tabled(values: Pixels, shape: tuple[int, int] | None, fill: int | None) -> Pixels:
    """Return pictures (N, H, W) set into one, row by row."""
    count, height, width = values.shape
    columns = math.isqrt(count)
    rows, columns = shape or (-(-count // columns), columns)
    if rows * columns * height * width > MOST_PIXELS:
        raise InputError(f"a grid of {rows} x {columns} pictures of {width} x {height} is too large to draw")
    if count > rows * columns:
        raise InputError(f"{count} pictures do not fit into a grid of {rows} rows and {columns} columns")
    places = np.full((rows * columns, height, width), values.min() if fill is None else fill, np.uint8)
    places[:count] = values
    lines = places.reshape(rows, columns, height, width).swapaxes(1, 2)
    return np.asarray(lines.reshape(rows * height, columns * width))
