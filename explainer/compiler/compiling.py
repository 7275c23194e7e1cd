"""`compile`: from a model file to one that returns its explanation too."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from .. import methods, plugins
from ..composites import CompositeLike, RulesLike
from ..errors import InputError, ModelError
from ..files import write_whole
from ..inputs.feeds import layout_of
from ..inputs.preprocess import of_metadata
from ..methods import NoiseLike
from ..model.graph import Graph, ModelLike
from ..model.raising import raised
from ..model.runtime import PathLike, ProviderLike, Runtime
from ..targets import (
    ConditionsLike,
    Target,
    TargetLike,
    conditioned_tensors,
    labels_of,
    resolve_target,
)
from ..walk.gates import check_passable
from .choices import Choice
from .emitting import Emitter, output_names
from .proof import Examples
from .writing import names_of


def compile(
    model: ModelLike,
    path: str | os.PathLike[str] | None = None,
    *,
    method: str = "lrp",
    noise: NoiseLike = None,
    composite: CompositeLike | None = None,
    rules: RulesLike = (),
    dialect: str | None = None,
    eps: float | None = None,
    target: TargetLike | None = None,
    start: str = "output",
    against: TargetLike | None = None,
    conditions: ConditionsLike | None = None,
    keep: Collection[str] | str = (),
    image_size: int | tuple[int, int] | None = None,
    providers: Sequence[ProviderLike] | None = None,
    threads: int | None = None,
    custom_ops: Sequence[PathLike] = (),
    **options: Any,
) -> onnx.ModelProto:
    """Emit an ONNX file that returns its original outputs and their relevance.

    A target that is an index becomes an input of the file, ``target``, which may be left out: whole
    numbers, one or one per sample; what was compiled is the default, and a negative number is each
    sample's largest output. A margin's other side is the input ``against`` likewise; a negative
    number is the best other class.

    The batch stays dynamic where the model's is; spatial sizes are fixed. A method that asks at many
    points becomes a Loop. The result is checked by onnx.checker, and by running it: its outputs are
    the original's, its relevance NumPy's.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
    path : path, optional
        Where to write it, whole or not at all.
    method, noise, composite, rules, dialect, eps, keep, **options
        See `Explainer`.
    target, start, against
        See `explain`; None is "top": each sample's largest output.
    conditions : dict of tensor name -> channels, optional
        See `explain`; the same for all samples.
    image_size : int or (height, width), optional
        For a model whose spatial size is dynamic; its preprocessing's size by default.
    providers, threads, custom_ops
        See `Explainer`: how onnxruntime runs the model, and the file that is made, to prove it.

    Returns
    -------
    onnx.ModelProto
        With the further outputs ``relevance`` (``relevance/NAME`` for each input of a model that
        has several) and ``relevance/NAME`` for each kept or conditioned tensor.

    Raises
    ------
    UnsupportedError, TargetError, ModelError, InputError, OutputError
    """
    plugins.load()
    original = Graph.load(model, Runtime(providers, threads, custom_ops))
    given_target: dict[str, Any] = {
        "target": "top" if target is None else target,
        "start": start,
        "against": against,
        "conditions": conditions,
    }
    goal = resolve_target(original, labels=labels_of(original), **given_target)
    if isinstance(goal.index, np.ndarray) or isinstance(goal.against, np.ndarray):
        raise InputError(
            "compile: one target for all samples; several are the compiled file's own input 'target'"
        )
    asked = methods.get(method, noise, options)
    how = asked.method
    how.require_compilable()
    if keep:
        how.require_keeping("keep")
    preprocess = functools.partial(of_metadata, original.metadata)
    chosen = asked.composed(composite, preprocess, rules=rules, dialect=dialect, eps=eps)
    if goal.conditions:
        how.require_keeping("conditions")
    # Complaints first, in the names of the file as given.
    conditioned = conditioned_tensors(goal.conditions)
    check_passable(how.plan(original, chosen, goal.anchor, keep, conditioned), goal.conditions)
    proto = raised(original)
    graph = Graph.load(proto, original.runtime)
    graph = graph.having(source=replace(graph.source, title=original.title))
    # A converter may insert nodes before the output: the target is looked up anew.
    goal = resolve_target(graph, labels=labels_of(graph), **given_target)
    plan = how.plan(graph, chosen, goal.anchor, keep, conditioned)
    _refuse_taken_names(original, names_of(proto.graph), output_names(plan, how))
    examples = Examples.of(graph, image_size)
    emitter = Emitter(original, proto, plan, goal, examples, layout_of(preprocess))
    file = emitter.emit(how)
    emitter.prove(how, file)
    compiled = file.proto
    _declare(compiled, method, chosen.name, given_target, goal, file.choices)
    if path is not None:
        with write_whole(Path(path)) as opened:
            opened.write(compiled.SerializeToString())
    return compiled


def _refuse_taken_names(graph: Graph, names: Collection[str], wanted: Collection[str]) -> None:
    """Say what onnx.checker would only call a violated single assignment."""
    taken = set(names) & set(wanted)
    if taken:
        raise ModelError(
            f"{graph.title}: it has tensors called {', '.join(map(repr, sorted(taken)))} already; "
            "was it compiled before? Compile the original"
        )


def _declare(
    proto: onnx.ModelProto,
    method: str,
    composite: str,
    asked: Mapping[str, Any],
    goal: Target,
    choices: Sequence[Choice],
) -> None:
    """Say in the file what was compiled into it."""
    facts = {
        "method": method,
        "composite": composite,
        "target": str(asked["target"]),
        "start": goal.start,
        "from": str(goal.anchor),
        "inputs": {choice.name: choice.default for choice in choices},
    }
    if asked["against"] is not None:
        facts["against"] = str(asked["against"])
    if goal.conditions:
        facts["conditions"] = list(map(str, goal.conditions))
    entry = proto.metadata_props.add()
    entry.key, entry.value = "onnx_lrp", json.dumps(facts)
