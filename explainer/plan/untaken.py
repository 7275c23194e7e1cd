"""What may be infinite, or no number, where a Where takes the other branch: log x at −1, say."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..layers import Layer
from ..model.graph import Node
from ..model.roles import ELEMENTWISE

# What has no value at some x, or no finite one.
PARTIAL = frozenset({"Acos", "Acosh", "Asin", "Atanh", "Div", "Exp", "Log", "Pow", "Reciprocal", "Sqrt"})


def untaken_of(steps: Sequence[tuple[Node, Layer]], others: Collection[str]) -> frozenset[str]:
    """The tensors between what is computed place by place, without a value at some, and a Where alone.

    Parameters
    ----------
    steps : sequence of (Node, Layer)
        From the target to the input.
    others : collection of str
        What is read besides.
    """
    aside, exposed = set[str](), set(others)
    leading = []
    for node, layer in steps:  # whoever reads a tensor comes before who makes it
        leads = node.operator in ELEMENTWISE and layer.output in aside - exposed
        leading += [(node, layer)] * leads
        (aside if leads or node.operator == "Where" else exposed).update(layer.inputs)
        exposed.update(layer.operands.values())
    found = set[str]()
    for node, layer in reversed(leading):
        is_partial = node.operator in PARTIAL and not layer.kind.linear
        if is_partial or not found.isdisjoint(layer.inputs):
            found.add(layer.output)
    return frozenset(found)
