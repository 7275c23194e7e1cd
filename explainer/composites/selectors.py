"""Selectors: which layers a rule is for, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import CompositeError, did_you_mean, shown
from ..layers import KINDS, REGISTRY, Layer, facts_of
from ..model.operators import spelled
from ..rules import Rule

PLACES = ("first", "last")
UNTIL = "until:"


@dataclass(frozen=True)
class Selector:
    """Which layers a rule is for.

    Parameters
    ----------
    text : str
        A node's name, or a glob over names (``/layer1/*``); ``first`` or ``last``: the convolutions
        and dense layers that the input, or the target, meets before any other; ``until:NODE``: those
        between the input and a node, itself included; an operator (``Conv``, ``com.example.MyScale``);
        or a kind (``convolution``, ``product``: `explainer.layers.KINDS` has them all).
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise CompositeError(
                f"a selector is a text, such as 'Conv' or '/layer1/*', not {shown(self.text)}"
            )

    @property
    def is_wide(self) -> bool:
        """Whether it takes what its rule fits of all that it meets: a place, or a glob."""
        return (
            self.text in PLACES
            or self.text.startswith(UNTIL)
            or (not self._is_type and any(sign in self.text for sign in "*?["))
        )

    @property
    def _is_type(self) -> bool:
        return self.text in KINDS or spelled(self.text) in REGISTRY

    @property
    def width(self) -> int:
        """How much it says: 0 a name, 1 a glob or a place, 2 an operator, 3 a kind."""
        if self._is_type:
            return 3 if self.text in KINDS else 2
        return int(self.is_wide)

    def __call__(self, layer: Layer) -> bool:
        node = layer.node
        if self.text in PLACES:
            return layer.place.first if self.text == "first" else layer.place.last
        if self.text.startswith(UNTIL):
            return node.name in layer.place.ancestors(self.text.removeprefix(UNTIL))
        if self._is_type:
            return self.text == layer.kind or spelled(self.text) == node.operator
        names = (node.name, *(member.name for member in node.members))
        return self.text in names or any(fnmatchcase(name, self.text) for name in names)

    def accepts(self, layer: Layer, rule: Rule) -> bool:
        """Whether the layer gets the rule.

        A wide selector gives a rule that layers with weights can have to these alone, unless every
        layer can; of any other rule, all layers that it fits.
        """
        if not self.is_wide:
            return self(layer)
        alone = rule.kinds is not None and any(rule.fits(kind) for kind in KINDS.values() if kind.weighted)
        return rule.fits(layer.kind) and (layer.kind.weighted or not alone) and self(layer)

    def check(self, layers: Sequence[Layer], rule: Rule) -> None:
        """Refuse a selector that meets nothing, or nothing that its rule is made for.

        Raises
        ------
        CompositeError
        """
        met = [layer for layer in layers if self(layer)]
        if any(self.accepts(layer, rule) for layer in met):
            return
        if met:
            fits = [layer.node for layer in met if rule.fits(layer.kind)]
            alone = "a glob or a place gives this rule to convolutions and dense layers alone"
            reason = f"{alone}; name {fits[0]} itself" if fits else misfit(met[0], rule)
            raise CompositeError(f"{self.text}={rule}: {reason}")
        raise CompositeError(
            f"{self.text}={rule}: no layer between target and input is meant by {shown(self.text)}"
            f"{self._hint(layers)}; `onnx-lrp check` without it lists nodes and operators"
        )

    def _hint(self, layers: Sequence[Layer]) -> str:
        if cut := facts_of(spelled(self.text)).cut:
            return f": at the end of a model relevance starts before a {self.text} ({cut})"
        nodes = [layer.node for layer in layers]
        if any(self.text == member.operator for node in nodes for member in node.members):
            return f": each {self.text} is merged into a neighbour (not so in the dialect 'captum')"
        names = [node.name for node in nodes] + [node.operator for node in nodes]
        words = dict.fromkeys((*names, *KINDS, *PLACES))
        return did_you_mean(self.text.removeprefix(UNTIL), words)


def misfit(layer: Layer, rule: Rule) -> str:
    """Return why a layer cannot have a rule."""
    fitting = sorted(kind.name for kind in KINDS.values() if rule.fits(kind)) or sorted(rule.kinds or ())
    kinds = ", ".join(fitting)
    return (
        f"the rule is for layers of kind {kinds}; {layer.node} is of kind {layer.kind} ({layer.kind.meaning})"
    )
