"""Watching a walk: the sums of every step, and the first NaN or infinity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import NumericalError
from ..layers import Layer
from ..plan import Step
from ..tensor import Array, Value, total
from .audit import Audit, AuditStep


class Auditor:
    """Watches a walk: sums relevance per sample, and stops at the first NaN or infinity.

    Parameters
    ----------
    samples : int
        The batch size.
    conserving : bool
        False: of a gradient, whose sums mean nothing, only NaN and infinity are looked for.
    """

    def __init__(self, samples: int, conserving: bool = True) -> None:
        self.samples = samples
        self.conserving = conserving
        self.steps: list[AuditStep] = []
        # What one step hands on, the next is often handed: its sum is known.
        self._handed: list[tuple[Value, Array]] = []

    def __call__(self, step: Step, layer: Layer, R: Value, R_in: Value) -> None:
        parts = R_in if isinstance(R_in, tuple) else (R_in,)
        if not self.conserving:
            self._check(step, np.array([np.sum(part) for part in parts]), parts)
            return
        bias, epsilon = step.rule.shares(layer, R)
        known = next((sums for part, sums in self._handed if part is R), None)
        self._handed = [
            (part, known if part is R and known is not None else self._sum(part)) for part in parts
        ]
        entry = AuditStep(
            node=step.node.name,
            operator=step.node.operator,
            rule=str(step.rule),
            R_out=self._sum(R) if known is None else known,
            R_in=np.sum([sums for _, sums in self._handed], axis=0),
            bias=self._sum(bias),
            epsilon=self._sum(epsilon),
            masked=self._sum(None),
        )
        self._check(step, entry.R_in, parts)
        self.steps.append(entry)

    def gate(
        self, tensor: str, rule: str, before: Iterable[Value], passed: Value, masked: Iterable[Value]
    ) -> None:
        """Note a condition: all relevance that there is, what passes, and what is held back."""
        if self.conserving:
            nothing = self._sum(None)
            whole, rest = (np.sum([self._sum(part) for part in parts], axis=0) for parts in (before, masked))
            self.steps.append(
                AuditStep(tensor, "Condition", rule, whole, self._sum(passed), nothing, nothing, rest)
            )

    @staticmethod
    def _check(step: Step, sums: Array, parts: tuple[Value, ...]) -> None:
        # A sum with a NaN or an infinity in it is one itself: no need to look at every value.
        if not np.isfinite(sums).all() and not all(np.isfinite(part).all() for part in parts):
            raise NumericalError(
                f"the relevance below {step.node} is not finite (rule {step.rule}); "
                "a rule with a stabiliser, such as epsilon, has no such limit"
            )

    def _sum(self, x: Value) -> Array:
        return np.zeros(self.samples) if x is None else total(x, self.samples)

    def result(self) -> Audit:
        """What was seen."""
        return Audit(self.steps)


def check_finite(values: dict[str, Array], producers: Mapping[str, str]) -> None:
    """Refuse a forward pass with NaN or infinity in it, naming the first node that shows it.

    Raises
    ------
    NumericalError
    """
    order = {name: place for place, name in enumerate(producers)}
    with np.errstate(over="ignore", invalid="ignore"):
        bad = [
            name
            for name, value in values.items()
            if value.dtype.kind == "f" and not np.isfinite(np.sum(value)) and not np.isfinite(value).all()
        ]
    if bad:
        first = min(bad, key=lambda name: order.get(name, -1))
        where = producers.get(first, "the input")
        raise NumericalError(
            f"the forward pass has NaN or infinity in {first!r} (from {where}); "
            "check the input's range and the weights"
        )
