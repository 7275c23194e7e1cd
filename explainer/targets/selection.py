"""What is chosen of a tensor for a whole batch, and what of it is left in a part of that batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from ..tensor import Array


@dataclass(frozen=True, eq=False)
class Selection:
    """Elements of a tensor, chosen for a batch that may be cut, and what is cut be cut again.

    Attributes
    ----------
    samples : int or None
        How many samples it was chosen for; None is as many as there are.
    take : array of int or None
        Which of them the tensor at hand holds; None is all.
    """

    samples: int | None = field(default=None, kw_only=True)
    take: Array | None = field(default=None, kw_only=True)

    def taking(self, take: Array, samples: int) -> Self:
        """The same for a part: the rows `take` of the `samples` that it is for now."""
        if self.take is not None:  # what it is for is itself a part
            return replace(self, take=self.take[take])
        return replace(self, samples=samples, take=take)
