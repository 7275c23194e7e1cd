"""Forward passes: by onnxruntime on the file as it is, or by the layers' own NumPy bodies."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..errors import ModelError, NumericalError, TargetError
from ..model.axes import as_model_has_them
from ..model.graph import Graph
from ..plan import Plan, Step
from ..targets import Anchor
from ..tensor import Array, blas
from .agreement import agrees, check_layers, check_whole_numbers
from .auditor import check_finite, is_finite
from .chunks import samples_of
from .passes import ForwardPass

# Activations, in numbers, up to which NumPy multiplies with one thread where nothing else is said: a CIFAR
# ResNet-20 has 0.3 million a picture, a ResNet-18 at 224 pixels 3.6 (benchmarks/threads.py: what it saves).
SMALL = 1 << 20
# What NumPy raises where shapes and axes are not those of the operator.
MISFITS = (ValueError, ArithmeticError, LookupError)


class OutputForward:
    """onnxruntime on the file, for the values of a target alone: no layer is needed, and nothing cast.

    Parameters
    ----------
    graph : Graph
    anchor : Anchor
    """

    def __init__(self, graph: Graph, anchor: Anchor) -> None:
        given = {value.name for value in graph.inputs}
        names = dict.fromkeys([anchor.tensor, anchor.output, *anchor.moved, *graph.outputs])
        self.graph, self.anchor = graph, anchor
        self.dtype: np.dtype[Any] | None = None
        self.session = graph.session([name for name in names if name not in given])

    def __call__(self, feeds: Mapping[str, Array]) -> ForwardPass:
        """See `Forward`.

        Raises
        ------
        ModelError
        """
        given = as_model_has_them(self.graph, feeds)
        values = {**self.session.run(self.graph.typed(given)), **feeds}
        for name in (self.anchor.tensor, self.anchor.output):
            check_numbers(self.graph, name, values)
        return ForwardPass(
            values, {name: values[name] for name in self.graph.outputs}, values, samples_of(feeds)
        )


class SessionForward:
    """onnxruntime on the file, its inner values cast to the number type of the walk.

    Parameters
    ----------
    plan : Plan
    dtype : numpy dtype

    Attributes
    ----------
    session : Session
        Returns what the walk reads, and the model's outputs.
    fixed : dict of step id -> parameters
        Those that do not depend on the activations, made once.
    """

    def __init__(self, plan: Plan, dtype: np.dtype[Any]) -> None:
        self.plan = plan
        self.dtype: np.dtype[Any] = dtype
        graph = plan.graph
        given = {value.name for value in graph.inputs}
        self.wanted = [name for name in dict.fromkeys(self._reads()) if name not in given]
        self.carried = plan.carrying
        self.masked, self.untaken, self.remade = plan.masked, plan.untaken, plan.remade
        self.producers = {name: str(node) for name, node in graph.producers.items()}
        with np.errstate(all="ignore"):  # what comes of it is reported below
            self.fixed = {
                id(step): self._prepared(step, self._constants(step))
                for step in plan.steps
                if not plan.unfixed(step)
            }
        for step in plan.steps:
            for letter, value in self.fixed.get(id(step), {}).items():
                masks = letter == "b" and step.layer.output in self.masked
                if value.dtype.kind == "f" and not is_finite(value, but_minus_infinity=masks):
                    raise NumericalError(
                        f"{graph.title}: the parameter {letter!r} of {step.node} has NaN or infinity in it: "
                        "export the model anew"
                    )
        # Behind the constants: of one that cannot be read, or had, onnxruntime would say less.
        self.session = graph.session(list(dict.fromkeys([*self.wanted, *graph.outputs])))
        # A quantised file that is asked for inner values is fused less, and rounds otherwise.
        self.deployed = graph.session(list(graph.outputs)) if graph.units else self.session

    @property
    def precision(self) -> int:
        """The bytes of the coarsest number that activations are computed in."""
        return min(self.plan.graph.precision, self.dtype.itemsize)

    def _reads(self) -> list[str]:
        """The tensors that onnxruntime is asked for."""
        return self.plan.asks

    def __call__(self, feeds: Mapping[str, Array]) -> ForwardPass:
        """See `Forward`.

        Raises
        ------
        ModelError, NumericalError
        """
        given = as_model_has_them(self.plan.graph, feeds)
        values = self.session.run(self.plan.graph.typed(given))
        fused = values if self.deployed is self.session else self.deployed.run(self.plan.graph.typed(given))
        outputs = {name: fused[name] for name in self.plan.graph.outputs}
        activations = self.real({name: values[name] for name in self.wanted} | given)
        check_finite(
            {**activations, **_arrays(outputs)},
            self.producers,
            self.plan.graph.precision,
            self.masked,
            self.untaken,
        )
        with np.errstate(all="ignore"):
            parameters = self.parameters(activations)
            self.remake(activations, parameters)
            check_whole_numbers(self.plan, self.whole(values), activations, parameters)
        anchor = self.plan.anchor
        read = (anchor.tensor, anchor.output, *anchor.moved)
        seen = {name: outputs[name] if name in outputs else activations[name] for name in read}
        return ForwardPass(activations, outputs, self.numbers(seen), samples_of(feeds), parameters)

    def numbers(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Values in the number type of the walk: what carries relevance whatever type the file has it in.

        Pixels of an integer type become numbers, and what the file computes of them before its Cast.
        """
        return {
            name: value.astype(self.dtype, copy=False) if name in self.carried else self.cast(value)
            for name, value in values.items()
        }

    def real(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """The same, of quantised tensors what their whole numbers stand for."""
        numbers, graph = self.numbers(values), self.plan.graph
        for name, unit in graph.units.items():
            if name in numbers:
                parameters = {
                    one: (graph.constant(one) if graph.is_constant(one) else values[one]).astype(self.dtype)
                    for one in unit.tensors
                }
                numbers[name] = unit.real(numbers[name].astype(self.dtype, copy=False), parameters)
        return numbers

    def remake(self, activations: dict[str, Array], parameters: Mapping[Step, Mapping[str, Array]]) -> None:
        """Add what is read, and the file does not tell, by the layers that make it."""
        for step in self.remade:
            x = step.layer.read(activations)
            try:
                activations[step.layer.output] = step.layer.bind(x, None, parameters[step]).forward(x)
            except MISFITS as error:
                raise ModelError(
                    f"{self.plan.graph.title}: what {step.node} reads does not fit, and onnxruntime runs it "
                    f"({error}): export the model anew"
                ) from error

    def whole(self, values: Mapping[str, Any]) -> set[str]:
        """What carries relevance though onnxruntime has it in whole numbers."""
        carried = self.carried & values.keys() - self.plan.graph.units.keys()
        return {name for name in carried if values[name].dtype.kind in "iu"}

    def multiplying(self, size: float) -> AbstractContextManager[None]:
        """A context in which NumPy has the threads that were asked for, or that so many numbers are worth."""
        return blas.threads(self.plan.graph.runtime.threads or (1 if size <= SMALL else 0))

    def parameters(self, activations: Mapping[str, Array]) -> dict[Step, dict[str, Array]]:
        """The parameters of every step; of some they depend on the shapes of this call."""
        return {
            step: self.fixed[id(step)]
            if id(step) in self.fixed
            else self._prepared(step, {**self._constants(step), **activations})
            for step in self.plan.steps
        }

    def _prepared(self, step: Step, values: Mapping[str, Array]) -> dict[str, Array]:
        """A step's parameters; some files hold what onnxruntime too refuses, only later."""
        try:
            return step.layer.prepare(values)
        except MISFITS as error:
            raise ModelError(
                f"{self.plan.graph.title}: the parameters of {step.node} do not fit each other: {error}"
            ) from error

    def cast(self, value: Array) -> Array:
        """A value in the number type of the walk; axes and sizes as they are."""
        return value.astype(self.dtype, copy=False) if value.dtype.kind == "f" else value

    def _constants(self, step: Step) -> dict[str, Array]:
        constants = filter(self.plan.graph.is_constant, step.layer.operands.values())
        return {name: self.cast(self.plan.graph.constant(name)) for name in constants}


class LayersForward(SessionForward):
    """The layers' own NumPy bodies, in the number type of the walk; checked against onnxruntime.

    onnxruntime is asked for the target tensor alone, and for what only it computes: shapes.
    """

    # Numbers for each sample: not known before the first one.
    _size = np.inf

    @property
    def precision(self) -> int:
        """See `SessionForward`."""
        return self.dtype.itemsize

    def _reads(self) -> list[str]:
        anchor, plan = self.plan.anchor, self.plan
        unfixed = [name for step in plan.steps for name in plan.unfixed(step)]
        return [anchor.tensor, anchor.output, *anchor.moved, *unfixed]

    def __call__(self, feeds: Mapping[str, Array]) -> ForwardPass:
        """See `Forward`.

        Raises
        ------
        ModelError, NumericalError
            As there; or the two disagree.
        """
        passed = super().__call__(feeds)
        with np.errstate(all="ignore"), self.multiplying(self._size * passed.samples):
            self._recompute(passed)
            self._check(passed, feeds)
        self._size = passed.size / passed.samples
        return passed

    def _recompute(self, passed: ForwardPass) -> None:
        activations = passed.activations
        for step in reversed(self.plan.steps):
            layer = step.layer.bind(step.layer.read(activations), None, passed.parameters[step])
            try:
                activations[step.layer.output] = layer(layer.x)
            except MISFITS as error:
                raise ModelError(
                    f"{self.plan.graph.title}: the layer of {step.node} does not take what the file gives "
                    f"it, as onnxruntime does ({error}); if the file is sound, report it"
                ) from error

    def _check(self, passed: ForwardPass, feeds: Mapping[str, Array]) -> None:
        """Refuse another answer than onnxruntime's, unless it is what rounding makes of this one."""
        graph, name = self.plan.graph, self.plan.anchor.tensor
        precision = min(graph.precision, self.dtype.itemsize)
        if not self.plan.steps or agrees(passed.activations[name], passed.seen[name], precision):
            return
        check_finite({name: passed.activations[name]}, self.producers)
        given = graph.typed(as_model_has_them(graph, feeds))
        names = {name for step in self.plan.steps for name in (*step.layer.inputs, step.layer.output)}
        values = graph.session(sorted(names - set(given))).run(given)
        whole = self.whole(values)
        values = {name: value.astype(self.dtype, copy=False) for name, value in {**given, **values}.items()}
        check_whole_numbers(self.plan, whole, values, passed.parameters)
        check_finite(values, self.producers, precision, self.masked, self.untaken)
        stored = {step: {**passed.activations, **self._constants(step)} for step in self.plan.steps}
        check_layers(self.plan, values, passed.parameters, stored, precision)


def check_numbers(graph: Graph, name: str, values: Mapping[str, Any]) -> None:
    """Refuse a target that is no tensor of numbers: a list, a map or text, as ai.onnx.ml returns.

    Raises
    ------
    TargetError
        From the tensors that it was made of others may be explained.
    """
    value = values[name]
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return
    held = "text" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
    held = "nothing" if value is None else held
    error = TargetError(f"target: {name!r} holds {held}, and no numbers that could be explained")
    error.before = graph.producers[name].inputs if name in graph.producers else ()
    raise error.looking("targets")


def _arrays(outputs: Mapping[str, Any]) -> dict[str, Array]:
    """The outputs that are tensors; a classifier of ai.onnx.ml may return lists."""
    return {name: value for name, value in outputs.items() if isinstance(value, np.ndarray)}
