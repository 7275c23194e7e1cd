"""What a model's inputs are to a method that changes them: data, or what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..model.axes import Axes, axes_of
from ..model.graph import Graph

Shapes = Mapping[str, Sequence[int | None]]


def beside_the_data(axes: Mapping[str, Axes], shapes: Shapes, kinds: Mapping[str, Any]) -> tuple[str, ...]:
    """The inputs that no sample is without: they are held as they are unless the caller says otherwise.

    One number for all samples; the state that a recurrent layer begins with, and its lengths; and beside
    the words of a text what is said of each word: its segment and its position, looked up in a smaller
    table, and the mask.

    Parameters
    ----------
    axes : dict of input name -> Axes
    shapes : dict of input name -> sequence of int
    kinds : dict of input name -> numpy dtype
    """
    tables = {name: one.table for name, one in axes.items() if one.tokens and one.places}
    held = [name for name, one in axes.items() if one.samples is None or one.beside]
    if tables:
        words = max(tables, key=tables.__getitem__)
        like_words = [name for name in axes if tuple(shapes[name]) == tuple(shapes[words])]
        smaller = [name for name in like_words if 0 < axes[name].table < axes[words].table]
        # A mask is numbers like others to the graph; but those that are not whole may be facts of their own.
        masks = [
            name
            for name, one in axes.items()
            if not one.tokens and (name in like_words or np.dtype(kinds[name]).kind in "iub")
        ]
        held += smaller + masks
    return tuple(name for name in axes if name in held)


@dataclass(frozen=True)
class Asking:
    """Whether the methods that ask for scores alone, occlusion and RISE, can ask a model.

    Attributes
    ----------
    reason : str
        Why they cannot, with the input's name; "" where they can.
    options : dict
        Options that they need: ``{"window": (3, 2, 2)}``.
    """

    reason: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return not self.reason


def asking(graph: Graph, layout: str | None = None) -> Asking:
    """Whether scores alone can explain a model, read from its inputs; what its outputs are is not looked at.

    Parameters
    ----------
    graph : Graph
    layout : str, optional
        "NCHW" or "NHWC", where the preprocessing says it.
    """
    for value in graph.inputs:
        if value.dtype.kind not in "fiub":
            return Asking(f"input {value.name!r} holds no numbers")
    # One that does not say how many axes it has is looked at when there is an array for it.
    shapes = {value.name: value.shape for value in graph.inputs if value.shape is not None}
    axes = {name: axes_of(graph, name, shape, layout) for name, shape in shapes.items()}
    held = beside_the_data(axes, shapes, {value.name: value.dtype for value in graph.inputs})
    asked = [name for name in axes if name not in held]
    if not asked and len(shapes) == len(graph.inputs):
        return Asking("nothing but numbers that all samples share comes in")
    for name in asked:
        if axes[name].samples:
            return Asking(f"input {name!r} has its samples on axis {axes[name].samples}")
    options: dict[str, Any] = {}
    for name in asked:
        if axes[name].is_open:
            sizes = [-(-size // 8) if size else 1 for size in shapes[name][1:]]
            options = {"window": tuple(sizes)} if len(asked) == 1 else {"window": {name: tuple(sizes)}}
    return Asking(options=options)
