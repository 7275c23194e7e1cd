"""Functions on the view that the walk reads, one pattern of nodes a file; what runs is never changed."""

from . import batchnorm
from .apply import DEFAULT_CANONIZERS, canonize, resolve
from .base import CANONIZERS, Canonizer, CanonizerLike, get, register
from .batchnorm import BatchNorm
from .groups import Group, groups_of
from .identity import in_training, see_through
from .matching import Match
from .pattern import Pattern

__all__ = [
    "CANONIZERS",
    "DEFAULT_CANONIZERS",
    "BatchNorm",
    "Canonizer",
    "CanonizerLike",
    "Group",
    "Match",
    "Pattern",
    "batchnorm",
    "canonize",
    "get",
    "groups_of",
    "in_training",
    "register",
    "resolve",
    "see_through",
]
