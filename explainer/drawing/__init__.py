"""Relevance made visible: zero-centred, with a colour bar that says the scale and what was clipped."""

from __future__ import annotations

from .amounts import normalize_relevance, shared_scale
from .colours import ColorMap, colormaps
from .grids import Cell, draw_grid
from .paletted import imgify
from .picture import render

__all__ = [
    "Cell",
    "ColorMap",
    "colormaps",
    "draw_grid",
    "imgify",
    "normalize_relevance",
    "render",
    "shared_scale",
]
