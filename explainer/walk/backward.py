"""The walk: relevance from the target to the input, on arrays or on symbols alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..layers import Layer
from ..plan import Plan, Step
from ..tensor import Value

Watch: TypeAlias = Callable[[Step, Layer, Value, Value], None]
# The relevance of every tensor that has some and has not handed it on -> what of it goes on.
Gate: TypeAlias = Callable[[Mapping[str, Value]], dict[str, Value]]


def backward(
    plan: Plan,
    activations: dict[str, Value],
    R: Value,
    parameters: Callable[[Step], dict[str, Value]],
    watch: Watch | None = None,
    gates: Mapping[str, Gate] | None = None,
    references: dict[str, Value] | None = None,
    enter: Callable[[Step], None] | None = None,
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
    gates : dict of tensor -> callable, optional
        Called once a tensor's relevance is complete, before it is handed on.
    references : dict of str -> Value, optional
        Another forward pass, which rules compare this one with; let go of likewise.
    enter : callable, optional
        Called before each step.

    Returns
    -------
    dict of str -> Value
        The relevance of the inputs that are reached and of the kept tensors: what a gate let through.
    """
    gates = gates or {}
    relevance: dict[str, Value] = {plan.anchor.tensor: R}
    wanted, kept = set(plan.keep.values()), dict[str, Value]()
    for step in plan.steps:
        if enter is not None:
            enter(step)
        output = step.layer.output
        if output in gates:
            relevance = gates[output](relevance)
        R = relevance.pop(output)
        if output in wanted:
            kept[output] = R
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
    for name in plan.sources:
        if name in gates:
            relevance = gates[name](relevance)
    arrived = kept | relevance
    return {name: arrived[name] for name in (*plan.sources, *wanted)}


def _bound(
    step: Step, activations: dict[str, Value], parameters: Callable[[Step], dict[str, Value]]
) -> Layer:
    return step.layer.bind(step.layer.read(activations), activations.get(step.record), parameters(step))
