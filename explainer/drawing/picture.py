"""One map on paper, with its scale."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from PIL import Image

from ..errors import InputError
from ..plain.checks import check_flag, is_number, is_one_of
from ..plain.keywords import only_named
from .amounts import PERCENTILE, shares_of
from .panels import Look, checked
from .paper import WHOLES, Writing, framed


@only_named()
def render(
    relevance: ArrayLike,
    photo: Image.Image | None = None,
    *,
    layout: str = "NCHW",
    style: str = "side_by_side",
    sign: str = "all",
    colormap: Any = None,
    scale: float | None = None,
    percentile: float = PERCENTILE,
    outlier_perc: float | None = None,
    pool: int = 1,
    alpha_overlay: float = 0.5,
    colorbar: bool = True,
    title: str | None = None,
    caption: str | None = None,
    whole: float | None = None,
    whole_name: str = "total",
    min_size: int = 320,
) -> Image.Image:
    """Draw the relevance of one sample.

    Channels are summed. Zero is the middle of the colour map and both signs share one scale, so
    that equal colours mean equal amounts; of one sign alone, zero is the map's beginning. Values
    beyond the scale are drawn in the end colours, and the colour bar then says so with ">=" and "<=".

    Parameters
    ----------
    relevance : array_like
        (C, H, W), (H, W, C) as `layout` says, or (H, W); a vector is drawn in rows of at most 512;
        of further axes all but the last two (channels put first) are summed too.
    photo : PIL.Image.Image, optional
        What the model saw; drawn at the size of the map.
    layout : {"NCHW", "NHWC"}
        Where `relevance` has its channels.
    style : str
        Ours: "side_by_side", the photo beside the map, or the map alone where there is no photo;
        "overlay", a grey photo that shows where there is no relevance; "map", the map alone.

        captum's, from `visualize_image_attr`: "heat_map", the same as "map"; "blended_heat_map", the
        map at the opacity `alpha_overlay` over the grey photo; "masked_image", the photo times the
        share of the full colour; "alpha_scaling", the photo with that share as its opacity;
        "original_image", the photo alone.
    sign : {"all", "positive", "negative", "absolute_value"}
        Which amounts are drawn; "masked_image" and "alpha_scaling" cannot show "all".
    colormap : str, ColorMap or callable, optional
        A name out of `colormaps`, colours such as ``00f,80:fff,f00``, or a colour map of
        matplotlib's: see `ColorMap.of`. By default blue-white-red, white to red, white to blue,
        and white to black, as `sign` goes through the list above.
    scale : float, optional
        The amount of relevance that gets the full colour; see `shared_scale`. By default it is
        taken from this map by `percentile`.
    percentile : float
        In (0, 100]: the share of pixels that the scale covers, so that a few extreme pixels do not
        wash out all others. 100: the largest one.
    outlier_perc : float, optional
        In [0, 100): captum's way to find the scale, instead of `percentile`: the largest pixels that
        together hold this share of the relevance get the full colour. captum's default is 2.
    pool : int
        Draw sums over squares of so many pixels: what a noisy map says about regions. Relevance is
        made to be added up, so the picture's total stays what it was. The colour bar says it.
    alpha_overlay : float
        In [0, 1], for "blended_heat_map".
    colorbar : bool
        Whether to draw the scale, in the styles that have colours of their own.
    title : str, optional
        One line above, cut where the picture ends.
    caption : str, optional
        What the map has to be read with, below, in as many lines as it takes.
    whole : float, optional
        The amount that is 100 %: the colour bar then says what share of it has the full colour, unless
        there are amounts beyond the whole, as of a score near 0. An
        explanation gives the relevance of its target; for occlusion and RISE, whose maps have no total, the
        score; for other methods that do not keep relevance the sum of all amounts of the map.
    whole_name : {"total", "score"}
        What that amount is called below the bar.
    min_size : int
        The longer edge of the map is enlarged by a whole factor to at least this many pixels.

    Returns
    -------
    PIL.Image.Image
        In mode "RGB".

    Raises
    ------
    InputError
        If the relevance is empty or not finite, or an option is out of range.
    """
    check_flag("colorbar", colorbar)
    look = Look(
        layout=layout,
        style=style,
        sign=sign,
        colormap=colormap,
        percentile=percentile,
        outlier_perc=outlier_perc,
        pool=pool,
        alpha_overlay=alpha_overlay,
        min_size=min_size,
    )
    amounts = look.amounts(relevance)
    limit = look.limit(amounts) if scale is None else checked(scale)
    if whole is not None and not (is_number(whole) and whole > 0):
        raise InputError(f"whole is {whole}; expected a positive number, which is 100 %")
    if not is_one_of(whole_name, WHOLES):
        raise InputError(f"whole_name is {whole_name!r}; expected one of {', '.join(WHOLES)}")
    panels = look.panels(shares_of(amounts, limit), photo)
    writing = Writing.beside(panels[-1].size)
    body = [framed(panel) for panel in panels]
    if colorbar and look.has_colours:
        body.append(writing.bar(look.bar(limit, [amounts], whole, whole_name), body[-1].height))
    drawn = writing.titled(writing.row(body), title)
    return writing.page(writing.captioned(drawn, writing.lines(caption, drawn.width)))
