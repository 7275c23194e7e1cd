"""What each operator does, one class each; the registry knows them by operator name."""

from . import (
    activations,
    affine,
    curved,
    einsum,
    elementwise,
    fused_norms,
    gathering,
    kinds,
    lengths,
    movement,
    normalize,
    norms,
    padding,
    pooling,
    product,
    recurrent,
    resizing,
    spreading,
    triangles,
)
from .base import Bound, Layer
from .kinds import KINDS, Kind
from .parameters import Parameters
from .registry import REGISTRY, facts_of, kinds_of, register, supported

__all__ = [
    "KINDS",
    "REGISTRY",
    "Bound",
    "Kind",
    "Layer",
    "Parameters",
    "activations",
    "affine",
    "curved",
    "einsum",
    "elementwise",
    "facts_of",
    "fused_norms",
    "gathering",
    "kinds",
    "kinds_of",
    "lengths",
    "movement",
    "normalize",
    "norms",
    "padding",
    "pooling",
    "product",
    "recurrent",
    "register",
    "resizing",
    "spreading",
    "supported",
    "triangles",
]
