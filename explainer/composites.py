"""Which rule at which node: an ordered list of (match, rule), the first match wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

from .errors import CompositeError
from .layers import Layer
from .rules import Epsilon, Pass, Route, Rule

Match: TypeAlias = Callable[[Layer], bool]
CompositeLike: TypeAlias = "str | tuple[str, Mapping[str, Any]] | Composite"


@dataclass(frozen=True)
class Composite:
    """An ordered list of (match, rule).

    Parameters
    ----------
    name : str
    rules : tuple of (match, Rule)
        `match` is called with a Layer.
    """

    name: str
    rules: tuple[tuple[Match, Rule], ...]

    def rule_for(self, layer: Layer) -> Rule | None:
        """The first rule whose match accepts the layer; None where none does."""
        return next((rule for match, rule in self.rules if match(layer)), None)


def of_kind(*kinds: str) -> Match:
    """Match layers by kind: "affine", "sum", "activation", "movement", "winner"."""
    return lambda layer: layer.kind in kinds


# What every composite does with layers that have no weights to choose a rule for.
PLUMBING: tuple[tuple[Match, Rule], ...] = (
    (of_kind("activation"), Pass()),
    (of_kind("movement", "winner"), Route()),
)


def epsilon(eps: float = 1e-6) -> Composite:
    """The ε rule at every layer that adds something up; activations pass, pools and moves route.

    Bach et al. 2015, eq. 58; zennit's `Epsilon` and captum's default for the layers both have.
    """
    return Composite("epsilon", ((of_kind("affine", "sum"), Epsilon(eps)), *PLUMBING))


COMPOSITES: dict[str, Callable[..., Composite]] = {"epsilon": epsilon}


def get(composite: CompositeLike, **parameters: Any) -> Composite:
    """A composite by name.

    Parameters
    ----------
    composite : str, (str, dict) or Composite
        A preset's name, or its name and parameters.
    **parameters
        The preset's parameters; those in the tuple win.

    Raises
    ------
    CompositeError
        No such preset, or a parameter that it does not take.
    """
    if isinstance(composite, Composite):
        return composite
    name = composite
    if isinstance(composite, tuple):
        if len(composite) != 2 or not isinstance(composite[1], Mapping):
            raise CompositeError(f"a composite is a name or (name, {{parameter: value}}), not {composite!r}")
        name, parameters = composite[0], {**parameters, **composite[1]}
    if not isinstance(name, str) or name not in COMPOSITES:
        near = get_close_matches(str(name), COMPOSITES)
        known = ", ".join(near or COMPOSITES)
        raise CompositeError(f"no composite {name!r}; there is: {known}")
    try:
        return COMPOSITES[name](**parameters)
    except TypeError as error:
        raise CompositeError(f"composite {name!r}: {error}") from error
