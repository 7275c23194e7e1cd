"""Pools written so that the shape that is inferred for them is the one that onnxruntime runs.

With SAME padding and a dilation, and where a last window of ceil_mode begins beyond the input, ONNX's and
onnxruntime's inference counts other windows than the kernels compute. Such a model runs, with a warning at
most; with a walk behind it, which has to fit, it would be refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from ..layers.base import attribute
from ..layers.windows import Windows
from ..model.graph import Graph
from ..model.node import Node, node_of
from ..model.renaming import Names
from ..model.signature import opsets_of
from ..tensor import Array

POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})


def told(proto: onnx.ModelProto, original: Graph, feeds: Mapping[str, Array]) -> onnx.ModelProto:
    """The model with such pools written anew, to the same values; itself where there are none.

    Parameters
    ----------
    proto : onnx.ModelProto
    original : Graph
        The same as it was given, which is run for the sizes that there are.
    feeds : dict of input name -> array (N, ...)

    Raises
    ------
    ModelError
        It does not run.
    """
    opsets = opsets_of(proto.opset_import)
    plain = (node for node in proto.graph.node if node.op_type in POOLS and node.domain in ("", "ai.onnx"))
    pools = {node.output[0]: node_of(node, opsets, None) for node in plain}
    pools = {name: pool for name, pool in pools.items() if _is_doubtful(pool)}
    shapes = _shapes(
        original, {name for pool in pools.values() for name in (pool.inputs[0], pool.outputs[0])}, feeds
    )
    frames = {
        name: _frame(pool, shapes[pool.inputs[0]][2:], shapes[name][2:])
        for name, pool in pools.items()
        if pool.inputs[0] in shapes and name in shapes
    }
    if not any(frames.values()):
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    unused, nodes = Names(copy), list[onnx.NodeProto]()
    for node in copy.graph.node:
        frame = frames.get(node.output[0]) if node.output else None
        if frame is not None:
            nodes += frame.put(node, copy.graph, unused)
        nodes.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _is_doubtful(pool: Node) -> bool:
    windows = Windows.of(pool, len(attribute(pool, "kernel_shape")))
    return windows.ceil_mode or (
        windows.auto_pad.startswith("SAME") and max(windows.dilations, default=1) > 1
    )


def _shapes(graph: Graph, names: set[str], feeds: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """Those of some tensors, as onnxruntime runs them; a converter may have made others."""
    given, names = graph.typed(feeds), names & graph.source.names
    inner = sorted(names - given.keys())
    ran = graph.session(inner).run(given) if inner else {}
    return {name: x.shape for name, x in {**given, **ran}.items() if name in names}


@dataclass(frozen=True)
class _Frame:
    """Where windows lie: pads that they just fit into, negative ones where none reaches the last cells."""

    sizes: Sequence[int]
    pads: Sequence[int]
    rounds_up: bool

    @property
    def cuts(self) -> bool:
        """Whether there are such cells."""
        return min(self.pads, default=0) < 0

    def put(self, node: onnx.NodeProto, graph: onnx.GraphProto, unused: Names) -> list[onnx.NodeProto]:
        """Write it into a pool; what has to stand in front."""
        apart = []
        if self.cuts and len(node.output) > 1 and node.output[1]:  # a maximum's place among all cells
            apart.append(onnx.NodeProto())
            apart[0].CopyFrom(node)
            apart[0].name = apart[0].output[0] = unused.unused(f"{node.output[0]}/apart")
            del node.output[1:]
        pads = [max(pad, 0) for pad in self.pads]
        said = {"auto_pad": "NOTSET", "pads": pads, "ceil_mode": int(self.rounds_up)}
        others = [entry for entry in node.attribute if entry.name not in said]
        del node.attribute[:]
        node.attribute.extend(others)
        node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in said.items())
        if not self.cuts:
            return []
        rank, within = len(self.sizes), unused.unused(f"{node.output[0]}/within")
        starts = [max(-pad, 0) for pad in self.pads[:rank]]
        ends = [size + min(pad, 0) for size, pad in zip(self.sizes, self.pads[rank:], strict=True)]
        operands = [node.input[0]]
        for name, values in (("starts", starts), ("ends", ends), ("axes", range(2, rank + 2))):
            operands.append(unused.unused(f"{within}/{name}"))
            graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), operands[-1]))
        node.input[0] = within
        return [*apart, onnx.helper.make_node("Slice", operands, [within], within)]


def _frame(pool: Node, sizes: Sequence[int], counts: Sequence[int]) -> _Frame | None:
    """Where the windows lie, of which onnxruntime computes so many; None where a pool can stay as it is."""
    kernel, rank = attribute(pool, "kernel_shape"), len(sizes)
    windows = Windows.of(pool, rank)
    pads = windows.pool_pads(sizes, kernel)
    is_counted, rounds_up = not windows.auto_pad.startswith("SAME"), windows.ceil_mode
    for axis, (size, count, step, dilation) in enumerate(
        zip(sizes, counts, windows.strides, windows.dilations, strict=True)
    ):
        # A mean ends where the padding does; another pool where its window does.
        cut = min(pads[rank + axis], 0) if pool.operator == "AveragePool" else 0
        span, begin, end = (kernel[axis] - 1) * dilation + 1, pads[axis], max(pads[rank + axis], 0)
        room = size + cut + begin + end - span
        is_counted &= count == (-(-room // step) if windows.ceil_mode else room // step) + 1
        # Where it was rounded up, pads stay as they are: cells beyond them are not counted in a mean.
        reached = (count - 1) * step + span - begin - size - cut
        rounds_up |= reached > end
        pads[rank + axis] = cut + min(reached, end)
    return None if is_counted else _Frame(sizes, pads, rounds_up)
