"""Constants as tables: what rows, or a constant in another shape, were taken from."""

from __future__ import annotations

from .graph import Graph

# What takes values of its first operand as they are, or between them.
TAKING = frozenset(
    {
        *("Cast", "DequantizeLinear", "Expand", "Flatten", "Gather", "GatherElements", "GatherND"),
        *("Identity", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    }
)


def taken_from(graph: Graph, name: str) -> tuple[str, ...]:
    """A tensor, and those that its values were taken from, one behind the other, the file's own last."""
    found = [name]
    while (node := graph.producers.get(found[-1])) is not None and node.operator in TAKING:
        found.append(node.inputs[0])
    return tuple(found)
