"""What each kind of method emits: one walk, a walk on pairs, or a loop of walks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx

from ..backward import backward
from ..errors import InputError
from ..gates import gates_of
from ..methods import DeepLift, GradCam, Method, Noise, Sampling
from ..methods.base import baseline_for
from ..plan import Plan
from ..targets import Chosen, Given, Target, choose, finish, put_relevance, seed
from ..tensor import Array, Concat, Expand, Gather, Recorder, Shape, Slice, Symbol, Value
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
    samples : int
        Of the example.
    """

    proto: onnx.ModelProto
    plan: Plan
    target: Target
    symbols: Symbols
    forward: Forward
    samples: int

    @property
    def recorder(self) -> Recorder:
        """Where the file's own nodes are recorded."""
        return self.symbols.recorder

    def inputs(self) -> dict[str, Symbol]:
        """The inputs that relevance reaches."""
        return {name: self.symbols[name] for name in self.plan.sources}

    def walk(self, symbols: Symbols, target: Target, samples: int) -> dict[str, Value]:
        """One walk, from the values in `symbols`."""
        begin = seed if self.plan.gradient else put_relevance
        R = begin(target, choose(target, symbols, samples), symbols, samples)
        gates = gates_of(self.plan, target.conditions, samples=None)
        relevance = backward(self.plan, symbols, R, lambda step: step.layer.prepare(symbols), gates=gates)
        return {name: finish(target, value) for name, value in relevance.items()}

    def fixed(self, change: Callable[[Value], Value] = lambda index: index) -> Target:
        """The target with the index that the model's own run gives, so that it is the same elsewhere."""
        chosen = choose(self.target, self.symbols, self.samples)
        target = _fixed(self.target, chosen, change)
        if chosen.rival is None or chosen.rival.index is None:
            return target
        return replace(target, against=Given(change(chosen.rival.index)))


def _fixed(target: Target, chosen: Chosen, change: Callable[[Value], Value]) -> Target:
    return target if chosen.index is None else replace(target, index=Given(change(chosen.index)))


def emitted(method: Method, trace: Trace) -> dict[str, Value]:
    """What a method makes of the trace: input or kept tensor -> symbol.

    Raises
    ------
    InputError
        The method asks for scores alone, or for a method that is itself no single walk.
    """
    if isinstance(method, Sampling) and not (isinstance(method, Noise) and not method.around.single):
        return _sampled(method, trace)
    if isinstance(method, DeepLift):
        return _paired(method, trace)
    values = Symbols(trace.recorder, trace.plan.graph, {}, constants=trace.symbols)
    values.update(trace.symbols)  # the walk lets go of what it has read
    if isinstance(method, GradCam):
        relevance = trace.walk(values, trace.target, trace.samples)
        (tensor,) = trace.plan.shows
        return {
            name: method.map(trace.symbols[tensor], relevance[tensor], x.shape[2:])
            for name, x in trace.inputs().items()
        }
    if not method.single:
        raise InputError(
            f"{type(method).__name__} cannot be compiled: a file holds one walk or a loop of single walks"
        )
    relevance = trace.walk(values, trace.target, trace.samples)
    return relevance | {name: method.read(x, relevance[name]) for name, x in trace.inputs().items()}


def _paired(method: DeepLift, trace: Trace) -> dict[str, Value]:
    """Walk on the samples and their references, behind each other in one batch."""
    recorder = trace.recorder
    points, origins = {}, {}
    for name, x in trace.inputs().items():
        origins[name] = recorder.constant(_one(method.baseline, name, x.value))
        points[name] = method.pair(x, x * 0 + origins[name])
    examples = trace.forward({name: point.value for name, point in points.items()})
    inner = Recorder(f"{recorder.prefix}/pair")
    inner.nodes, inner.constants = recorder.nodes, recorder.constants
    symbols = replay(trace.proto, trace.symbols, inner, points, examples)
    target = trace.fixed(lambda index: _twice(index, next(iter(trace.inputs().values()))))
    relevance = trace.walk(symbols, target, 2 * trace.samples)
    return {name: method.read_pair(x, origins[name], relevance[name]) for name, x in trace.inputs().items()}


def _twice(index: Value, x: Symbol) -> Value:
    """An index (1 or N, 1) for a batch of 2N."""
    first = Slice(Shape(x), np.array([0]), np.array([1]), np.array([0]), np.array([1]))
    each = Expand(index, Concat(first, np.array([1]), axis=0))
    return Concat(each, each, axis=0)


def _sampled(method: Sampling, trace: Trace) -> dict[str, Value]:
    """A Loop over the method's steps: its body is the model and the walk at that step's point."""
    outer = trace.recorder
    body = Recorder(f"{outer.prefix}/step", depth=outer.depth + 1)
    number = Symbol(body, f"{body.prefix}/number", np.array(0, dtype=np.int64))
    inputs = trace.inputs()
    tables = {name: method.steps(x.value) for name, x in inputs.items()}
    count = len(next(iter(next(iter(tables.values())).values())))
    rows = {
        name: {key: Gather(outer.constant(values), number, axis=0) for key, values in table.items()}
        for name, table in tables.items()
    }
    origins = {name: outer.constant(_one(method.origin, name, x.value)) for name, x in inputs.items()}
    points = {name: method.point(x, origins[name], rows[name]) for name, x in inputs.items()}
    examples = trace.forward({name: point.value for name, point in points.items()})
    symbols = replay(trace.proto, trace.symbols, body, points, examples)
    answers = trace.walk(symbols, trace.fixed(), trace.samples)
    sums: dict[str, tuple[Symbol, Value]] = {}  # the name of what is carried -> before and after a step
    for name, x in inputs.items():
        value = method.value(x, origins[name], rows[name], points[name], answers[name])
        for kind, term in ((f"mean/{name}", value), (f"square/{name}", value * value)):
            before = Symbol(body, f"{body.prefix}/{kind}", np.zeros_like(x.value))
            sums[kind] = (before, before + term * (1 / count))
    after = _loop(outer, body, number, count, sums, {name: x * 0 for name, x in inputs.items()})
    return {
        name: method.finish(x, origins[name], after[f"mean/{name}"], after[f"square/{name}"])
        for name, x in inputs.items()
    }


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


def _one(baseline: object, name: str, x: Array) -> Array:
    """A baseline that holds for a batch of any size."""
    origin = baseline_for(baseline, name, x)  # type: ignore[arg-type]  # the methods' own, checked there
    if len(origin) != 1:
        raise InputError("compile: a baseline for each sample has no place in a file; give one for all")
    return np.array(origin)
