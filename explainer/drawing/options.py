"""Every keyword that says how a map is drawn, for editors and type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from PIL.Image import Image


class Colouring(TypedDict, total=False):
    """What `render` and `grid` have in common beside what both name themselves."""

    layout: str
    sign: str
    colormap: Any
    percentile: float
    outlier_perc: float | None
    pool: int
    alpha_overlay: float


class Drawing(Colouring, total=False):
    """What `render` takes beside the relevance."""

    photo: Image | None
    style: str
    scale: float | None
    colorbar: bool
    title: str | None
    caption: str | None
    whole: float | None
    whole_name: str
    min_size: int
