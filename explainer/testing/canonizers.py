"""Whether a canonizer's view computes what the file does, and can be explained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from .. import composites
from ..canonizers import CanonizerLike, get, see_through
from ..compiler.examples import Examples
from ..errors import CompositeError
from ..model.graph import Graph, ModelLike, Node
from ..model.notes import Note, told
from ..model.runtime import PathLike, Runtime
from ..rules import Relevance
from ..tensor import Array
from .comparing import drawn, require
from .layers import check_model, met
from .maps import check_adjoint, check_forward
from .rules import answer, check_conserved

# Of float32: a view computes in one step what the file computes, and rounds, in several.
ROUNDING = 1e-5


def check_canonizer(
    canonizer: CanonizerLike,
    model: ModelLike,
    feeds: Mapping[str, Array] | None = None,
    *,
    visible: Collection[str] = (),
    tolerance: float = ROUNDING,
    compiled: bool = True,
    custom_ops: Sequence[PathLike] = (),
) -> tuple[Note, ...]:
    """Prove a canonizer on a model that it changes.

    What must stay visible does; every node that it makes reads what the file or the view holds, computes
    what onnxruntime computes for the file, has the right transpose, and hands on under ε what it is
    handed. The model as it sees it is explained whole, in float64, and compiled.

    Parameters
    ----------
    canonizer : str or Canonizer
    model : path, bytes or onnx.ModelProto
    feeds : dict of input name -> array, optional
        Drawn from a normal distribution, if not given.
    visible : collection of str
        Tensors that must stay in the view beside the outputs: as if they were kept.
    tolerance : float
        How far a node may be from onnxruntime's numbers, relative to the largest.
    compiled : bool
        Whether the model is compiled too.
    custom_ops
        See `Explainer`.

    Returns
    -------
    tuple of Note
        What it noted: what it made one and what it could not, with reasons.

    Raises
    ------
    AssertionError
        What does not hold, at which node; or it makes nothing of this model.
    CompositeError
        No canonizer has that name.
    """
    canonizer = get(canonizer)
    graph = Graph.load(model, Runtime(custom_ops=custom_ops))
    before = see_through(graph)
    stays = frozenset(before.resolve(name) for name in (*graph.outputs, *visible))
    try:
        view = canonizer.applied(before, stays)
    except CompositeError as error:
        raise AssertionError(f"{graph.title}: {error}") from error
    notes = tuple(view.notes[len(before.notes) :])
    said = "; ".join(told(notes)) or "nothing"
    old = {id(node) for node in before.nodes}
    made = [node for node in view.nodes if id(node) not in old]
    require(bool(made), f"{graph.title}: it makes nothing of it; it says: {said}")
    gone = [name for name in stays if name not in view.producers and not _is_given(name, graph)]
    require(not gone, f"{graph.title}: {', '.join(map(repr, sorted(gone)))} must stay visible, and is gone")
    for node in made:
        _check_node(node, before, view)
    composite = replace(composites.get("epsilon", eps=1e-3), canonizers=(canonizer,))
    values = Examples.of(graph, None).feeds(2) if feeds is None else dict(feeds)
    try:
        found = list(met(view, values, made))
    except AssertionError as error:
        raise AssertionError(f"{graph.title}: {error}") from error
    for one in found:
        try:
            check_forward(one.bound(np.float32), one.z, tolerance)
            check_adjoint(one.bound())
            rule = composite.rule_for(one.layer)
            if rule is None:
                raise AssertionError(f"no composite has a rule for its kind, {one.layer.kind}")
            R = np.asarray(drawn("relevance").standard_normal(one.z.shape))
            check_conserved(answer(rule, one.bound(), Relevance(None, R)), R)
        except AssertionError as error:
            raise AssertionError(f"{graph.title}: {one}: {error}") from None
    check_model(graph, model, values, compiled, {"custom_ops": custom_ops, "composite": composite})
    return notes


def _check_node(node: Node, before: Graph, view: Graph) -> None:
    """A node of the view reads and makes nothing that is nowhere."""
    for name in filter(None, node.outputs):
        require(name in before.producers, f"{node} makes {name!r}, which the file does not compute")
    for name in filter(None, node.inputs):
        known = name in view.producers or _is_given(name, view)
        require(known, f"{node} reads {name!r}, which neither the file nor the view has")


def _is_given(name: str, graph: Graph) -> bool:
    """Whether a tensor is an input of the model, or a constant."""
    return graph.is_constant(name) or name in {value.name for value in graph.inputs}
