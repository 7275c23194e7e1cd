"""A forward pass, and what makes one: the protocol that forward backends keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..plan import Step
from ..targets import Chosen, Target, choose
from ..tensor import Array


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """One forward pass, and what walks need of it.

    Attributes
    ----------
    activations : dict of tensor name -> array
        In the number type of the walk, which takes out what it no longer needs.
    outputs : dict of output name -> array
        The model's own.
    seen : dict of tensor name -> array
        What onnxruntime itself computed: a target's index is chosen on it.
    samples : int
    parameters : dict of Step -> dict of letter -> array
    """

    activations: dict[str, Array]
    outputs: dict[str, Any]
    seen: Mapping[str, Array]
    samples: int
    parameters: Mapping[Step, dict[str, Array]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many numbers its activations are."""
        return sum(value.size for value in self.activations.values())

    def choose(self, target: Target) -> Chosen:
        """The values of the target tensor that are explained.

        Raises
        ------
        TargetError
        """
        return choose(target, self.seen, self.samples)


class Forward(Protocol):
    """A forward backend: one batch that the model takes at once -> its activations.

    Attributes
    ----------
    dtype : numpy dtype or None
        The number type that they are in; None is whatever the file has.
    """

    @property
    def dtype(self) -> np.dtype[Any] | None: ...

    def __call__(self, feeds: Mapping[str, Array]) -> ForwardPass:
        """Run it.

        Raises
        ------
        ModelError, NumericalError
        """
