"""The command ``onnx-lrp``: the only part that knows click, prints, and ends the process."""

from . import starting

with starting.quietly():
    from .group import main

__all__ = ["main"]
