"""Which rule at which node: an ordered list of (match, rule), the first match wins."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..canonizers import DEFAULT_CANONIZERS, Canonizer, CanonizerLike
from ..errors import CompositeError, RegistrationError, check_name, folded, shown
from ..layers import Layer
from ..plain.checks import several
from ..plain.tables import html_table, text_table
from ..rules import Rule
from .dialects import Dialect
from .matches import Match
from .selectors import Selector, misfit


def _pairs(rules: Any) -> tuple[tuple[Match, Rule], ...]:
    """Pairs of a match and a rule, as a tuple.

    Raises
    ------
    CompositeError
    """
    pairs = [several(pair) or () for pair in several(rules) or ()]
    fits = all(len(pair) == 2 and callable(pair[0]) and isinstance(pair[1], Rule) for pair in pairs)
    if several(rules) is None or not fits:
        raise CompositeError(f"a composite's rules are pairs (match, Rule), not {shown(rules)}")
    return tuple((match, rule) for match, rule in pairs)


@dataclass(frozen=True)
class Composite:
    """An ordered list of (match, rule): a value, equal to another that has the same rules.

    Its repr makes it again where the names of `explainer.composites` and `explainer.rules` are known.

    Parameters
    ----------
    name : str
    rules : tuple of (match, Rule)
        `match` is called with a Layer, or is a `Selector`. With a function of one's own, the composite
        is pickled as that function is: by the name it has in its module.
    canonizers : tuple of str or Canonizer
        What makes nodes one layer, by name or as it is, in the order in which they see the graph.
    gradient : bool
        Whether what is handed back is a gradient: it starts from the derivative of the target, not
        from its value, and is not conserved.
    box : Rule or None
        The one of its rules whose bounds are those of the model's input, and of no other tensor.
    """

    name: str
    rules: tuple[tuple[Match, Rule], ...]
    canonizers: tuple[CanonizerLike, ...] = DEFAULT_CANONIZERS
    gradient: bool = False
    box: Rule | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise CompositeError(f"a composite's name is a text, not {shown(self.name)}")
        object.__setattr__(self, "rules", _pairs(self.rules))
        listed = None if isinstance(self.canonizers, str | bytes | Mapping) else several(self.canonizers)
        if listed is None or not all(isinstance(one, str | Canonizer) for one in listed):
            raise CompositeError(
                f"canonizers: a tuple of names or Canonizer objects, not {shown(self.canonizers)}"
            )
        object.__setattr__(self, "canonizers", listed)
        if not isinstance(self.gradient, bool):
            raise CompositeError(f"gradient is {shown(self.gradient)}; expected True or False")
        if not isinstance(self.box, Rule | None):
            raise CompositeError(f"box: one of the composite's rules, not {shown(self.box)}")
        own = [rule for _, rule in self.rules]
        if self.box is not None and not any(rule is self.box for rule in own):
            # Written and made again, it is one of them once more; rules of the user's own stand before it.
            object.__setattr__(self, "box", next((rule for rule in own[::-1] if rule == self.box), self.box))

    def __str__(self) -> str:
        return text_table((self.name or "composite", "rule"), self.rules)

    def _repr_html_(self) -> str:
        return html_table(("match", "rule"), self.rules, f"Composite {self.name}")

    def behind(self, *rules: tuple[Match, Rule]) -> Composite:
        """The same with other rules in front."""
        return dataclasses.replace(self, rules=(*_pairs(rules), *self.rules)) if rules else self

    def rule_for(self, layer: Layer) -> Rule | None:
        """The first rule whose match accepts the layer; None where none does."""
        return self._entry_for(layer)[1]

    def names(self, layer: Layer) -> bool:
        """Whether the rule of the layer was given to it by its node's name."""
        match, _ = self._entry_for(layer)
        return isinstance(match, Selector) and match.width == 0

    def _entry_for(self, layer: Layer) -> tuple[Match, Rule] | tuple[None, None]:
        if not isinstance(layer, Layer):
            raise CompositeError(f"rule_for: a layer of a plan, not {shown(layer)}")
        for match, rule in self.rules:
            if match.accepts(layer, rule) if isinstance(match, Selector) else match(layer):
                return match, rule
        return None, None

    def check(self, layers: Sequence[Layer], rules: Iterable[Rule | None]) -> None:
        """Refuse what can only be a mistake, once it is known which layer has which rule.

        Raises
        ------
        CompositeError
            A selector meets no layer, a rule is put on a layer that it is not made for, or the
            bounds of the model's input on a layer that reads another tensor.
        """
        for match, rule in self.rules:
            if isinstance(match, Selector):
                match.check(layers, rule)
        for layer, given in zip(layers, rules, strict=True):
            if given is None:
                continue
            if not given.fits(layer.kind):
                raise CompositeError(f"{given}: {misfit(layer, given)}")
            if layer.degree > 1 and given.conserving and not given.divides_by_degree:
                raise CompositeError(
                    f"{given}: {layer.node} is a product of {layer.degree} activations, and hands on "
                    f"{layer.degree} times what it is unless a rule divides by that: epsilon, norm and zero "
                    "do; a rule of your own that does says divides_by_degree = True"
                )
            if given is self.box and not layer.place.at_input:
                raise CompositeError(
                    f"low and high are those of the model's input, but {layer.node} reads "
                    f"{layer.inputs[0]!r}, which is computed from it: give this layer a rule with the "
                    f'bounds of that tensor, such as "{layer.node.name}=zbox:-1,1"'
                )


COMPOSITES: dict[str, Callable[..., Composite]] = {}
# How a preset is written.
HOW = "@composites.preset above def mine(dialect, eps=1e-6): ..."


def preset(make: Callable[..., Composite], *, replace: bool = False) -> Callable[..., Composite]:
    """Declare a composite under the name of the function that makes it from a dialect and parameters.

    Parameters
    ----------
    make : callable
        (dialect, parameters by name) -> Composite. The first line of its docstring is what
        ``onnx-lrp composites`` prints.
    replace : bool
        Whether it takes the place of another of that name.

    Returns
    -------
    callable
        The same, the composite named.

    Raises
    ------
    RegistrationError
        Another composite has that name, however it is spelled; or it is no function of a dialect.
    """
    if not callable(make):
        raise RegistrationError(f"{shown(make):.80} is no function; write {HOW}")
    name: str = getattr(make, "__name__", "")
    check_name("composite", name, HOW)
    try:
        first = next(iter(inspect.signature(make).parameters), "")
    except (TypeError, ValueError):  # some of Python's own have none
        first = ""
    if first != "dialect":
        raise RegistrationError(f"{name} does not take `dialect` as its first parameter; write {HOW}")
    before = next((known for known in COMPOSITES if folded(known) == folded(name)), None)
    if before is not None and not replace:
        raise RegistrationError(
            f"there is a composite {before!r} already, of {COMPOSITES[before].__module__}: "
            "give yours another name, or replace=True"
        )
    if before is not None:
        del COMPOSITES[before]

    @functools.wraps(make)
    def named(dialect: Dialect, *values: Any, **parameters: Any) -> Composite:
        made: Any = make(dialect, *values, **parameters)
        if not isinstance(made, Composite):
            raise CompositeError(
                f"composite {name!r}: {make.__module__}.{make.__qualname__} returned {made!r}, "
                "not a Composite"
            )
        return dataclasses.replace(made, name=name)

    COMPOSITES[name] = named
    return named
