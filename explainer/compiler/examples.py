"""Inputs to trace and to prove a compiled file with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError, ModelError
from ..inputs.preprocess import Preprocess
from ..model.axes import axes_of, is_of_one
from ..model.graph import Graph, Input
from ..model.lookups import WHOLE, lookups
from ..model.operators import COUNTS
from ..tensor import Array

# What samples are multiplied by, one after the other: where a model is dead for some, it is not for others.
SPREAD = (1.0, 0.1, 10.0)
# What is drawn instead where a model makes no numbers of that: amounts, as logarithms take them, and shares.
DRAWN: dict[str, Callable[[Array], Array]] = {
    "N(0, 1)": lambda x: x,
    "|N(0, 1)|": np.abs,
    "shares between 0 and 1": lambda x: np.abs(x) / (1 + np.abs(x)),
}
# What takes no number at all of some: only where there is such a node others are tried.
PICKY = frozenset({"Acos", "Acosh", "Asin", "Atanh", "Log", "Pow", "Sqrt"})
LARGEST_BATCH = 128
# In bytes: what a file declares need not be what anybody can make.
LARGEST = 1 << 31


@dataclass(frozen=True)
class Examples:
    """Random inputs of a model's own shapes.

    Attributes
    ----------
    inputs : tuple of Input
    sizes : (height, width) or None
        Of a picture whose size is dynamic.
    asked : bool
        Whether the caller said so.
    batch : int or None
        What the file's batch is fixed to, though it is declared to be free.
    tables : dict of input name -> int
        How many rows the table has that it is looked up in; 0 for what stands beside such, a mask say.
    of_one : bool
        Whether no input holds samples.
    rows : int
        Below which other whole numbers are drawn.
    size : float
        What all numbers are multiplied by, besides `SPREAD`.
    drawn : str
        A key of `DRAWN`.
    """

    inputs: tuple[Input, ...]
    sizes: tuple[int, int] | None
    asked: bool = False
    batch: int | None = None
    tables: Mapping[str, int] = field(default_factory=dict)
    of_one: bool = False
    rows: int = 255
    size: float = 1.0
    drawn: str = "N(0, 1)"

    @classmethod
    def of(cls, graph: Graph, image_size: int | tuple[int, int] | None) -> Examples:
        """Decide the dynamic spatial sizes."""
        asked = image_size is not None
        if isinstance(image_size, int):
            image_size = (image_size, image_size)
        text = graph.metadata.get("preprocessor_config")
        if image_size is None and text is not None:
            image_size = sizes_of(Preprocess.from_metadata(text))
        tables, of_one = _tables(graph), is_of_one(graph)
        return cls(graph.inputs, image_size, asked, tables=tables, of_one=of_one)

    def shape(self, value: Input, samples: int) -> tuple[int, ...]:
        """A whole shape of an input, the batch where it is dynamic."""
        if value.shape is None:
            raise InputError(f"input {value.name!r} declares no shape; it cannot be compiled")
        if not value.shape:
            return ()
        if self.of_one and value.shape[0] is None:
            raise InputError(
                f"input {value.name!r} has the dynamic shape {list(value.shape)}, and its first axis is none "
                f"of samples: it must be fixed; give fix={{{value.open[0]!r}: ...}} "
                f"(--fix {value.open[0]}=SIZE)"
            )
        batch, *inner = value.shape
        unknown = [axis for axis, size in enumerate(inner) if size is None]
        if self.asked and not unknown and self.sizes not in (tuple(inner[:2]), tuple(inner[-2:])):
            raise InputError(
                f"input {value.name!r} has the fixed shape {['N', *inner]}; leave image_size out"
            )
        alone = len(unknown) == 1 and self.asked and self.sizes is not None and len({*self.sizes}) == 1
        if unknown and not alone and (self.sizes is None or len(unknown) != 2):
            named = value.open[len(value.open) - len(unknown) :]
            how = ", ".join(f"{name!r}: ..." for name in named)
            shell = " ".join(f"--fix {name}=SIZE" for name in named)
            raise InputError(
                f"input {value.name!r} has the dynamic shape {['N', *inner]}: spatial sizes must be fixed; "
                "give image_size (--image-size)" + (f", or fix={{{how}}} ({shell})" if named else "")
            )
        sizes = dict(zip(unknown, self.sizes or (), strict=False))
        return (batch or self.batch or samples, *(size or sizes[axis] for axis, size in enumerate(inner)))

    def running(self, graph: Graph) -> Examples:
        """The same with numbers that the model runs with, and makes numbers of."""
        return self.in_domain(graph)._counting(graph)

    def in_domain(self, graph: Graph) -> Examples:
        """The same of another distribution, where that of this one has no logarithms, say."""
        if PICKY.isdisjoint(graph.by_operator) or not any(v.dtype.kind == "f" for v in self.inputs):
            return self
        session = graph.session(list(graph.outputs))
        for drawn in DRAWN:
            tried = replace(self, drawn=drawn)
            with suppress(ModelError):
                runs = [session.run(graph.typed(feeds)) for feeds in tried.trials()]
                if all(_finite(found) for run in runs for found in run.values()):
                    return tried
        return self

    def _counting(self, graph: Graph) -> Examples:
        """The same with whole numbers that it runs with: where they tell places there may be few."""
        drawn = [v.name for v in self.inputs if v.name not in self.tables and v.dtype in WHOLE]
        if not drawn:
            return self
        session, feeds = graph.session(list(graph.outputs)), self.feeds(1)
        for rows in (self.rows, 16, 8, 4, 2, 1):
            with suppress(ModelError):
                session.run(graph.typed(feeds | {name: feeds[name] * 0 + rows - 1 for name in drawn}))
                return replace(self, rows=rows)
        return self

    @property
    def is_dynamic(self) -> bool:
        """Whether the batch is free."""
        return self.batch is None and any(
            value.shape[:1] == (None,) for value in self.inputs if value.shape is not None
        )

    def fixed(self, batch: int) -> Examples:
        """The same for a file that takes so many samples and no other number."""
        return replace(self, batch=batch)

    def feeds(self, samples: int, seed: int = 0) -> dict[str, Array]:
        """Seeded inputs, the first sample of `SPREAD`'s entry `seed`."""
        rng = np.random.default_rng([samples, seed])
        feeds = {}
        for value in self.inputs:
            if value.dtype == object:
                raise InputError(
                    f"input {value.name!r} holds text, and none can be made up to prove a file on; "
                    "take explain"
                )
            shape = self.shape(value, samples)
            if (takes := math.prod(shape) * np.dtype(np.float64).itemsize) > LARGEST:
                raise InputError(
                    f"input {value.name!r} has the shape {list(shape)}: an example of it takes "
                    f"{takes / 1e9:.3g} GB, and {LARGEST >> 30} GiB is the most; declare other sizes"
                )
            x: Array = rng.standard_normal(shape)
            rows = self.tables.get(value.name, self.rows)
            if rows == 0:  # of a mask the first always counts
                x = np.asarray(rng.integers(0, 2, x.shape))
                x[..., :1] = 1
            elif value.dtype.kind in "iu" or value.name in self.tables:
                x = np.asarray(rng.integers(0, rows, x.shape))
            else:
                if x.ndim:
                    spread = np.resize(np.roll(SPREAD, -seed), len(x)).reshape(-1, *[1] * (x.ndim - 1))
                    x = x * self.size * spread
                x = DRAWN[self.drawn](x)
            feeds[value.name] = np.asarray(x, dtype=value.dtype)
        return feeds

    def milder(self) -> Iterator[Examples]:
        """These, and smaller ones, where the model's own numbers leave their range: an Exp's, say."""
        yield from (replace(self, size=size) for size in (self.size, 0.1 * self.size, 0.01 * self.size))

    def trials(self) -> Iterator[dict[str, Array]]:
        """What a file is proved on: a further batch size shows whether the traced one was baked in."""
        sizes = ((1, 0), (3, 0)) if self.is_dynamic else ((1, 0), (1, 1), (1, 2))
        return (self.feeds(samples, seed) for samples, seed in sizes)


def _finite(found: Any) -> bool:
    """Whether an output holds numbers alone, or none that could be no number."""
    return not isinstance(found, np.ndarray) or found.dtype.kind != "f" or bool(np.isfinite(found).all())


def sizes_of(preprocess: Preprocess) -> tuple[int, int] | None:
    """The height and width of a prepared picture; None where they are its own."""
    size = preprocess.crop or preprocess.size
    return (size, size) if isinstance(size, int) else size


def check_sizes(graph: Graph, examples: Examples) -> None:
    """Refuse sizes that the model itself does not run with: a preprocessing says them, or the caller.

    Raises
    ------
    InputError
    """
    is_open = any(None in (value.shape or ())[1:] for value in graph.inputs)
    if examples.sizes is None or not is_open:
        return
    try:
        graph.session(list(graph.outputs)).run(graph.typed(examples.feeds(1)))
    except ModelError as error:
        height, width = examples.sizes
        who = "image_size says" if examples.asked else "its preprocessing says, and nothing else does"
        raise InputError(
            f"{graph.title}: it does not run with inputs of {height} x {width}, which {who}: give image_size "
            f"(--image-size) as the model has it. {error}"
        ) from error


def _tables(graph: Graph) -> dict[str, int]:
    """How many rows there are for inputs that tell rows; 0 for a mask, a length or a place beside them."""
    found = lookups(graph)
    beside = {value.name for value in graph.inputs if found.rows and value.dtype in WHOLE}
    tables = dict.fromkeys(beside - found.numbers, 0)
    for value in graph.inputs if found.rows else ():
        if value.shape is not None and (table := axes_of(graph, value.name, value.shape).table) > 1:
            tables[value.name] = table
    for one in found.rows:
        tables |= {name: min(one.rows, tables.get(name) or one.rows) for name in one.inputs}
    # A number of steps is none that there are not.
    lengths = {node.operand(place) for node in graph.nodes for place in COUNTS.get(node.operator, ())}
    return tables | dict.fromkeys(lengths & {value.name for value in graph.inputs}, 0)


def declared_batches(graph: Graph) -> list[int]:
    """The batches, other than 1, that a file's outputs and inner tensors were once declared with."""
    proto = graph.source.proto.graph
    shapes = [value.type.tensor_type.shape.dim for value in (*proto.output, *proto.value_info)]
    sizes = [shape[0].dim_value for shape in shapes if shape and 1 < shape[0].dim_value <= LARGEST_BATCH]
    # The most frequent ones: other tensors may begin with another axis.
    return sorted(set(sizes), key=lambda size: -sizes.count(size))[:2]
