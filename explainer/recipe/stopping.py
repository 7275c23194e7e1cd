"""Where walks end before a model's inputs: at the tensors that are named, or at a token model's embedding."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TargetError, did_you_mean
from ..methods import Method
from ..model.graph import Graph
from ..model.lookups import WHOLE, Lookup, embeddings, lookups
from ..model.parts import Parts, nodes_before, parted
from ..targets import Ask, Labels, Target, resolve_target
from .recipe import Recipe

# What inputs are called that hold a decoder's keys and values of the words before; so many are named.
PAST, MOST_PAST = "past", 2


def stopped(graph: Graph, recipe: Recipe, method: Method) -> Parts | None:
    """A model cut where the walks of a method end; None where they lead to its inputs.

    Raises
    ------
    TargetError
        There is no such tensor, or it holds no numbers.
    ModelError
        onnxruntime cannot load the file.
    """
    if recipe.stop:
        return parted(graph, list(recipe.stop))
    return at_words(graph) if method.walks else None


def at_words(graph: Graph) -> Parts | None:
    """A model cut where it looks up what it is asked about; None where it looks up nothing.

    Raises
    ------
    ModelError
    """
    found = lookups(graph)
    if not found.rows:
        return None
    ends = embeddings(graph, found.rows)
    looked_up = frozenset().union(*(one.inputs for one in found.rows))
    like = [value.shape for value in graph.inputs if value.name in looked_up and value.shape]
    # A mask is of any type; but one number a sample may be a fact of its own.
    masks = {
        value.name
        for value in graph.inputs
        if value.dtype in WHOLE or (value.shape in like and len(value.shape or ()) > 1)
    }
    past = [value.name for value in graph.inputs if value.name.casefold().startswith(PAST)]
    held = (masks | looked_up) - found.numbers | set(past)
    return parted(graph, [one.tensor for one in ends], held, _told(ends, found.rows, past))


def _told(ends: Sequence[Lookup], found: Sequence[Lookup], past: Sequence[str]) -> str:
    """Why walks end at these lookups, and what is held beside them."""
    rows = " and ".join(
        f"{one.tensor!r}, which {one.node} looks up for {' and '.join(map(repr, sorted(one.inputs)))}"
        for one in ends
    )
    beside = [one.tensor for one in found if one not in ends]
    count = "counts as constant: stop names it" if len(beside) == 1 else "count as constant: stop names them"
    constant = f"; {' and '.join(map(repr, beside))} beside it {count}" if beside else ""
    shown = ", ".join(map(repr, past[:MOST_PAST])) + (" and others" if len(past) > MOST_PAST else "")
    kept = f"; {shown}, of words before, {'is' if len(past) == 1 else 'are'} held" if past else ""
    return f"the walk ends at {rows}{constant}{kept}"


def goal_of(graph: Graph, parts: Parts | None, ask: Ask, labels: Labels | None) -> Target:
    """What is explained, found in the part of the model that is walked.

    Raises
    ------
    TargetError
        See `resolve_target`; or no walk from there leads to a stop that was named.
    """
    goal = resolve_target(graph, ask, labels)
    if parts is None:
        return goal
    rest, named = parts.rest, parts.is_named
    tensor = goal.anchor.tensor
    before = tensor not in rest.producers and all(value.name != tensor for value in rest.inputs)
    for stop in rest.stops if named else ():
        if before or (tensor != stop and tensor not in rest.depending({stop})):
            raise _astray(graph, stop, tensor)
    # The view of the rest may call the tensor otherwise: an Identity at a stop is not seen through.
    return goal if before else resolve_target(rest, ask, labels)


def _astray(graph: Graph, stop: str, target: str) -> TargetError:
    """What is said of a stop to which no walk leads."""
    leading = _leading(graph, target)
    if stop in leading:
        return TargetError(
            f"stop: every path from {target!r} to {stop!r} ends at another stop before: leave one out"
        )
    there = [name for name in leading if name in graph.carrying and name != target]
    hint = did_you_mean(stop, there) or (f"; there are {', '.join(map(repr, there[-5:]))}" if there else "")
    return TargetError(f"stop: {stop!r} is on no path from {target!r} to an input{hint}")


def _leading(graph: Graph, target: str) -> dict[str, None]:
    """The tensors that one is computed from, the last first, itself included."""
    reads = (name for node in nodes_before(graph, target) for name in (*node.inputs, *node.captures))
    return dict.fromkeys([target, *filter(None, reads)])
