"""GridSample: a tensor read at places between its own, by a grid that is no activation: linear in x."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import Array, Gather, Reshape, ScatterElements, Shape, Value
from .base import Bound, Layer, attribute, text_of
from .kinds import MOVEMENT, SUM
from .movement import nothing_at
from .parameters import Parameters
from .registry import register
from .resizing import keys

# Of each mode, as opset 16 and as opset 20 call it, how many values a place is made of along an axis.
TAPS = {"nearest": 1, "bilinear": 2, "linear": 2, "bicubic": 4, "cubic": 4}


@register("GridSample")
class GridSample(Layer):
    """z = A x, every value a weighted mean of the values round a place of the grid."""

    kind = SUM
    measures = frozenset({"grid"})

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "grid", 1, "grid")
        self.mode = text_of(attribute(node, "mode"))
        self.padding = text_of(attribute(node, "padding_mode"))
        # A constant is read here: a file that is compiled has to know it when it is written.
        self.known = graph.constant(node.operand(1)) if graph.is_constant(node.operand(1)) else None

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        """The nearest value alone is a movement, where what lies outside of the tensor is nothing's."""
        return NearestSample if text_of(attribute(node, "mode")) == "nearest" else cls

    def taps(self, x: Value, p: Parameters) -> list[tuple[Array, Array]]:
        """Numbers of places in x, and their weights, for every value of z: once for each that it is of."""
        grid = np.asarray(p["grid"] if self.known is None else self.known, np.float64)
        samples, channels, *sizes = x.shape
        if self.known is not None and len(grid) != samples:
            raise UnsupportedError(
                f"{self.node}: its grid is for {len(grid)} samples, and there are {samples} of them"
            )
        # The grid's last axis names places from the last axis to the first.
        along = [self.along(grid[..., -1 - axis], size) for axis, size in enumerate(sizes)]
        first = np.arange(samples * channels).reshape(samples, channels, *[1] * len(sizes)) * int(
            np.prod(sizes)
        )
        found = []
        for each in itertools.product(*along):
            places = np.ravel_multi_index(tuple(at for at, _ in each), tuple(sizes))
            weights = functools.reduce(np.multiply, (amounts for _, amounts in each))
            shape = (samples, channels, *grid.shape[1:-1])
            wide = np.broadcast_to(weights[:, None], shape).astype(x.dtype)
            found.append(((first + places[:, None]).ravel(), wide.ravel()))
        return found if p.change is None else _joined(found)

    def along(self, where: Array, size: int) -> list[tuple[Array, Array]]:
        """Places along an axis and their weights, for coordinates from −1 to 1."""
        corners = bool(attribute(self.node, "align_corners"))
        at = (where + 1) / 2 * (size - 1) if corners else ((where + 1) * size - 1) / 2
        low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
        cubic = TAPS[self.mode] == 4
        if not cubic:  # whose values are padded one by one
            at = self.within(at, low, high, size)
        if self.mode == "nearest":
            return [self.padded(np.rint(at), np.ones_like(at), low, high, size)]
        below = np.floor(at)
        weights = [1 - (at - below), at - below] if not cubic else keys(at - below, -0.75)
        start = -1 if cubic else 0
        return [
            self.padded(below + start + step, amount, low, high, size) for step, amount in enumerate(weights)
        ]

    def within(self, at: Array, low: float, high: float, size: int) -> Array:
        """Coordinates, those outside of the tensor put inside as the padding says."""
        if self.padding == "border":
            return np.clip(at, 0, size - 1)
        if self.padding == "reflection":
            span = high - low
            if span == 0:
                return np.zeros_like(at)
            turned = np.abs(at - low)
            flips, rest = np.floor(turned / span), np.mod(turned, span)
            return np.clip(np.where(flips % 2 == 0, rest + low, span - rest + low), 0, size - 1)
        return at

    def padded(self, at: Array, amount: Array, low: float, high: float, size: int) -> tuple[Array, Array]:
        """Whole places; of those outside of the tensor none counts."""
        at = self.within(at, low, high, size)
        inside = (at >= 0) & (at < size)
        return np.where(inside, at, 0).astype(np.int64), amount * inside

    def forward(self, x: Value, p: Parameters) -> Value:
        flat = Reshape(x, np.array([-1]))
        parts = [Gather(flat, at, axis=0) * self.weights(w, p) for at, w in self.taps(x, p)]
        z = functools.reduce(lambda a, b: a + b, parts)
        grid = p["grid"] if self.known is None else self.known
        return Reshape(z, np.array([*x.shape[:2], *grid.shape[1:-1]]))

    def transpose(self, s: Value, at: Bound) -> Value:
        flat, c = Reshape(s, np.array([-1])), Reshape(nothing_at(at.x), np.array([-1]))
        for places, weights in self.taps(at.x, at.p):
            c = ScatterElements(c, places, flat * self.weights(weights, at.p), axis=0, reduction="add")
        return Reshape(c, Shape(at.x))

    @staticmethod
    def weights(w: Array, p: Parameters) -> Value:
        """As a rule has changed them; what is no weight stays none."""
        return w if p.change is None else p.implied(w) * (w != 0)


class NearestSample(GridSample):
    """Every value is that of the nearest place: relevance goes back there. Outside is a constant."""

    kind = MOVEMENT
    forms = ()

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.has_constants = self.padding == "zeros"

    def bias_share(self, s: Value, at: Bound) -> Value:
        """What was read outside of the tensor belongs to no input."""
        ((_, weights),) = self.taps(at.x, at.p)
        return s * (1 - weights.reshape(s.shape))


GridSample.forms = (NearestSample,)


def _joined(taps: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
    """The same with one weight for each place, as rules change them: a border is met several times."""
    places, weights = (np.array(part) for part in zip(*taps, strict=True))
    for one, other in itertools.combinations(range(len(places)), 2):
        same = places[one] == places[other]
        weights[one] += weights[other] * same
        weights[other] *= ~same
    return list(zip(places, weights, strict=True))
