"""Resize and Upsample: linear in x; each mode is a matrix per axis, as onnxruntime computes it."""

from __future__ import annotations

import math

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_first
from ..tensor import Array, Reshape, Value
from .base import Bound, Layer, attribute
from .kinds import MOVEMENT, SUM
from .parameters import Parameters
from .registry import register

# The most entries of a matrix over all resized axes at once, which a rule that changes weights needs: 256 MB.
MOST = 2**26


@register("Resize")
class Resize(Layer):
    """z = A₁ ⊗ A₂ x: every value a weighted mean of its neighbours, of the nearest alone in mode nearest."""

    kind = SUM
    normalises = is_mean = True
    rises_from = -math.inf
    measures = frozenset({"roi", "scales"})

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        names = ("roi", "scales", "sizes") if node.operator == "Resize" and node.opset > 10 else ("scales",)
        # Constants are read here: a file that is compiled has to know them when it is written.
        self.known: dict[str, Array] = {}
        for index, name in enumerate(names, start=1):
            tensor_name = node.operand(index)
            if tensor_name and graph.is_constant(tensor_name):
                self.known[name] = graph.constant(tensor_name)
            else:
                self.take_operand(graph, name, index, name)

    @classmethod
    def of(cls, node: Node, graph: Graph, output: int = 0) -> Layer:
        """The layer of a node: that of mode nearest computes nothing."""
        layer = NearestResize if (attribute(node, "mode") or "nearest") == "nearest" else Resize
        return layer(node, graph, output)

    @property
    def old(self) -> bool:
        """Whether it is of an opset that had no choice of coordinates yet."""
        return self.node.operator == "Upsample" or self.node.opset < 11

    def given(self, name: str, p: Parameters) -> Array | None:
        """An operand's or attribute's values; None where it is absent or empty."""
        value = self.known.get(name, p.get(name))
        value = attribute(self.node, name) if value is None else value
        return None if value is None or np.shape(value) == (0,) else np.array(value)

    def sizes(self, x: Value, p: Parameters, z: Value) -> dict[int, tuple[int, np.float32]]:
        """Axis -> its new size, that of z where there is one, and its scale; of all axes that change."""
        axes = attribute(self.node, "axes")
        axes = list(range(x.ndim)) if axes is None else [int(axis) % x.ndim for axis in axes]
        before = np.array([x.shape[axis] for axis in axes], np.float32)
        policy = attribute(self.node, "keep_aspect_ratio_policy") or "stretch"
        if not self.old and self.node.operand(3):
            known = self.given("sizes", p) if z is None or policy != "stretch" else [z.shape[a] for a in axes]
            sizes = np.asarray(known, np.float32)
            scales = sizes / before
            if policy != "stretch":
                scales = np.full_like(scales, scales.min() if policy == "not_larger" else scales.max())
                sizes = np.floor(scales * before + np.float32(0.5))
        else:
            scales = np.asarray(self.given("scales", p), np.float32)
            sizes = np.floor(scales * before)
        every = zip(axes, before, sizes, scales, strict=True)
        crop = self.mode("coordinate_transformation_mode") == "tf_crop_and_resize"
        return {
            axis: (int(size), np.float32(scale))
            for axis, had, size, scale in every
            if crop or size != had or scale != 1
        }

    def mode(self, name: str) -> str:
        """A choice of the node, or what it was before there was a choice."""
        fixed = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "simple"}
        value = fixed[name] if self.old else attribute(self.node, name)
        return value.decode() if isinstance(value, bytes) else str(value)

    def coordinates(self, x: Value, p: Parameters, axis: int, size: int, scale: np.float32) -> Array:
        """Where in the input each of `size` places lies, in float32 as onnxruntime has it."""
        mode, had = self.mode("coordinate_transformation_mode"), x.shape[axis]
        at, half = np.arange(size, dtype=np.float32), np.float32(0.5)
        if mode == "asymmetric":
            return at / scale
        if mode == "align_corners":
            return at * np.float32(had - 1) / np.float32(size - 1) if size > 1 else at * 0
        if mode == "tf_half_pixel_for_nn":
            return (at + half) / scale
        if mode == "pytorch_half_pixel" and size == 1:
            return at * 0
        if mode == "tf_crop_and_resize":
            return self.cropped(p, axis, x.ndim, had, at)
        where = (at + half) / scale - half
        if mode == "half_pixel_symmetric":
            where += np.float32(had / 2 * (1 - size / (scale * had)))
        return where

    def cropped(self, p: Parameters, axis: int, rank: int, had: int, at: Array) -> Array:
        """Coordinates of a part of the input; what lies outside of it is no value of the input's."""
        axes = attribute(self.node, "axes")
        order = list(range(rank)) if axes is None else [int(a) % rank for a in axes]
        start, end = np.asarray(self.given("roi", p), np.float32).reshape(2, -1)[:, order.index(axis)]
        if start < 0 or end > 1 or end < start:
            raise UnsupportedError(
                f"{self.node}: its roi reaches beyond the tensor; only one inside is supported"
            )
        if len(at) == 1:
            return np.full(1, (start + end) * (had - 1) / 2, np.float32)
        step = (end - start) * np.float32(had - 1) / np.float32(len(at) - 1)
        return np.asarray(start * np.float32(had - 1) + at * step)

    def matrix(self, x: Value, p: Parameters, axis: int, size: int, scale: np.float32) -> Array:
        """(input, output): the weight of every value of the axis in every new one."""
        where, had = self.coordinates(x, p, axis, size, scale), x.shape[axis]
        kind = attribute(self.node, "mode") or "nearest"
        if kind == "nearest":
            taps = [(self.nearest(where, scale), np.ones(size))]
        elif attribute(self.node, "antialias") and scale < 1:
            taps = self.antialiased(where, had, scale, cubic=kind == "cubic")
        elif kind in ("linear", "bilinear"):
            where = np.clip(where, 0, had - 1)
            below = np.floor(where)
            taps = [(below, 1 - (where - below)), (below + 1, where - below)]
        else:
            taps = self.cubic(where, had)
        weights = np.zeros((had, size))
        for places, amounts in taps:
            np.add.at(weights, (np.clip(places, 0, had - 1).astype(int), np.arange(size)), amounts)
        return weights.astype(x.dtype)

    def nearest(self, where: Array, scale: np.float32) -> Array:
        """The coordinates, rounded as the node says."""
        mode = self.mode("nearest_mode")
        if mode == "simple":  # of opset 10 and of Upsample
            return np.ceil(where) if scale < 1 else np.trunc(where)
        half = np.float32(0.5)
        rounded = {
            "floor": np.floor(where),
            "ceil": np.ceil(where),
            "round_prefer_floor": np.ceil(where - half),
            "round_prefer_ceil": np.floor(where + half),
        }
        return np.asarray(rounded[mode])

    @property
    def coefficient(self) -> float:
        """That of the cubic kernel."""
        a = attribute(self.node, "cubic_coeff_a")
        return -0.75 if a is None else float(a)

    def cubic(self, where: Array, had: int) -> list[tuple[Array, Array]]:
        """Four values each, by Keys' kernel."""
        below = np.floor(where)
        amounts = keys(where.astype(np.float64) - below, self.coefficient)
        taps = [(below + step, amount) for step, amount in zip(range(-1, 3), amounts, strict=True)]
        return self.normalised(taps, had) if attribute(self.node, "exclude_outside") else taps

    def antialiased(
        self, where: Array, had: int, scale: np.float32, cubic: bool
    ) -> list[tuple[Array, Array]]:
        """The kernel as much wider as the tensor gets smaller: a filter before values are left out."""
        reach = (2 if cubic else 1) / float(scale)
        below, steps = np.floor(where), int(np.ceil(reach)) + 1
        taps = []
        for step in range(-steps, steps + 1):
            at = below + step
            t = np.abs(at - where.astype(np.float64)) * float(scale)
            taps.append((at, kernel(t, self.coefficient) if cubic else np.maximum(0, 1 - t)))
        return self.normalised(taps, had)

    def normalised(self, taps: list[tuple[Array, Array]], had: int) -> list[tuple[Array, Array]]:
        """Weights that sum to 1, those outside of the tensor left out where the node says so."""
        if attribute(self.node, "exclude_outside"):
            taps = [(at, np.where((at < 0) | (at >= had), 0, w)) for at, w in taps]
        total = sum(w for _, w in taps)
        return [(at, w / total) for at, w in taps]

    def matrices(self, x: Value, p: Parameters, z: Value = None) -> dict[int, Array]:
        """Axis -> its matrix, (input, output)."""
        every = self.sizes(x, p, z).items()
        return {axis: self.matrix(x, p, axis, size, scale) for axis, (size, scale) in every}

    def forward(self, x: Value, p: Parameters) -> Value:
        return self.applied(x, self.matrices(x, p), p)

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.applied(s, {a: m.T for a, m in self.matrices(at.x, at.p, s).items()}, at.p)

    def applied(self, x: Value, matrices: dict[int, Array], p: Parameters) -> Value:
        """`x` times the matrix of every axis; changed weights are those of all axes at once."""
        if p.change is None:
            for axis, matrix in matrices.items():
                order = [*(a for a in range(x.ndim) if a != axis), axis]
                back = [int(a) for a in np.argsort(order)]
                x = tensor.Transpose(tensor.Transpose(x, perm=order) @ matrix, perm=back)
            return x
        entries = math.prod(matrix.size for matrix in matrices.values())
        if entries > MOST:
            raise UnsupportedError(
                f"{self.node}: a rule changes its weights, {entries} of them; let 'epsilon' explain it"
            )
        joint = np.ones((1, 1), x.dtype)
        for matrix in matrices.values():
            joint = np.kron(joint, matrix)
        order = [*(axis for axis in range(x.ndim) if axis not in matrices), *matrices]
        moved = tensor.Transpose(x, perm=order)
        kept = [0 if axis == 0 else x.shape[axis] for axis in order[: x.ndim - len(matrices)]]  # 0: any batch
        flat = Reshape(moved, np.array([*kept, len(joint)]))
        sizes = [matrix.shape[1] for matrix in matrices.values()]
        z = Reshape(flat @ (p.implied(joint) * (joint != 0)), np.array([*kept, *sizes]))
        return tensor.Transpose(z, perm=[int(axis) for axis in np.argsort(order)])


class NearestResize(Resize):
    """Every value is that of the nearest place: relevance goes back there."""

    kind = MOVEMENT
    facts = Facts(sign=as_first)


def kernel(t: Array, a: float) -> Array:
    """Keys' cubic kernel at a distance t ≥ 0 (Keys 1981, eq. 15)."""
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.asarray(np.where(t <= 1, near, np.where(t < 2, far, 0)))


def keys(beyond: Array, a: float) -> list[Array]:
    """The weights of the four values round a place, `beyond` the second of them."""
    return [kernel(np.abs(beyond - step), a) for step in range(-1, 3)]


@register("Upsample")
class Upsample(Resize):
    """Resize as it was called before opset 10."""
