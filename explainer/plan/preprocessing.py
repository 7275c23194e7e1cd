"""The preprocessing that a file does itself, in front of a first layer whose rule does not multiply by x.

Flat, w² and z^B say what each place of the input gets; in which units its value is written is nothing to
them. So what only changes these units, (x − mean) / deviation say, hands relevance on as it comes, and the
map is that of the same net with the normalisation outside. Shared by contributions it would be multiplied
by x / (x − mean), and turn its sign wherever a pixel is darker than the mean. A Resize in front, before or
behind, shares by its weights for the same reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from ..composites import Composite
from ..composites.dialects import BELOW_ROUNDING
from ..errors import CompositeError, ExplainerError
from ..layers import Layer
from ..model.axes import axes_of
from ..model.graph import Graph, Input
from ..rules import Pass, Route, Rule, WSquare, ZBox
from ..rules.first import Limit
from ..tensor import Array, Bundle
from .steps import Step
from .where import is_scale

# The least and the largest values of a tensor, a sample of it.
Ends: TypeAlias = tuple[Array, Array]


def preparing(composite: Composite, chosen: Iterable[tuple[Layer, Rule]]) -> set[str]:
    """The outputs of the layers that are the file's own preprocessing, and hand relevance on as it comes.

    Those that lie before every weight, and behind which some path first meets a weighted layer whose rule
    does not multiply by what it reads; unless somebody gave them a rule by their very names.

    Parameters
    ----------
    composite : Composite
    chosen : (Layer, Rule) pairs, in the order of the walk
    """
    found: set[str] = set()
    if composite.gradient:  # which is that of the input as it is
        return found
    needed: set[str] = set()
    for layer, rule in chosen:
        if layer.kind.weighted:
            needed.update(layer.inputs if _is_first(layer, rule) else ())
        elif layer.output in needed:
            needed.update(layer.inputs)
            if layer.place.prepares and rule.conserving and not composite.names(layer):
                found.add(layer.output)
    return found


def handing_on(layer: Layer, rule: Rule) -> Rule:
    """The rule by which such a layer hands on what comes; of one that has a matrix, by its places in it."""
    if is_scale(layer):
        return WSquare(eps=BELOW_ROUNDING, zero_params="bias")  # w² of an only weight is all of Σw²
    if not rule.proportional:
        return rule
    return Route() if layer.is_mean else Pass()  # by the weights of a mean, not by what is weighed


def _is_first(layer: Layer, rule: Rule) -> bool:
    """Whether it is a first layer whose rule does not multiply by what it reads."""
    return layer.place.first and rule.conserving and not rule.proportional


def taken_in(steps: Iterable[Step]) -> set[str]:
    """What normalises in front of such a layer and was merged into it: the tensors that keep them apart."""
    return {
        step.node.members[0].outputs[0]
        for step in steps
        if step.layer.place.at_input
        and _is_first(step.layer, step.rule)
        and step.node.members
        and step.node.members[0].operator == "BatchNormalization"
    }


def in_their_units(
    graph: Graph, composite: Composite, layers: Sequence[Layer], rules: Sequence[Rule]
) -> list[Rule]:
    """The rules, the bounds of the model's input put through its preprocessing where they are read behind it.

    Parameters
    ----------
    graph : Graph, canonized
    composite : Composite
    layers, rules : sequences, in the order of the walk

    Raises
    ------
    CompositeError
        What the bounds become is not known before the model runs.
    """
    box, given = composite.box, {value.name for value in graph.inputs}
    behind = [
        rule is box and given.isdisjoint(layer.inputs) for layer, rule in zip(layers, rules, strict=True)
    ]
    if not isinstance(box, ZBox) or not any(behind):
        return list(rules)
    ends, moved = _ends(graph, layers, box)
    found: list[Rule] = []
    for layer, rule, is_behind in zip(layers, rules, behind, strict=True):
        name = layer.inputs[0]
        if is_behind and name in ends:
            low, high = ends[name]
            found.append(
                replace(box, low=_by_channel(low.min, low.ndim), high=_by_channel(high.max, high.ndim))
            )
        elif is_behind and name not in moved:
            raise CompositeError(
                f"low and high are those of the model's input, but {layer.node} reads {name!r}, and what "
                "they become there depends on what only a run tells: give this layer a rule with the "
                f'bounds of that tensor, such as "{layer.node.name}=zbox:-1,1"'
            )
        else:
            found.append(rule)
    return found


def _ends(graph: Graph, layers: Sequence[Layer], box: ZBox) -> tuple[dict[str, Ends], set[str]]:
    """The bounds of every tensor before the weights where they are known; and which are only moved input."""
    ends = {value.name: found for value in graph.inputs if (found := _ends_of(graph, value, box))}
    moved = {value.name for value in graph.inputs}
    for layer in reversed(layers):
        if not layer.place.prepares:
            continue
        if layer.kind.routes and moved.issuperset(layer.inputs):
            moved.add(layer.output)
        try:
            x = [Bundle(sides) for sides in zip(*(ends[name] for name in layer.inputs), strict=True)]
            constants = {name: _constant(graph, name) for name in layer.operands.values()}
            bound = layer.bind(None, None, layer.prepare(constants))
            rises_from = -math.inf if is_scale(layer) else layer.rises_from
            if any(np.min(ends[name][0]) < rises_from for name in layer.inputs):
                continue  # what a curve or the input's own statistics make of its bounds only a run tells
            with np.errstate(all="ignore"):
                one, other = (bound.forward(side if len(side) > 1 else side[0]) for side in x)
        except (KeyError, IndexError, ValueError, ExplainerError):
            continue  # of sizes that are not known before the model runs
        if np.isfinite(one).all() and np.isfinite(other).all():
            # Each end becomes an end, the other one where it falls.
            ends[layer.output] = np.minimum(one, other), np.maximum(one, other)
    return ends, moved


def _constant(graph: Graph, name: str) -> Array:
    if not graph.is_constant(name):
        raise KeyError(name)
    value = graph.constant(name)
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def _ends_of(graph: Graph, value: Input, box: ZBox) -> Ends | None:
    """The bounds as a sample of the input, of size 1 along axes that are not fixed; None where it is open."""
    if value.shape is None:
        return None
    sizes = [1, *(size or 1 for size in value.shape[1:])]
    limits = [np.atleast_1d(np.array(limit)) for limit in (box.low, box.high)]
    channels = max(map(len, limits))
    if channels > 1:
        axis = axes_of(graph, value.name, value.shape).channel
        if axis is None or value.shape[axis] not in (None, channels):
            return None
        sizes[axis] = channels
        limits = [limit.reshape(-1, *[1] * (len(sizes) - 1 - axis)) for limit in limits]
    low, high = (np.broadcast_to(limit, sizes).astype(np.float64) for limit in limits)
    return low, high


def _by_channel(reduced: Callable[..., Array], axes: int) -> Limit:
    """The least or the largest by channel (axis 1), one number where all are alike."""
    found = reduced(axis=tuple(axis for axis in range(axes) if axis != 1)).ravel()
    return float(found[0]) if (found == found[0]).all() else tuple(found.tolist())
