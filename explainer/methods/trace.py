"""What a method sees of a model file that is being written: values that nodes are put behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from ..plan import Plan
from ..tensor import Array, Value

# Of every input.
Values: TypeAlias = Mapping[str, Value]
# What one walk from other points hands to the inputs.
Asked: TypeAlias = "Callable[[Values], dict[str, Value]]"


class Trace(Protocol):
    """A model's own run, as values that a method's formulas over primitives put nodes behind.

    Attributes
    ----------
    plan : Plan
    layout : str
        "NCHW" or "NHWC".
    inputs : dict of input name -> Value
        The inputs that relevance reaches.
    examples : dict of input name -> array (N, ...)
        An example of each.
    """

    plan: Plan
    layout: str
    inputs: dict[str, Value]
    examples: dict[str, Array]

    def value(self, tensor: str) -> Value:
        """A tensor that the plan reads, by the view's name."""

    def constants(self, baselines: Mapping[str, Array]) -> dict[str, Value]:
        """A baseline (1, ...) of every input, for a batch of any size.

        Raises
        ------
        InputError
            Every sample would have its own.
        """

    def walk(self, references: Values | None = None) -> dict[str, Value]:
        """The relevance of inputs and kept tensors, from one walk on the model's own run.

        `references` are inputs that rules compare with: the model is run on them too.
        """

    def mean(
        self,
        count: int,
        tables: Mapping[str, Mapping[str, Array]],
        terms: Callable[[Mapping[str, Values], Asked], Mapping[str, Values]],
    ) -> dict[str, dict[str, Value]]:
        """Means over a loop, of what `terms` makes in each of its rounds.

        Parameters
        ----------
        count : int
            How many rounds.
        tables : dict of input name -> dict of str -> array (count, ...)
            The constants of every round.
        terms : callable
            (this round's constants, ask) -> for every input, by name, values like the input; `ask`
            walks from other points, with the index that the model's own run has chosen.
        """
