"""The walk: relevance from the target to the input, on arrays or on symbols alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from .. import plugins
from ..errors import CompositeError, TargetError
from ..layers import Bound
from ..plan import Gathering, Plan, Step
from ..rules import Handed, Relevance
from ..rules.answers import MISTAKES, check_answer, mistaken
from ..tensor import Value
from .untaken import aside

Watch: TypeAlias = Callable[[Step, Relevance, Handed, Bound], None]
# The relevance of every tensor that has some and has not handed it on -> what of it goes on.
Gate: TypeAlias = Callable[[Mapping[str, Relevance]], dict[str, Relevance]]


def backward(
    plan: Plan,
    activations: dict[str, Value],
    R: Value,
    parameters: Callable[[Step], dict[str, Value]],
    watch: Watch | None = None,
    gates: Mapping[str, Gate] | None = None,
    references: dict[str, Value] | None = None,
    enter: Callable[[Step], None] | None = None,
    gathering: Gathering | None = None,
) -> dict[str, Value]:
    """Hand relevance from each node's output to its inputs.

    The relevance of a tensor is the sum over all its readers on the path, complete before its
    producer runs. It goes as value × factor, and is multiplied out where somebody looks.

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
        Called with (step, relevance of the output, what the rule answered, the bound layer) after each step.
    gates : dict of tensor -> callable, optional
        Called once a tensor's relevance is complete, before it is handed on.
    references : dict of str -> Value, optional
        Another forward pass, which rules compare this one with; let go of likewise.
    enter : callable, optional
        Called before each step.
    gathering : Gathering, optional
        Looks at each step, as the plan's `gathers` makes it.

    Returns
    -------
    dict of str -> Value
        The relevance of the inputs that are reached and of the kept tensors: what a gate let through; of
        kept constants, in the places where they lie.

    Raises
    ------
    CompositeError
        A rule that is not ours makes a mistake, or answers what is no answer.
    TargetError
        A kept constant has several readers, of other shapes.
    """
    gates = gates or {}
    relevance = {plan.anchor.tensor: Relevance(None, R)}
    wanted, kept = {*plan.keep.values(), *plan.tables.values()}, dict[str, Value]()
    for step in plan.steps:
        if enter is not None:
            enter(step)
        output = step.layer.output
        if output in gates:
            relevance = gates[output](relevance)
        at_output = relevance.pop(output)
        if output in wanted:
            kept[output] = at_output.whole
        layer = aside(_bound(step, activations, parameters), at_output, plan.untaken)
        if references is not None:
            other = aside(_bound(step, references, parameters), at_output, plan.untaken)
            layer = replace(layer, reference=other)
        try:
            handed = step.rule(layer, layer.x, at_output)
        except MISTAKES as error:
            if plugins.origin(type(step.rule)) == plugins.OURS:
                raise
            raise CompositeError(f"rule {step.rule} at {step.node}: {mistaken(error)}") from error
        check_answer(step.rule, layer, handed)
        if watch is not None:
            watch(step, at_output, handed, layer)
        if gathering is not None:
            gathering(step, layer, at_output, handed)
        for letter, name in step.kept:
            part = _at_constant(step, layer, at_output, handed, letter)
            kept[name] = joined(name, kept[name], part) if name in kept else part
        for name, part in zip(step.layer.inputs, handed.parts(), strict=True):
            relevance[name] = relevance[name] + part if name in relevance else part
        for name in step.frees:
            activations.pop(name, None)
            if references is not None:
                references.pop(name, None)
    for name in plan.sources:
        if name in gates:
            relevance = gates[name](relevance)
    arrived = kept | {name: R.whole for name, R in relevance.items()}
    found = {name: arrived[name] for name in (*plan.sources, *wanted)}
    return found if gathering is None else found | gathering.result(found)


def _at_constant(step: Step, layer: Bound, R: Relevance, handed: Handed, letter: str) -> Value:
    """What a constant inside the layer gets, in each place of the output where it lies."""
    part = handed.at_constant(letter)
    return step.layer.at_constant(letter, R.whole * 0, layer) if part is None else part


def joined(name: str, one: Value, other: Value) -> Value:
    """What a constant gets from two readers.

    Raises
    ------
    TargetError
    """
    if one.shape != other.shape:
        raise TargetError(
            f"keep: {name!r} is added to tensors of other shapes, {list(one.shape)} and {list(other.shape)}: "
            "its relevance lies in none of them alone"
        )
    return one + other


def _bound(
    step: Step, activations: dict[str, Value], parameters: Callable[[Step], dict[str, Value]]
) -> Bound:
    return step.layer.bind(step.layer.read(activations), activations.get(step.record), parameters(step))
