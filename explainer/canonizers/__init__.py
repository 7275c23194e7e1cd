"""Functions on the view that the walk reads, one pattern of nodes a file; what runs is never changed."""

from . import activations, batchnorm, norms, softmax
from .apply import DEFAULT_CANONIZERS, FORMS, canonize, resolve
from .base import CANONIZERS, Canonizer, CanonizerLike, get, register
from .batchnorm import BatchNorm
from .gates import Gates
from .groups import Group, groups_of
from .identity import see_through
from .linear import Linear
from .matching import Match
from .pattern import Pattern
from .quantised import is_quantised

__all__ = [
    "CANONIZERS",
    "DEFAULT_CANONIZERS",
    "FORMS",
    "BatchNorm",
    "Canonizer",
    "CanonizerLike",
    "Gates",
    "Group",
    "Linear",
    "Match",
    "Pattern",
    "activations",
    "batchnorm",
    "canonize",
    "get",
    "groups_of",
    "is_quantised",
    "norms",
    "register",
    "resolve",
    "see_through",
    "softmax",
]
