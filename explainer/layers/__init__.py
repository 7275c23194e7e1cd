"""What each operator does, one class each; the registry knows them by operator name."""

from . import activations, affine, elementwise, movement, normalize, pooling
from .base import REGISTRY, Layer, register, supported

__all__ = [
    "REGISTRY",
    "Layer",
    "activations",
    "affine",
    "elementwise",
    "movement",
    "normalize",
    "pooling",
    "register",
    "supported",
]
