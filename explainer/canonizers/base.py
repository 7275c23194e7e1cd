"""What a canonizer is, and the names that canonizers are known by."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

from ..errors import CompositeError, RegistrationError, check_derived, check_name, no_such
from ..model.graph import Graph


@dataclass(frozen=True)
class Canonizer:
    """A function on the view that the walk reads: a graph in, a changed copy out.

    A view may group nodes, hold new arrays and leave notes; it refers to tensors that the file
    computes, or to its own arrays, and to nothing else. onnxruntime always runs the file as it is.
    Most canonizers are a `Pattern`. Options are fields.

    Attributes
    ----------
    name : str
        What notes call it: the name it is registered under, else its class's.
    """

    name: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name = cls.__name__

    def __call__(self, graph: Graph, visible: Collection[str]) -> Graph:
        """The view as this canonizer has it.

        Parameters
        ----------
        graph : Graph
        visible : collection of str
            Tensors that must stay in the view: the model's outputs, the target and kept ones.
        """
        raise self.wrong("has no __call__(self, graph, visible), which returns a changed copy of the graph")

    def applied(self, graph: Graph, visible: Collection[str]) -> Graph:
        """What it makes of a graph, refused where that is none.

        Raises
        ------
        CompositeError
        """
        view = self(graph, visible)
        if not isinstance(view, Graph):
            raise self.wrong(f"returned {type(view).__name__}, not a changed copy of the graph")
        return view

    def wrong(self, what: str) -> CompositeError:
        """What its class does that no canonizer may, and where it is told how they are."""
        return CompositeError(
            f"canonizer {self.name or type(self).__name__}: it {what}; see docs/adding-a-canonizer.md"
        )


CanonizerType = TypeVar("CanonizerType", bound="type[Canonizer]")
CanonizerLike: TypeAlias = "str | Canonizer"
CANONIZERS: dict[str, type[Canonizer]] = {}


def register(name: str, *, replace: bool = False) -> Callable[[CanonizerType], CanonizerType]:
    """Declare the canonizer that a name stands for, as it is without options.

    Raises
    ------
    RegistrationError
        Another one has the name already, and `replace` does not say that it is to go; or it is no name,
        or no canonizer.
    """
    check_name("canonizer", name, '@canonizers.register("mish")')

    def declare(canonizer: CanonizerType) -> CanonizerType:
        check_derived("canonizer", canonizer, Canonizer)
        known = CANONIZERS.get(name)
        if known is not None and known is not canonizer and not replace:
            raise RegistrationError(
                f"canonizer {name!r} is {known.__module__}.{known.__qualname__} already; "
                "register(..., replace=True) puts another in its place"
            )
        canonizer.name = name
        CANONIZERS[name] = canonizer
        return canonizer

    return declare


def get(canonizer: CanonizerLike) -> Canonizer:
    """A canonizer by name, or as it is.

    Raises
    ------
    CompositeError
    """
    if isinstance(canonizer, Canonizer):
        return canonizer
    if not isinstance(canonizer, str) or canonizer not in CANONIZERS:
        raise CompositeError(no_such("canonizer", canonizer, sorted(CANONIZERS)))
    return CANONIZERS[canonizer]()
