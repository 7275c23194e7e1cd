"""What a file does itself to a picture before its first weights: nobody is to do it again in front of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model.graph import Graph, Node
from ..tensor import Array

# What hands a picture on as it is, in whatever order.
MOVES = frozenset({"Cast", "Dropout", "Gather", "Identity", "Pad", "Reshape", "Resize", "Slice", "Transpose"})
CHANNELS = 4  # a constant of more numbers is no mean of channels


@dataclass(frozen=True)
class Inside:
    """(x − mean) / std of the file's own, one number or one by channel.

    Attributes
    ----------
    mean, std : array
    """

    mean: Array
    std: Array

    @property
    def takes_pixels(self) -> bool:
        """Whether it is meant for pixels of 0 to 255: what is subtracted or divided by is of their size."""
        return bool(np.max(np.abs(self.mean)) > 3 or np.max(self.std) > 10)

    @property
    def is_bgr(self) -> bool:
        """Whether its mean is ImageNet's, blue first, as Caffe has it."""
        return self.mean.size == 3 and bool(np.allclose(self.mean, (103.939, 116.779, 123.68), atol=1.5))


def normalised_inside(graph: Graph, name: str) -> Inside | None:
    """What a file subtracts from an input and divides it by; None where it does neither, or not at once."""
    scale, shift, is_shifted = np.ones(1), np.zeros(1), False
    while True:
        readers = list(graph.readers.get(name, ()))
        if len(readers) != 1 or not readers[0].outputs:
            break
        node = readers[0]
        if node.operator not in MOVES:
            step = _line(graph, node, name)
            if step is None:
                break
            factor, more = step
            try:
                scale, shift = scale * factor, shift * factor + more
            except ValueError:  # one by channel, another by something else
                break
            is_shifted = is_shifted or bool(np.any(more))
        elif name != node.inputs[0]:
            break
        name = node.outputs[0]
    if not scale.all() or (not is_shifted and np.max(np.abs(scale)) > 0.1):
        return None  # a factor alone, that is none of pixels
    return Inside(-shift / scale, 1 / np.abs(scale))


def _line(graph: Graph, node: Node, name: str) -> tuple[Array, Array] | None:
    """z = factor·x + more of a node with constants; None where it is no such thing."""
    if node.operator == "ImageScaler":
        bias = np.ravel(node.attributes.get("bias") or 0.0)
        return np.ravel(float(node.attributes.get("scale", 1.0))), bias.astype(np.float64)
    others = [other for other in node.inputs if other and other != name]
    if node.operator not in ("Add", "Div", "Mul", "Sub") or len(others) != 1:
        return None
    c = _numbers(graph, others[0])
    if c is None:
        return None
    one, none = np.ones(1), np.zeros(1)
    if node.operator == "Add":
        return one, c
    if node.operator == "Mul":
        return c, none
    if node.operator == "Sub":
        return (one, -c) if node.inputs[0] == name else (-one, c)
    return (1 / c, none) if node.inputs[0] == name and c.all() else None


def _numbers(graph: Graph, name: str) -> Array | None:
    """A constant of one number, or of one by channel; what the file computes is not asked for."""
    stored, producer = graph.initializers.get(name), graph.producers.get(name)
    is_small = stored is not None and int(np.prod(stored.dims, dtype=np.int64)) <= CHANNELS
    if not (is_small or (producer is not None and producer.operator == "Constant")):
        return None
    value = graph.constant(name)
    if value.dtype.kind not in "fiu" or not 0 < value.size <= CHANNELS:
        return None
    return value.astype(np.float64).ravel()
