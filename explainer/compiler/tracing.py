"""A model's own run on symbols: what a method puts its nodes behind, one walk or a loop of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from ..errors import InputError, UnsupportedError
from ..methods.trace import Asked, Values
from ..plan import Plan, Step
from ..targets import Fed, Target, choose, finish, put_relevance, seed
from ..tensor import Array, Gather, Recorder, Symbol, Value
from ..walk.backward import Gate, backward
from ..walk.gates import gates_of
from .emitted import Watch
from .symbols import Symbols, replay
from .writing import node_of

Forward = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class ModelTrace:
    """A model's own run on symbols, and what is needed to run it again: the `Trace` of a file.

    Parameters
    ----------
    proto : onnx.ModelProto
    plan : Plan
    target : Target
    symbols : Symbols
    forward : callable
        Feeds -> an example of every tensor that the plan reads.
    feeds : dict of input name -> array
        The example, as the model has it.
    samples : int
        How many it holds.
    layout : str
        "NCHW" or "NHWC".
    watched : bool
        Whether loops show what happens in them.

    Attributes
    ----------
    runs : list of Watch
        The model's own run, and others outside of loops or in loops that are watched.
    """

    def __init__(
        self,
        proto: onnx.ModelProto,
        plan: Plan,
        target: Target,
        symbols: Symbols,
        forward: Forward,
        feeds: Mapping[str, Array],
        samples: int,
        layout: str,
        watched: bool = False,
    ) -> None:
        self.proto, self.plan, self.target, self.layout = proto, plan, target, layout
        self.symbols, self.forward, self.feeds = symbols, forward, feeds
        self.samples = samples
        self.recorder = symbols.recorder
        self.inputs: dict[str, Value] = {name: symbols[name] for name in plan.sources}
        self.examples: dict[str, Array] = {name: x.value for name, x in self.inputs.items()}
        # What a walk reads of it, and the tensors that walks end at where these are no inputs.
        cut = plan.graph.source.cut
        inner = {} if cut is None else {name: symbols.held[name] for name in cut.samples}
        own = self._watch({}, symbols)
        self.watched, self.runs = watched, [replace(own, points=inner)]
        self.loops = False

    def value(self, tensor: str) -> Value:
        """See `Trace`."""
        return self.symbols[tensor]

    def constants(self, baselines: Mapping[str, Array]) -> dict[str, Value]:
        """See `Trace`.

        Raises
        ------
        InputError
        """
        if any(len(baseline) != 1 for baseline in baselines.values()):
            raise InputError("compile: a baseline for each sample has no place in a file; give one for all")
        return {name: self.recorder.constant(np.array(baseline)) for name, baseline in baselines.items()}

    def walk(self, references: Values | None = None) -> dict[str, Value]:
        """See `Trace`."""
        # The walk lets go of what it has read.
        values = Symbols(self.recorder, self.plan, {}, constants=self.symbols)
        values.update(self.symbols)
        if references is None:
            return self._walk(values, self.target)
        beside = self._at(references, self.recorder.within("reference"))
        self.runs.append(self._watch(references, beside))
        return self._walk(values, self.target, beside)

    def mean(
        self,
        count: int,
        tables: Mapping[str, Mapping[str, Array]],
        terms: Callable[[Mapping[str, Values], Asked], Mapping[str, Values]],
    ) -> dict[str, dict[str, Value]]:
        """See `Trace`: a Loop whose body is the model and the walk at the points of one round."""
        body = self.recorder.loop("loop")
        number = Symbol(body, body.fresh("number"), np.array(0, dtype=np.int64))
        rows = {
            name: {
                key: Gather(self.recorder.constant(values), number, axis=0) for key, values in table.items()
            }
            for name, table in tables.items()
        }
        target = self._fixed()
        asked: list[tuple[Watch, dict[str, np.dtype[Any]]]] = []

        def ask(points: Values) -> dict[str, Value]:
            values = self._at(points, body)
            watch = self._watch(points, values)
            shown = {name: values[tensor].dtype for tensor, name in watch.values.items()}
            asked.append((watch, shown | {point.name: point.dtype for point in points.values()}))
            return self._walk(values, target)

        found = terms(rows, ask)
        sums: dict[tuple[str, str], tuple[Symbol, Value]] = {}  # what is carried, before and after a round
        for name, values in found.items():
            for key, value in values.items():
                before = Symbol(body, body.fresh(f"{key}/{name}"), np.zeros_like(self.examples[name]))
                sums[name, key] = (before, before + value * (1 / count))
        zeros = {name: x * 0 for name, x in self.inputs.items()}
        scans = {name: dtype for _, shown in asked for name, dtype in shown.items()}
        after, scanned = _loop(self.recorder, body, number, count, sums, zeros, scans if self.watched else {})
        self.loops = True
        if self.watched:
            self.runs += [watch.scanned(scanned) for watch, _ in asked]
        return {name: {key: after[name, key] for key in values} for name, values in found.items()}

    def _watch(self, points: Values, values: Symbols) -> Watch:
        """The names of a run at these points."""
        read = {name: values.held[name] for name in self.plan.reads if name in values.held}
        return Watch({name: point.name for name, point in points.items()}, read)

    def _at(self, points: Values, recorder: Recorder) -> Symbols:
        """The tensors that the walk reads, computed at other points by a copy of the model's nodes."""
        values = self.forward({**self.feeds, **{name: point.value for name, point in points.items()}})
        # Another output of the model, which the walk does not read, is not computed again.
        examples = {name: values[name] for name in self.plan.asks}
        return replay(self.proto, self.symbols, recorder, points, examples)

    def _walk(self, values: Symbols, target: Target, references: Symbols | None = None) -> dict[str, Value]:
        """One walk on `values`, which it lets go of."""
        with self.recorder.scoped("start"):
            chosen = choose(target, values, self.samples)
            if self.plan.gradient:
                R = seed(target, chosen, values, self.samples, references)
            else:
                R = put_relevance(target, chosen, values, self.samples)
        gates = gates_of(self.plan, target.conditions, samples=None)
        gathers = self.plan.gathers

        def prepared(step: Step) -> dict[str, Value]:
            return step.layer.prepare(values)

        with self.recorder.scoped(""), self._following() as enter:  # every step has its own
            relevance = backward(
                self.plan,
                values,
                R,
                prepared,
                gates={tensor: self._named(tensor, gate) for tensor, gate in gates.items()},
                references=references,
                enter=enter,
                gathering=None if gathers is None else gathers(self.plan, prepared, None),
            )
        with self.recorder.scoped("end"):
            return {name: finish(target, value) for name, value in relevance.items()}

    @contextmanager
    def _following(self) -> Iterator[Callable[[Step], None]]:
        """Says which step it was that takes only whole numbers that are known when the file is written.

        Raises
        ------
        UnsupportedError
        """
        steps: list[Step] = []
        scope = scoping(self.recorder)

        def enter(step: Step) -> None:
            steps.append(step)
            scope(step)

        try:
            yield enter
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            graph, operands = self.plan.graph, steps[-1].layer.operands.values() if steps else ()
            fed = [name for name in operands if name in graph.computed and name not in graph.carrying]
            if not fed:
                raise
            raise UnsupportedError(
                f"compile: {steps[-1].node} reads {fed[0]!r}, which is computed from an input that is "
                "held, and its layer has to know it when the file is written; take explain"
            ) from error

    def _named(self, tensor: str, gate: Gate) -> Gate:
        """A gate whose nodes say that they are one."""

        def named(relevance: Mapping[str, Value]) -> dict[str, Value]:
            with self.recorder.scoped(f"condition/{tensor}"):
                return gate(relevance)

        return named

    def _fixed(self) -> Target:
        """The target with the index that the model's own run gives, so that it is the same elsewhere."""
        with self.recorder.scoped("start"):
            chosen, target = choose(self.target, self.symbols, self.samples), self.target
        if chosen.index is not None:
            target = replace(target, index=Fed(chosen.index))
        if chosen.rival is not None and chosen.rival.index is not None:
            target = replace(target, against=Fed(chosen.rival.index))
        return target


def scoping(recorder: Recorder) -> Callable[[Step], None]:
    """What a walk calls before each step, so that its nodes bear the rule's and the node's names."""

    def enter(step: Step) -> None:
        recorder.names.scope = f"{step.rule.name()}/{step.node.name}"

    return enter


def _loop(
    outer: Recorder,
    body: Recorder,
    number: Symbol,
    count: int,
    sums: Mapping[tuple[str, str], tuple[Symbol, Value]],
    zeros: Mapping[str, Symbol],
    scans: Mapping[str, np.dtype[Any]],
) -> tuple[dict[tuple[str, str], Symbol], dict[str, str]]:
    """Put the body into a Loop node: what its sums are called behind it, and what is shown of every round."""
    going, goes_on = body.fresh("going"), body.fresh("goes_on")
    whole, truth = onnx.TensorProto.INT64, onnx.TensorProto.BOOL
    info = onnx.helper.make_tensor_value_info
    nodes = [node_of(entry) for entry in body.nodes]
    nodes.append(onnx.helper.make_node("Identity", [going], [goes_on], goes_on))
    shown = {name: body.fresh("shown") for name in scans}
    nodes += [onnx.helper.make_node("Identity", [name], [end], end) for name, end in shown.items()]
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
            *(
                info(shown[name], onnx.helper.np_dtype_to_tensor_dtype(kind), None)
                for name, kind in scans.items()
            ),
        ],
    )
    scanned = {name: outer.fresh("shown") for name in scans}
    after = {
        (name, key): Symbol(outer, outer.fresh(f"{key}/{name}"), end.value)
        for (name, key), (_, end) in sums.items()
    }
    outer.nodes.append(
        onnx.helper.make_node(
            "Loop",
            [
                outer.constant(np.array(count, dtype=np.int64)).name,
                "",
                *(zeros[name].name for name, _ in sums),
            ],
            [*(symbol.name for symbol in after.values()), *scanned.values()],
            name=outer.fresh("Loop"),
            body=graph,
        )
    )
    return after, scanned
