"""Which methods that ask for scores alone can ask a model, and with which options; what they leave alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, ModelError
from ..layers import facts_of
from ..model.axes import axes_of
from ..model.graph import Graph
from ..model.listed import listed
from ..model.node import input_of
from ..model.told import Axes
from ..targets import Anchor, numbers_of
from ..walk.chunks import Batches
from .question import Question

Shapes: TypeAlias = "Mapping[str, Sequence[int | None]]"


def askable(graph: Graph, layout: str = "") -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Methods of scores alone that can ask a model, the plainest first, each with the options it needs.

    Parameters
    ----------
    graph : Graph
    layout : str, optional
        "NCHW" or "NHWC", where the preprocessing says it; else "".
    """
    if any(value.dtype.kind not in "fiub" for value in graph.inputs if value.name not in graph.held):
        return ()  # no numbers
    # One that does not say how many axes it has is looked at when there is an array for it.
    shapes = {value.name: value.shape for value in graph.inputs if value.shape is not None}
    axes = {name: axes_of(graph, name, shape, layout) for name, shape in shapes.items()}
    held = beside_the_data(graph, axes, shapes)
    if not graph.inputs or len(held) == len(graph.inputs) or Batches(graph, graph.outputs).is_stuck:
        return ()
    is_open = [name for name, one in axes.items() if one.is_open and name not in held]
    if not is_open:
        return ("occlusion", {}), ("rise", {})
    # Where nothing tells the places, a number for each axis does.
    windows = {name: tuple(-(-size // 8) if size else 1 for size in shapes[name][1:]) for name in is_open}
    cells = {name: tuple(min(8, size) if size else 1 for size in shapes[name][1:]) for name in is_open}
    return tuple(
        (method, {option: next(iter(sizes.values())) if len(graph.inputs) == 1 else sizes})
        for method, option, sizes in (("occlusion", "window", windows), ("rise", "cells", cells))
    )


def beside_the_data(graph: Graph, axes: Mapping[str, Axes], shapes: Shapes) -> tuple[str, ...]:
    """The inputs that no sample is without: they are held as they are unless the caller says otherwise.

    One number for all samples; the state that a recurrent layer begins with, and its lengths; text; truth
    values that only decide which numbers count; and beside the words of a text what is said of each word:
    its segment and its position, looked up in a smaller table, and the mask.

    Parameters
    ----------
    graph : Graph
    axes : dict of input name -> Axes
    shapes : dict of input name -> sequence of int
    """
    kinds = {value.name: value.dtype for value in graph.inputs}
    # One index a sample is a fact beside others, and no text.
    several = {name for name in axes if np.prod([size or 2 for size in shapes[name][1:]]) > 1}
    tables = {name: one.table for name, one in axes.items() if one.tokens and one.places and name in several}
    held = [name for name, one in axes.items() if one.beside or name in graph.held]
    if any(kinds[name].kind in "fiu" for name in axes if name not in held):
        held += [name for name in axes if kinds[name].kind == "b" and only_decides(graph, name)]
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


def only_decides(graph: Graph, name: str) -> bool:
    """Whether nothing but choices depends on an input: a mask, by which a Where takes one of two numbers."""
    return graph.depending([name], graph.held, decided=False).isdisjoint(graph.outputs)


def check_is_no_list(graph: Graph, anchor: Anchor) -> None:
    """Refuse a row of a list that the input's values decide, for it is another thing where they are changed.

    Raises
    ------
    InputError
    """
    if (decided := listed(graph).get(anchor.output)) is not None:
        raise InputError(
            f"{anchor.output!r} has as many values as {decided} makes of the input, so that a place in it is "
            "another thing where the input is changed, and no difference of two would mean anything"
        ).looking("targets")


def refused_when_changed(question: Question, error: ModelError) -> ModelError:
    """What to do where a model runs on a sample, and not where parts of it are hidden: boxes, indices."""
    _, *others = question.feeds
    how = "take another baseline= (--option baseline=)"
    if others:
        how += f", or hold those that cannot be hidden: hold={others} (--option hold={','.join(others)}), say"
    return ModelError(
        *error.args, f"The model runs on the input as it is, and not where parts of it are hidden: {how}"
    )


def check_is_score(graph: Graph, anchor: Anchor) -> None:
    """Refuse a class's number as a score: it is larger for another class, and says nothing of how sure; and
    a row of a list that the input's values decide, for it is another thing where they are changed.

    Raises
    ------
    InputError
    """
    check_is_no_list(graph, anchor)
    kinds = {value.name: input_of(value).dtype for value in graph.source.proto.graph.output}
    kind = kinds.get(anchor.output)
    if kind is None or kind.kind not in "iubO" or (kind.itemsize == 1 and kind.kind != "b"):
        return
    if numbers_of(graph, anchor.output) != anchor.output:  # a list of scores, one for each class
        return
    needed, found = {anchor.output}, None
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            is_judge = facts_of(node.operator).chooses == "scores" or node.operator.endswith("Classifier")
            found = node if is_judge else found
    if found is not None:
        error = InputError(
            f"{anchor.output!r} is which class {found} chose, and no score: no difference of two of them "
            "would mean anything"
        ).looking("targets")
        error.before = tuple(name for name in found.inputs if name in graph.led)
        raise error
