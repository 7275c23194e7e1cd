"""What a recurrent layer is made of inside: maps that no node of the file is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..tensor import Bundle, Equal, Squeeze, Transpose, Value, Where
from .base import Bound, Layer
from .kinds import DENSE, SUM
from .movement import cut
from .parameters import Parameters
from .squashing import Squashed


@dataclass(frozen=True, eq=False)
class Weights:
    """One direction's weights, gate by gate, as they multiply rows from the right."""

    w: list[Value]
    r: list[Value]
    wb: list[Value]
    rb: list[Value]
    peepholes: list[Value]


class Inner(Layer):
    """A map inside a layer, of two values of the call; its parameters are made by that layer."""

    def __init__(self) -> None:
        """No node is this map: it has its values from the layer around it."""
        self.inputs, self.operands = (), {}
        self.signed, self.nonnegative, self.has_constants = True, False, False
        self.is_decided = False


class Dense(Inner):
    """z = W x + R h + b; a gate, held constant, is on h before R, or on what R makes of it."""

    kind = DENSE
    measures = frozenset({"gate", "outer"})

    def forward(self, x: Value, p: Parameters) -> Value:
        x, h = x
        recalled = (h * p["gate"] if "gate" in p else h) @ p["r"]
        z = x @ p["w"] + (recalled * p["outer"] if "outer" in p else recalled)
        return z + p["b"] if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        p = at.p
        recalled = (s * p["outer"] if "outer" in p else s) @ Transpose(p["r"], perm=[1, 0])
        to_h = recalled * p["gate"] if "gate" in p else recalled
        return Bundle((s @ Transpose(p["w"], perm=[1, 0]), to_h))

    def bias(self, at: Bound) -> Value:
        return at.p.get("b")


class Memory(Inner):
    """m = kept · m_before + written · candidate, the gates held constant."""

    kind = SUM
    measures = frozenset({"kept", "written"})

    def forward(self, x: Value, p: Parameters) -> Value:
        before, candidate = x
        return before * p["kept"] + candidate * p["written"]

    def transpose(self, s: Value, at: Bound) -> Value:
        return Bundle((s * at.p["kept"], s * at.p["written"]))


@dataclass(frozen=True, eq=False)
class Cell:
    """One step: h, and what it is made of.

    Attributes
    ----------
    step : int
        Its place in time.
    h, c : Value
        What it hands on; c is None where h is the memory.
    dense : Bound
        (x, h before) -> what the candidate is squashed from.
    memory : Bound or None
        (memory before, candidate) -> memory; None where there is no memory but h.
    inner : tuple of Squashed
        Gates, the candidate, and what of the memory is shown, for gradients.
    at_0 : tuple of Value
        What h is where c is 0, and what the candidate is where what it is squashed from is 0.
    alive : Value
        (N, 1): 1 where the sample is still as long, 0 where it has ended; None where all are.
    state : tuple of Value
        h and c behind this step: a sample that has ended keeps its own.
    """

    step: int
    h: Value
    c: Value
    dense: Bound
    memory: Bound | None
    inner: tuple[Squashed, ...]
    at_0: tuple[Value, Value] = (0.0, 0.0)
    alive: Value = None
    state: tuple[Value, Value] = (None, None)

    def between(self, other: Cell) -> Cell:
        """A cell whose gradients are DeepLIFT's multipliers, z − z' over x − x'; `other` is the reference's.

        Every product in a cell is one of two values, which each get the mean of the other one.
        """
        return replace(
            self,
            dense=_between(self.dense, other.dense),
            memory=None if self.memory is None else _between(self.memory, other.recalled),
            inner=tuple(one.between(its) for one, its in zip(self.inner, other.inner, strict=True)),
        )

    def lasting(self, alive: Value, before: tuple[Value, Value]) -> Cell:
        """This step of samples that have ended, where `alive` is 0."""
        if alive is None:
            return replace(self, state=(self.h, self.c))
        pairs = zip((self.h, self.c), before, strict=True)
        state = tuple(None if new is None else old + (new - old) * alive for new, old in pairs)
        return replace(self, alive=alive, state=(state[0], state[1]))

    @property
    def given(self) -> Value:
        """What it puts out: its h, and 0 once the sample has ended."""
        return self.h if self.alive is None else self.h * self.alive

    def parted(self, value: Value) -> tuple[Value, Value]:
        """What of something is for this step, and what passes it by."""
        return (value, None) if self.alive is None else (value * self.alive, value * (1 - self.alive))

    @property
    def recalled(self) -> Bound:
        """The memory of a cell that has one."""
        assert self.memory is not None
        return self.memory


def _between(one: Bound, other: Bound) -> Bound:
    """An inner map halfway between two calls, gates and all."""
    gates = {
        letter: (one.p[letter] + other.p[letter]) * 0.5 for letter in one.p if letter in one.layer.measures
    }
    return replace(one, x=(one.x + other.x) * 0.5, z=None, p=Parameters({**one.p, **gates}))


def held_back(cell: Cell, dh: Value, dc: Value) -> tuple[Value, Value, Value]:
    """A net's `back` with its gates held, what squashes being the line from 0 to where it is."""
    if cell.c is not None:
        dc = dc + dh * _slope(cell.h - cell.at_0[0], cell.c)
    if cell.memory is None:
        return (*cell.dense.transpose(dh * _slope(cell.h - cell.at_0[1], cell.dense.z)), dc)
    to_memory, to_candidate = cell.memory.transpose(dh if cell.c is None else dc)
    dx, before = cell.dense.transpose(to_candidate * _slope(cell.memory.x[1] - cell.at_0[1], cell.dense.z))
    return (dx, to_memory + before, dc) if cell.c is None else (dx, before, to_memory)


def _slope(y: Value, x: Value) -> Value:
    """y/x; 1 where both are 0, as of tanh and of a Relu's open side."""
    is_zero = Equal(x, 0)
    return Where(is_zero, y * 0 + 1, y / Where(is_zero, x.dtype.type(1), x))


def held(layer: Inner, x: Value, **parameters: Any) -> Bound:
    """An inner map with this call's values; a bias of 0.0 is none."""
    given = {letter: value for letter, value in parameters.items() if not isinstance(value, float)}
    bound = layer.bind(x, None, given)
    return bound.at(x, bound.forward(x))


def at_place(x: Value, axis: int, index: int) -> Value:
    """x at one place of an axis, without the axis."""
    return Squeeze(cut(x, axis, index, index + 1), np.array([axis]))


def parts_of(x: Value, axis: int, size: int, count: int) -> list[Value]:
    """x in so many parts of a size along an axis."""
    return [cut(x, axis, i * size, (i + 1) * size) for i in range(count)]
