"""How a model is run: where, on how many threads, with whose operators."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import InputError, shown
from ..plain.checks import several

# An execution provider's name, or its name and options: ("CUDAExecutionProvider", {"device_id": 1}).
ProviderLike: TypeAlias = "str | tuple[str, Mapping[str, Any]]"
PathLike: TypeAlias = "str | os.PathLike[str]"

MOST_THREADS = 4096  # more than any machine has processors for; onnxruntime would try to start them


@dataclass(frozen=True, init=False)
class Runtime:
    """What every session of a model is opened with. Hashable; pickled, it is the same.

    Parameters
    ----------
    providers : sequence of str or (str, dict)
        onnxruntime's execution providers, the preferred first, each with its options if it takes any;
        the CPU alone by default. What none of them can run, the CPU does.
    threads : int or None
        How many threads one operator may use in onnxruntime, and a matrix product of a walk in NumPy.
        0 or None is onnxruntime's own choice, and for NumPy one thread for small nets, all for others.
    custom_ops : sequence of path
        Shared libraries of custom operators. They are code, and run in this process: a library is
        loaded because the caller names it here, never because a model does.

    Raises
    ------
    InputError
        Not of these types, or threads below 0 or beyond `MOST_THREADS`.
    """

    providers: tuple[Any, ...] = ()
    threads: int = 0
    custom_ops: tuple[str, ...] = ()

    def __init__(
        self,
        providers: Iterable[ProviderLike] | None = (),
        threads: int | None = 0,
        custom_ops: Iterable[PathLike] | PathLike | None = (),
    ) -> None:
        named = (providers,) if isinstance(providers, str) else _several("providers", providers)
        object.__setattr__(self, "providers", tuple(dict.fromkeys(map(_provider, named))))
        object.__setattr__(self, "threads", _count(threads))
        alone = isinstance(custom_ops, str | os.PathLike)
        files = (custom_ops,) if alone else _several("custom_ops", custom_ops)
        object.__setattr__(self, "custom_ops", tuple(dict.fromkeys(map(_library, files))))

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for."""
        return self == Runtime()

    @property
    def names(self) -> list[str]:
        """The providers' names, the preferred first."""
        return [name if isinstance(name, str) else name[0] for name in self.providers]


def _several(name: str, values: Any) -> tuple[Any, ...]:
    listed = () if values is None else several(values)
    if listed is None or isinstance(values, bytes):
        raise InputError(f"{name}: a list, not {shown(values)}")
    return listed


def _provider(provider: Any) -> Any:
    """A provider as it can be hashed: its name, with pairs of its options if it has any."""
    if isinstance(provider, str) and provider:
        return provider
    try:
        name, options = provider
        pairs = tuple(sorted((str(key), str(value)) for key, value in dict(options).items()))
    except (TypeError, ValueError):
        name, pairs = None, ()
    if not isinstance(name, str) or not name:
        raise InputError(
            f"providers: {shown(provider)} is neither a name, such as 'CPUExecutionProvider', nor "
            "(name, options)"
        )
    return (name, pairs) if pairs else name


def _count(threads: Any) -> int:
    try:
        count = -1 if isinstance(threads, bool) else operator.index(0 if threads is None else threads)
    except TypeError:
        count = -1
    if not 0 <= count <= MOST_THREADS:
        raise InputError(
            f"threads is {shown(threads)}; give a whole number from 1 to {MOST_THREADS}, or 0 for "
            "onnxruntime's choice"
        )
    return count


def _library(path: Any) -> str:
    """The whole path: a bare name would be looked up among the system's libraries."""
    try:
        return str(Path(os.fspath(path)).absolute())
    except TypeError:
        raise InputError(f"custom_ops: {shown(path)} is not the path of a shared library") from None
