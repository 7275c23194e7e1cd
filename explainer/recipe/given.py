"""What a recipe is given: of kinds that can mean something, and as it cannot change any more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..composites import Composite, Dialect
from ..composites.files import is_file, read_composite
from ..errors import CompositeError, InputError, TargetError, shown
from ..plain.checks import is_whole, several
from ..plain.values import frozen


def check_kinds(method: Any, noise: Any, composite: Any, dialect: Any, eps: Any) -> None:
    """Refuse what can be none of a recipe's fields, whatever names are known where it is used.

    Raises
    ------
    InputError, CompositeError
    """
    if not isinstance(method, str):
        raise InputError(f"no method {shown(method)}: a method's name is a text")
    name = noise[0] if isinstance(noise, tuple) and noise else noise
    if not (name is None or isinstance(name, str)):
        raise InputError(f"noise: a name or (name, {{option: value}}), not {shown(noise)}")
    if isinstance(composite, str) and not composite.strip():
        raise CompositeError("composite: an empty text names none; leave it out for the method's own")
    if not isinstance(composite, (str, os.PathLike, tuple, Mapping, Composite, type(None))):
        raise CompositeError(f"no composite {shown(composite)}: a name, a file, a dict or a Composite")
    if not isinstance(dialect, str | Dialect | None):
        raise CompositeError(f"no dialect {shown(dialect)}: a dialect's name is a text")
    # Whether it is finite and positive, its rule says.
    if eps is not None and not (is_whole(eps) or isinstance(eps, float | np.floating)):
        raise CompositeError(f"epsilon: eps must be a positive number, not {shown(eps)}")


def frozen_composite(composite: Any) -> Any:
    """A composite as it cannot change any more; a file by what it holds."""
    if isinstance(composite, tuple) and len(composite) == 2:
        return frozen_composite(composite[0]), frozen(composite[1])
    if isinstance(composite, str | os.PathLike) and is_file(composite):
        composite = read_composite(Path(composite))
    if isinstance(composite, Mapping) and "rules" in composite:
        composite = {**composite, "rules": frozen_rules(composite["rules"])}
    return frozen(composite)


def frozen_rules(rules: Any) -> Any:
    """Rules as a tuple, in their order, which may decide."""
    if isinstance(rules, str):
        return (rules,)
    if isinstance(rules, Mapping):
        rules = rules.items()
    listed = None if isinstance(rules, bytes | np.ndarray) else several(rules)
    if listed is None:
        raise CompositeError(f"rules are {{selector: rule}}, pairs or 'SELECTOR=RULE', not {shown(rules)}")
    return frozen(listed)


def frozen_keep(keep: Any) -> Any:
    """The names of tensors as a tuple; or "all"."""
    return keep if isinstance(keep, str) and keep == "all" else frozen_names("keep", keep, " or 'all'")


def frozen_names(called: str, given: Any, more: str = "") -> tuple[str, ...]:
    """The names of tensors as a tuple, each once."""
    if isinstance(given, str):
        return (given,)
    names = None if isinstance(given, bytes) else several(given)
    if names is None or not all(isinstance(name, str) for name in names):
        raise TargetError(f"{called}: tensor names{more}, not {shown(given)}")
    return tuple(dict.fromkeys(sorted(names) if isinstance(given, set | frozenset) else names))
