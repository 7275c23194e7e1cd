"""Functions on the view that the walk reads, one pattern of nodes a file; what runs is never changed."""

from . import batchnorm
from .apply import DEFAULT_CANONIZERS, canonize, resolve
from .base import CANONIZERS, Canonizer, CanonizerLike, get, register
from .batchnorm import BatchNorm
from .identity import see_through
from .matching import Match
from .pattern import Pattern

__all__ = [
    "CANONIZERS",
    "DEFAULT_CANONIZERS",
    "BatchNorm",
    "Canonizer",
    "CanonizerLike",
    "Match",
    "Pattern",
    "batchnorm",
    "canonize",
    "get",
    "register",
    "resolve",
    "see_through",
]
