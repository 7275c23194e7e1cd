"""What each operator does, one class each; the registry knows them by operator name."""

from . import activations, affine, elementwise, movement, normalize, pooling
from .base import REGISTRY, Bound, Layer, Parameters, register, supported

__all__ = [
    "REGISTRY",
    "Bound",
    "Layer",
    "Parameters",
    "activations",
    "affine",
    "elementwise",
    "movement",
    "normalize",
    "pooling",
    "register",
    "supported",
]
