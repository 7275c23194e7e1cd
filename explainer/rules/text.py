"""Rules as text: ``gamma:0.1``, ``alpha_beta:2,1``, ``epsilon:1e-6,clip=true``."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, TypeVar

from ..errors import CompositeError, RegistrationError, check_derived, check_name
from .base import Rule
from .first import Flat, WSquare, ZBox
from .linear import AlphaBeta, Epsilon, Gamma, Norm, PlainGamma, PlainZPlus, Zero, ZPlus
from .passing import Average, BetaSmooth, Deconvnet, Gradient, GuidedBackprop, Pass, Route, Winner

RuleType = TypeVar("RuleType", bound="type[Rule]")
RULES: dict[str, type[Rule]] = {}
FOLDED: dict[str, type[Rule]] = {}
WORDS: dict[str, Any] = {"true": True, "false": False}


def folded(name: str) -> str:
    """A name without what tools write differently: ``AlphaBeta`` and ``alpha_beta`` are ``alphabeta``."""
    return re.sub(r"[\s._-]", "", name).casefold()


def register(rule: RuleType, *, replace: bool = False) -> RuleType:
    """Make a rule known by its name: in text, in files and on the command line. A decorator too.

    Parameters
    ----------
    rule : type of Rule
    replace : bool
        Whether it takes the place of another of that name.

    Returns
    -------
    type of Rule
        The same.

    Raises
    ------
    RegistrationError
        Another rule has that name, however it is spelled; or it is no rule.
    """
    check_derived("rule, whose class has its name", rule, Rule)
    check_name("rule", rule.name(), "a word that its class's `name` returns")
    before = FOLDED.get(folded(rule.name()))
    if before is not None and not replace:
        raise RegistrationError(
            f"there is a rule {before.name()!r} already, {before.__module__}.{before.__qualname__}: "
            "give yours another name, or replace=True"
        )
    if before is not None:
        del RULES[before.name()]
    RULES[rule.name()] = FOLDED[folded(rule.name())] = rule
    return rule


for _rule in (
    *(Zero, Epsilon, ZPlus, AlphaBeta, Gamma, ZBox, WSquare, Flat, Norm, Pass, Route, Winner, Average),
    *(Gradient, GuidedBackprop, Deconvnet, BetaSmooth, PlainGamma, PlainZPlus),
):
    register(_rule)


def is_rule(text: str) -> bool:
    """Whether a text begins with the name of a rule, and parameters if any."""
    return folded(text.partition(":")[0]) in FOLDED


def parse(text: str | Rule) -> Rule:
    """A rule from its text; a Rule is returned as it is.

    Parameters
    ----------
    text : str
        ``name``, ``name:value,value`` or ``name:key=value``, in the order of the rule's parameters;
        numbers per channel have slashes between them: ``zbox:-2.1/-2.0/-1.8,2.2/2.4/2.6``. The
        class's name (``ZPlus``) is understood for the rule's own (``zplus``).

    Raises
    ------
    CompositeError
        No such rule, or parameters that it does not take.
    """
    if isinstance(text, Rule):
        return text
    name, _, rest = str(text).strip().partition(":")
    if folded(name) not in FOLDED:
        raise CompositeError(f"no rule {name!r}; there is: {', '.join(sorted(RULES))}")
    rule = FOLDED[folded(name)]
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for part in rest.split(",") if rest.strip() else ():
        key, equals, value = part.partition("=")
        if equals and key.strip() in named:
            raise CompositeError(f"rule {text!r}: {key.strip()} is given twice")
        if equals:
            named[key.strip()] = _value(value, text)
        elif named:
            raise CompositeError(f"rule {text!r}: a value without a name after one with a name")
        else:
            positional.append(_value(key, text))
    return build(rule, positional, named)


def build(rule: type[Rule], positional: list[Any], named: dict[str, Any]) -> Rule:
    """A rule with these parameters, or what it takes.

    Raises
    ------
    CompositeError
    """
    try:
        return rule(*positional, **named)
    except (TypeError, ValueError) as error:
        in_order = sorted(fields(rule), key=lambda entry: bool(entry.kw_only))
        takes = ", ".join(entry.name for entry in in_order) or "no parameters"
        raise CompositeError(f"rule {rule.name()!r} takes {takes}: {error}") from error


def _value(text: str, where: str) -> Any:
    text = text.strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if text == "bias":
        return text
    try:
        numbers = tuple(float(number) for number in text.split("/"))
    except ValueError:
        raise CompositeError(f"rule {where!r}: {text!r} is no number") from None
    return numbers if len(numbers) > 1 else numbers[0]
