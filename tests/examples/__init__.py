"""Example nodes of every registered operator, by family: what layers are tested on, and what must compile.

An operator that is registered without an example here fails the suite.
"""

from . import (  # noqa: F401  # they add theirs
    arithmetic,
    curves,
    einsums,
    movement,
    norms,
    places,
    pooling,
    weighted,
)
from .example import EXAMPLES, IN_NETS, Example, W

__all__ = ["EXAMPLES", "IN_NETS", "Example", "W"]
