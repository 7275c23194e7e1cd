"""What each kind of method emits: one walk, a walk on pairs, or a loop of walks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx

from ..errors import InputError
from ..methods import DeepLift, GradCam, Method, Sampling
from ..plan import Plan
from ..targets import Fed, Target, choose, finish, put_relevance, seed
from ..tensor import Array, Gather, Recorder, Symbol, Value
from ..walk.backward import backward
from ..walk.gates import gates_of
from .symbols import Symbols, replay
from .writing import node_of

Forward = Callable[[Mapping[str, Array]], Mapping[str, Array]]


@dataclass(frozen=True)
class Trace:
    """A model's own run on symbols, and what is needed to ask it again.

    Attributes
    ----------
    proto : onnx.ModelProto
    plan : Plan
    target : Target
    symbols : Symbols
    forward : callable
        Feeds -> an example of every tensor that the plan reads.
    feeds : dict of input name -> array (N, ...)
        The example.
    layout : str
        "NCHW" or "NHWC".
    """

    proto: onnx.ModelProto
    plan: Plan
    target: Target
    symbols: Symbols
    forward: Forward
    feeds: Mapping[str, Array]
    layout: str

    @property
    def samples(self) -> int:
        """Of the example."""
        return len(next(iter(self.feeds.values())))

    @property
    def recorder(self) -> Recorder:
        """Where the file's own nodes are recorded."""
        return self.symbols.recorder

    def inputs(self) -> dict[str, Symbol]:
        """The inputs that relevance reaches."""
        return {name: self.symbols[name] for name in self.plan.sources}

    def asked_at(self, points: Mapping[str, Symbol], recorder: Recorder) -> Symbols:
        """The tensors that the walk reads, computed at other points by a copy of the model's nodes."""
        values = self.forward({**self.feeds, **{name: point.value for name, point in points.items()}})
        # Another output of the model, which the walk does not read, is not computed again.
        examples = {name: values[name] for name in self.plan.reads}
        return replay(self.proto, self.symbols, recorder, points, examples)

    def walk(self, values: Symbols, target: Target, references: Symbols | None = None) -> dict[str, Value]:
        """One walk on `values`, which it lets go of."""
        begin = seed if self.plan.gradient else put_relevance
        R = begin(target, choose(target, values, self.samples), values, self.samples)
        gates = gates_of(self.plan, target.conditions, samples=None)
        relevance = backward(
            self.plan,
            values,
            R,
            lambda step: step.layer.prepare(values),
            gates=gates,
            references=references,
        )
        return {name: finish(target, value) for name, value in relevance.items()}

    def fixed(self) -> Target:
        """The target with the index that the model's own run gives, so that it is the same elsewhere."""
        chosen, target = choose(self.target, self.symbols, self.samples), self.target
        if chosen.index is not None:
            target = replace(target, index=Fed(chosen.index))
        if chosen.rival is not None and chosen.rival.index is not None:
            target = replace(target, against=Fed(chosen.rival.index))
        return target


def check_compilable(method: Method) -> None:
    """Refuse what is neither one walk nor a loop of single walks.

    Raises
    ------
    InputError
    """
    name = type(method.core).__name__
    if not method.walks:
        raise InputError(f"compile: {name} asks for scores alone: there is no walk to put into a file")
    if method.core is not method and not method.core.single:
        raise InputError(f"compile: {name} under noise asks again and again: a file holds one loop of walks")


def emitted(method: Method, trace: Trace) -> dict[str, Value]:
    """What a method that `check_compilable` lets through makes of the trace: input or kept tensor -> symbol.

    Raises
    ------
    InputError
        A baseline for each sample, or what the method itself refuses.
    """
    if isinstance(method, Sampling):
        return _sampled(method, trace)
    # The walk lets go of what it has read.
    values = Symbols(trace.recorder, trace.plan.graph, {}, constants=trace.symbols)
    values.update(trace.symbols)
    inputs = trace.inputs()
    if isinstance(method, DeepLift):
        origins = _origins(method, trace)
        references = {name: x * 0 + origins[name] for name, x in inputs.items()}
        others = trace.asked_at(references, trace.recorder.within("reference"))
        answers = trace.walk(values, trace.target, others)
        return {name: method.scaled(x, origins[name], answers[name]) for name, x in inputs.items()}
    relevance = trace.walk(values, trace.target)
    if isinstance(method, GradCam):
        (tensor,) = trace.plan.shows
        return method.maps(trace.symbols[tensor], relevance[tensor], inputs, trace.layout)
    return relevance | {name: method.read(x, relevance[name]) for name, x in inputs.items()}


def _sampled(method: Sampling, trace: Trace) -> dict[str, Value]:
    """A Loop over the method's steps: its body is the model and the walk at that step's point."""
    outer = trace.recorder
    body = Recorder(f"{outer.prefix}/step", depth=outer.depth + 1)
    number = Symbol(body, f"{body.prefix}/number", np.array(0, dtype=np.int64))
    inputs = trace.inputs()
    rows = {
        name: {
            key: Gather(outer.constant(values), number, axis=0)
            for key, values in method.steps(name, x.value, trace.layout).items()
        }
        for name, x in inputs.items()
    }
    origins = _origins(method, trace)
    points = {name: method.point(x, origins[name], rows[name]) for name, x in inputs.items()}
    answers = trace.walk(trace.asked_at(points, body), trace.fixed())
    sums: dict[str, tuple[Symbol, Value]] = {}  # the name of what is carried -> before and after a step
    for name, x in inputs.items():
        value = method.value(x, origins[name], rows[name], points[name], answers[name])
        terms = {f"mean/{name}": value} | ({f"square/{name}": value * value} if method.squares else {})
        for kind, term in terms.items():
            before = Symbol(body, f"{body.prefix}/{kind}", np.zeros_like(x.value))
            sums[kind] = (before, before + term * (1 / method.count))
    after = _loop(outer, body, number, method.count, sums, {name: x * 0 for name, x in inputs.items()})
    return {
        name: method.finish(x, origins[name], after[f"mean/{name}"], after.get(f"square/{name}"))
        for name, x in inputs.items()
    }


def _origins(method: Sampling | DeepLift, trace: Trace) -> dict[str, Symbol]:
    """The baseline of every input, one for a batch of any size.

    Raises
    ------
    InputError
        Every sample would have its own.
    """
    found = method.origins({name: x.value for name, x in trace.inputs().items()}, trace.layout)
    if any(len(origin) != 1 for origin in found.values()):
        raise InputError("compile: a baseline for each sample has no place in a file; give one for all")
    return {name: trace.recorder.constant(np.array(origin)) for name, origin in found.items()}


def _loop(
    outer: Recorder,
    body: Recorder,
    number: Symbol,
    count: int,
    sums: Mapping[str, tuple[Symbol, Value]],
    zeros: Mapping[str, Symbol],
) -> dict[str, Symbol]:
    """Put the body into a Loop node; its constants are the file's."""
    going, goes_on = (f"{body.prefix}/{name}" for name in ("going", "goes_on"))
    whole, truth = onnx.TensorProto.INT64, onnx.TensorProto.BOOL
    info = onnx.helper.make_tensor_value_info
    nodes = [node_of(entry) for entry in body.nodes]
    nodes.append(onnx.helper.make_node("Identity", [going], [goes_on]))
    floats = {symbol.name: [None, *symbol.value.shape[1:]] for pair in sums.values() for symbol in pair}
    graph = onnx.helper.make_graph(
        nodes,
        body.prefix,
        [
            info(number.name, whole, []),
            info(going, truth, []),
            *(info(b.name, onnx.TensorProto.FLOAT, floats[b.name]) for b, _ in sums.values()),
        ],
        [
            info(goes_on, truth, []),
            *(info(a.name, onnx.TensorProto.FLOAT, floats[a.name]) for _, a in sums.values()),
        ],
    )
    outer.constants.update(body.constants)
    after = {kind: Symbol(outer, f"{outer.prefix}/{kind}", end.value) for kind, (_, end) in sums.items()}
    begin = [zeros[kind.partition("/")[2]].name for kind in sums]
    outer.nodes.append(
        onnx.helper.make_node(
            "Loop",
            [outer.constant(np.array(count, dtype=np.int64)).name, "", *begin],
            [symbol.name for symbol in after.values()],
            name=f"{outer.prefix}/steps",
            body=graph,
        )
    )
    return after
