"""Gates of the walk: at a conditioned tensor only the chosen channels' relevance goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import TargetError
from ..model.channels import channel_of, first_of_sample
from ..plan import Plan
from ..rules import Relevance
from ..targets import Condition
from .auditor import Auditor


@dataclass(frozen=True)
class Gate:
    """R ← m · R at one tensor, and 0 at all others that the walk has handed relevance to.

    The others' relevance went past the tensor: on the shortcut of a residual block, say. It could
    reach the input too, but not through the chosen channels.

    Attributes
    ----------
    tensor : str
        By the view's name.
    conditions : tuple of Condition
        Of this tensor; what passes is chosen by all of them.
    samples : int or None
    channel : callable
        How many axes it has -> which of them holds its channels, or None.
    first : int
        The first axis that is a sample's own.
    audit : Auditor or None
    """

    tensor: str
    conditions: tuple[Condition, ...]
    samples: int | None
    channel: Callable[[int], int | None]
    first: int
    audit: Auditor | None = None

    def __call__(self, relevance: Mapping[str, Relevance]) -> dict[str, Relevance]:
        R = relevance[self.tensor]
        passed = R
        for condition in self.conditions:
            mask = condition.mask(R.factor.shape, self.samples, self.channel(R.factor.ndim), self.first)
            passed = passed * mask.astype(R.factor.dtype)
        if self.audit is not None:
            past = [value for name, value in relevance.items() if name != self.tensor]
            text = " & ".join(map(str, self.conditions))
            self.audit.gate(self.tensor, text, R, passed, past)
        return {name: passed if name == self.tensor else value * 0 for name, value in relevance.items()}


def gates_of(
    plan: Plan, conditions: Sequence[Condition], samples: int | None, audit: Auditor | None = None
) -> dict[str, Gate]:
    """The gates of one walk, by tensor.

    Parameters
    ----------
    plan : Plan
        It keeps the conditioned tensors.
    conditions : sequence of Condition
    samples : int or None
        The batch; None where it is free.
    audit : Auditor, optional
        Is told what passes.
    """
    found: dict[str, tuple[Condition, ...]] = {}
    for condition in conditions:
        tensor = plan.keep[condition.name]
        found[tensor] = (*found.get(tensor, ()), condition)
    first = first_of_sample(plan.graph)
    return {
        tensor: Gate(tensor, together, samples, partial(channel_of, plan.graph, tensor), first, audit)
        for tensor, together in found.items()
    }


def check_passable(plan: Plan, conditions: Sequence[Condition]) -> None:
    """Refuse conditions on tensors that no path from target to input passes one after the other.

    Raises
    ------
    TargetError
    """
    gated = {plan.keep[condition.name] for condition in conditions}
    reached = {plan.anchor.tensor}
    ways = [(step.layer.output, step.layer.inputs) for step in plan.steps]
    for output, inputs in [*ways, *((source, ()) for source in plan.sources)]:
        if output in gated:
            if output not in reached:
                names = ", ".join(repr(condition.name) for condition in conditions)
                raise TargetError(
                    f"condition: no path from target to input passes through all of {names}; ask for them "
                    "one by one"
                )
            reached = {output}
        if output in reached:
            reached.update(inputs)
