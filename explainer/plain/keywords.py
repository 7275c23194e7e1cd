"""Keywords that a TypedDict lists once: shown in signatures, and refused where nothing reads them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypedDict, TypeVar, cast

from ..errors import InputError, near
from .checks import check_held

Function = TypeVar("Function", bound=Callable[..., Any])


def named(
    keywords: type, *, defaults: object = None, but: Collection[str] = ()
) -> Callable[[Function], Function]:
    """Let a function's signature list what its ``**keywords`` can be: for ``help()`` and notebooks.

    Parameters
    ----------
    keywords : TypedDict
    defaults : object
        Has the default values as attributes; ``...`` stands for those that depend on others.
    but : collection of str
        Those that make no sense for it.
    """
    more = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(defaults, name, ...),
            annotation=kind.__forward_arg__,
        )
        for name, kind in inspect.get_annotations(keywords).items()
        if name not in but
    ]

    def name(function: Function) -> Function:
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        function.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        return function

    return name


def only_named(said: Mapping[str, str] | None = None) -> Callable[[Function], Function]:
    """Let a function, or a dataclass, refuse keywords that it does not take with an `InputError`, and what
    no value holds: see `check_held`.

    Its signature stays what it is, for editors and type checkers.

    Parameters
    ----------
    said : dict of str -> str
        What to say of keywords that belong elsewhere: ``{"gamma": "it is an option: ..."}``.
    """

    def decorate(function: Function) -> Function:
        name, elsewhere = function.__name__, said or {}
        if isinstance(function, type):
            kind: Any = function
            kind.__init__ = _checked(kind.__init__, name, elsewhere)
            return function
        return cast(Function, _checked(function, name, elsewhere))

    return decorate


def _checked(function: Callable[..., Any], name: str, elsewhere: Mapping[str, str]) -> Callable[..., Any]:
    parameters = list(inspect.signature(function).parameters)
    known = [parameter for parameter in parameters if parameter != "self"]

    @functools.wraps(function)
    def called(*values: Any, **given: Any) -> Any:
        refuse_unknown(name, given, known, elsewhere)
        for parameter, value in (*zip(parameters, values, strict=False), *given.items()):
            check_held(parameter, value)
        return function(*values, **given)

    return called


class Nothing(TypedDict):
    """No keywords: ``**unknown: Unpack[Nothing]`` is an error for a type checker, and refused when called."""


def refuse_unknown(
    function: str, given: Iterable[str], known: Collection[str], elsewhere: Mapping[str, str] | None = None
) -> None:
    """Refuse keywords that a function does not read.

    Parameters
    ----------
    function : str
        Its name, for the message.
    given : iterable of str
    known : collection of str
        What it reads.
    elsewhere : dict of str -> str
        What to say of those that belong elsewhere.

    Raises
    ------
    InputError
    """
    for name in given:
        if name in known:
            continue
        found = near(name, known, elsewhere or {}, most=1)
        meant = name if name in (elsewhere or {}) else found[0] if found else ""
        if elsewhere and meant in elsewhere:
            hint = f"{'' if meant == name else f'did you mean {meant}? '}{elsewhere[meant]}"
        else:
            hint = f"did you mean {meant}?" if meant else f"it takes {', '.join(known)}"
        raise InputError(f"{function} takes no {name}; {hint}")


def check_known(function: str, given: Collection[str], keywords: type, *own: str) -> None:
    """Refuse keywords that neither a TypedDict lists nor a function has as parameters of its `own`.

    Raises
    ------
    InputError
    """
    refuse_unknown(function, given, [*own, *keywords.__annotations__])
