"""Inputs that a walk hands relevance to have their samples in front, and each sample has its own."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import InputError
from ..model.axes import axes_of, sample_axes
from ..model.graph import Graph
from ..plan import Plan
from .chunks import Batches


def check_samples(graph: Graph, plan: Plan) -> None:
    """Refuse a walk to an input whose samples are not in front, for its relevance would not have them there
    either; or to one that is the same for all of several samples, for it would be theirs together.

    Raises
    ------
    InputError
    """
    axes = sample_axes(graph)
    apart = Batches(graph).fixed in (None, 1)  # each walks alone to what they share
    turned = {name: axes[name][1] for name in plan.sources if name in axes}
    elsewhere = [name for name, axis in turned.items() if (not apart if axis is None else axis)]
    if not elsewhere:
        return
    axis = turned[elsewhere[0]]
    where = "is the same for all samples" if axis is None else f"has its samples on axis {axis}"
    what = _holding(graph, elsewhere)
    if len(elsewhere) == len(axes) or any(turned[name] and _is_data(graph, name) for name in elsewhere):
        what = "export the model with the samples first"
    raise InputError(
        f"input {elsewhere[0]!r} {where}, and relevance is handed back to samples that come first; {what}"
    ).looking("scores")


def _is_data(graph: Graph, name: str) -> bool:
    """Whether an input stands beside no other: what is explained, and no state."""
    shapes = {value.name: value.shape for value in graph.inputs}
    return not axes_of(graph, name, shapes[name] or ()).beside


def _holding(graph: Graph, names: Collection[str]) -> str:
    """What holds all of these inputs, the sizes that their files leave open too."""
    sizes = {size: "..." for value in graph.inputs if value.name in names for size in value.open}
    held = ", ".join(f"{name!r}: {value}" for name, value in (dict.fromkeys(names, "0") | sizes).items())
    typed = " ".join([*(f"--fix {name}=0" for name in names), *(f"--fix {size}=SIZE" for size in sizes)])
    return f"a state is held the same in every run by fix={{{held}}} ({typed})"
