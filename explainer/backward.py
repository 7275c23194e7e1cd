"""The walk: relevance from the target to the input, on arrays or on symbols alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .layers import Layer
from .plan import Plan, Step
from .tensor import Value

Watch: TypeAlias = Callable[[Step, Layer, Value, Value], None]


def backward(
    plan: Plan,
    activations: dict[str, Value],
    R: Value,
    parameters: Callable[[Step], dict[str, Value]],
    watch: Watch | None = None,
    references: dict[str, Value] | None = None,
) -> dict[str, Value]:
    """Hand relevance from each node's output to its inputs.

    The relevance of a tensor is the sum over all its readers on the path, complete before its
    producer runs.

    Parameters
    ----------
    plan : Plan
    activations : dict of str -> Value
        One forward pass; each is taken out once no later step reads it.
    R : Value
        The relevance put on the target tensor.
    parameters : callable
        Returns a step's parameters.
    watch : callable, optional
        Called with (step, bound layer, R_out, R_in) after each step.
    references : dict of str -> Value, optional
        Another forward pass, which rules compare this one with; let go of likewise.

    Returns
    -------
    dict of str -> Value
        The relevance of the inputs that are reached and of the kept tensors.
    """
    relevance: dict[str, Value] = {plan.start.tensor: R}
    wanted = {*plan.sources, *plan.keep.values()}
    for step in plan.steps:
        output = step.layer.output
        R = relevance[output] if output in wanted else relevance.pop(output)
        layer = _bound(step, activations, parameters)
        if references is not None:
            layer.reference = _bound(step, references, parameters)
        R_in = step.rule(layer, layer.x, R)
        if watch is not None:
            watch(step, layer, R, R_in)
        for name, part in zip(layer.inputs, R_in if isinstance(R_in, tuple) else (R_in,), strict=True):
            relevance[name] = relevance[name] + part if name in relevance else part
        for name in step.frees:
            activations.pop(name, None)
            if references is not None:
                references.pop(name, None)
    return {name: relevance[name] for name in wanted}


def _bound(
    step: Step, activations: dict[str, Value], parameters: Callable[[Step], dict[str, Value]]
) -> Layer:
    return step.layer.bind(step.layer.read(activations), activations.get(step.record), parameters(step))
