"""How a model is explained, as one frozen value; and the names of all that can be said of it."""

from .options import Options, option_names
from .recipe import Recipe, Settings

__all__ = ["Options", "Recipe", "Settings", "option_names"]
