"""Where a graph looks whole numbers up in a table: the words of a text, their positions and kinds.

There is nothing between two rows of a table, so a walk ends at the rows that were looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .cut import WEIGHTED
from .following import MISFITS
from .graph import Graph
from .node import Node
from .operators import known
from .roles import ELEMENTWISE, EMBEDDING
from .sizes import numbers_of
from .tensors import FLOATS, kind_of

# What puts indices elsewhere, and what makes an index of another, value by value.
MOVING = frozenset(
    {
        *("Cast", "Clip", "Concat", "Expand", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Split"),
        *("Squeeze", "Tile", "Transpose", "Unsqueeze"),
    }
)
INDEXING = ELEMENTWISE | MOVING | {"CumSum"}
# The operand that is an index -> that which is the table.
TABLES = {
    "Gather": (1, 0),
    "GatherND": (1, 0),
    "GatherElements": (1, 0),
    "com.microsoft.GatherBlockQuantized": (1, 0),
}
PRODUCTS = frozenset({"Gemm", "MatMul"})
UNTOLD = -1
# What reads whole numbers as numbers like others, and not as a mask or a place.
AS_NUMBERS = WEIGHTED | frozenset({"BatchNormalization", "Concat", "LayerNormalization"})
# What inputs are called that say where a word stands and of which kind it is.
BESIDE = ("position", "segment", "type")
# Types of inputs that are no pixels: beside words they are masks, lengths and places.
WHOLE = (np.dtype(bool), np.dtype(np.int32), np.dtype(np.int64))


@dataclass(frozen=True)
class Lookup:
    """A tensor of rows that were looked up.

    Attributes
    ----------
    tensor : str
    node : str
        Who looks them up, as text.
    inputs : frozenset of str
        The inputs that hold the indices, or what they are computed from.
    rows : int
        How many the table has.
    is_moved : bool
        Whether the indices are the input's own, at most moved.
    """

    tensor: str
    node: str
    inputs: frozenset[str]
    rows: int
    is_moved: bool


@dataclass(frozen=True)
class _Index:
    """A tensor of whole numbers that tell a row: of which inputs, and whether it is one moved; or, where
    `rows` is not 0, what a table of whole numbers or a OneHot has made of it; UNTOLD, an Equal."""

    inputs: frozenset[str]
    is_moved: bool = True
    rows: int = 0


@dataclass(frozen=True)
class Lookups:
    """What a graph looks up.

    Attributes
    ----------
    rows : tuple of Lookup
        In the order in which they run.
    numbers : frozenset of str
        Inputs that are read as numbers too, whatever their type: an age, a price.
    """

    rows: tuple[Lookup, ...]
    numbers: frozenset[str]


def lookups(graph: Graph) -> Lookups:
    """All that is looked up, and what else is read as numbers."""
    indices = {value.name: _Index(frozenset({value.name})) for value in graph.inputs}
    found: dict[str, Lookup] = {}
    numbers: set[str] = set()
    for node in graph.nodes:
        reads = [name for name in dict.fromkeys(node.inputs) if name in graph.led]
        if node.operator == EMBEDDING:  # the words come first, then their kinds and the mask
            reads = reads[:1]
        there = {name: indices[name] for name in reads if name in indices}
        if not there or known(node.operator).shape_alone or node.captures:
            continue
        try:
            made = _looked_up(graph, node, list(there.values())) if len(there) == len(reads) else None
        except MISFITS:
            made = None
        if isinstance(made, Lookup):
            found.setdefault(made.tensor, made)
        elif made is not None:
            indices.update((name, made) for name in node.outputs if name)
        else:
            # A OneHot that is read by something else than a product is the rows itself.
            hot = {name: index for name, index in there.items() if index.rows > 0}
            found |= {name: _rows_of(graph, name, index) for name, index in hot.items() if name not in found}
            if node.operator in AS_NUMBERS:
                numbers.update(*(index.inputs for name, index in there.items() if name not in hot))
    return Lookups(tuple(found.values()), frozenset(numbers))


def _rows_of(graph: Graph, tensor: str, index: _Index) -> Lookup:
    return Lookup(tensor, str(graph.producers[tensor]), index.inputs, index.rows, index.is_moved)


def _looked_up(graph: Graph, node: Node, there: Sequence[_Index]) -> Lookup | _Index | None:
    """What a node makes of indices: rows, other indices, or neither."""
    operator, tensor = node.operator, next(iter(node.outputs), "")
    inputs = frozenset().union(*(index.inputs for index in there))
    is_moved, rows = all(index.is_moved for index in there), max((index.rows for index in there), key=abs)
    if operator == EMBEDDING:
        return Lookup(tensor, str(node), inputs, _rows(graph, node, 2), True)
    if operator in TABLES:
        index, table = TABLES[operator]
        if not graph.is_constant(node.operand(table)) or node.operand(index) not in graph.led:
            return None if node.operand(table) not in graph.led else _Index(inputs, is_moved, rows)
        count = _rows(graph, node, table)
        if operator == "com.microsoft.GatherBlockQuantized" or _is_float(graph, node.operand(table)):
            return Lookup(tensor, str(node), inputs, count, is_moved)
        return _Index(inputs, is_moved, count)  # quantised rows, or other indices
    if operator == "OneHot":
        depth, *_ = numbers_of(graph, node.operand(1)) or [1]
        return _Index(inputs, is_moved, max(1, depth))
    if operator == "Equal" and len(there) == 1 and _tells_apart(graph, node):
        return _Index(inputs, is_moved, UNTOLD)
    if rows and operator in PRODUCTS and len(there) == 1:  # OneHot(ids) @ W
        (w,) = [place for place in (0, 1) if node.operand(place) not in graph.led] or [1]
        return Lookup(tensor, str(node), inputs, max(rows, _rows(graph, node, w)), is_moved)
    if rows and operator == "DequantizeLinear":
        return Lookup(tensor, str(node), inputs, rows, is_moved)
    if operator in INDEXING:
        return _Index(inputs, is_moved and operator in MOVING, rows)
    return None


def _tells_apart(graph: Graph, node: Node) -> bool:
    """Whether an Equal compares with all rows there are, and not with the one of a padding."""
    (other,) = [name for name in node.inputs if name not in graph.led] or [""]
    return bool(other) and (not graph.is_constant(other) or graph.constant(other).size > 1)


def _rows(graph: Graph, node: Node, place: int) -> int:
    """How many rows a node's table has."""
    name = node.operand(place)
    if not graph.is_constant(name):
        return 1
    tensor = graph.initializers.get(name)
    shape = graph.constant(name).shape if tensor is None else tuple(tensor.dims)
    axis = node.attributes.get("axis", 0)
    return int(shape[axis]) if -len(shape) <= axis < len(shape) else 1


def _is_float(graph: Graph, name: str) -> bool:
    if name in graph.initializers:
        return kind_of(graph.initializers[name]) in FLOATS
    return bool(graph.constant(name).dtype.kind == "f")


def embeddings(graph: Graph, found: Sequence[Lookup]) -> list[Lookup]:
    """Those of the lookups that are what a model is asked about, and not what is said of each word: its
    position and its kind.

    These are computed from the words or their mask; or they are an input of the same shape that is called so,
    or is looked up in a smaller table.
    """
    shapes = {value.name: value.shape for value in graph.inputs}
    words = max(found, key=lambda one: (not _is_called_so(one), one.is_moved, one.rows), default=None)

    def is_beside(one: Lookup) -> bool:
        if words is None or one is words:
            return False
        if words.is_moved and not one.is_moved and (one.inputs == words.inputs or are_like(one, words)):
            return True
        smaller = _is_called_so(one) or one.rows < words.rows
        return one.inputs != words.inputs and are_like(one, words) and smaller

    def are_like(one: Lookup, other: Lookup) -> bool:
        like = [shape for name in other.inputs if (shape := shapes[name]) is not None and len(shape) > 1]
        return all(shapes[name] in like for name in one.inputs)

    return [one for one in found if not is_beside(one)]


def _is_called_so(one: Lookup) -> bool:
    return all(any(word in name.casefold() for word in BESIDE) for name in one.inputs)
