"""Relevance made visible: zero-centred, with a colour bar that says the scale and what was clipped."""

from __future__ import annotations

from .amounts import normalize_relevance, shared_scale
from .colours import ColorMap, colormaps
from .drawing import render
from .grids import grid
from .paletted import imgify

__all__ = ["ColorMap", "colormaps", "grid", "imgify", "normalize_relevance", "render", "shared_scale"]
