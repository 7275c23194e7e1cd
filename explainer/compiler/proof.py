"""What a compiled file is checked against: onnx's checker, the original file and NumPy's walk."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx

from ..errors import ModelError, NumericalError
from ..inputs.feeds import Batch
from ..methods import Method
from ..model.axes import in_front
from ..model.graph import Graph
from ..model.raising import set_apart
from ..model.runtime import Runtime
from ..model.session import Session
from ..targets import Target
from ..tensor import Array
from ..walk.auditor import remedy
from ..walk.chunks import Batches, samples_of
from ..walk.forward import OutputForward, SessionForward
from ..walk.walker import Scorer, Walkers
from .emitted import Emitted, Watch
from .examples import Examples
from .recorded import OwnForward, Record, RecordedForward, RecordedWalker
from .rounding import CONDITION, ROUNDING, Nearest, beyond_rounding, distances, lengths

# The same file, with what its walks read among its outputs and without it: fused differently, one sample that
# is alike shows that it is the same.
UNWATCHED = 0.1
# Rounding of some hundred layers, fused differently, relative to the largest output: ten times what was seen.
# By the bytes of the numbers that the file computes in: of a float16 file the outputs may be float32. Where
# it is more, `CONDITION` times what the original is off by when nothing is fused in it.
AGREEMENT = {2: 3e-2, 4: 1e-5, 8: 1e-9}


@dataclass(frozen=True, eq=False)
class Reference:
    """What NumPy makes of what a file's walks read.

    Parameters
    ----------
    method : Method
    forward : SessionForward
        Of the file's plan; says what the parameters are.
    layout : str
        "NCHW" or "NHWC".
    """

    method: Method
    forward: SessionForward
    layout: str

    @cached_property
    def _precise(self) -> SessionForward:
        return SessionForward(self.forward.plan, np.dtype(np.float64))

    @cached_property
    def _model(self) -> OutputForward:
        return OutputForward(self.forward.plan.graph, self.forward.plan.anchor)

    def __call__(
        self, runs: Sequence[tuple[Watch, Record]], target: Target, precise: bool = False
    ) -> dict[str, Array]:
        """The relevance of every tensor that has one, by its name.

        Parameters
        ----------
        runs : sequence of (Watch, Record)
            The file's own run first.
        target : Target
        precise : bool
            Whether in float64, and moved by rounding: what float32 is off by says what can be asked for.

        Raises
        ------
        ModelError, NumericalError, TargetError
        """
        own = runs[0][1]
        beside = next((record for watch, record in runs[1:] if not watch.loops), None)
        rounds = [record for watch, record in runs if watch.loops]
        forward = self._precise if precise else self.forward
        walker = RecordedWalker(forward, own, beside, rounds, ROUNDING if precise else 0.0)
        scoring = OwnForward(RecordedForward(forward, own), self._model)
        walkers = Walkers(lambda: Scorer(scoring, Batches(forward.plan.graph)), walker)
        batch = Batch(dict(own.feeds), layout=self.layout)
        return self.method.answer(walkers, batch, [target])[0].relevance


def prove(
    file: Emitted,
    watched: Emitted,
    original: Graph,
    target: Target,
    examples: Examples,
    reference: Reference,
) -> None:
    """Check the emitted file, and run it beside the original and beside NumPy.

    A further batch size shows whether the traced one was baked in, further targets whether the default was.

    Parameters
    ----------
    file : Emitted
        The compiled model.
    watched : Emitted
        The same, its loops watched.
    original : Graph
    target : Target
        As it was compiled.
    examples : Examples
    reference : Reference

    Raises
    ------
    ModelError
        The file is invalid, or it disagrees.
    """
    trials = []
    for feeds in examples.trials():
        trials.append((target, feeds, feeds))
        for choice in file.choices:
            indices = choice.others(samples_of(in_front(original, feeds)))
            trials.append((choice.made(target, indices), feeds, {**feeds, choice.name: indices}))
    answers = _as_it_is(file, original, [given for _, _, given in trials])
    inputs = {value.name for value in watched.proto.graph.input}
    session = Session(
        _showing(watched).SerializeToString(),
        [name for name in (*watched.names, *_shown(watched)) if name not in inputs],
        title="the compiled model",
        runtime=original.runtime,
    )
    alike, failure = dict.fromkeys(file.names, False), None
    longest, nearest = dict.fromkeys(file.names, 0.0), {name: Nearest() for name in file.names}
    of_whole_numbers = any(value.dtype.kind in "iu" for value in original.inputs)
    for (tried, _, given), answer in zip(trials, answers, strict=True):
        seen = {**given, **session.run(given)}
        walked = reference.forward.plan.graph
        own = in_front(walked, _walked_from(watched, walked, seen))
        runs = [part for watch in watched.runs for part in _records(watch, seen, own, walked)]
        try:
            if of_whole_numbers:  # the file shows what its walks read as numbers, however they were computed
                reference.forward(own)
            wanted = reference(runs, tried)
        except NumericalError as error:  # of this example; the next may be within the numbers' range
            failure = failure or error
            continue
        for name, tensor in file.names.items():
            shown, found = (_by_sample(values[name], wanted[tensor]) for values in (seen, answer))
            longest[name] = max(longest[name], *lengths(wanted[tensor]))
            again = functools.partial(_walked_again, reference, runs, tried, tensor)
            if beyond := beyond_rounding(shown, wanted[tensor], again, longest[name]):
                raise ModelError(f"the compiled {name!r} {beyond}; please report this model")
            nearest[name].look(shown, wanted[tensor], again)
            gaps = distances(found, shown)
            alike[name] |= bool(np.any(gaps <= UNWATCHED * lengths(shown)))
            if not np.isfinite(found).all():
                raise ModelError(
                    f"the compiled {name!r} is not finite where NumPy's is; please report this model"
                )
        failure = None
    if failure is not None:
        raise failure
    for name in (name for name, found in nearest.items() if found.is_beyond):
        by = f"{nearest[name].gap:.2g} of its length"
        raise ModelError(
            f"the compiled {name!r} differs from NumPy's by {by} at least; please report this model"
        )
    for name in (name for name, is_alike in alike.items() if not is_alike):
        raise ModelError(f"the compiled {name!r} changes when the file is watched; please report this model")


def loaded(proto: onnx.ModelProto, outputs: Sequence[str], runtime: Runtime) -> Session:
    """A file that onnx's checker and onnxruntime accept.

    Raises
    ------
    ModelError
    """
    try:
        onnx.checker.check_model(set_apart(proto), full_check=True)
    except Exception as error:  # ValidationError and InferenceError share no base but Exception
        raise ModelError(f"the compiled model is not valid: {str(error).strip()[:400]}") from error
    return Session(proto.SerializeToString(), outputs, title="the compiled model", runtime=runtime)


def _as_it_is(
    file: Emitted, original: Graph, trials: Sequence[Mapping[str, Array]]
) -> list[dict[str, Array]]:
    """What the file answers, its outputs checked against the original's."""
    # The original first: where it is at fault, the message says so.
    model, given = original.session(original.outputs), {value.name for value in original.inputs}
    own = [{name: x for name, x in feeds.items() if name in given} for feeds in trials]
    wanted = [model.run(feeds) for feeds in own]
    unfused = functools.cache(lambda: original.session(original.outputs, once=True))
    session = loaded(file.proto, [*original.outputs, *file.names], original.runtime)
    answers = [session.run(feeds) for feeds in trials]
    for feeds, found, values in zip(own, answers, wanted, strict=True):
        again = functools.cache(lambda feeds=feeds: unfused().run(feeds))
        for name, value in values.items():
            _agree(name, found[name], value, original.precision, again)
    return answers


def _shown(file: Emitted) -> list[str]:
    """The names of what its walks read, each once."""
    return list(
        dict.fromkeys(name for run in file.runs for name in (*run.points.values(), *run.values.values()))
    )


def _showing(file: Emitted) -> onnx.ModelProto:
    """The file with what its walks read among its outputs."""
    there = {value.name for value in (*file.proto.graph.output, *file.proto.graph.input)}
    proto = onnx.ModelProto()
    proto.CopyFrom(file.proto)
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in _shown(file) if name not in there)
    return proto


def _walked_from(file: Emitted, graph: Graph, seen: Mapping[str, Array]) -> dict[str, Array]:
    """What the walked part of a file was fed: its inputs, or tensors inside of it."""
    inner = file.runs[0].points
    return {value.name: seen[inner.get(value.name, value.name)] for value in graph.inputs}


def _by_sample(values: Array, like: Array) -> Array:
    """A file's map as walks have it: in front the samples, where the file's inputs hold none."""
    return values[None] if values.ndim < like.ndim else values


def _records(
    watch: Watch, seen: Mapping[str, Array], feeds: Mapping[str, Array], graph: Graph
) -> list[tuple[Watch, Record]]:
    """What one run of the model was, or those of every round."""
    points, values = (
        {key: seen[name] for key, name in here.items()} for here in (watch.points, watch.values)
    )
    if not watch.loops:
        return [(watch, Record({**feeds, **in_front(graph, points)}, values))]
    count = len(next(iter(points.values())))
    rounds = [
        [{key: x[number] for key, x in part.items()} for part in (points, values)] for number in range(count)
    ]
    return [(watch, Record({**feeds, **at}, read)) for at, read in rounds]


def _agree(name: str, got: Any, wanted: Any, precision: int, again: Callable[[], dict[str, Array]]) -> None:
    if not isinstance(wanted, np.ndarray) or wanted.dtype.kind != "f":
        return
    precision = min(precision, wanted.dtype.itemsize)
    if not np.isfinite(wanted).all():
        raise NumericalError(
            f"the model's own output {name!r} has NaN or infinity in it on inputs drawn from N(0, 1), and on "
            f"amounts and shares of them, by which a compiled file is proved; {remedy(precision)}"
        )
    error = _error(got, wanted)
    if not error <= AGREEMENT[precision] and not error <= CONDITION * _error(again()[name], wanted):
        raise ModelError(f"the compiled model's output {name!r} differs from the original's by {error:.2g}")


def _error(got: Array, wanted: Array) -> float:
    """The largest difference, relative to the largest value."""
    scale = float(np.max(np.abs(wanted), initial=0)) or 1.0
    return float(np.max(np.abs(got.astype(np.float64) - wanted), initial=0)) / scale


def _walked_again(
    reference: Reference, runs: Sequence[tuple[Watch, Record]], target: Target, tensor: str
) -> Array:
    return reference(runs, target, precise=True)[tensor]
