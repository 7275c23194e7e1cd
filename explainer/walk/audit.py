"""The conservation audit: where, step by step, the relevance went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..plain.tables import html_table
from ..tensor import Array
from ..text import in_short, printable

SUMS = ("R_out", "R_in", "bias", "epsilon", "intercept", "kept", "masked")
SELDOM = ("intercept", "kept", "masked")
MEASURED = ("amount", "amplification")


@in_short
@dataclass(frozen=True)
class AuditStep:
    """The relevance sums of one step, each an array (N,).

    R_out = R_in + bias + epsilon + intercept + kept + masked holds up to rounding; `residual` is what it
    misses.

    Attributes
    ----------
    node, operator, rule : str
    R_out : array (N,)
        ΣR handed to the layer.
    R_in : array (N,)
        ΣR that its inputs received.
    bias : array (N,)
        The share of biases and other constants, but for those that are kept.
    epsilon : array (N,)
        The share of the stabiliser.
    intercept : array (N,)
        The share of z − (Jx + b): what the tangent of a curved map, a Softmax, leaves to no input, and
        numbers that truth values of the input choose.
    kept : array (N,)
        The share of constants that are kept: their relevance is returned.
    masked : array (N,)
        What a condition holds back; its step is an entry of its own, operator "Condition".
    amount : array (N,) or None
        Σ|R| that its inputs received. This and the next are measured with ``audit="numerics"``.
    amplification : array (N,) or None
        What a relative rounding of its input comes out as in its relevance, Σ|ΔR| / Σ|R|, in multiples of
        that rounding; times 6e-8 it is the relative error that float32 leaves there. 0 where nothing is
        divided: see `explainer.walk.measuring`.
    """

    node: str
    operator: str
    rule: str
    R_out: Array
    R_in: Array
    bias: Array
    epsilon: Array
    intercept: Array
    kept: Array
    masked: Array
    amount: Array | None = None
    amplification: Array | None = None

    @property
    def residual(self) -> Array:
        return np.asarray(self.R_out - sum(getattr(self, name) for name in SUMS[1:]))


class Audit(tuple[AuditStep, ...]):
    """The steps of one explanation; printing it shows a table of the first sample's shares."""

    def __repr__(self) -> str:
        return f"<audit of {len(self)} steps>"

    @property
    def _shown(self) -> tuple[str, ...]:
        met = {name for name in SELDOM if any(getattr(step, name).any() for step in self)}
        sums = tuple(name for name in SUMS if name not in SELDOM or name in met)
        return (*sums, *(MEASURED if any(step.amount is not None for step in self) else ()))

    def _repr_html_(self) -> str:
        header = ("node", "operator", "rule", *(name.replace("_", " ") for name in self._shown))
        return html_table(
            header,
            [
                (s.node, s.operator, s.rule, *(_number(getattr(s, name)) for name in self._shown))
                for s in self
            ],
        )

    def __str__(self) -> str:
        shown = self._shown
        lines = [f"{'node':40} " + " ".join(f"{name.replace('_', ' '):>12}" for name in shown)]
        for step in self:
            numbers = (getattr(step, name) for name in shown)
            lines.append(
                f"{printable(step.node)[-40:]:40} " + " ".join(f"{_number(value):>12}" for value in numbers)
            )
        return "\n".join(lines)

    @classmethod
    def join(cls, parts: Sequence[Audit]) -> Audit:
        """The audits of several batches as one."""
        return cls(
            replace(steps[0], **{n: np.concatenate([getattr(s, n) for s in steps]) for n in held(steps[0])})
            for steps in zip(*parts, strict=True)
        )

    def first(self, count: int) -> Audit:
        """The shares of the first samples."""
        return Audit(
            replace(step, **{name: getattr(step, name)[:count] for name in held(step)}) for step in self
        )


def held(step: AuditStep) -> tuple[str, ...]:
    """The names of its numbers."""
    return SUMS if step.amount is None else (*SUMS, *MEASURED)


def _number(values: Array | None) -> str:
    return "" if values is None else f"{values[0]:.5g}"
