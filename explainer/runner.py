"""One plan, run: forward through onnxruntime, then the walk on arrays. Thread-safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .audit import Auditor, check_finite
from .backward import backward
from .batches import Run
from .errors import NumericalError
from .gates import gates_of
from .plan import Plan, Step
from .targets import (
    Chosen,
    Target,
    choose,
    finish,
    indices_of,
    is_balanced,
    put_relevance,
    score,
    seed,
)
from .tensor import Array, total

# How far the layers' own float64 forward may be from onnxruntime's, relative to the largest value:
# rounding in the file's own type, through some hundred layers.
AGREEMENT = {2: 5e-2, 4: 1e-3, 8: 1e-9}


class Runner:
    """A plan with its session and its parameters.

    Parameters
    ----------
    plan : Plan
    dtype : numpy dtype
        Of the walk: float32, or float64, where the forward pass runs in the layers' own bodies too.
    """

    def __init__(self, plan: Plan, dtype: np.dtype[Any]) -> None:
        self.plan = plan
        self.dtype = dtype
        self.reference = dtype == np.float64
        graph = plan.graph
        if self.reference:
            inner = [plan.start.tensor, plan.start.output, *plan.start.moved]
            inner += [name for step in plan.steps for name in plan.unfixed(step)]
        else:
            inner = plan.reads
        given = {value.name for value in graph.inputs}
        self.wanted = [name for name in dict.fromkeys(inner) if name not in given]
        names = list(dict.fromkeys([*self.wanted, *graph.outputs]))
        self.session = graph.session(names)
        self.producers = {name: str(node) for name, node in graph.producers.items()}
        with np.errstate(all="ignore"):  # what comes of it is reported below
            self.fixed = {
                id(step): step.layer.prepare(self._constants(step))
                for step in plan.steps
                if not plan.unfixed(step)
            }
        for step in plan.steps:
            for letter, value in self.fixed.get(id(step), {}).items():
                if value.dtype.kind == "f" and not np.isfinite(value).all():
                    raise NumericalError(
                        f"{graph.title}: the parameter {letter!r} of {step.node} has NaN or infinity in it"
                    )

    def _constants(self, step: Step) -> dict[str, Array]:
        names = {*step.layer.operands.values(), *(n for m in step.node.members for n in m.inputs)}
        constants = (name for name in names if name and self.plan.graph.is_constant(name))
        return {name: self._cast(self.plan.graph.constant(name)) for name in constants}

    def _cast(self, value: Array) -> Array:
        return value.astype(self.dtype, copy=False) if value.dtype.kind == "f" else value

    def forward(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """One batch through onnxruntime: the activations for the walk, and the model's outputs."""
        values = self.session.run(self.plan.graph.typed(feeds))
        outputs = {name: values[name] for name in self.plan.graph.outputs}
        activations = {name: self._cast(values[name]) for name in self.wanted}
        activations.update({name: self._floating(value) for name, value in feeds.items()})
        return activations, outputs

    def _floating(self, value: Array) -> Array:
        """An input as the walk sees it: pixels of an integer type become numbers."""
        return value.astype(self.dtype, copy=False)

    def run(self, feeds: Mapping[str, Array], targets: Sequence[Target]) -> list[Run]:
        """Explain one batch: one forward pass, and a walk for each target.

        Parameters
        ----------
        feeds : dict of input name -> array
        targets : sequence of Target
            All at the plan's own start.

        Raises
        ------
        ModelError, NumericalError, TargetError
        """
        activations, outputs = self.forward(feeds)
        samples = next(iter(feeds.values())).shape[0]
        check_finite({**activations, **_arrays(outputs)}, self.producers)
        # The index is chosen on what the model itself computed.
        chosen = [choose(target, activations, samples) for target in targets]
        with np.errstate(all="ignore"):  # the auditor says which node, NumPy only that
            parameters = self._parameters(activations)
            if self.reference:
                self._recompute(activations, parameters)
            runs = []
            for place, target in enumerate(targets, start=1):
                # The last walk may let go of what it has read.
                values = activations if place == len(targets) else dict(activations)
                runs.append(self._walk(target, chosen[place - 1], values, outputs, parameters, samples))
        return runs

    def _walk(
        self,
        target: Target,
        chosen: Chosen,
        activations: dict[str, Array],
        outputs: dict[str, Array],
        parameters: dict[Step, dict[str, Array]],
        samples: int,
    ) -> Run:
        auditor = Auditor(samples, conserving=not self.plan.gradient)
        begin = seed if self.plan.gradient else put_relevance
        R = begin(target, chosen, activations, samples)
        shown = {name: activations[name] for name in self.plan.shows}
        explained = score(target, chosen, activations, samples)
        # A sum that is 0 by definition is not left to rounding: it would be divided by.
        start = np.zeros(samples) if is_balanced(target) else total(R, samples)
        gates = gates_of(self.plan, target.conditions, samples, auditor)
        relevance = backward(self.plan, activations, R, parameters.__getitem__, auditor, gates)
        return Run(
            relevance={name: finish(target, value) for name, value in relevance.items()},
            outputs=outputs,
            target=indices_of(chosen, samples),
            against=indices_of(chosen.rival, samples),
            start=start,
            score=explained,
            audit=auditor.result(),
            is_region=any(side.is_region for side in (chosen, chosen.rival) if side is not None),
            values=shown,
        )

    def _parameters(self, activations: dict[str, Array]) -> dict[Step, dict[str, Array]]:
        return {
            step: self.fixed[id(step)]
            if id(step) in self.fixed
            else step.layer.prepare({**self._constants(step), **activations})
            for step in self.plan.steps
        }

    def _recompute(self, activations: dict[str, Array], parameters: dict[Step, dict[str, Array]]) -> None:
        """The forward pass in the layers' own NumPy bodies, checked against onnxruntime's."""
        name = self.plan.start.tensor
        theirs = activations[name]
        for step in reversed(self.plan.steps):
            layer = step.layer.bind(step.layer.read(activations), None, parameters[step])
            activations[step.layer.output] = layer(layer.x)
        if self.plan.steps:
            self._compare(name, activations[name], theirs)

    def _compare(self, name: str, ours: Array, theirs: Array) -> None:
        allowed = AGREEMENT[self.plan.graph.precision]
        largest = float(np.max(np.abs(theirs), initial=0)) or 1.0
        error = float(np.max(np.abs(ours - theirs), initial=0)) / largest
        if not error <= allowed:
            raise NumericalError(
                f"float64 forward pass: {name!r} differs from onnxruntime's by {error:.2g} of its "
                f"largest value (allowed: {allowed:g}); please report this model"
            )


def _arrays(outputs: Mapping[str, Any]) -> dict[str, Array]:
    """The outputs that are tensors; a classifier of ai.onnx.ml may return lists."""
    return {name: value for name, value in outputs.items() if isinstance(value, np.ndarray)}
