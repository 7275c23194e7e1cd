"""Several explanations in one picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..drawing.grids import Cell, draw_grid
from ..drawing.options import Colouring
from ..errors import InputError
from ..plain.checks import check_held, several
from ..plain.keywords import check_known, named
from .explanation import Explanation
from .remarks import whole_of

if TYPE_CHECKING:
    from typing import Unpack

    from PIL.Image import Image

OWN = ("columns", "titles", "title", "scale", "style", "colorbar", "min_size")


@named(Colouring)
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
    **options: Unpack[Colouring],
) -> Image:
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
        If there is nothing to draw, titles are too many or too few, or there is no such option;
        otherwise as `render`.
    """
    check_known("grid", options, Colouring, *OWN)
    own = (maps, columns, titles, title, scale, style, colorbar, min_size)
    for name, value in (*zip(("maps", *OWN), own, strict=True), *options.items()):
        check_held(name, value)
    alone = isinstance(maps, Explanation) or (hasattr(maps, "convert") and hasattr(maps, "size"))  # a picture
    items = (maps,) if alone else several(maps)
    if items is None or isinstance(maps, str | bytes | bytearray | Mapping):
        raise InputError(f"grid: a list of explanations, arrays and pictures, not {maps!r}")
    return draw_grid(
        [cell for item in items for cell in cells_of(item)],
        columns=columns,
        titles=titles,
        title=title,
        scale=scale,
        style=style,
        colorbar=colorbar,
        min_size=min_size,
        **options,
    )


def cells_of(item: Any) -> Iterator[Any]:
    """Return what an item fills: a place for every sample of an explanation, one for anything else."""
    if not isinstance(item, Explanation):
        yield item
        return
    relevance = item.drawn
    photos = (*item.photos, *[None] * len(relevance))
    for sample, values in enumerate(relevance):
        remark, whole = item.remark(sample) or None, whole_of(item, sample) or (None,)
        yield Cell(values, item.layout, photos[sample], item.title(sample), remark, *whole)
