"""Several maps in one picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike
from PIL import Image

from ..errors import InputError
from ..plain.checks import check_flag, is_whole
from .amounts import Plane, shares_of
from .panels import Look, checked, fitted
from .paper import WHOLES, Writing, framed

if TYPE_CHECKING:
    from typing import Unpack

    from .options import Colouring

LONGEST_ROW = 5


@dataclass(frozen=True, eq=False)
class Cell:
    """One sample's relevance, with what is known of it.

    Attributes
    ----------
    relevance : array
        As `render` takes it.
    layout : str
        "NCHW" or "NHWC".
    photo : PIL.Image.Image or None
    title : str or None
    caption : str or None
        What the map has to be read with.
    whole : float or None
        The amount that is 100 %.
    whole_name : str
        See `render`.
    """

    relevance: ArrayLike
    layout: str = "NCHW"
    photo: Image.Image | None = None
    title: str | None = None
    caption: str | None = None
    whole: float | None = None
    whole_name: str = WHOLES[0]


@dataclass(frozen=True)
class Measured:
    """A cell's amounts, ready to be coloured."""

    amounts: Plane
    photo: Image.Image | None
    title: str | None
    caption: str | None = None
    whole: float | None = None
    whole_name: str = WHOLES[0]


def draw_grid(
    items: Iterable[Any],
    *,
    columns: int | None = None,
    titles: Sequence[str | None] | None = None,
    title: str | None = None,
    scale: float | str = "shared",
    style: str = "map",
    colorbar: bool = True,
    min_size: int = 224,
    **options: Unpack[Colouring],
) -> Image.Image:
    """Draw several maps and pictures in one picture.

    Parameters
    ----------
    items : iterable of Cell, array_like or PIL.Image.Image
    columns, titles, title, scale, style, colorbar, min_size, **options
        See `explainer.grid`.

    Raises
    ------
    InputError
        If there is nothing to draw, or titles are too many or too few; otherwise as `render`.
    """
    look = Look(style=style, min_size=min_size, **options)
    cells = [measured(item, look) for item in items]
    if not cells:
        raise InputError("there is nothing to draw: the grid has no maps")
    if titles is None:
        titles = [cell.title if isinstance(cell, Measured) else None for cell in cells]
    if isinstance(titles, str) or not isinstance(titles, Sequence):
        raise InputError(f"titles: a list with one for every map and picture, not {titles!r}")
    if len(titles) != len(cells):
        raise InputError(f"there are {len(titles)} titles for {len(cells)} maps and pictures")
    if columns is None:
        columns = len(cells) if len(cells) <= LONGEST_ROW else math.ceil(math.sqrt(len(cells)))
    if not is_whole(columns) or columns < 1:
        raise InputError(f"columns is {columns}; expected 1 or more")

    drawn = [cell.amounts for cell in cells if isinstance(cell, Measured)]
    common = common_scale(scale, look, drawn)
    # Pictures take the size of the maps that they stand beside.
    sizes = [look.drawn_size(amounts) for amounts in drawn] or [(min_size, min_size)]
    box = max(width for width, _ in sizes), max(height for _, height in sizes)
    writing = Writing.beside(box)
    check_flag("colorbar", colorbar)
    with_bars = colorbar and look.has_colours
    pictures = []
    for cell, heading in zip(cells, titles, strict=True):
        if isinstance(cell, Measured):
            limit = look.limit(cell.amounts) if common is None else common
            body = [framed(part) for part in look.panels(shares_of(cell.amounts, limit), cell.photo)]
            if with_bars and common is None:
                body.append(
                    writing.bar(look.bar(limit, [cell.amounts], cell.whole, cell.whole_name), body[-1].height)
                )
        else:
            body = [framed(contained(cell, box))]
        pictures.append(writing.titled(writing.row(body), heading))
    captions = [cell.caption if isinstance(cell, Measured) else None for cell in cells]
    rows = [slice(start, start + columns) for start in range(0, len(cells), columns)]
    table = writing.table([captioned(writing, pictures[row], captions[row]) for row in rows])
    if with_bars and drawn and common is not None:
        heading_height = writing.heading if any(titles[:columns]) else 0
        wholes = [(cell.whole, cell.whole_name) for cell in cells if isinstance(cell, Measured)]
        first, name = wholes[0]
        alike = all(
            one is not None and math.isclose(one, first or 0) and other == name for one, other in wholes
        )
        said = look.bar(common, drawn, first if alike else None, name)
        bar = writing.bar(said, table.height - heading_height)
        table = writing.table([[table, bar]])
    return writing.page(writing.titled(table, title))


def captioned(
    writing: Writing, pictures: Sequence[Image.Image], captions: Sequence[str | None]
) -> list[Image.Image]:
    """Return the pictures of a row above their captions, of equal height so that maps stay side by side."""
    lines = [writing.lines(text, picture.width) for text, picture in zip(captions, pictures, strict=True)]
    most = max(map(len, lines))
    return [
        writing.captioned(picture, [*text, *[""] * (most - len(text))])
        for picture, text in zip(pictures, lines, strict=True)
    ]


def measured(item: Any, look: Look) -> Measured | Image.Image:
    """Return what stands in a place: a picture as it is, else the amounts of a cell or of an array."""
    if isinstance(item, Image.Image):
        return item
    if isinstance(item, Cell):
        there = replace(look, layout=item.layout)
        amounts = there.amounts(item.relevance)
        return Measured(amounts, item.photo, item.title, item.caption, item.whole, item.whole_name)
    return Measured(look.amounts(item), None, None)


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
