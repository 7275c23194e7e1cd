"""Values that a Where did not take: infinite or no numbers at all, nothing of them is relevant."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from ..layers import Bound
from ..layers.parameters import Parameters
from ..rules import Relevance
from ..tensor import Bundle, Equal, Value, Where, ordinary

# A place at which nearly every function of one value has a value and a slope.
ANYWHERE = 0.5


def aside(layer: Bound, R: Relevance, untaken: Set[str]) -> Bound:
    """The layer where it has values and slopes: at another x wherever nothing of its output was taken.

    A slope that is none, log' at −1, times a relevance of 0 would be none too. Where relevance does arrive
    the layer stays where it is, and the walk stops at what is no number.

    Parameters
    ----------
    layer : Bound
    R : Relevance
        Of its output.
    untaken : set of str
        See `explainer.plan.Plan.untaken`.
    """
    if not untaken:
        return layer
    names, xs = layer.layer.inputs, layer.x if isinstance(layer.x, Bundle) else (layer.x,)
    if layer.layer.output in untaken:
        nothing = Equal(R.factor, 0)

        def moved(value: Value) -> Value:
            if value is None or value.dtype.kind != "f" or value.shape != R.factor.shape:
                return value
            return Where(nothing, value.dtype.type(ANYWHERE), value)

        p = Parameters({letter: moved(value) for letter, value in layer.p.items()})
        return replace(layer, x=_like(layer.x, list(map(moved, xs))), z=None, p=p)
    if not untaken & {*names}:
        return layer
    numbers = [
        ordinary(x) if name in untaken and x is not None else x for name, x in zip(names, xs, strict=True)
    ]
    return layer.at(_like(layer.x, numbers), layer.z)


def _like(x: Value, parts: list[Value]) -> Value:
    return Bundle(parts) if isinstance(x, Bundle) else parts[0]
