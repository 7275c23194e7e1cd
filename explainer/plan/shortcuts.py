"""Shortcuts of the walk that change no number."""

from __future__ import annotations

from dataclasses import replace

from ..model.graph import Graph
from ..targets import Anchor
from .steps import Step


def behind_relu(graph: Graph, steps: list[Step], anchor: Anchor) -> list[Step]:
    """Let a layer that only a Relu reads take the Relu's output for its own.

    With the epsilon rule, R / st(z) = R / (relu(z) + ε) wherever R is not 0, and R is 0 where the
    Relu is closed if all its readers return x·(…). So z is neither an output of the forward pass
    nor does its sign matter: a third less to read and divide (measured on ResNet-50).
    """
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for name in set(step.layer.inputs):
            readers.setdefault(name, []).append(step)

    # Tensors whose relevance is 0 wherever they are. Their readers come before them in a walk, so each
    # is judged once, by what is known of its readers' outputs.
    quiet: set[str] = set()
    for name in dict.fromkeys(step.layer.output for step in steps):
        if name != anchor.tensor and all(
            step.rule.proportional
            or ((step.layer.kind.routes or step.layer.facts.rectifies) and step.layer.output in quiet)
            for step in readers.get(name, ())
        ):
            quiet.add(name)

    changed = []
    for step in steps:
        own = readers.get(step.layer.output, [])
        if (
            step.rule.takes_relu
            and step.layer.output != anchor.tensor
            and len(graph.readers.get(step.layer.output, ())) == len(own) == 1
            and own[0].layer.facts.rectifies
            and own[0].layer.output in quiet
        ):
            step = replace(step, layer=step.layer.having(signed=False), record=own[0].layer.output)
        changed.append(step)
    return changed
