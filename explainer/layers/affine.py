"""Layers with weights: z = W x + b."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import Array, Reshape, Slice, Transpose, Value
from .base import Bound, Layer, attribute
from .kinds import CONVOLUTION, DENSE
from .normalize import STATISTICS, Biased, amounts_of, normalization
from .parameters import Parameters
from .product import GatedMatrixProduct, MatrixProduct
from .registry import register
from .windows import Windows, unreached


def is_monomial(matrices: Array) -> bool:
    """Whether every row and every column of square matrices has one number that is not 0."""
    rows, columns = matrices.shape[-2:]
    there = matrices != 0
    return rows == columns and bool((there.sum(-1) == 1).all() and (there.sum(-2) == 1).all())


def _held(graph: Graph, name: str) -> Array | None:
    """A square matrix that the file holds; one that it computes may be large, and is not looked at."""
    stored = graph.initializers.get(name)
    shape = graph.arrays[name].shape if stored is None and name in graph.arrays else ()
    shape = shape if stored is None else tuple(stored.dims)
    return graph.constant(name) if len(shape) > 1 and shape[-1] == shape[-2] else None


def _keeps_places(windows: Windows, kernel: Sequence[int]) -> bool:
    """Whether a kernel has a centre, which meets each place of the input once."""
    if {*windows.strides} != {1} or not all(size % 2 for size in kernel):
        return False
    if not len(windows.dilations) == len(windows.strides) == len(kernel):  # no runtime takes that
        return False
    around = [(size - 1) * by // 2 for size, by in zip(kernel, windows.dilations, strict=True)]
    return windows.pads([1] * len(kernel), kernel) == around * 2


class Affine(Biased):
    """z = W x + b; a BatchNormalization that begins or ends its group is merged into W and b."""

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if len(self.inputs) != 1:
            raise UnsupportedError("a product of two activations")
        members = node.members or (node,)
        self.norm_before, self.norm_after = (
            member if member.operator == "BatchNormalization" else None
            for member in (members[0], members[-1])
        )
        for norm in filter(None, (self.norm_before, self.norm_after)):
            self.operands.update((f"{what} of {norm.name}", norm.operand(i)) for i, what in STATISTICS)

    @property
    def constants(self) -> dict[str, str]:
        # Of a merged BatchNormalization the bias is one of several, made one number.
        return {} if self.norm_before or self.norm_after else super().constants

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return self._merged(values, normalization)

    def amounts(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return self._merged(values, amounts_of)

    def _merged(
        self,
        values: Mapping[str, Value],
        normalised: Callable[[Node, Mapping[str, Value]], tuple[Value, Value]],
    ) -> dict[str, Value]:
        p = self.stored(values)
        if self.norm_after is not None:
            scale, shift = normalised(self.norm_after, values)
            p["b"] = shift + p["b"] * scale if "b" in p else shift
            p["w"] = self.scale_outputs(p["w"], scale)
        if self.norm_before is not None:
            scale, shift = normalised(self.norm_before, values)
            moved = self.sum_over_inputs(self.scale_inputs(p["w"], shift))
            p["b"] = p["b"] + moved if "b" in p else moved
            p["w"] = self.scale_inputs(p["w"], scale)
        return p

    def stored(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """W and b as the file has them, before any BatchNormalization is merged."""
        return {letter: value for letter, value in super().prepare(values).items() if letter in ("w", "b")}

    def scale_outputs(self, w: Value, scale: Value) -> Value:
        """W with each output channel multiplied."""
        raise NotImplementedError

    def scale_inputs(self, w: Value, scale: Value) -> Value:
        """W with each input channel multiplied."""
        raise NotImplementedError

    def sum_over_inputs(self, w: Value) -> Value:
        """Σ_j w_jk, a vector over outputs k."""
        raise NotImplementedError


class Convolution(Affine):
    """Weights that slide over places, forward or back."""

    kind = CONVOLUTION

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "w", 1, "weight")
        self.take_operand(graph, "b", 2, "bias")
        self.group = attribute(node, "group") or 1

    def only_scales(self, graph: Graph) -> bool:
        w = self.operands["w"]
        stored = graph.initializers.get(w)
        kernel = attribute(self.node, "kernel_shape") if stored is None else stored.dims[2:]
        if kernel is None or not graph.is_constant(w):
            return False
        growing = ("output_padding", "output_shape")
        if any(any(attribute(self.node, name) or ()) for name in growing):
            return False
        if not _keeps_places(Windows.of(self.node, len(kernel)), kernel):
            return False
        weights = graph.constant(w)
        matrices = weights[(..., *(size // 2 for size in kernel))]
        if np.count_nonzero(weights) != np.count_nonzero(matrices):  # there is more than the centre
            return False
        return is_monomial(matrices.reshape(self.group, -1, matrices.shape[1]))


@register("Conv")
class Conv(Convolution):
    """Convolution of any rank, with groups, dilation, strides and asymmetric padding."""

    def geometry(self, x: Value, p: Parameters) -> dict[str, list[int]]:
        """Strides, dilations and explicit pads for this input."""
        kernel = list(p["w"].shape[2:])
        windows = Windows.of(self.node, len(kernel))
        return {
            "strides": list(windows.strides),
            "pads": windows.pads(x.shape[2:], kernel),
            "dilations": list(windows.dilations),
        }

    def forward(self, x: Value, p: Parameters) -> Value:
        return tensor.Conv(x, p["w"], p.get("b"), group=self.group, **self.geometry(x, p))

    def transpose(self, s: Value, at: Bound) -> Value:
        w, where = at.p["w"], self.geometry(at.x, at.p)
        extra = unreached(at.x.shape[2:], s.shape[2:], w.shape[2:], **where)
        return tensor.transposed(s, w, group=self.group, output_padding=extra, **where)

    def scale_outputs(self, w: Value, scale: Value) -> Value:
        return w * Reshape(scale, np.array([-1] + [1] * (w.ndim - 1)))

    def scale_inputs(self, w: Value, scale: Value) -> Value:
        outputs, depth, *kernel = w.shape
        grouped = Reshape(w, np.array([self.group, outputs // self.group, depth, *kernel]))
        grouped = grouped * Reshape(scale, np.array([self.group, 1, depth] + [1] * len(kernel)))
        return Reshape(grouped, np.array(w.shape))

    def sum_over_inputs(self, w: Value) -> Value:
        return tensor.ReduceSum(w, np.arange(1, w.ndim), keepdims=0)


@register("ConvTranspose")
class ConvTranspose(Convolution):
    """Transposed convolution: its transpose is a convolution."""

    def geometry(self, x: Value, p: Parameters) -> tuple[dict[str, list[int]], list[int]]:
        """Strides, dilations and pads, and the output padding, as the operator derives them."""
        kernel = list(p["w"].shape[2:])
        windows = Windows.of(self.node, len(kernel))
        extra = list(attribute(self.node, "output_padding") or [0] * len(kernel))
        pads = windows.pads(x.shape[2:], kernel) if windows.auto_pad in ("NOTSET", "VALID") else None
        shape = attribute(self.node, "output_shape")
        if shape or pads is None:
            pads = self._pads_for(x, kernel, windows, extra, shape)
        strides, dilations = list(windows.strides), list(windows.dilations)
        return {"strides": strides, "pads": pads, "dilations": dilations}, extra

    @staticmethod
    def _pads_for(
        x: Value, kernel: list[int], windows: Windows, extra: list[int], shape: list[int] | None
    ) -> list[int]:
        begins, ends = [], []
        for axis, size in enumerate(x.shape[2:]):
            step, span = windows.strides[axis], (kernel[axis] - 1) * windows.dilations[axis] + 1
            wanted = list(shape)[-len(kernel) :][axis] if shape else size * step
            surplus = step * (size - 1) + extra[axis] + span - wanted
            if surplus < 0:
                # A given size is filled up with zeros; SAME takes what there is, as onnxruntime does.
                extra[axis] -= surplus if shape else 0
                surplus = 0
            small, large = surplus // 2, surplus - surplus // 2
            upper = windows.auto_pad == "SAME_UPPER"
            begins.append(small if upper else large)
            ends.append(large if upper else small)
        return begins + ends

    def forward(self, x: Value, p: Parameters) -> Value:
        where, extra = self.geometry(x, p)
        return tensor.ConvTranspose(x, p["w"], p.get("b"), group=self.group, output_padding=extra, **where)

    def transpose(self, s: Value, at: Bound) -> Value:
        where, _ = self.geometry(at.x, at.p)
        c = tensor.Conv(s, at.p["w"], group=self.group, **where)
        # Output padding as large as a stride adds rows that belong to no input.
        return c if c.shape[2:] == at.x.shape[2:] else _crop(c, at.x.shape[2:])

    def scale_outputs(self, w: Value, scale: Value) -> Value:
        inputs, depth, *kernel = w.shape
        grouped = Reshape(w, np.array([self.group, inputs // self.group, depth, *kernel]))
        grouped = grouped * Reshape(scale, np.array([self.group, 1, depth] + [1] * len(kernel)))
        return Reshape(grouped, np.array(w.shape))


def _crop(x: Value, sizes: tuple[int, ...]) -> Value:
    axes = np.arange(2, 2 + len(sizes))
    return Slice(x, np.zeros_like(axes), np.array(sizes), axes, np.ones_like(axes))


@register("Gemm")
class Gemm(Affine):
    """alpha·A·B + beta·C with constant B and C; W is kept as (inputs, outputs)."""

    kind = DENSE

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.take_operand(graph, "w", 1, "matrix B")
        self.take_operand(graph, "b", 2, "addend C")

    def only_scales(self, graph: Graph) -> bool:
        w = _held(graph, self.operands["w"])
        return w is not None and not attribute(self.node, "transA") and is_monomial(w)

    def stored(self, values: Mapping[str, Value]) -> dict[str, Value]:
        p = super().stored(values)
        alpha, beta = attribute(self.node, "alpha"), attribute(self.node, "beta")
        w = Transpose(p["w"], perm=[1, 0]) if attribute(self.node, "transB") else p["w"]
        p["w"] = w if alpha == 1 else w * alpha
        if "b" in p and beta != 1:
            p["b"] = p["b"] * beta
        return p

    def turn(self, x: Value) -> Value:
        """A, or its transpose where the node says so."""
        return Transpose(x, perm=[1, 0]) if attribute(self.node, "transA") else x

    def forward(self, x: Value, p: Parameters) -> Value:
        z = self.turn(x) @ p["w"]
        return z + p["b"] if "b" in p else z

    def transpose(self, s: Value, at: Bound) -> Value:
        return self.turn(s @ Transpose(at.p["w"], perm=[1, 0]))

    def as_channels(self, b: Value, x: Value) -> Value:
        return b

    def scale_outputs(self, w: Value, scale: Value) -> Value:
        return w * scale

    def scale_inputs(self, w: Value, scale: Value) -> Value:
        return w * Reshape(scale, np.array([-1, 1]))

    def sum_over_inputs(self, w: Value) -> Value:
        return tensor.ReduceSum(w, np.array([0]), keepdims=0)


@register("MatMul")
class MatMul(Layer):
    """A product with a constant matrix or vector, on either side; of a group also + b."""

    kind = DENSE
    of_several = MatrixProduct
    gated = GatedMatrixProduct

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if len(self.inputs) != 1:
            raise UnsupportedError("a product of two activations")
        self.on_right = self.inputs[0] == node.inputs[0]
        self.take_operand(graph, "w", 1 if self.on_right else 0, "matrix")
        self.take_operand(graph, "b", 2, "bias")

    def only_scales(self, graph: Graph) -> bool:
        w = _held(graph, self.operands["w"])
        return w is not None and w.ndim > 1 and is_monomial(w)

    def forward(self, x: Value, p: Parameters) -> Value:
        w = p["w"]
        z = x @ w if self.on_right else w @ x
        return z + p["b"] if "b" in p else z

    def bias(self, at: Bound) -> Value:
        return at.p.get("b")

    def transpose(self, s: Value, at: Bound) -> Value:
        w = at.p["w"]
        if w.ndim == 1:  # a row or a column, whose axis z does not have
            place = -1 if self.on_right else -2
            s = tensor.Unsqueeze(s, np.array([place % (s.ndim + 1) if s.ndim else 0]))
            w = Reshape(w, np.array([-1, 1] if self.on_right else [1, -1]))
        wt = Transpose(w, perm=[*range(w.ndim - 2), w.ndim - 1, w.ndim - 2])
        return tensor.sum_to(s @ wt if self.on_right else wt @ s, at.x.shape)
