"""Recurrent nets, unrolled: their inner values computed again, and gradients through time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import Bundle, Concat, Transpose, Unsqueeze, Value, above, cast_to, summed
from .base import Bound, Layer, attribute, text_of
from .cells import Cell, Dense, Memory, Weights, at_place, held, held_back, parts_of
from .kinds import RECURRENT
from .parameters import Parameters
from .registry import register
from .squashing import Squashed, Squashing, squashings

# The parameter that says that gates are held, and the one of how many steps each sample has.
HELD, LENGTHS = "held", "lengths"


class Recurrent(Layer):
    """One of the outputs Y, Y_h, Y_c of a net that goes over the steps of x.

    A group by nature: what it computes inside is in no file, so each call computes it again, step by
    step (`cells`); a rule hands relevance through those cells, gradients go through time.
    """

    kind = RECURRENT
    gates: int
    functions: tuple[str, ...]
    # The operands that are states: initial h, and a cell's initial memory.
    states: dict[str, int] = {"h": 5}  # noqa: RUF012

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.which = output
        if node.operand(4):  # whatever it is computed from: there is nothing between two places
            self.operands[LENGTHS] = node.operand(4)
        lengths = (
            set(graph.constant(node.operand(4)).ravel()) if graph.is_constant(node.operand(4)) else set()
        )
        # One length for all, which may be the number of steps.
        self.length = int(lengths.pop()) if len(lengths) == 1 else None
        for letter, index, what in (("w", 1, "W"), ("r", 2, "R"), ("b", 3, "B"), ("p", 7, "P")):
            self.take_operand(graph, letter, index, what)
        # Letter -> its place among the inputs that relevance is handed to; the others are parameters.
        self.places: dict[str, int] = {}
        for letter, index in {"x": 0, **self.states}.items():
            name = node.operand(index)
            if name in graph.carrying:
                self.places[letter] = self.inputs.index(name)
            elif name:
                self.operands[letter] = name
        direction = attribute(node, "direction")
        # Of each direction, whether it goes from the last step to the first.
        self.backwards = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[
            text_of(direction)
        ]
        self.batch_first = bool(attribute(node, "layout"))
        self.clip = attribute(node, "clip")
        given = attribute(node, "activations")
        names = [text_of(name) for name in given or self.functions * len(self.backwards)]
        numbers = [attribute(node, f"activation_{letter}") or [] for letter in ("alpha", "beta")]
        found, count = squashings(names, *numbers), len(self.functions)
        self.squashings = [found[i * count : (i + 1) * count] for i in range(len(self.backwards))]

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        named = enumerate(self.node.inputs)
        return tuple(name for place, name in named if place != 4 and name in graph.carrying)

    @property
    def constants(self) -> dict[str, str]:
        return {}  # gates and candidates have theirs inside, step by step

    # What comes in and goes out

    def operand(self, letter: str, x: Value, p: Parameters) -> Value:
        """x or a state, whether it is an input of the walk or a parameter; None where there is none."""
        if letter not in self.places:
            return p.get(letter)
        return x[self.places[letter]] if isinstance(x, tuple) else x

    def runs(self, x: Value, p: Parameters) -> Iterator[list[Cell]]:
        """The cells of each direction, in the order in which it goes over them."""
        whole = self.operand("x", x, p)
        time = 1 if self.batch_first else 0
        steps = whole.shape[time]
        if not isinstance(steps, int):
            raise UnsupportedError(f"{self.node}: its number of steps is not fixed")
        lengths = p.get(LENGTHS) if self.length != steps else None
        rows = [at_place(whole, time, step) for step in range(steps)]
        for direction, backwards in enumerate(self.backwards):
            weights = self.weights(p, direction)
            start = (rows[0] @ weights.w[0]) * 0
            state = {
                letter: start if value is None else at_place(value, 1 if self.batch_first else 0, direction)
                for letter in self.states
                for value in [self.operand(letter, x, p)]
            }
            h, memory, cells = state["h"], state.get("c"), list[Cell]()
            for step in reversed(range(steps)) if backwards else range(steps):
                cell = self.cell(step, rows[step], h, memory, weights, self.squashings[direction])
                alive = None if lengths is None else _longer(lengths, step, h)
                cells.append(cell.lasting(alive, (h, memory)))
                h, memory = cells[-1].state
            yield cells

    def weights(self, p: Parameters, direction: int) -> Weights:
        """The weights of a direction."""
        w, r = (Transpose(at_place(p[letter], 0, direction), perm=[1, 0]) for letter in "wr")
        size = r.shape[0]
        none = [0.0] * self.gates
        both = at_place(p["b"], 0, direction) if "b" in p else None
        b = none * 2 if both is None else parts_of(both, 0, size, 2 * self.gates)
        peepholes = parts_of(at_place(p["p"], 0, direction), 0, size, 3) if "p" in p else [0.0] * 3
        halves = b[: self.gates], b[self.gates :]
        return Weights(parts_of(w, 1, size, self.gates), parts_of(r, 1, size, self.gates), *halves, peepholes)

    def cell(
        self, step: int, x: Value, h: Value, c: Value, weights: Weights, by: Sequence[Squashing]
    ) -> Cell:
        """One step."""
        raise NotImplementedError

    def back(self, cell: Cell, dh: Value, dc: Value, weights: Weights) -> tuple[Value, Value, Value]:
        """Gradients of a step's h and c -> those of its x, and of the h and c before it."""
        raise NotImplementedError

    def forward(self, x: Value, p: Parameters) -> Value:
        runs = list(self.runs(x, p))
        if self.which == 0:
            steps = zip(*map(_in_time, runs), strict=True)
            return self.stacked([self.stacked([cell.given for cell in cells]) for cells in steps])
        return self.stacked([cells[-1].state[self.which - 1] for cells in runs])

    def stacked(self, values: Sequence[Value]) -> Value:
        """Steps, or directions, side by side: on axis 0, behind the samples where these are in front."""
        axis = 1 if self.batch_first else 0
        return Concat(*(Unsqueeze(value, np.array([axis])) for value in values), axis=axis)

    def arriving(self, s: Value, direction: int, cells: Sequence[Cell]) -> list[Value]:
        """What arrives at each cell, of what was put on the output; None where nothing does."""
        axis = 1 if self.batch_first else 0
        if self.which:
            return [None] * (len(cells) - 1) + [at_place(s, axis, direction)]
        return [at_place(at_place(s, axis, cell.step), axis, direction) for cell in cells]

    def gathered(self, at_steps: Sequence[Sequence[Value]], states: dict[str, list[Value]]) -> Value:
        """What every step of every direction, and every direction's first states, got -> the inputs'."""
        together = dict[str, Value]()
        if "x" in self.places:
            steps = zip(*at_steps, strict=True)
            together["x"] = self.stacked([sum(parts[1:], parts[0]) for parts in steps])
        for letter in self.states:
            if letter in self.places:
                together[letter] = self.stacked(states[letter])
        whole = [None] * len(self.inputs)
        for letter, place in self.places.items():
            whole[place] = together[letter] if whole[place] is None else whole[place] + together[letter]
        return whole[0] if len(whole) == 1 else Bundle(whole)

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.through_time(s, at.p, self.runs(at.x, at.p))

    def multipliers(self, s: Value, at: Bound) -> Value:
        other = at.reference
        assert other is not None
        pairs = zip(self.runs(at.x, at.p), self.runs(other.x, other.p), strict=True)
        between = (
            [cell.between(its) for cell, its in zip(cells, references, strict=True)]
            for cells, references in pairs
        )
        return self.through_time(s, at.p, between)

    def through_time(self, s: Value, p: Parameters, runs: Iterable[list[Cell]]) -> Value:
        """What was put on the output, by the cells' own transposes -> the inputs'."""
        at_steps, states = [], dict[str, list[Value]]({letter: [] for letter in self.states})
        for direction, cells in enumerate(runs):
            weights = self.weights(p, direction)
            arriving = self.arriving(s, direction, cells)
            dh = dc = cells[0].h * 0
            got = dict[int, Value]()
            for cell, part in zip(reversed(cells), reversed(arriving), strict=True):
                if part is not None and self.which == 0:
                    part, _ = cell.parted(part)
                if part is not None and self.which == 2:
                    dc = dc + part
                elif part is not None:
                    dh = dh + part
                (dh, past_h), (dc, past_c) = cell.parted(dh), cell.parted(dc)
                got[cell.step], dh, dc = (
                    held_back(cell, dh, dc) if HELD in p else self.back(cell, dh, dc, weights)
                )
                if past_h is not None:
                    dh, dc = dh + past_h, dc + past_c
            at_steps.append([got[step] for step in sorted(got)])
            for letter, value in (("h", dh), ("c", dc)):
                if letter in states:
                    states[letter].append(value)
        return self.gathered(at_steps, states)

    def intercept_share(self, s: Value, at: Bound) -> Value:
        # Biases too, which are inside, step by step.
        xs, cs = (value if isinstance(value, tuple) else (value,) for value in (at.x, self.transpose(s, at)))
        axis = 0 if self.batch_first else 1
        own = self.by_sample(s * at(at.x), axis if self.which or self.batch_first else 2)
        return own - sum(self.by_sample(x * c, axis) for x, c in zip(xs, cs, strict=True))

    @staticmethod
    def by_sample(values: Value, axis: int) -> Value:
        """Their sum for each sample, (N, 1)."""
        order = [axis, *(place for place in range(values.ndim) if place != axis)]
        return summed(Transpose(values, perm=order)).sum(axis=1, keepdims=True)

    def held(self, at: Bound) -> Bound:
        return replace(at, p=Parameters({**at.p, HELD: np.True_}, at.p.change))

    def squashed(self, function: Squashing, z: Value) -> Squashed:
        """f(z) and its derivative, z clipped before."""
        return function.at(z, None if self.clip is None else float(self.clip))


@register("RNN")
class RNN(Recurrent):
    """h_t = f(W x_t + R h_{t-1} + b)."""

    gates, functions = 1, ("tanh",)

    def cell(
        self, step: int, x: Value, h: Value, c: Value, weights: Weights, by: Sequence[Squashing]
    ) -> Cell:
        b = weights.wb[0] + weights.rb[0]
        dense = held(Dense(), Bundle((x, h)), w=weights.w[0], r=weights.r[0], b=b)
        after = self.squashed(by[0], dense(dense.x))
        return Cell(step, after.y, None, dense, None, (after,), (0.0, by[0].at_0))

    def back(self, cell: Cell, dh: Value, dc: Value, weights: Weights) -> tuple[Value, Value, Value]:
        return (*cell.dense.transpose(dh * cell.inner[0].slope), dc)


@register("GRU")
class GRU(Recurrent):
    """h_t = (1 − z) n + z h_{t-1}, n = g(W x_t + r (R h_{t-1} + b)), or g(W x_t + R (r h_{t-1}) + b)."""

    gates, functions = 3, ("sigmoid", "tanh")

    def cell(
        self, step: int, x: Value, h: Value, c: Value, weights: Weights, by: Sequence[Squashing]
    ) -> Cell:
        z, r = (
            self.squashed(by[0], x @ weights.w[i] + h @ weights.r[i] + weights.wb[i] + weights.rb[i])
            for i in (0, 1)
        )
        after = bool(attribute(self.node, "linear_before_reset"))
        b = weights.wb[2] + (r.y * weights.rb[2] if after else weights.rb[2])
        gate = {"outer" if after else "gate": r.y}
        dense = held(Dense(), Bundle((x, h)), w=weights.w[2], r=weights.r[2], b=b, **gate)
        n = self.squashed(by[1], dense(dense.x))
        memory = held(Memory(), Bundle((h, n.y)), kept=z.y, written=1 - z.y)
        return Cell(step, memory(memory.x), None, dense, memory, (z, r, n), (0.0, by[1].at_0))

    def back(self, cell: Cell, dh: Value, dc: Value, weights: Weights) -> tuple[Value, Value, Value]:
        h, n = cell.recalled.x
        z, r, candidate = cell.inner
        to_h, to_n = cell.recalled.transpose(dh)
        dn = to_n * candidate.slope
        dx, through = cell.dense.transpose(dn)
        if "outer" in cell.dense.p:
            to_r = dn * (h @ weights.r[2] + weights.rb[2])
        else:
            to_r = (dn @ Transpose(weights.r[2], perm=[1, 0])) * h
        before = to_h + through
        for i, d in enumerate((dh * (h - n) * z.slope, to_r * r.slope)):
            dx = dx + d @ Transpose(weights.w[i], perm=[1, 0])
            before = before + d @ Transpose(weights.r[i], perm=[1, 0])
        return dx, before, dc


@register("LSTM")
class LSTM(Recurrent):
    """c_t = f c_{t-1} + i g(W x_t + R h_{t-1} + b), h_t = o · tanh(c_t)."""

    gates, functions = 4, ("sigmoid", "tanh", "tanh")
    states = {"h": 5, "c": 6}  # noqa: RUF012

    def cell(
        self, step: int, x: Value, h: Value, c: Value, weights: Weights, by: Sequence[Squashing]
    ) -> Cell:
        def opened(i: int, peeped: Value) -> Squashed:
            z = x @ weights.w[i] + h @ weights.r[i] + weights.wb[i] + weights.rb[i]
            return self.squashed(by[0], z if "p" not in self.operands else z + peeped)

        i = opened(0, weights.peepholes[0] * c)
        f = Squashed(1 - i.y, -i.slope, i.z) if self.coupled else opened(2, weights.peepholes[2] * c)
        b = weights.wb[3] + weights.rb[3]
        dense = held(Dense(), Bundle((x, h)), w=weights.w[3], r=weights.r[3], b=b)
        g = self.squashed(by[1], dense(dense.x))
        memory = held(Memory(), Bundle((c, g.y)), kept=f.y, written=i.y)
        after = memory(memory.x)
        o = opened(1, weights.peepholes[1] * after)
        shown = by[2].at(after, None)
        at_0 = o.y * by[2].at_0, by[1].at_0
        return Cell(step, o.y * shown.y, after, dense, memory, (i, o, f, g, shown), at_0)

    @property
    def coupled(self) -> bool:
        """Whether the cell forgets as much as it lets in: f = 1 − i."""
        return bool(attribute(self.node, "input_forget"))

    def back(self, cell: Cell, dh: Value, dc: Value, weights: Weights) -> tuple[Value, Value, Value]:
        c, g = cell.recalled.x
        i, o, f, candidate, shown = cell.inner
        peepholes = weights.peepholes
        to_o = dh * shown.y * o.slope
        dc = dc + dh * o.y * shown.slope + to_o * peepholes[1]
        to_c, to_g = cell.recalled.transpose(dc)
        to_i, to_f = dc * g * i.slope, dc * c * f.slope
        if self.coupled:
            to_i, to_f = to_i + to_f, to_f * 0
        dx, before = cell.dense.transpose(to_g * candidate.slope)
        for place, d in enumerate((to_i, to_o, to_f)):
            dx = dx + d @ Transpose(weights.w[place], perm=[1, 0])
            before = before + d @ Transpose(weights.r[place], perm=[1, 0])
        return dx, before, to_c + to_i * peepholes[0] + to_f * peepholes[2]


def _longer(lengths: Value, step: int, like: Value) -> Value:
    """(N, 1): 1 for samples that have this step, 0 for those that have ended."""
    return Unsqueeze(above(cast_to(like.dtype, lengths), step + 0.5), np.array([1]))


def _in_time(cells: Sequence[Cell]) -> list[Cell]:
    return sorted(cells, key=lambda cell: cell.step)
