"""Which rule at which node: an ordered list of (match, rule), the first match wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..layers import Layer
from ..rules import Rule
from .selectors import Selector

Match: TypeAlias = Callable[[Layer], bool]


@dataclass(frozen=True)
class Composite:
    """An ordered list of (match, rule).

    Parameters
    ----------
    name : str
    rules : tuple of (match, Rule)
        `match` is called with a Layer, or is a `Selector`.
    merge_batchnorm : bool
        Whether a BatchNormalization and its linear neighbour are explained as one layer.
    gradient : bool
        Whether what is handed back is a gradient: it starts from the derivative of the target, not
        from its value, and is not conserved.
    """

    name: str
    rules: tuple[tuple[Match, Rule], ...]
    merge_batchnorm: bool = True
    gradient: bool = False

    def rule_for(self, layer: Layer) -> Rule | None:
        """The first rule whose match accepts the layer; None where none does."""
        for match, rule in self.rules:
            if match.accepts(layer, rule) if isinstance(match, Selector) else match(layer):
                return rule
        return None

    def rules_for(self, layers: Sequence[Layer]) -> list[Rule | None]:
        """The rule of every layer of a plan.

        Raises
        ------
        CompositeError
            A selector meets no layer, or names one that its rule cannot be put on.
        """
        for match, rule in self.rules:
            if isinstance(match, Selector):
                match.check(layers, rule)
        return [self.rule_for(layer) for layer in layers]


def of_kind(*kinds: str) -> Match:
    """Match layers by kind: "convolution", "dense", "scale", "sum", "activation", "movement", "winner"."""
    return lambda layer: layer.kind in kinds


def first_of(*kinds: str) -> Match:
    """Match the layers of some kinds that the input reaches before any other with weights."""
    return lambda layer: layer.place.first and layer.kind in kinds
