"""Pure functions on the view that the walk reads: what runs is never changed."""

from .apply import canonize
from .batchnorm import merge_batchnorm
from .identity import see_through

__all__ = ["canonize", "merge_batchnorm", "see_through"]
