"""The steps of a walk, as data: which layer and which rule at every node between target and input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from ..composites import Composite
from ..layers import Bound, Layer
from ..model.graph import Graph, Node, Note
from ..model.notes import told
from ..plain.tables import html_table, text_table
from ..rules import Handed, Relevance, Rule
from ..targets import Anchor
from ..tensor import Value
from ..text import LINE, in_short, printable
from .rows import COLUMNS, Row, noted, row_of, singles
from .untaken import untaken_of

# How relevance gets through preprocessing, by whether each value is a mean of others.
PREPARES = {
    False: "through which relevance goes unchanged",
    True: "which hands relevance back by its own weights",
}
# What is said of a quantised file.
DEPLOYED = (
    "quantised: onnxruntime runs the file as it is, and the walk reads what its whole numbers stand for"
)


@in_short
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
    prepares : bool
        Whether it is the file's own preprocessing, which relevance passes unchanged: see
        `explainer.plan.preprocessing`.
    kept : tuple of (letter, tensor)
        Constants inside the layer whose relevance is returned.
    also : frozenset of str
        What of the layer's values is looked at beside what its rule reads: "x", "z".
    """

    layer: Layer
    rule: Rule
    record: str
    frees: tuple[str, ...] = ()
    prepares: bool = False
    kept: tuple[tuple[str, str], ...] = ()
    also: frozenset[str] = frozenset()

    @property
    def node(self) -> Node:
        return self.layer.node

    @property
    def reads(self) -> frozenset[str]:
        """The inner tensors that the forward pass must hand to this step."""
        reads = self.rule.reads_at(self.layer) | self.also
        names = set(self.layer.inputs) if "x" in reads else set()
        return frozenset(names | ({self.record} if "z" in reads else set()))


class Gathering(Protocol):
    """What is gathered on one walk, on arrays or on symbols."""

    def __call__(self, step: Step, layer: Bound, R: Relevance, handed: Handed) -> None:
        """Look at a step that was done: the relevance of its output, and what its rule answered."""

    def result(self, arrived: Mapping[str, Value]) -> dict[str, Value]:
        """What there is at the end, by names of its own or of what has arrived, each (N, ...)."""


class Gathers(Protocol):
    """Makes what gathers on a walk; how many samples there are, or None where a file is written."""

    def __call__(
        self, plan: Plan, parameters: Callable[[Step], Mapping[str, Value]], samples: int | None
    ) -> Gathering: ...


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """The steps from target to input, and the tensors they read; printing it shows a table.

    Pickled, it is what it was made of, and made again where it is read.

    Attributes
    ----------
    graph : Graph, canonized
    anchor : Anchor
    steps : tuple of Step, in the order of the walk
    sources : tuple of str
        The model inputs that relevance reaches.
    composite : Composite
        Where its rules come from.
    visible : tuple of str
        The tensors that it was made to keep apart, by the user's names.
    keep : dict of str -> str
        Tensors, and constants that layers add, whose relevance is returned: the user's name -> the view's.
    tables : dict of str -> str
        Rows that what is held chooses of a table, and that are kept unasked: the table's name -> theirs.
    shows : tuple of str
        Tensors whose values are returned too.
    gradient : bool
        Whether a gradient is handed back, which is not conserved.
    gathers : Gathers or None
        What a method gathers on the way, beside relevance.
    """

    graph: Graph
    anchor: Anchor
    steps: tuple[Step, ...]
    sources: tuple[str, ...]
    composite: Composite
    visible: tuple[str, ...] = ()
    keep: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    gradient: bool = False
    gathers: Gathers | None = None

    @property
    def reads(self) -> list[str]:
        """What the walk reads of the forward pass, in a fixed order."""
        names: dict[str, None] = dict.fromkeys((self.anchor.tensor, self.anchor.output, *self.anchor.moved))
        for step in self.steps:
            names.update(dict.fromkeys(sorted(step.reads)))
            names.update(dict.fromkeys(self.unfixed(step)))
        names.update(dict.fromkeys(self.shows))
        return list(names)

    @property
    def remade(self) -> tuple[Step, ...]:
        """The steps whose outputs are read, and made again since the file does not tell them; as they run."""
        if not self.graph.inner:
            return ()
        needed, found = set(self.reads), []
        for step in self.steps:
            if step.layer.output in needed & self.graph.inner:
                needed.update((*step.layer.inputs, *self.unfixed(step)))
                found.append(step)
        return tuple(reversed(found))

    @property
    def asks(self) -> list[str]:
        """What the file is asked for: what is read of it, and what the rest of that is made of."""
        remade = self.remade
        names = dict.fromkeys(self.reads)
        for step in remade:
            names.update(dict.fromkeys((*step.layer.inputs, *self.unfixed(step))))
        for step in remade:
            names.pop(step.layer.output)
        for name in list(names):
            if (unit := self.graph.units.get(name)) is not None:
                names.update(dict.fromkeys(one for one in unit.tensors if not self.graph.is_constant(one)))
        return list(names)

    def unfixed(self, step: Step) -> list[str]:
        """The step's parameters that are computed from shapes, so known only when the model runs."""
        return [name for name in step.layer.operands.values() if not self.graph.is_constant(name)]

    @property
    def masked(self) -> frozenset[str]:
        """The tensors that may hold −∞: a Softmax reads them, as they are or moved."""
        masked: set[str] = set()
        for step in self.steps:
            if step.layer.takes_minus_infinity:
                masked.update(step.layer.inputs)
            elif step.layer.output in masked and step.layer.kind in ("movement", "sum"):
                masked.update(step.layer.operands.values())  # a mask that is added, or chosen
                masked.update(step.layer.inputs if step.layer.kind == "movement" else ())
        return frozenset(masked)

    @cached_property
    def untaken(self) -> frozenset[str]:
        """The tensors that may hold anything where a Where takes the other branch: see `untaken_of`."""
        others = {self.anchor.tensor, self.anchor.output, *self.sources, *self.keep.values(), *self.shows}
        return untaken_of([(step.node, step.layer) for step in self.steps], others)

    @property
    def tensors(self) -> list[str]:
        """Every tensor that has a relevance, from the target to the input."""
        return list(dict.fromkeys([step.layer.output for step in self.steps] + list(self.sources)))

    @property
    def carrying(self) -> frozenset[str]:
        """The tensors that relevance passes, and not those that only tell layers which places."""
        return frozenset(self.tensors).union(*(step.layer.inputs for step in self.steps))

    @property
    def notes(self) -> tuple[Note, ...]:
        """What canonizers did, or could not do, with nodes between target and input."""
        here = {node.name for step in self.steps for node in (step.node, *step.node.members)}
        return tuple(note for note in self.graph.notes if not here.isdisjoint(note.nodes))

    def __repr__(self) -> str:
        ends = ", ".join(map(repr, self.sources))
        return printable(
            f"<Plan of {self.graph.title!r}: {len(self.steps)} steps from {self.anchor} to {ends}>", LINE
        )

    def __str__(self) -> str:
        return "\n".join([printable(self._header, LINE), *self._said, self.table()])

    def table(self, beside: Mapping[str, Sequence[str]] | None = None) -> str:
        """The steps as text, line by line.

        Parameters
        ----------
        beside : dict of title -> sequence of str, optional
            Further columns, with a text for every step; they stand before the note.
        """
        rows = [row.shown for row in self.rows]
        columns = {title: [row[place] for row in rows] for place, title in enumerate(COLUMNS)}
        notes = columns.pop("note")
        shown = {**columns, **(beside or {}), "note": notes}
        return text_table(list(shown), zip(*shown.values(), strict=True))

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, (row.shown for row in self.rows), ". ".join([self._header, *self._said]))

    @property
    def preprocessing(self) -> tuple[Node, ...]:
        """The nodes in front of the first layer that are the file's own preprocessing, as they run.

        Relevance goes through them unchanged, and through a Resize by its weights.
        """
        return tuple(step.node for step in reversed(self.steps) if step.prepares)

    @property
    def ending(self) -> tuple[str, ...]:
        """A line on the nodes at which a gradient ends, since they change in steps alone, as Round does."""
        differentiated = (step for step in reversed(self.steps) if step.rule.differentiates)
        flat = ", ".join(str(step.node) for step in differentiated if step.layer.flat)
        return (
            (printable(f"no gradient passes what is flat between its steps: {flat}", LINE),) if flat else ()
        )

    @property
    def _said(self) -> list[str]:
        """What is told of nodes that are not taken as they are."""
        preparing = [step for step in reversed(self.steps) if step.prepares]
        prepares = [
            printable(f"preprocessing in the file, {how}: {', '.join(nodes)}", LINE)
            for by_weights, how in PREPARES.items()
            if (nodes := [str(step.node) for step in preparing if step.layer.is_mean is by_weights])
        ]
        cut = self.graph.source.cut
        ends = [] if cut is None or not cut.told else [printable(cut.told, LINE)]
        deployed = [DEPLOYED] if self.graph.units else []
        return [*ends, *deployed, *prepares, *self.ending, *told(self.notes)]

    @property
    def _header(self) -> str:
        return f"relevance starts at {self.anchor} and ends at {', '.join(map(repr, self.sources))}"

    @property
    def coverage(self) -> tuple[int, int]:
        """How many of the file's nodes are explained, and how many relevance passes: of a plan, all."""
        nodes = len(singles(step.node for step in self.steps))
        return nodes, nodes

    @property
    def rows(self) -> list[Row]:
        """Node, operator, what it was recognised as, rule and note of every step, as text."""
        return [
            row_of(
                step.node,
                type(step.layer).__name__,
                str(step.rule),
                noted(self.graph, step.layer, step.rule, step.prepares),
            )
            for step in self.steps
        ]
