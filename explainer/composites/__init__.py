"""Which rule at which node: presets by name, rules by selector, from Python, text or a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import CompositeError
from ..rules import Rule, parse
from . import presets
from .base import Composite, Match, first_of, of_kind
from .dialects import DIALECTS, Dialect, dialect
from .files import read_composite
from .selectors import Selector

RulesLike: TypeAlias = "Mapping[str, str | Rule] | Sequence[tuple[str | Match, str | Rule]]"
CompositeLike: TypeAlias = "str | Path | tuple[str, Mapping[str, Any]] | Mapping[str, Any] | Composite"

__all__ = [
    "COMPOSITES",
    "DIALECTS",
    "Composite",
    "CompositeLike",
    "Dialect",
    "RulesLike",
    "Selector",
    "dialect",
    "first_of",
    "get",
    "of_kind",
]

COMPOSITES: dict[str, Callable[..., Composite]] = {
    factory.__name__: factory
    for factory in (
        presets.epsilon,
        presets.epsilon_plus,
        presets.epsilon_plus_flat,
        presets.epsilon_alpha2_beta1,
        presets.epsilon_alpha2_beta1_flat,
        presets.epsilon_gamma_box,
        presets.gamma,
        presets.zplus,
        presets.captum,
        presets.sequential_preset_a,
        presets.sequential_preset_b,
        presets.sequential_preset_a_flat,
        presets.sequential_preset_b_flat,
        presets.sequential_preset_a_flat_until,
        presets.sequential_preset_b_flat_until,
        presets.deep_taylor,
        presets.bounded_deep_taylor,
        presets.excitation_backprop,
        presets.gradient,
        presets.guided_backprop,
        presets.deconvnet,
        presets.beta_smooth,
    )
}
# What methods walk by, and what makes no sense without them.
_OF_METHODS: dict[str, Callable[..., Composite]] = {"deeplift": presets.deeplift}


def get(
    composite: CompositeLike = "epsilon",
    *,
    rules: RulesLike = (),
    dialect: str | Dialect | None = None,
    defaults: Mapping[str, Callable[[], Any]] | None = None,
    **parameters: Any,
) -> Composite:
    """A composite by name, from a file, or as it is; with rules of one's own in front.

    Parameters
    ----------
    composite : str, (str, dict), dict, path or Composite
        A preset's name (zennit's ``EpsilonPlusFlat`` is ``epsilon_plus_flat``, either is understood);
        its name and parameters; ``{"base": name, "parameters": {...}, "rules": {...}}``; or a .json
        or .toml file that holds this.
    rules : dict, or sequence of pairs
        Selector -> rule, both as text or as objects; the first match wins, before the preset's own.
    dialect : str, optional
        "zennit", "captum", "innvestigate" or "attnlrp": whose form of the rules is meant.
    defaults : dict of str -> callable, optional
        Where the preset takes such a parameter and none is given, what to call for it.
    **parameters
        The preset's parameters; None stands for its default, those in the tuple or file win.

    Returns
    -------
    Composite

    Raises
    ------
    CompositeError
        No such preset, rule or dialect, or a parameter that it does not take.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    if isinstance(composite, Path) or (isinstance(composite, str) and composite.endswith((".toml", ".json"))):
        composite = read_composite(Path(composite))
    if isinstance(composite, Mapping):
        unknown = set(composite) - {"base", "parameters", "rules", "dialect"}
        if unknown:
            raise CompositeError(
                f"a composite has base, parameters, rules and dialect, not {sorted(unknown)}"
            )
        rules = [*_pairs(rules), *_pairs(composite.get("rules", {}))]
        given.update(composite.get("parameters", {}))
        dialect = composite.get("dialect", dialect)
        composite = composite.get("base", "epsilon")
    if isinstance(composite, tuple):
        if len(composite) != 2 or not isinstance(composite[1], Mapping):
            raise CompositeError(f"a composite is a name or (name, {{parameter: value}}), not {composite!r}")
        composite, own = composite
        given.update(own)
    if not isinstance(composite, Composite):
        composite = _preset(composite, dialect, given, defaults or {})
    front = tuple((_match(match), parse(rule)) for match, rule in _pairs(rules))
    return replace(composite, rules=front + composite.rules) if front else composite


def _preset(
    name: Any, which: str | Dialect | None, given: dict[str, Any], defaults: Mapping[str, Callable[[], Any]]
) -> Composite:
    known = COMPOSITES | _OF_METHODS
    folded = {key.replace("_", ""): key for key in COMPOSITES}
    key = name if name in known else folded.get(str(name).casefold().replace("_", ""))
    if not isinstance(name, str) or key is None:
        near = get_close_matches(str(name), COMPOSITES)
        raise CompositeError(f"no composite {name!r}; there is: {', '.join(near or COMPOSITES)}")
    factory = known[key]
    takes = list(inspect.signature(factory).parameters)[1:]
    wrong = [parameter for parameter in given if parameter not in takes]
    if wrong:
        raise CompositeError(
            f"composite {key!r} takes no {', '.join(wrong)}; it takes {', '.join(takes) or 'no parameters'}"
        )
    missing = {parameter: make() for parameter, make in defaults.items() if parameter in takes}
    return factory(dialect(which), **{**missing, **given})


def _pairs(rules: RulesLike) -> list[tuple[Any, Any]]:
    try:
        pairs = (
            list(rules.items()) if isinstance(rules, Mapping) else [(match, rule) for match, rule in rules]
        )
    except (TypeError, ValueError):
        raise CompositeError(
            f"rules are {{selector: rule}} or (selector, rule) pairs, not {rules!r}"
        ) from None
    return pairs


def _match(match: str | Match) -> Match:
    return Selector(match) if isinstance(match, str) else match
