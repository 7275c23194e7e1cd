"""A method's file, and the proof that it is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx

from ..errors import InputError, ModelError, NumericalError
from ..inputs.feeds import Batch
from ..methods import Method
from ..methods.behind import from_inputs, holding_less
from ..methods.question import refuse_whole_numbers
from ..model.axes import in_front, is_of_one
from ..model.graph import Graph
from ..model.mixing import mixing
from ..model.parts import Parts
from ..plan import Plan
from ..plan.keeping import as_asked
from ..targets import Target, choose
from ..tensor import Array, Recorder
from ..walk.chunks import samples_of
from ..walk.forward import SessionForward
from .choices import choices_of, fed, names_samples
from .emitted import Emitted
from .examples import Examples
from .proof import Reference, loaded, prove
from .symbols import Symbols
from .tracing import ModelTrace
from .writing import names_of, unused_prefix, written


class Emitter:
    """Puts methods into a model's file: one model, plan and target.

    Parameters
    ----------
    original : Graph
        The model as given.
    proto : onnx.ModelProto
        The same in an opset that can express the walk; the plan is made for it.
    plan : Plan
    target : Target
    examples : Examples
    layout : str
        "NCHW" or "NHWC".
    parts : Parts or None
        Of the same, where walks end inside of it.
    """

    def __init__(
        self,
        original: Graph,
        proto: onnx.ModelProto,
        plan: Plan,
        target: Target,
        examples: Examples,
        layout: str,
        parts: Parts | None = None,
    ) -> None:
        self.original, self.proto, self.plan, self.parts = original, proto, as_asked(plan), parts
        self.target, self.examples, self.layout = target, examples, layout
        self.names = names_of(proto.graph)
        self.forward = SessionForward(self.plan, np.dtype(np.float32))

    def behind(self, method: Method) -> Method:
        """The method as it asks behind the model's inputs, where walks end inside of it.

        Raises
        ------
        InputError
            Its baseline is another one for each sample.
        """
        if self.parts is None:
            return method
        whole, rest = self.parts.whole, self.parts.rest
        method = holding_less(method, rest)
        made, other = (
            from_inputs(method, whole, rest, Batch(self.examples.feeds(2, seed)), self._reached)
            for seed in (0, 1)
        )
        if made is method or not hasattr(made, "baseline"):
            return made
        baseline, again = (getattr(one, "baseline", {}) for one in (made, other))
        rows = {name: np.asarray(value) for name, value in baseline.items()}
        if any(not (np.array_equal(x, again[name]) and (x == x[:1]).all()) for name, x in rows.items()):
            raise InputError(
                f"compile: the baseline of {', '.join(map(repr, rows))} is another one for each sample, and "
                "has no place in a file; give that of the tensor itself"
            )
        return replace(made, baseline={name: x[:1] for name, x in rows.items()})  # type: ignore[call-arg]

    def emit(self, method: Method, watched: bool = False) -> Emitted:
        """The model with the method's nodes behind its own, and the inputs that choose its target.

        Its loops show what happens in them if they are watched, for the proof.

        Raises
        ------
        InputError, UnsupportedError
            The method has no place in a file.
        """
        feeds = self._reached(self.examples.feeds(2))
        samples = samples_of(in_front(self.plan.graph, feeds))
        if self.examples.is_dynamic and not method.keeps:
            met = mixing(self.plan.graph)
            if met is not None and met.is_sure:
                raise ModelError(f"{self.original.title}: {met}, and the method asks of each sample alone")
        if is_of_one(self.plan.graph) and not method.single:
            raise InputError(
                "compile: no input holds samples, and a file has more than one walk for each sample alone; "
                "take explain, or export the model with a batch of 1"
            )
        if method.elsewhere:
            refuse_whole_numbers({name: feeds[name] for name in self.plan.sources})
        activations = self._run(feeds)
        named = {node.name for node in self.proto.graph.node}
        recorder = Recorder(unused_prefix(self.names | named))
        symbols = Symbols(recorder, self.plan, activations)
        with recorder.scoped("real"):
            symbols.complete()
        found = choose(self.target, activations, samples)
        if self.examples.is_dynamic and names_samples(found):
            raise InputError(f"compile: {self.target} names samples, and the file's batch is free")
        choices = choices_of(self.target, found, self.names)
        target = fed(self.target, choices, recorder)
        with recorder.scoped("map"):
            proto = self.proto if self.parts is None else self.plan.graph.source.proto
            trace = ModelTrace(
                proto, self.plan, target, symbols, self._run, feeds, samples, self.layout, watched
            )
            relevance = method.emit(trace)
        if not isinstance(relevance, Mapping):
            raise method.wrong(
                f"returned {type(relevance).__name__} from emit, not a dict of tensor -> value"
            )
        names = {
            name: tensor for name, tensor in output_names(self.plan, method).items() if tensor in relevance
        }
        if not names:
            made, inputs = (
                ", ".join(map(repr, held)) or "nothing" for held in (relevance, self.plan.sources)
            )
            raise method.wrong(f"returned {made} from emit; the inputs are {inputs}")
        results = {name: relevance[tensor] for name, tensor in names.items()}
        first = samples_of(feeds)  # of whatever the first axis holds
        proto = written(self.proto, recorder, results, choices, self.examples, activations, first)
        return Emitted(proto, names, choices, tuple(trace.runs), trace.loops)

    def _reached(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """What is fed to the part of the model that is walked, as the file has it."""
        if self.parts is None:
            return feeds
        there = self.parts.computed_from(self.parts.whole.typed(feeds))
        return {value.name: there[value.name] for value in self.parts.rest.inputs}

    def _run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        values = self.plan.graph.typed(feeds)
        return {**self.forward.session.run(values), **values}

    def prove(self, method: Method, file: Emitted) -> None:
        """Check the file against the original and against NumPy: see `explainer.compiler.proof`.

        A loop of many steps is tried with few: a file that differs in nothing but the loop's
        constants, the table of its steps, stands for it. So does one whose loop shows what is in it.

        Raises
        ------
        ModelError
        """
        trial, brief = file, method.briefly()
        if brief is not method:
            loaded(file.proto, list(file.names), self.original.runtime)
            trial = self.emit(brief)
            if not _same_graph(file.proto.graph, trial.proto.graph):
                raise ModelError(
                    "the compiled loop changes with its number of steps; please report this model"
                )
        watched = self.emit(brief, watched=True) if trial.loops else trial
        reference = Reference(brief, self.forward, self.layout)
        failure: NumericalError | None = None
        for examples in self.examples.milder():
            try:
                return prove(trial, watched, self.original, self.target, examples, reference)
            except NumericalError as error:
                failure = failure or error
        assert failure is not None
        raise failure


def output_names(plan: Plan, method: Method) -> dict[str, str]:
    """The emitted outputs: their name -> the tensor whose relevance they hold."""
    single = len(plan.sources) == 1 and not plan.graph.stops
    names = {"relevance" if single else f"relevance/{name}": name for name in plan.sources}
    if not method.keeps:
        return names
    return names | {f"relevance/{name}": tensor for name, tensor in plan.keep.items()}


def _same_graph(a: onnx.GraphProto, b: onnx.GraphProto) -> bool:
    """Whether two graphs are the same but for the values of their constants."""
    parts = [(graph.node, graph.input, graph.output) for graph in (a, b)]
    names = [[tensor.name for tensor in graph.initializer] for graph in (a, b)]
    return names[0] == names[1] and all(list(p) == list(q) for p, q in zip(*parts, strict=True))
