"""Which layers a rule is for, as values: by kind, by place, or all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from ..errors import CompositeError, shown
from ..layers import Kind, Layer

Match: TypeAlias = Callable[[Layer], bool]


@dataclass(frozen=True, repr=False)
class OfKind:
    """Layers of some kinds, wherever they lie.

    Parameters
    ----------
    kinds : frozenset of str
        By their names, or by what they are able to (``"linear"``); empty is all.
    """

    kinds: frozenset[str] = frozenset()
    _made_by: ClassVar[str] = "of_kind"

    def __call__(self, layer: Layer) -> bool:
        return not (self.kinds and self.kinds.isdisjoint(layer.kind.words))

    def __repr__(self) -> str:
        """As the function that makes it is called."""
        return f"{self._made_by}({', '.join(map(repr, sorted(self.kinds)))})"


@dataclass(frozen=True, repr=False)
class First(OfKind):
    """Of some kinds, the layers that the input reaches before any other with weights."""

    _made_by: ClassVar[str] = "first_of"

    def __call__(self, layer: Layer) -> bool:
        return layer.place.first and super().__call__(layer)


@dataclass(frozen=True, repr=False)
class Last(OfKind):
    """Of some kinds, the layers that the target reaches before any other with weights."""

    _made_by: ClassVar[str] = "last_of"

    def __call__(self, layer: Layer) -> bool:
        return layer.place.last and super().__call__(layer)


@dataclass(frozen=True)
class Rectifying:
    """The Relus: layers that compute max(x, 0) and nothing else."""

    def __call__(self, layer: Layer) -> bool:
        return layer.facts.rectifies


@dataclass(frozen=True)
class Chain:
    """Maps of several values along a curve that say how they are chained: what DeepLIFT hands back there."""

    def __call__(self, layer: Layer) -> bool:
        return layer.multipliers is not None and layer.kind in (
            "curved",
            "normalization",
            "quotient",
            "recurrent",
        )


def of_kind(*kinds: str | Kind) -> OfKind:
    """Match layers by kind: "convolution", "dense", "product" and whichever others there are; none is all."""
    return OfKind(_names(kinds))


def first_of(*kinds: str | Kind) -> First:
    """Match the layers of some kinds that the input reaches before any other with weights."""
    return First(_names(kinds))


def last_of(*kinds: str | Kind) -> Last:
    """Match the layers of some kinds that the target reaches before any other with weights."""
    return Last(_names(kinds))


def _names(kinds: tuple[str | Kind, ...]) -> frozenset[str]:
    if wrong := [kind for kind in kinds if not isinstance(kind, str | Kind)]:
        raise CompositeError(f"a kind of layer is a text, such as 'convolution', not {shown(wrong[0])}")
    return frozenset(map(str, kinds))
