"""The walk alone as a model, run by onnxruntime: for methods that walk from many points."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import ModelError
from ..model.axes import by_sample
from ..model.session import Session
from ..plan import Plan
from ..targets import Target
from ..tensor import Array, Recorder, Symbol
from ..walk.audit import Audit
from ..walk.backward import backward
from ..walk.chunks import Batches, Chunk
from ..walk.forward import SessionForward
from ..walk.passes import ForwardPass
from ..walk.runs import Run
from ..walk.walker import NumpyWalker, begin
from .recorded import Record, RecordedForward
from .rounding import beyond_rounding
from .symbols import Symbols
from .tracing import scoping
from .writing import node_of

# Of the model that is made here. It holds no node of the file, whose own opset so does not matter.
OPSET, IR_VERSION = 17, 8
# Larger constants, in bytes, are not written into the model but fed: VGG-16's dense layers, 0.5 GB, would
# be held several times while it is made.
LARGEST = 1 << 24
# How many walks are kept, each with its weights: of a model that takes pictures of any size.
KEPT = 4
# How many sizes of batches are known to give the same as NumPy.
SIZES = 64

Shapes: TypeAlias = "tuple[tuple[int, ...], ...]"


class Unwalkable(ModelError):
    """The walk cannot be traced, or onnxruntime cannot run it."""


class TracedWalk:
    """A plan's walk on symbols: (activations, R) -> the relevance of the inputs, for any batch.

    Parameters
    ----------
    plan : Plan
    activations : dict of tensor name -> array
        An example of what the walk reads.
    R : array
        An example of what it starts from.
    fixed : dict of step id -> parameters
        Those that do not depend on the activations, made once.

    Raises
    ------
    Unwalkable
    """

    def __init__(
        self,
        plan: Plan,
        activations: Mapping[str, Array],
        R: Array,
        fixed: Mapping[int, Mapping[str, Array]],
    ) -> None:
        recorder = Recorder("walk")
        symbols = Symbols(recorder, plan, activations)
        given = Symbol(recorder, "walk/R", R)
        try:
            relevance = backward(
                plan,
                symbols,
                given,
                lambda step: dict(fixed[id(step)]) if id(step) in fixed else step.layer.prepare(symbols),
                enter=scoping(recorder),
            )
            self.outputs = {name: relevance[name].name for name in plan.sources}
            proto = self._model(plan, recorder, activations, R)
            # Weights are packed, other than those of the forward pass: 5 % of all time (ResNet-18, measured).
            outputs = list(self.outputs.values())
            self._session = Session(
                proto.SerializeToString(), outputs, title="the walk", packed=True, runtime=plan.graph.runtime
            )
        except Exception as error:  # whatever a layer or rule cannot do on symbols
            raise Unwalkable(f"{plan.graph.title}: its walk cannot be run by onnxruntime: {error}") from error

    def _model(
        self, plan: Plan, recorder: Recorder, activations: Mapping[str, Array], R: Array
    ) -> onnx.ModelProto:
        """The recorded nodes as a model."""
        nodes = [node_of(entry) for entry in recorder.nodes]
        # Where the input is the target, it is handed what was given.
        ends = [name for name in self.outputs.values() if name == "walk/R"]
        nodes += [onnx.helper.make_node("Identity", [name], ["walk/end"]) for name in ends[:1]]
        self.outputs = {k: "walk/end" if name == "walk/R" else name for k, name in self.outputs.items()}
        made = {name for node in nodes for name in node.output}
        read = dict.fromkeys(name for node in nodes for name in node.input if name and name not in made)
        self.inputs = [name for name in read if name in activations]
        constants = dict(recorder.constants)
        for name in read:
            if name not in activations and name not in constants and name != "walk/R":
                constants[name] = plan.graph.constant(name)
        self._large = {k: np.ascontiguousarray(v) for k, v in constants.items() if v.nbytes > LARGEST}
        fed = {**{name: activations[name] for name in self.inputs}, **self._large, "walk/R": R}
        graph = onnx.helper.make_graph(
            nodes,
            "walk",
            [_declared(name, value.dtype) for name, value in fed.items()],
            [_declared(name, np.dtype(np.float32)) for name in self.outputs.values()],
            [numpy_helper.from_array(v, name) for name, v in constants.items() if name not in self._large],
        )
        opset = onnx.helper.make_opsetid("", OPSET)
        return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)

    def __call__(self, activations: Mapping[str, Array], R: Array) -> dict[str, Array]:
        try:
            read = {name: activations[name] for name in self.inputs}
            found = self._session.run({**read, **self._large, "walk/R": R})
        except ModelError as error:
            raise Unwalkable(str(error)) from error
        relevance = {name: found[output] for name, output in self.outputs.items()}
        if not all(np.isfinite(np.sum(value)) for value in relevance.values()):
            raise Unwalkable("not finite")  # the audited walk says where
        return relevance


def _declared(name: str, dtype: np.dtype[Any]) -> onnx.ValueInfoProto:
    """A tensor of any shape."""
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(dtype), None)


class OnnxWalker:
    """The walk as a model that onnxruntime runs: for many points, so no audit. Thread-safe.

    The forward pass is that of `one`. The walk is traced once for all batches of samples of one
    shape. For every size of batch the first answer is compared with the walk on arrays from the same
    activations, which takes over where that fails, or where tracing does.

    Parameters
    ----------
    one : NumpyWalker
        The same on arrays.
    must : bool
        Whether to complain instead.
    """

    def __init__(self, one: NumpyWalker, must: bool = False) -> None:
        self.one, self.must = one, must
        self.plan = one.plan
        self._walks: dict[tuple[Shapes, bool], TracedWalk | Unwalkable] = {}
        self._trusted: dict[Shapes, bool] = {}
        self._lock = threading.Lock()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The number type of the walk."""
        return self.one.dtype

    def __call__(
        self,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        references: Mapping[str, Array] | None = None,
    ) -> list[Run]:
        """See `Walker`; references and conditions are for the walk on arrays.

        Raises
        ------
        ModelError
            As there; or the walk fails in onnxruntime, and must not.
        """
        if references is not None or any(target.conditions for target in targets):
            return self.one(feeds, targets, references)
        chunks = self.one.batches.cut(feeds, targets)
        for chunk in chunks:
            with chunk, np.errstate(all="ignore"):  # what is not finite is walked on arrays, and reported
                shapes = tuple(x.shape for x in chunk.feeds.values())
                reason = Unwalkable("it failed before")
                if self._trusted.get(shapes, True):
                    try:
                        walk = self._walk(chunk)
                        passed = self.one.forward(chunk.feeds)
                        chunk.runs = self._runs(passed, chunk.targets, walk)
                        if shapes not in self._trusted:
                            self._prove(chunk, passed)
                        self._trust(shapes, True)
                        continue
                    except Unwalkable as error:
                        reason = error
                        self._trust(shapes, False)
                # Where the numbers are at fault, this says which.
                chunk.runs = self.one(chunk.feeds, chunk.targets)
                if self.must:
                    raise reason
        return chunks.runs()

    def _trust(self, shapes: Shapes, good: bool) -> None:
        """Note whether batches of this size can be believed; of many sizes the last are remembered."""
        with self._lock:
            self._trusted[shapes] = good
            while len(self._trusted) > SIZES:
                del self._trusted[next(iter(self._trusted))]

    def _walk(self, chunk: Chunk) -> TracedWalk:
        """The walk for samples of this shape, traced where there is none yet."""
        shapes, alone = tuple(x.shape[1:] for x in chunk.feeds.values()), chunk.samples == 1
        with self._lock:
            # A walk that was traced on one sample may take its batch for an axis to spread.
            if (shapes, False) in self._walks:
                alone = False
            if (shapes, alone) not in self._walks:
                feeds, target = self._few(chunk, np.arange(2))
                passed = self.one.forward(feeds)
                _, R = begin(self.plan, target, passed)
                try:
                    made: TracedWalk | Unwalkable
                    made = TracedWalk(self.plan, passed.activations, R, self.one.forward.fixed)
                except Unwalkable as error:
                    made = error
                self._walks[shapes, alone] = made
            found = self._walks[shapes, alone]
            while len(self._walks) > KEPT:
                del self._walks[next(iter(self._walks))]
        if isinstance(found, Unwalkable):
            raise found
        return found

    def _runs(self, passed: ForwardPass, targets: Sequence[Target], walk: TracedWalk) -> list[Run]:
        begun = [begin(self.plan, target, passed) for target in targets]
        return [
            run.walked(target, by_sample(self.plan.graph, walk(passed.activations, R)), Audit())
            for target, (run, R) in zip(targets, begun, strict=True)
        ]

    def _prove(self, chunk: Chunk, passed: ForwardPass) -> None:
        """Compare with the walk on arrays from the same activations."""
        run = chunk.runs[0]
        for name, wanted in self._by_numpy(self.one.forward, chunk, passed).items():
            if beyond := beyond_rounding(
                run.relevance[name],
                wanted,
                lambda: self._by_numpy(SessionForward(self.plan, np.dtype(np.float64)), chunk, passed)[name],  # noqa: B023
            ):
                what = f"onnxruntime's walk is not NumPy's: the relevance of {name!r} {beyond}"
                raise Unwalkable(f"{self.plan.graph.title}: {what}")

    def _by_numpy(self, forward: SessionForward, chunk: Chunk, passed: ForwardPass) -> dict[str, Array]:
        batches = Batches(self.plan.graph)
        batches.fixed = passed.samples  # no model is asked, and so none needs them cut
        again = RecordedForward(forward, Record(chunk.feeds, passed.activations))
        walker = NumpyWalker(self.plan, again, batches, self.one.audit)
        return walker(chunk.feeds, chunk.targets[:1])[0].relevance

    def _few(self, chunk: Chunk, take: Array) -> tuple[dict[str, Array], Target]:
        """Some samples and the first target, or all of them where the model takes no other number."""
        fixed = any(value.shape and value.shape[0] is not None for value in self.plan.graph.inputs)
        take = np.arange(chunk.samples) if fixed else take[take < chunk.samples]
        few = {name: x[take] for name, x in chunk.feeds.items()}
        return few, chunk.targets[0].taking(take, chunk.samples)
