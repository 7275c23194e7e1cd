"""The steps of a walk, as data: which layer and which rule at every node between target and input."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..layers import Layer
from ..model.graph import Graph, Node, Note
from ..model.notes import told
from ..rules import Rule
from ..targets import Anchor


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the walk.

    Attributes
    ----------
    layer : Layer, unbound
    rule : Rule
    record : str
        The tensor that holds the layer's output: its own, or the Relu's behind it.
    frees : tuple of str
        Tensors that no later step reads.
    """

    layer: Layer
    rule: Rule
    record: str
    frees: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        return self.layer.node

    @property
    def reads(self) -> frozenset[str]:
        """The inner tensors that the forward pass must hand to this step."""
        reads = self.layer.transpose_reads if self.rule.reads is None else self.rule.reads
        names = set(self.layer.inputs) if "x" in reads else set()
        return frozenset(names | ({self.record} if "z" in reads else set()))


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps from target to input, and the tensors they read; printing it shows a table.

    Attributes
    ----------
    graph : Graph, canonized
    anchor : Anchor
    steps : tuple of Step, in the order of the walk
    sources : tuple of str
        The model inputs that relevance reaches.
    keep : dict of str -> str
        Tensors whose relevance is returned: the user's name -> the view's.
    shows : tuple of str
        Tensors whose values are returned too.
    gradient : bool
        Whether a gradient is handed back, which is not conserved.
    """

    graph: Graph
    anchor: Anchor
    steps: tuple[Step, ...]
    sources: tuple[str, ...]
    keep: dict[str, str] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    gradient: bool = False

    @property
    def reads(self) -> list[str]:
        """What the walk reads of the forward pass, in a fixed order."""
        names: dict[str, None] = dict.fromkeys((self.anchor.tensor, self.anchor.output, *self.anchor.moved))
        for step in self.steps:
            names.update(dict.fromkeys(sorted(step.reads)))
            names.update(dict.fromkeys(self.unfixed(step)))
        names.update(dict.fromkeys(self.shows))
        return list(names)

    def unfixed(self, step: Step) -> list[str]:
        """The step's parameters that are computed from shapes, so known only when the model runs."""
        return [name for name in step.layer.operands.values() if not self.graph.is_constant(name)]

    @property
    def tensors(self) -> list[str]:
        """Every tensor that has a relevance, from the target to the input."""
        return list(dict.fromkeys([step.layer.output for step in self.steps] + list(self.sources)))

    @property
    def notes(self) -> tuple[Note, ...]:
        """What canonizers did, or could not do, with nodes between target and input."""
        here = {node.name for step in self.steps for node in (step.node, *step.node.members)}
        return tuple(note for note in self.graph.notes if not here.isdisjoint(note.nodes))

    def __str__(self) -> str:
        rows = [("node", "operator", "layer", "rule")]
        for step in self.steps:
            operator = "+".join(m.operator for m in step.node.members) or step.node.operator
            rows.append((step.node.name, operator, type(step.layer).__name__, str(step.rule)))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        header = f"relevance starts at {self.anchor} and ends at {', '.join(map(repr, self.sources))}"
        return "\n".join([header, *told(self.notes), *(line.rstrip() for line in lines)])
