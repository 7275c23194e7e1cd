"""Methods that ask elsewhere, and the inputs that stay as they are meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import InputError
from ..tensor import Value
from .base import Method
from .question import Question


@dataclass(frozen=True)
class Holding(Method):
    """A method that changes its inputs, all but those that are held.

    Parameters
    ----------
    hold : str or sequence of str, optional
        Inputs that stay as they are, sample by sample: a condition, a mask, a time. Their attribution is 0,
        and the others' that of the model with these fixed. captum's ``additional_forward_args``.
    """

    hold: tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.hold
        if isinstance(given, str):  # as a command line has several
            given = tuple(filter(None, (name.strip() for name in given.split(","))))
        if isinstance(given, list | set | frozenset):
            given = tuple(sorted(given, key=str) if not isinstance(given, list) else given)
        self.require(
            given is None or (isinstance(given, tuple) and all(isinstance(name, str) for name in given)),
            f"hold names inputs, not {self.hold!r}",
        )
        object.__setattr__(self, "hold", given)

    def held(self, question: Question) -> tuple[str, ...]:
        return self.hold or ()

    def parted(self, inputs: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
        """A traced model's inputs: those that change, and those that are held.

        Raises
        ------
        InputError
            No such input, or none is left.
        """
        names = self.hold or ()
        if unknown := [name for name in names if name not in inputs]:
            raise InputError(f"hold: {unknown[0]!r} is none of the inputs {', '.join(map(repr, inputs))}")
        changing = {name: x for name, x in inputs.items() if name not in names}
        if not changing:
            raise InputError("hold: it names every input, and nothing is left to explain")
        return changing, {name: inputs[name] for name in names}
