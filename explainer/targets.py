"""Targets: the tensor that an explanation starts from, and the relevance put there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np

from .canonizers import see_through
from .errors import ModelError, TargetError
from .graph import Graph, Node
from .tensor import ArgMax, Array, Equal, Reshape, Shape, Value, Where

Labels: TypeAlias = "Sequence[str] | Mapping[int, str]"
# "top", None for a whole tensor, one index for all samples, or one for each.
Index: TypeAlias = "str | int | tuple[int, ...] | Array | None"
TargetLike: TypeAlias = "str | int | Sequence[Any] | Mapping[str, Any] | Array"

CUT = frozenset({"Softmax", "LogSoftmax", "Sigmoid"})
MOVES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"})


@dataclass(frozen=True)
class Start:
    """Where relevance starts, and where its index is chosen: what a plan depends on.

    Attributes
    ----------
    tensor : str
        The tensor that relevance starts from, by the view's name.
    output : str
        The tensor whose values choose the index: the model's own output, or `tensor` itself.
    cut : str
        The Softmax, LogSoftmax or Sigmoid that was cut, for messages; "" where none was.
    moves : tuple of Node
        The movement between the cut node and the output, in the order it runs.
    """

    tensor: str
    output: str
    cut: str = ""
    moves: tuple[Node, ...] = ()

    @property
    def moved(self) -> tuple[str, ...]:
        """The tensors of the movement, whose shapes map an index back."""
        return tuple(node.outputs[0] for node in self.moves)

    def __str__(self) -> str:
        if not self.cut:
            return repr(self.tensor)
        return f"{self.tensor!r} (the input of {self.cut}, cut before output {self.output!r})"


def resolve_target(graph: Graph, target: TargetLike, labels: Labels | None = None) -> tuple[Start, Index]:
    """What the user asked for, as a start and an index.

    Parameters
    ----------
    graph : Graph
        As it was read.
    target : see `explainer.explain`
    labels : sequence of str, or dict of int -> str

    Raises
    ------
    TargetError
        No such output, tensor or label, or an index of the wrong kind.
    """
    if isinstance(target, Mapping):
        if len(target) != 1:
            raise TargetError("a target dict names one output: {output name: index}")
        target = next(iter(target.items()))
    if isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], str):
        name, index = target
        if name in graph.outputs:
            return start_at_output(graph, name), _index(index, labels)
        return _start_at_tensor(graph, name, labels), _index(index, labels)
    if isinstance(target, str) and target != "top":
        if labels is not None and (index := _label_index(target, labels)) is not None:
            return start_at_output(graph, graph.outputs[0]), index
        return _start_at_tensor(graph, target, labels), None
    return start_at_output(graph, graph.outputs[0]), _index(target, labels)


def _index(index: Any, labels: Labels | None) -> Index:
    if isinstance(index, str):
        if index == "top":
            return index
        found = None if labels is None else _label_index(index, labels)
        if found is None:
            raise TargetError(f"target: no class is called {index!r}{_near(index, labels)}")
        return found
    if isinstance(index, tuple) and all(isinstance(i, int | np.integer) for i in index):
        return tuple(int(i) for i in index)
    try:
        array = np.asarray(index)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise TargetError(f"target: an index is a whole number, or one per sample, not {index!r}")
    return int(array) if array.ndim == 0 else array.astype(np.int64)


def _label_index(name: str, labels: Labels) -> int | None:
    items = list(labels.items() if isinstance(labels, Mapping) else enumerate(labels))
    for fold in (str, str.casefold):
        found = [int(i) for i, label in items if fold(name) in (fold(label), *_synonyms(fold(label)))]
        if len(found) > 1:
            raise TargetError(f"target: several classes are called {name!r}: {found}; give the index")
        if found:
            return found[0]
    return None


def _synonyms(label: str) -> list[str]:
    """ImageNet's own labels list synonyms: "tench, Tinca tinca"."""
    return [part.strip() for part in label.split(",")]


def _near(name: str, labels: Labels | None, tensors: Sequence[str] = ()) -> str:
    known = [] if labels is None else list(labels.values() if isinstance(labels, Mapping) else labels)
    near = get_close_matches(name, [*known, *tensors], n=4, cutoff=0.5)
    if near:
        return f"; near: {', '.join(map(repr, near))}"
    return "" if known else "; the model has no labels: give labels, an index or a tensor's name"


def labels_of(graph: Graph) -> dict[int, str]:
    """Class names by index, as the file's metadata `id2label` has them; empty where it has none.

    Raises
    ------
    ModelError
        The metadata is no JSON object of index -> name.
    """
    text = graph.metadata.get("id2label")
    if text is None:
        return {}
    try:
        return {int(index): str(label) for index, label in json.loads(text).items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{graph.title}: metadata 'id2label' is not a JSON object of index: name") from error


def start_at_output(graph: Graph, output: str) -> Start:
    """Start at a model output, or at the input of the Softmax, LogSoftmax or Sigmoid that ends it."""
    view = see_through(graph)
    moves: list[Node] = []
    name = view.resolve(output)
    while (node := view.producers.get(name)) is not None and node.operator in MOVES:
        moves.append(node)
        name = node.inputs[0]
    if node is None or node.operator not in CUT:
        return Start(view.resolve(output), output)
    return Start(node.inputs[0], output, cut=str(node), moves=tuple(reversed(moves)))


def _start_at_tensor(graph: Graph, name: str, labels: Labels | None = None) -> Start:
    view = see_through(graph)
    tensors = [output for node in graph.nodes for output in node.outputs if output]
    if name not in tensors and name not in {value.name for value in graph.inputs}:
        raise TargetError(f"target: no class and no tensor is called {name!r}{_near(name, labels, tensors)}")
    tensor = view.resolve(name)
    return Start(tensor, tensor)


def choose(start: Start, index: Index, values: Mapping[str, Value], samples: int) -> Value:
    """The index of every sample, (N, 1) or (1, 1), into the flattened output; None for a whole tensor.

    Raises
    ------
    TargetError
        Out of range, or not one per sample.
    """
    if index is None:
        return None
    output = values[start.output]
    flat = _per_sample(output, samples)
    if isinstance(index, str):
        return ArgMax(flat, axis=1, keepdims=1)
    size = flat.shape[1]
    if isinstance(index, tuple):
        inner = output.shape[1:] if output.shape[0] == samples else output.shape
        if len(index) != len(inner) or any(not 0 <= i < n for i, n in zip(index, inner, strict=True)):
            raise TargetError(
                f"target: index {index} does not fit {start.output!r}, which is {list(inner)} per sample"
            )
        index = int(np.ravel_multi_index(index, inner))
    indices = np.atleast_1d(np.asarray(index, dtype=np.int64))
    if len(indices) not in (1, samples):
        raise TargetError(f"target: {len(indices)} indices for {samples} sample(s)")
    if indices.min() < 0 or indices.max() >= size:
        wrong = indices[(indices < 0) | (indices >= size)][0]
        raise TargetError(f"target: index {wrong} is out of range; {start.output!r} has 0 to {size - 1}")
    return indices.reshape(-1, 1)


def put_relevance(start: Start, chosen: Value, how: str, values: Mapping[str, Value], samples: int) -> Value:
    """The relevance on the target tensor: z_t, or 1, at the chosen index and 0 elsewhere.

    A whole tensor is its own relevance.
    """
    z = values[start.tensor]
    if chosen is None:
        return z
    flat = _per_sample(z, samples)
    hit = Equal(_places(start, values, flat.shape[1]), chosen)
    nothing = flat * 0
    return Reshape(Where(hit, flat if how == "output" else nothing + 1, nothing), Shape(z))


def check_start(how: str, index: Index) -> None:
    """Refuse an output relevance that does not exist, or that a whole tensor cannot have."""
    if how not in ("output", "one"):
        raise TargetError(f"start: {how!r} is neither 'output' (the value itself) nor 'one'")
    if how == "one" and index is None:
        raise TargetError("start: 'one' needs an index; a whole tensor starts from its own values")


def _per_sample(x: Value, samples: int) -> Value:
    """(N, everything else); a tensor without a batch axis belongs to the only sample."""
    if x.ndim and x.shape[0] == samples:
        return Reshape(x, np.array([0, -1]))
    if samples == 1:
        return Reshape(x, np.array([1, -1]))
    raise TargetError(f"the target's first axis is {x.shape[:1]}, not the batch of {samples}")


def _places(start: Start, values: Mapping[str, Value], size: int) -> Array:
    """For each value of the target tensor, its index in the flattened output, (1, size)."""
    if not start.moves:
        return np.arange(size).reshape(1, -1)
    shape = values[start.tensor].shape
    ids = np.arange(int(np.prod(shape))).reshape(shape)
    for node in start.moves:
        if node.operator == "Transpose":
            ids = ids.transpose(node.attributes.get("perm"))
        ids = ids.reshape(values[node.outputs[0]].shape)
    first = ids.reshape(-1)[:size]
    if first.max() >= size:
        raise TargetError(f"between {start.tensor!r} and {start.output!r} samples are mixed")
    return np.argsort(first).reshape(1, -1)
