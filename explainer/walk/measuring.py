"""How far float32 can be believed at each step: by how much a rounding of its input comes out larger."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..layers import Bound, Parameters
from ..plan import Step
from ..rules import Division, Handed, Relevance
from ..rules.answers import MISTAKES
from ..tensor import Array, Bundle, Value
from .auditor import Auditor

# The rounding of a float32 number, relative to it.
ROUNDING = 2.0**-24
# Uniform up to here, numbers have the root mean square 1.
WIDTH = 3**0.5


class Measuring(Auditor):
    """An auditor that also measures amounts, Σ|R_in|, and amplification.

    A step that divides is asked twice more in float64, at its input and at one whose values are all off at
    random, by ROUNDING in the root mean square. What its relevance is off by then, Σ|ΔR_in| / Σ|R_in|, in
    units of ROUNDING is the amplification: a condition number in the 1-norm, not for the worst rounding but
    for a typical one. Rules that only hand on, to where values came from, amplify nothing.
    """

    def __call__(self, step: Step, R: Relevance, handed: Handed, layer: Bound | None = None) -> None:
        super().__call__(step, R, handed, layer)
        if not self.conserving:
            return
        amplification = np.zeros(self.samples)
        divides = any(isinstance(entry, Division) for entry in handed.account)
        if divides and layer is not None and _is_whole(layer.x):
            amplification = self._amplification(step, R, layer)
        self.steps[-1] = replace(
            self.steps[-1], amount=self._amount(step, handed.parts()), amplification=amplification
        )

    def _amplification(self, step: Step, R: Relevance, layer: Bound) -> Array:
        R = _of_output(R, layer)
        exact = replace(layer, p=Parameters(_precise(layer.p), layer.p.change), z=None)
        x = _of_each(layer.x, _double)
        chance = np.random.default_rng(zlib.crc32(step.node.name.encode()))
        try:
            parts = [
                _asked(step, exact, at, R, shares=R.value is not None and R.value is layer.z)
                for at in (x, _of_each(x, lambda one: _rounded(one, chance)))
            ]
        except MISTAKES:  # of a rule that knows float32 alone
            return np.full(self.samples, np.nan)
        moved = [
            self._summed(np.abs(one.whole - other.whole), self.axes.get(name, 0))
            for name, one, other in zip(self.names(step, parts[0]), *parts, strict=True)
        ]
        amount = self._amount(step, parts[0])
        return np.asarray(np.sum(moved, axis=0) / np.where(amount == 0, 1, amount) / ROUNDING)

    def _amount(self, step: Step, parts: Sequence[Relevance]) -> Array:
        named = zip(self.names(step, parts), parts, strict=True)
        sums = [self._summed(np.abs(part.whole), self.axes.get(name, 0)) for name, part in named]
        return np.asarray(np.sum(sums, axis=0))


def _asked(step: Step, layer: Bound, x: Value, R: Relevance, shares: bool) -> tuple[Relevance, ...]:
    """What a rule hands on at another input.

    Where relevance is a multiple of the layer's own output, what is divided is that very output: it is off
    alike above and below the line, and nothing comes of it.
    """
    z = layer.forward(x)
    if step.record != step.layer.output:  # the Relu's behind it is read for it
        z = np.maximum(z, 0)
    whole = Relevance(z, _double(R.factor)) if shares else Relevance(None, _double(R.whole))
    bound = layer.at(x, z)
    return step.rule(bound, bound.x, whole).parts()


def _of_output(R: Relevance, layer: Bound) -> Relevance:
    """Relevance as a multiple of the layer's output where it is that output: what a walk starts from."""
    z = layer.z
    if R.value is not None or z is None or z.shape != R.factor.shape or isinstance(z, Bundle):
        return R
    chosen = R.factor != 0
    return Relevance(z, chosen.astype(z.dtype)) if np.array_equal(R.factor, z * chosen) else R


def _is_whole(x: Value) -> bool:
    """Whether all of an input was read: some rules look at shapes alone."""
    return x is not None and all(part is not None for part in (x if isinstance(x, Bundle) else (x,)))


def _of_each(x: Value, change: Callable[[Array], Array]) -> Value:
    return Bundle(map(change, x)) if isinstance(x, Bundle) else change(x)


def _double(x: Array) -> Array:
    return x.astype(np.float64) if x.dtype.kind == "f" else x


def _precise(parameters: Parameters) -> dict[str, Value]:
    return {letter: _double(value) for letter, value in parameters.items()}


def _rounded(x: Array, chance: np.random.Generator) -> Array:
    """Every value off by some ROUNDING; all samples alike, so that each has the answer that it has alone."""
    if x.dtype.kind != "f":
        return x
    off = chance.uniform(-WIDTH, WIDTH, (1, *x.shape[1:]) if x.ndim else ())
    return np.asarray(x * (1 + ROUNDING * off))
