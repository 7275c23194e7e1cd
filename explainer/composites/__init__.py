"""Which rule at which node: presets by name, rules by selector, from Python, text or a file."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from .. import plugins
from ..errors import CompositeError, folded, no_such, shown
from ..plain.checks import check_held
from ..rules import Rule, parse
from ..rules.text import is_rule
from . import presets, saliency
from .base import COMPOSITES, Composite, preset
from .dialects import DIALECTS, ROLES, Dialect, dialect
from .files import ENDINGS, checked, is_file, read_composite
from .matches import Chain, Match, Rectifying, first_of, last_of, of_kind
from .selectors import Selector

RulesLike: TypeAlias = "Mapping[str | Match, str | Rule] | Iterable[str | tuple[str | Match, str | Rule]]"
CompositeLike: TypeAlias = (
    "str | os.PathLike[str] | tuple[Any, Mapping[str, Any]] | Mapping[str, Any] | Composite"
)

__all__ = [
    "COMPOSITES",
    "DIALECTS",
    "ROLES",
    "Chain",
    "Composite",
    "CompositeLike",
    "Dialect",
    "Rectifying",
    "RulesLike",
    "Selector",
    "dialect",
    "first_of",
    "get",
    "last_of",
    "named",
    "of_kind",
    "parameters",
    "preset",
    "presets",
    "saliency",
]

# Names of other tools and papers that are spelled apart from ours, as `_key` folds them.
ALIASES = {
    **dict.fromkeys(("z", "0"), "zero"),
    **dict.fromkeys(("zplusfast", "z+", "z⁺"), "zplus"),
    **dict.fromkeys(("w2", "w²"), "wsquare"),
    "ε": "epsilon",
    "γ": "gamma",
    "deeptaylorbounded": "bounded_deep_taylor",
    "sequentialpresetbflatuntilidx": "sequential_preset_b_flat_until",
    "deconvolution": "deconvnet",
}
# What a parameter without a default is, for the error where it is not given.
MEANING = {
    "low": "the least value of the model's input, one number or one per channel",
    "high": "the largest (both follow from the preprocessing, where that is known)",
    "until": "the name of the last node that is flat",
}
# What methods walk by, and what makes no sense without them: known by the very name alone.
OF_METHODS: dict[str, Callable[..., Composite]] = {"deeplift": saliency.deeplift}


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
    composite : str, path, dict, (any of these, dict) or Composite
        A preset's name; a .json or .toml file, or the dict that it holds:
        ``{"base": name, "parameters": {...}, "rules": {...}, "dialect": name}``; either of them with
        parameters: ``("gamma", {"gamma": 0.1})``. Other tools' spelling of a name is understood:
        ``EpsilonPlusFlat``, ``lrp.sequential_preset_a``.
    rules : dict, or sequence of pairs or str
        Selector (see `Selector`) or function of a layer -> rule, as text (see
        `explainer.rules.parse`) or Rule: ``{"Conv": "zplus", "/layer1/*": Gamma(0.1)}``,
        ``["Conv=zplus"]``. They come before the preset's own. Where several meet a layer the
        narrowest wins: a node's name, then a glob, a place or a function, then an operator, then a
        kind; of two alike, the first.
    dialect : str, optional
        "zennit", "captum", "innvestigate", "attnlrp" or "cp_lrp": whose form of the rules is meant.
    defaults : dict of str -> callable, optional
        Where the preset takes such a parameter and none is given, what to call for it.
    **parameters
        The preset's parameters; None stands for its default. They come before a file's and after
        a tuple's.

    Returns
    -------
    Composite

    Raises
    ------
    CompositeError
        No such preset, rule or dialect, or a parameter that it does not take.
    """
    plugins.load()
    if not isinstance(defaults, Mapping | None) or not all(map(callable, (defaults or {}).values())):
        raise CompositeError(f"defaults: a dict of parameter -> function, not {shown(defaults)}")
    given = {name: value for name, value in parameters.items() if value is not None}
    front = _rules(rules)
    own: Mapping[str, Any] = {}
    if isinstance(composite, tuple):
        if len(composite) != 2 or not isinstance(composite[1], Mapping):
            raise CompositeError(
                f"a composite is a name or (name, {{parameter: value}}), not {shown(composite)}"
            )
        composite, own = composite
    if isinstance(composite, str | os.PathLike) and is_file(composite):
        composite = read_composite(Path(composite))
    if isinstance(composite, Mapping):
        check_held("composite", composite)
        values = checked(composite)
        front += _rules(values.get("rules", {}))
        given = {**values.get("parameters", {}), **given}
        dialect = values.get("dialect") if dialect is None else dialect
        composite = values.get("base", "epsilon")
    given.update(own)
    if not all(isinstance(name, str) for name in given):
        raise CompositeError(f"a composite's parameters go by their names, not {shown(given)}")
    if not isinstance(composite, Composite):
        composite = _preset(composite, dialect, given, defaults or {})
    elif given or dialect:
        what = ", ".join([*given, *(["dialect"] if dialect else [])])
        raise CompositeError(f"{what}: a Composite is taken as it is; give a preset's name to change it")
    return composite.behind(*front)


def parameters(name: str | None = None) -> list[str]:
    """What a preset takes by name beside `eps`; without a name, what any of them does."""
    if not isinstance(name, str | None):
        raise CompositeError(no_such("composite", name, COMPOSITES))
    known = COMPOSITES | OF_METHODS
    makes = known.values() if name is None else [known[name]] if name in known else []
    names = [parameter for make in makes for parameter in list(inspect.signature(make).parameters)[1:]]
    return sorted(set(names) - {"eps"})


def _key(name: str) -> str:
    """A preset's name as it is compared: ``lrp.z_plus`` and ``ZPlusRule`` are ``zplus``."""
    return folded(name).removeprefix("lrp").removesuffix("rule")


def named(name: Any) -> str | None:
    """The preset that a name means, in any tool's spelling; None where there is none."""
    if not isinstance(name, str):
        return None
    known = {**ALIASES, **{_key(key): key for key in COMPOSITES}}
    return name if name in OF_METHODS else known.get(_key(name))


def _preset(
    name: Any, which: str | Dialect | None, given: dict[str, Any], defaults: Mapping[str, Callable[[], Any]]
) -> Composite:
    key = named(name)
    if key is None:
        own = {folded(one): one for one in DIALECTS}.get(folded(name) if isinstance(name, str) else "")
        if own is not None:
            what = f"no composite {name!r}: it is a dialect, what a tool means by a rule's name; give "
            raise CompositeError(f"{what}dialect={own!r}").optioned(f"{what}--dialect {own}")
        more = f", or a file ({' or '.join(ENDINGS)})"
        raise CompositeError(no_such("composite", name, COMPOSITES, more, lists="onnx-lrp composites"))
    make = (COMPOSITES | OF_METHODS)[key]
    takes = dict(list(inspect.signature(make).parameters.items())[1:])
    if wrong := [parameter for parameter in given if parameter not in takes]:
        raise CompositeError(
            f"composite {key!r} takes no {', '.join(wrong)}; it takes {', '.join(takes) or 'no parameters'}"
        )
    follow = {parameter: find() for parameter, find in defaults.items() if parameter in takes}
    values = {**{k: v for k, v in follow.items() if v is not None}, **given}
    if missing := [p for p, entry in takes.items() if entry.default is entry.empty and p not in values]:
        needs = "; ".join(
            f"{parameter}, {MEANING[parameter]}" if parameter in MEANING else parameter
            for parameter in missing
        )
        raise CompositeError(f"composite {key!r} needs {needs}")
    tool = dialect(which)
    try:
        return make(tool, **values)
    except (TypeError, ValueError) as error:  # what a rule makes of a parameter that is no number
        shown = ", ".join(f"{parameter}={value!r}" for parameter, value in values.items())
        given_with = f" with {shown}" if shown else ""
        raise CompositeError(f"composite {key!r}{given_with}: {error}") from error


def _rules(rules: RulesLike) -> list[tuple[Match, Rule]]:
    """Selectors and rules as objects, the narrowest in front."""
    entries: Iterable[Any] = [rules] if isinstance(rules, str) else rules
    entries = rules.items() if isinstance(rules, Mapping) else entries
    objects = []
    try:
        for entry in entries:
            match, rule = _split(entry) if isinstance(entry, str) else entry
            objects.append((_match(match), parse(rule)))
    except (TypeError, ValueError):
        raise CompositeError(
            f"rules are {{selector: rule}}, (selector, rule) pairs or 'SELECTOR=RULE', not {shown(rules)}"
        ) from None
    return sorted(objects, key=lambda pair: pair[0].width if isinstance(pair[0], Selector) else 1)


def _split(text: str) -> tuple[str, str]:
    """``SELECTOR=RULE``, at the last = before a rule's name: nodes and rules may have some themselves."""
    places = [place for place, sign in enumerate(text) if sign == "="]
    if not places:
        raise CompositeError(f"{text!r}: a rule is SELECTOR=RULE, such as Conv=zplus")
    place = next((place for place in reversed(places) if is_rule(text[place + 1 :])), places[0])
    return text[:place].strip(), text[place + 1 :]


def _match(match: Any) -> Match:
    if not isinstance(match, str) and not callable(match):
        raise CompositeError(f"a selector is a text or a function of a layer, not {shown(match)}")
    return Selector(match) if isinstance(match, str) else match
