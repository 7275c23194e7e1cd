"""Keywords that a TypedDict lists once: shown in signatures, and refused where nothing reads them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Any, TypeVar

from ..errors import InputError

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


def check_known(function: str, given: Collection[str], keywords: type, *own: str) -> None:
    """Refuse keywords that a function does not read.

    Parameters
    ----------
    function : str
        Its name, for the message.
    given : collection of str
        What stands behind its ``**keywords``.
    keywords : TypedDict
    *own : str
        Its parameters of their own, which may have been meant.

    Raises
    ------
    InputError
    """
    known = [*own, *keywords.__annotations__]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
            raise InputError(f"{function} takes no {name}; {hint}")
