"""The explanation compiled into the model file: the same walk, run on symbols."""

from .compiling import compile

__all__ = ["compile"]
