"""The tensor that relevance starts from: a model output, what was before its Softmax, or any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..canonizers import get, see_through
from ..errors import TargetError
from ..layers import facts_of
from ..model.graph import Graph, Node
from ..text import LINE, in_short, printable


class Move(NamedTuple):
    """A node between the cut and the output that only moves values: its output, and how it permutes."""

    output: str
    transposes: bool
    perm: tuple[int, ...] | None


@in_short
@dataclass(frozen=True)
class Anchor:
    """Where relevance starts, and where its index is chosen: what a plan depends on.

    Attributes
    ----------
    tensor : str
        The tensor that relevance starts from, by the view's name.
    output : str
        The tensor whose values choose the index: the model's own output, or `tensor` itself.
    cut : str
        The Softmax, LogSoftmax or Sigmoid that was cut, for messages; "" where none was.
    moves : tuple of Move
        The movement between the cut node and the output, in the order it runs.
    axis : int or None
        The axis of the Softmax or LogSoftmax that was cut, as the node has it.
    flattens : bool
        Whether that Softmax runs over all axes from `axis` on, as it did before opset 13.
    """

    tensor: str
    output: str
    cut: str = ""
    moves: tuple[Move, ...] = ()
    axis: int | None = None
    flattens: bool = False

    @property
    def moved(self) -> tuple[str, ...]:
        """The tensors of the movement, whose shapes map an index back."""
        return tuple(move.output for move in self.moves)

    @property
    def is_sigmoid(self) -> bool:
        """Whether the values are the logits of a Sigmoid: each has a probability of its own."""
        return bool(self.cut) and self.axis is None

    def __str__(self) -> str:
        behind = f" (the input of {self.cut}, cut before output {self.output!r})" if self.cut else ""
        return printable(f"{self.tensor!r}{behind}", LINE)


def anchor_at_output(graph: Graph, output: str) -> Anchor:
    """Start at a model output, or at the input of the Softmax, LogSoftmax or Sigmoid that ends it."""
    view = see_through(graph)
    for written in ("softmax", "sigmoid"):
        view = get(written).applied(view, frozenset(graph.outputs))
    moves: list[Move] = []
    output = numbers_of(view, output)
    name = view.resolve(output)
    while (node := view.producers.get(name)) is not None and facts_of(node.operator).rearranges:
        moves.append(_move(node))
        name = node.inputs[0]
    if node is None or not facts_of(node.operator).cut:
        return Anchor(view.resolve(output), output)
    axis = node.attributes.get("axis")
    return Anchor(
        tensor=node.inputs[0],
        output=output,
        cut=str(node),
        moves=tuple(reversed(moves)),
        axis=None if axis is None else int(axis),
        flattens=axis is not None and node.opset < 13,
    )


def numbers_of(graph: Graph, output: str) -> str:
    """The tensor whose numbers an output lists by the names of the classes; of any other it is itself."""
    node = graph.producers.get(graph.resolve(output))
    return node.inputs[0] if node is not None and node.operator == "ai.onnx.ml.ZipMap" else output


def _move(node: Node) -> Move:
    perm = node.attributes.get("perm")
    return Move(
        node.outputs[0], facts_of(node.operator).rearranges == "order", None if perm is None else tuple(perm)
    )


def anchor_at_tensor(graph: Graph, name: str, hint: str = "") -> Anchor:
    """Start at any tensor that is computed or fed; a Softmax behind it is not cut.

    Raises
    ------
    TargetError
        There is no such tensor; `hint` ends the message.
    """
    view = see_through(graph)
    if name not in tensors_of(graph) and name not in {value.name for value in graph.inputs}:
        raise TargetError(f"target: no class and no tensor is called {name!r}{hint}")
    tensor = view.resolve(name)
    return Anchor(tensor, tensor)


def tensors_of(graph: Graph) -> list[str]:
    """Every tensor that a node computes."""
    return [output for node in graph.nodes for output in node.outputs if output]
