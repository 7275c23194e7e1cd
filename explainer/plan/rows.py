"""The table that a plan is: what each node was recognised as, by which rule, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..layers import Layer
from ..model.graph import Graph, Node
from ..rules import Held, Linearised, Rule, Taylor


class Row(NamedTuple):
    """One node between target and input, as text.

    Attributes
    ----------
    node, operator : str
        Of a group, the operators of its members.
    recognised_as : str
        What people call it, where a canonizer knows ("GELU"), else its layer's name; of what has no layer
        the name of the group that it belongs to, or "".
    rule : str
        "missing" where there is no layer or no rule.
    note : str
        What is held constant, why nodes stay apart, what is missing.
    layer : str
        The name of the layer's class; "" where there is none.
    """

    node: str
    operator: str
    recognised_as: str
    rule: str
    note: str = ""
    layer: str = ""

    @property
    def shown(self) -> tuple[str, ...]:
        """What of it is printed."""
        return self[: len(COLUMNS)]


COLUMNS = ("node", "operator", "recognised as", "rule", "note")
MISSING = "missing"


def singles(nodes: Iterable[Node]) -> set[Node]:
    """The file's own nodes: of a group its members."""
    return {single for node in nodes for single in node.members or (node,)}


def row_of(node: Node, layer: str, rule: str, note: str = "", known_as: str = "") -> Row:
    """The row of a node with its layer's name and its rule."""
    operator = "+".join(member.operator for member in node.members) or node.operator
    name = node.known_as or known_as or layer.removesuffix("Layer")
    return Row(node.name, operator, name, rule, note, layer)


def noted(graph: Graph, layer: Layer, rule: Rule, prepares: bool = False) -> str:
    """What a reader has to know of a step beside its rule; "" where there is nothing.

    Parameters
    ----------
    graph : Graph, canonized
    layer : Layer
    rule : Rule
    prepares : bool
        Whether it is the file's own preprocessing.
    """
    node, said = layer.node, []
    if prepares:
        how = (
            "hands relevance back by its own weights" if layer.is_mean else "relevance goes through unchanged"
        )
        said.append(f"preprocessing, which {how}")
    if node.gate is not None:
        said.append(f"held constant: {node.inputs[node.gate]!r}")
    if isinstance(rule, Held) and layer.kind == "normalization":
        said.append("held constant: what it divides by")
    if isinstance(rule, Taylor):
        around = type(layer).expanded is not Layer.expanded
        said.append("expanded round each value alone" if around else "held constant: what it divides by")
    if isinstance(rule, Linearised):
        said.append("what its tangent leaves is an intercept")
    names = {node.name, *(member.name for member in node.members)}
    apart = (note for note in graph.notes if note.refused and not names.isdisjoint(note.nodes))
    said += [f"{note.canonizer}: not one layer with its neighbour: {note.reason}" for note in apart]
    return "; ".join(said)
