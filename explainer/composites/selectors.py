"""Selectors: which layers a rule is for, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ..errors import CompositeError
from ..layers import REGISTRY, Layer
from ..rules import Rule

KINDS = ("convolution", "dense", "scale", "sum", "activation", "movement", "winner")
UNTIL = "until:"


@dataclass(frozen=True)
class Selector:
    """Which layers a rule is for.

    Parameters
    ----------
    text : str
        ``first`` or ``last``: the convolution and dense layers that the input, or the target, meets
        before any other; ``until:NODE``: those between the input and a node, itself included; an
        operator (``Conv``) or a kind (``convolution``, ``dense``, ``scale``, ``sum``, ``activation``,
        ``winner``); else a node's name, or a glob over names (``/layer1/*``).
    """

    text: str

    @property
    def is_exact(self) -> bool:
        """Whether it names layers outright: a rule that does not fit one is then a mistake."""
        return self.text in REGISTRY or self.text in KINDS or not self._is_wide

    @property
    def _is_wide(self) -> bool:
        return (
            self.text in ("first", "last")
            or self.text.startswith(UNTIL)
            or any(c in self.text for c in "*?[")
        )

    def __call__(self, layer: Layer) -> bool:
        if self.text == "first":
            return layer.place.first
        if self.text == "last":
            return layer.place.last
        if self.text.startswith(UNTIL):
            return layer.node.name in layer.place.ancestors(self.text.removeprefix(UNTIL))
        if self.text in KINDS:
            return layer.kind == self.text
        if self.text in REGISTRY:
            return self.text in (layer.node.operator, *(member.operator for member in layer.node.members))
        names = (layer.node.name, *(member.name for member in layer.node.members))
        return self.text in names or any(fnmatchcase(name, self.text) for name in names)

    def accepts(self, layer: Layer, rule: Rule) -> bool:
        """Whether the layer gets the rule: a glob gives weighted rules to weighted layers alone."""
        if not self(layer):
            return False
        if not self.is_exact and "convolution" in rule.kinds:
            return layer.kind in ("convolution", "dense")
        return layer.kind in rule.kinds

    def check(self, layers: Sequence[Layer], rule: Rule) -> None:
        """Refuse a selector that meets nothing, or that names a layer which its rule does not fit.

        Raises
        ------
        CompositeError
        """
        met = [layer for layer in layers if self(layer)]
        misfits = [layer for layer in met if layer.kind not in rule.kinds] if self.is_exact else []
        if misfits:
            raise CompositeError(
                f"{self.text}={rule}: the rule is for layers of kind {', '.join(sorted(rule.kinds))}; "
                f"{misfits[0].node} is of kind {misfits[0].kind}"
            )
        if not any(self.accepts(layer, rule) for layer in met):
            names = [layer.node.name for layer in layers] + [layer.node.operator for layer in layers]
            near = get_close_matches(self.text.removeprefix(UNTIL), dict.fromkeys(names), n=3, cutoff=0.4)
            hint = f"; near: {', '.join(map(repr, near))}" if near else ""
            raise CompositeError(
                f"{self.text}={rule}: no layer between target and input is meant by {self.text!r}{hint}; "
                "`onnx-lrp check` lists nodes and operators"
            )
