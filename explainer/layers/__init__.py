"""What each operator does, one class each; the registry knows them by operator name."""

from . import (
    activations,
    affine,
    elementwise,
    gathering,
    kinds,
    movement,
    normalize,
    padding,
    pooling,
    product,
    recurrent,
    resizing,
    spreading,
)
from .base import Bound, Layer, Parameters
from .kinds import KINDS, Kind
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
    "elementwise",
    "facts_of",
    "gathering",
    "kinds",
    "kinds_of",
    "movement",
    "normalize",
    "padding",
    "pooling",
    "product",
    "recurrent",
    "register",
    "resizing",
    "spreading",
    "supported",
]
