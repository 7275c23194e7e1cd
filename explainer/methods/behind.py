"""What methods that ask behind a model's inputs are told of these: that they are held, or begin elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..inputs.feeds import Batch
from ..model.graph import Graph
from ..tensor import Array
from .base import Method
from .baselines import origin_of
from .question import axes_of_feeds


def holding_less(method: Method, rest: Graph) -> Method:
    """The method without those names in `hold` that are no inputs where it asks, and so held anyway."""
    if (around := getattr(method, "around", None)) is not None:
        method = replace(method, around=holding_less(around, rest))  # type: ignore[call-arg]
    hold = getattr(method, "hold", None) or ()
    free = {value.name for value in rest.inputs} - rest.held
    if cut := rest.source.cut:
        hold = tuple(name for name in hold if name in free or name not in cut.inputs)
    return replace(method, hold=hold) if getattr(method, "hold", None) else method  # type: ignore[call-arg]


def from_inputs(
    method: Method, whole: Graph, rest: Graph, given: Batch, front: Callable[[Mapping[str, Array]], Any]
) -> Method:
    """The method with a baseline of the tensors that walks end at, made of one of the model's own inputs.

    Parameters
    ----------
    method : Method
    whole, rest : Graph
        The model, and the part behind the tensors that walks end at.
    given : Batch
        Of the whole.
    front : callable
        Feeds of the whole -> feeds of the rest.

    Raises
    ------
    InputError
        It is no value of the input.
    """
    if (around := getattr(method, "around", None)) is not None:
        made = from_inputs(around, whole, rest, given, front)
        return method if made is around else replace(method, around=made)  # type: ignore[call-arg]
    baseline = getattr(method, "baseline", None)
    free = {value.name for value in rest.inputs} - rest.held
    names = [name for name in given.feeds if isinstance(baseline, Mapping) and name in baseline]
    names = [name for name in names if name not in free]
    if not names or not isinstance(baseline, Mapping):
        return method
    axes = axes_of_feeds(whole, given.feeds, given.layout)
    origins = {
        name: np.broadcast_to(origin_of(baseline, name, x, axes[name]), x.shape)
        for name, x in given.feeds.items()
        if name in names
    }
    found = front({**given.feeds, **origins})
    own = {name: value for name, value in baseline.items() if name not in names}
    made_of = {stop: found[stop] for stop in rest.stops if stop not in given.feeds}
    return replace(method, baseline={**made_of, **own})  # type: ignore[call-arg]
