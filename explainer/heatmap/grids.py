"""Several maps in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from ..errors import InputError
from ..explanation import Explanation
from .amounts import Plane, shares_of
from .panels import Look, checked, fitted
from .paper import Writing, framed

LONGEST_ROW = 5


@dataclass(frozen=True)
class Cell:
    """A map, with its photo and its title where they are known."""

    amounts: Plane
    photo: Image.Image | None = None
    title: str | None = None


def grid(
    maps: Any,
    *,
    columns: int | None = None,
    titles: Sequence[str | None] | None = None,
    title: str | None = None,
    scale: float | str = "shared",
    style: str = "map",
    colorbar: bool = True,
    min_size: int = 224,
    **options: Any,
) -> Image.Image:
    """Draw several methods, targets or samples in one picture.

    Parameters
    ----------
    maps : sequence of Explanation, array_like or PIL.Image.Image
        Every sample of an explanation is a map, titled with its label and conditions; so is every
        array, shaped as `render` takes it. A picture, such as ``explanation.photos[0]``, is shown as
        it is.
    columns : int, optional
        How many stand in a row. By default all of up to five, and about a square of more.
    titles : sequence of str or None, optional
        One for every map and picture, instead of the labels.
    title : str, optional
        One line above them all.
    scale : {"shared", "own"} or float
        "shared": the largest of the maps' own scales holds for all, and there is one colour bar.
        "own": every map has its own scale and bar; for methods whose numbers have different units.
        A number is the amount that gets the full colour in all of them.
    style, colorbar, min_size
        As for `render`; the styles that need a photo are for explanations that have theirs.
    **options
        layout (of arrays; an explanation knows its own), sign, colormap, percentile, outlier_perc,
        pool and alpha_overlay, as for `render`.

    Returns
    -------
    PIL.Image.Image
        In mode "RGB".

    Raises
    ------
    InputError
        If there is nothing to draw, or titles are too many or too few; otherwise as `render`.
    """
    look = Look(style=style, min_size=min_size, **options)
    cells = cells_of(maps, look)
    if not cells:
        raise InputError("there is nothing to draw: the grid has no maps")
    if titles is None:
        titles = [cell.title if isinstance(cell, Cell) else None for cell in cells]
    if len(titles) != len(cells):
        raise InputError(f"there are {len(titles)} titles for {len(cells)} maps and pictures")
    if columns is None:
        columns = len(cells) if len(cells) <= LONGEST_ROW else math.ceil(math.sqrt(len(cells)))
    if columns < 1:
        raise InputError(f"columns is {columns}; expected 1 or more")

    drawn = [cell.amounts for cell in cells if isinstance(cell, Cell)]
    common = common_scale(scale, look, drawn)
    # Pictures take the size of the maps that they stand beside.
    sizes = [look.drawn_size(amounts) for amounts in drawn] or [(min_size, min_size)]
    box = max(width for width, _ in sizes), max(height for _, height in sizes)
    writing = Writing.beside(box)
    with_bars = colorbar and look.has_colours
    pictures = []
    for cell, heading in zip(cells, titles, strict=True):
        if isinstance(cell, Cell):
            limit = look.limit(cell.amounts) if common is None else common
            body = [framed(part) for part in look.panels(shares_of(cell.amounts, limit), cell.photo)]
            if with_bars and common is None:
                body.append(writing.bar(look.bar(limit, [cell.amounts]), body[-1].height))
        else:
            body = [framed(contained(cell, box))]
        pictures.append(writing.titled(writing.row(body), heading))
    table = writing.table([pictures[start : start + columns] for start in range(0, len(cells), columns)])
    if with_bars and drawn and common is not None:
        heading_height = writing.heading if any(titles[:columns]) else 0
        bar = writing.bar(look.bar(common, drawn), table.height - heading_height)
        table = writing.table([[table, bar]])
    return writing.page(writing.titled(table, title))


def cells_of(maps: Any, look: Look) -> list[Cell | Image.Image]:
    """Return what stands in the places; an explanation fills one for every sample."""
    cells: list[Cell | Image.Image] = []
    for item in [maps] if isinstance(maps, (Explanation, Image.Image)) else maps:
        if isinstance(item, Image.Image):
            cells.append(item)
        elif isinstance(item, Explanation):
            relevance = item.drawn
            there = replace(look, layout=item.layout)
            photos = (*item.photos, *[None] * len(relevance))
            for sample, values in enumerate(relevance):
                cells.append(Cell(there.amounts(values), photos[sample], item.title(sample)))
        else:
            cells.append(Cell(look.amounts(item)))
    return cells


def common_scale(scale: float | str, look: Look, drawn: Sequence[Plane]) -> float | None:
    """Return the amount that gets the full colour in all maps, or None where each has its own."""
    if not isinstance(scale, str):
        return checked(scale)
    if scale not in ("shared", "own"):
        raise InputError(f"scale is {scale!r}; expected 'shared', 'own' or a number")
    return None if scale == "own" else max((look.limit(amounts) for amounts in drawn), default=0.0)


def contained(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Return the picture as large as fits into the box."""
    factor = min(box[0] / picture.width, box[1] / picture.height)
    width, height = (max(round(length * factor), 1) for length in picture.size)
    return fitted(picture, (width, height))
