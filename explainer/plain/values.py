"""Values that are frozen, compared by what they hold, and written so that Python makes them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Self, TypeVar

import numpy as np

from .checks import check_held

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)


class FrozenDict(Mapping[K, V_co]):
    """A dict that does not change: hashable where its values are; its repr is a dict's."""

    __slots__ = ("_held",)

    def __init__(self, held: Mapping[K, V_co] | None = None) -> None:
        self._held = dict(held or {})

    def __getitem__(self, name: K) -> V_co:
        return self._held[name]

    def __iter__(self) -> Iterator[K]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and identity(self) == identity(other)

    def __hash__(self) -> int:
        return hash(identity(self))

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{written(name)}: {written(value)}' for name, value in self.items())}}}"

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (self._held,)


class ByValue:
    """A frozen dataclass whose fields may be arrays and dicts: equal, hashed, written and pickled by value.

    All of its fields have defaults. Its repr names those that differ from them.
    """

    def _identity(self) -> tuple[Any, ...]:
        return tuple(identity(getattr(self, name)) for name in self._names())

    @classmethod
    def _names(cls) -> list[str]:
        return [entry.name for entry in fields(cls)]  # type: ignore[arg-type]  # subclasses are dataclasses

    def _said(self) -> dict[str, Any]:
        """The fields that are not as they are by default."""
        plain = type(self)()
        pairs = zip(self._names(), self._identity(), plain._identity(), strict=True)
        return {name: getattr(self, name) for name, mine, default in pairs if mine != default}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((type(self), self._identity()))

    def __repr__(self) -> str:
        said = (f"{name}={written(value)}" for name, value in self._said().items())
        return f"{type(self).__name__}({', '.join(said)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self._said())

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[type-var]  # subclasses are dataclasses


def _made(kind: Callable[..., Any], said: Mapping[str, Any]) -> Any:
    return kind(**said)


def frozen(value: Any) -> Any:
    """The value as it cannot change any more: lists as tuples, dicts and arrays as copies.

    Raises
    ------
    InputError
        See `check_held`.
    """
    check_held("what is given", value)
    return _frozen(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.setflags(write=False)
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return FrozenDict({name: _frozen(one) for name, one in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def identity(value: Any) -> Any:
    """What is equal and has the same hash for values that hold the same."""
    if isinstance(value, np.ndarray):
        return np.ndarray, value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Mapping):
        return Mapping, frozenset((name, identity(one)) for name, one in value.items())
    if isinstance(value, slice):  # hashable from Python 3.12 on
        return slice, value.start, value.stop, value.step
    return tuple(map(identity, value)) if isinstance(value, list | tuple) else value


def written(value: Any) -> str:
    """The value as Python text that makes it again; arrays as ``np.array([...])``."""
    if isinstance(value, np.ndarray):
        natural = value.dtype == np.asarray(value.tolist()).dtype
        return f"np.array({value.tolist()}{'' if natural else f', {value.dtype.name!r}'})"
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)
