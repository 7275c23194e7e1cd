"""What a rule must answer, and how it is said where one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CompositeError
from .handed import Handed

if TYPE_CHECKING:
    from ..layers import Bound
    from .base import Rule

# What Python raises where a rule takes values for what they are not.
MISTAKES = (AttributeError, TypeError, ValueError)
HOW = (
    "a rule reads relevance as R.whole, divides it as R / self.stabilize(z), and answers with "
    "Handed(x, c, (Division(layer, z, s),)), or Handed(None, R_in); see docs/adding-a-rule.md"
)


def mistaken(error: Exception) -> str:
    """What Python said of a mistake in a rule, and how a rule is written."""
    return f"{type(error).__name__}: {error}; {HOW}"


def check_answer(rule: Rule, layer: Bound, handed: object) -> None:
    """Refuse what is no answer, or none for the inputs of a layer.

    Raises
    ------
    CompositeError
    """
    if wrong := _wrong(layer, handed):
        raise CompositeError(f"rule {rule} at {layer.node} {wrong}: {HOW}")


def _wrong(layer: Bound, handed: object) -> str:
    """What is wrong with an answer; "" for nothing. An input that no rule reads is let go of: None."""
    if not isinstance(handed, Handed):
        return f"returned {type(handed).__name__}"
    parts, names = handed.parts(), layer.layer.inputs
    inputs = layer.x if isinstance(layer.x, tuple) else (layer.x,)
    if len(parts) != len(names):
        return f"hands on {len(parts)} values to {len(names)} inputs"
    for name, part, x in zip(names, parts, inputs, strict=True):
        shape = getattr(part.factor, "shape", None)
        if shape is None:
            return f"hands on {type(part.factor).__name__} to {name!r}, not a value"
        if x is not None and shape != x.shape:
            return f"hands on {list(shape)} to {name!r}, which is {list(x.shape)}"
    return ""
