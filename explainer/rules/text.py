"""Rules as text: ``gamma:0.1``, ``alpha_beta:2,1``, ``epsilon:1e-6,clip=true``."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from ..errors import CompositeError, RegistrationError, check_derived, check_name, folded, no_such, shown
from .base import Rule
from .curved import Held, HeldGradient, Linearised, Taylor
from .first import Flat, WSquare, ZBox
from .linear import AlphaBeta, Epsilon, Gamma, Norm, PlainGamma, PlainZPlus, Zero, ZPlus
from .passing import Average, BetaSmooth, Deconvnet, Gradient, GuidedBackprop, Pass, Route, Winner
from .recurrent import SignalTakesAll

RuleType = TypeVar("RuleType", bound="type[Rule]")
RULES: dict[str, type[Rule]] = {}
FOLDED: dict[str, type[Rule]] = {}
WORDS: dict[str, Any] = {"true": True, "false": False}
# What captum, zennit, iNNvestigate and papers call rules, as `key_of` folds it: our names, with the
# parameters that theirs stand for.
ALIASES = {
    **dict.fromkeys(("0", "z"), "zero"),
    **dict.fromkeys(("z+", "z⁺", "zplusfast"), "zplus"),
    **dict.fromkeys(("zb", "bounded"), "zbox"),
    **dict.fromkeys(("w2", "w²"), "wsquare"),
    "ε": "epsilon",
    "γ": "gamma",
    "αβ": "alpha_beta",
    "alpha1beta0": "alpha_beta:1,0",
    "alpha2beta1": "alpha_beta:2,1",
    "identity": "pass",
    "reludeconvnet": "deconvnet",
    "reluguidedbackprop": "guided_backprop",
    "relubetasmooth": "beta_smooth",
}


def key_of(name: str) -> str:
    """A rule's name as it is compared: ``LRP-Epsilon`` and ``EpsilonRule`` are ``epsilon``."""
    key = folded(name)
    return key.removeprefix("lrp").removesuffix("rule") or key


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
    *(Held, Taylor, Linearised, SignalTakesAll),
    *(Gradient, HeldGradient, GuidedBackprop, Deconvnet, BetaSmooth, PlainGamma, PlainZPlus),
):
    register(_rule)


def is_rule(text: str) -> bool:
    """Whether a text begins with the name of a rule, and parameters if any."""
    name = text.partition(":")[0]
    return folded(name) in FOLDED or key_of(name) in (*ALIASES, *FOLDED)


def parse(text: str | Rule) -> Rule:
    """A rule from its text; a Rule is returned as it is.

    Parameters
    ----------
    text : str
        ``name``, ``name:value,value`` or ``name:key=value``, in the order of the rule's parameters;
        numbers per channel have slashes between them: ``zbox:-2.1/-2.0/-1.8,2.2/2.4/2.6``. The
        class's name (``ZPlus``) is understood for the rule's own (``zplus``), and so are captum's,
        zennit's and iNNvestigate's names of rules (`ALIASES`): ``Alpha1_Beta0_Rule``.

    Raises
    ------
    CompositeError
        No such rule, or parameters that it does not take.
    """
    if isinstance(text, Rule):
        return text
    if not isinstance(text, str):
        raise CompositeError(f"no rule '{shown(text)}': a rule is a text, such as 'zplus', or a Rule")
    name, _, rest = text.strip().partition(":")
    if folded(name) not in FOLDED:
        alias, _, parameters = ALIASES.get(key_of(name), key_of(name)).partition(":")
        if folded(alias) not in FOLDED:
            raise CompositeError(no_such("rule", name, sorted(RULES), lists="onnx-lrp rules"))
        name, rest = alias, ",".join(filter(None, (parameters, rest)))
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
