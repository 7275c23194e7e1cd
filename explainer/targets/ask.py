"""What is asked of one batch, as a frozen value: the target, what is put on it, and through what it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import TargetError, did_you_mean
from ..plain.keywords import only_named
from ..plain.values import ByValue, FrozenDict, frozen
from ..tensor import Array
from .conditions import ConditionsLike, conditions_of
from .regions import Region

TargetLike: TypeAlias = "str | int | Sequence[Any] | Mapping[str, Any] | Array | slice | Ask"

# What can be put on the target, by name; the first entry says what it is.
STARTS = {
    "output": "its own value",
    "one": "1",
    "probability": "its softmax or sigmoid",
    "margin": "its value, and minus that of another",
    "clrp": "its value, and minus as much spread over the other classes",
    "sglrp": "the gradient of its probability",
}
ALIASES = {"logit": "output"}


class Default(str):
    """A default that is told from what a caller says, even where that is the same."""


# What is said of names in an index.
SEVERAL = "several targets are a list, for explain_targets"
UNSAID = Default("output")


@only_named()
@dataclass(frozen=True, eq=False, repr=False)
class Ask(ByValue):
    """One question to a model: what of its answer is explained.

    Takes the place of a target: ``explain(model, image, target=Ask("cat", start="margin"))``.
    Frozen, hashable and picklable, and equal to another that asks the same; its repr makes it again.

    Parameters
    ----------
    target, start, against, conditions
        See `explainer.explain`.

    Raises
    ------
    TargetError
        They contradict each other, whatever the model, or are of no known form.
    """

    target: TargetLike = "top"
    start: str = "output"
    against: TargetLike | None = None
    conditions: ConditionsLike | None = None

    def __post_init__(self) -> None:
        conditions_of(self.conditions)  # refuses what it cannot read
        start = ALIASES.get(self.start, self.start) if isinstance(self.start, str) else ""
        if start not in STARTS:
            starts = [*STARTS, *ALIASES]
            hint = did_you_mean(self.start, starts)
            raise TargetError(f"start: {self.start!r} is none of {', '.join(starts)}{hint}")
        if self.against is not None and start != "margin":
            raise TargetError(
                f"against: it belongs to start 'margin', not {start!r}; give start='margin' (--start margin)"
            )
        said = {
            "target": _frozen("target", self.target),
            "start": str(start),
            "against": None if self.against is None else _frozen("against", self.against),
            "conditions": frozen(self.conditions) if self.conditions else None,
        }
        for name, value in said.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(
        cls,
        target: TargetLike,
        start: str = UNSAID,
        against: TargetLike | None = None,
        conditions: ConditionsLike | None = None,
    ) -> Ask:
        """The question that a target is, with what is said beside it.

        Raises
        ------
        TargetError
            An `Ask` says already what is said again.
        """
        if not isinstance(target, Ask):
            return cls(target, start, against, conditions)
        beside: dict[str, Any] = {} if start is UNSAID else {"start": start}
        beside |= {} if against is None else {"against": against}
        beside |= {} if conditions is None else {"conditions": conditions}
        if twice := beside.keys() & target._said().keys():
            raise TargetError(
                f"{', '.join(sorted(twice))}: the Ask that is given says it already; say it once"
            )
        return target.replace(**beside) if beside else target


def _frozen(side: str, target: Any) -> Any:
    """A target as it cannot change any more: a list has one index per sample, a tuple indexes a tensor."""
    if isinstance(target, Mapping):
        return FrozenDict({name: _frozen(side, index) for name, index in target.items()})
    if isinstance(target, tuple):
        return tuple(_frozen(side, index) for index in target)
    if isinstance(target, slice):
        Region.of(side, target)  # refuses what is none
        return target
    if target is Ellipsis or isinstance(target, str):
        return target
    try:
        array = np.asarray(target)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.dtype.kind not in "iub":
        more = f"; {SEVERAL}" if array.dtype.kind == "U" else ""
        raise TargetError(f"{side}: an index is a whole number, or one per sample, not {target!r}{more}")
    return frozen(array if array.ndim else array.item())
