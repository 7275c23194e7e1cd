"""Padding arithmetic that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.graph import Node
from .base import attribute


@dataclass(frozen=True)
class Windows:
    """How a window slides: the attributes that Conv and the pools have in common."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    declared: tuple[int, ...]
    auto_pad: str
    ceil_mode: bool

    @classmethod
    def of(cls, node: Node, rank: int) -> Windows:
        """Read them from a node; absent ones are as the operator's specification has them."""
        return cls(
            strides=tuple(attribute(node, "strides") or [1] * rank),
            dilations=tuple(attribute(node, "dilations") or [1] * rank),
            declared=tuple(attribute(node, "pads") or [0] * 2 * rank),
            auto_pad=attribute(node, "auto_pad") or "NOTSET",
            ceil_mode=bool(attribute(node, "ceil_mode")),
        )

    def pads(self, sizes: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Explicit pads, begins then ends, for an input of these spatial sizes."""
        rank = len(kernel)
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, self.dilations, strict=True)]
        if self.auto_pad == "VALID":
            return [0] * 2 * rank
        if self.auto_pad == "NOTSET":
            return list(self.declared)
        begins, ends = [], []
        for size, step, span in zip(sizes, self.strides, spans, strict=True):
            missing = max((-(-size // step) - 1) * step + span - size, 0)
            small, large = missing // 2, missing - missing // 2
            begins.append(small if self.auto_pad == "SAME_UPPER" else large)
            ends.append(large if self.auto_pad == "SAME_UPPER" else small)
        return begins + ends

    def pads_to_fit(self, sizes: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """As `pads`, the ends grown or shrunk so that the last window of ceil_mode just fits."""
        rank, pads = len(kernel), self.pads(sizes, kernel)
        if not self.ceil_mode:
            return pads
        for axis, (size, step, dilation) in enumerate(zip(sizes, self.strides, self.dilations, strict=True)):
            span = (kernel[axis] - 1) * dilation + 1
            room = size + pads[axis] + pads[rank + axis] - span
            count = -(-room // step) + 1
            # A window that would start beyond the input and its first padding does not count.
            if (count - 1) * step >= size + pads[axis]:
                count -= 1
            pads[rank + axis] = max((count - 1) * step + span - size - pads[axis], pads[rank + axis])
        return pads


def unreached(
    sizes: Sequence[int],
    output: Sequence[int],
    kernel: Sequence[int],
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> list[int]:
    """The rows at each end that a stride leaves to no window: in the transpose they get zeros."""
    rank = len(kernel)
    return [
        size + pads[axis] + pads[rank + axis] - (count - 1) * strides[axis] - (k - 1) * dilations[axis] - 1
        for axis, (size, count, k) in enumerate(zip(sizes, output, kernel, strict=True))
    ]
