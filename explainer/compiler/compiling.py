"""`compile`: from a model file to one that returns its explanation too."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from .. import composites, methods
from ..batches import Batches
from ..composites import CompositeLike, RulesLike
from ..errors import InputError, ModelError
from ..files import write_whole
from ..gates import check_passable
from ..graph import Graph, ModelLike
from ..inputs import Given
from ..methods import Method, NoiseLike
from ..plan import Plan
from ..planning import plan_of, require_walk
from ..preprocess import defaults_from, of_metadata
from ..question import Scorer, ask
from ..runner import Runner
from ..targets import (
    ConditionsLike,
    Target,
    TargetLike,
    choose,
    conditioned_tensors,
    labels_of,
    resolve_target,
)
from ..tensor import Array, Recorder
from .choices import Choice, choices_of, given, names_samples
from .proof import Examples, prove
from .raising import raised
from .symbols import Symbols
from .walks import Trace, emitted
from .writing import names_of, unused_prefix, written


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

    Returns
    -------
    onnx.ModelProto
        With the further outputs ``relevance`` (``relevance/NAME`` for each input of a model that
        has several) and ``relevance/NAME`` for each kept or conditioned tensor.

    Raises
    ------
    UnsupportedError, TargetError, ModelError, InputError, OutputError
    """
    original = Graph.load(model)
    given_target: dict[str, Any] = {
        "target": "top" if target is None else target,
        "how": start,
        "against": against,
        "conditions": conditions,
    }
    goal = resolve_target(original, labels=labels_of(original), **given_target)
    if isinstance(goal.index, np.ndarray) or isinstance(goal.against, np.ndarray):
        raise InputError(
            "compile: one target for all samples; several are the compiled file's own input 'target'"
        )
    asked = methods.get(method, noise, options)
    chosen = composites.get(
        composite or asked.composite or "epsilon",
        rules=rules,
        dialect=dialect,
        eps=eps,
        defaults=defaults_from(lambda: of_metadata(original.metadata)),
        **asked.parameters,
    )
    if not asked.method.walks:
        raise InputError(f"method {method!r} asks for scores alone: there is no walk to compile")
    if goal.conditions:
        require_walk("conditions", asked.method)
    # Complaints first, in the names of the file as given.
    conditioned = conditioned_tensors(goal.conditions)
    check_passable(plan_of(original, chosen, goal.where, keep, asked.method, conditioned), goal.conditions)
    proto = raised(original)
    graph = Graph.load(proto)
    graph = graph.having(source=replace(graph.source, title=original.title))
    # A converter may insert nodes before the output: the target is looked up anew.
    goal = resolve_target(graph, labels=labels_of(graph), **given_target)
    plan = plan_of(graph, chosen, goal.where, keep, asked.method, conditioned)
    names = output_names(plan, asked.method)
    _refuse_taken_names(plan, names)
    examples = Examples.of(graph, image_size)
    compiled, choices = _emit(proto, plan, goal, examples, asked.method, names)
    _declare(compiled, method, chosen.name, given_target, goal, choices)
    reference = _reference(plan, asked.method, Scorer(original, goal.where))
    prove(compiled, original, reference, names, goal, examples, choices)
    if path is not None:
        with write_whole(Path(path)) as file:
            file.write(compiled.SerializeToString())
    return compiled


def _emit(
    proto: onnx.ModelProto,
    plan: Plan,
    target: Target,
    examples: Examples,
    method: Method,
    names: Mapping[str, str],
) -> tuple[onnx.ModelProto, tuple[Choice, ...]]:
    """The model with the method's nodes behind its own, and the inputs that choose its target."""
    feeds = examples.feeds(2)
    samples = next(iter(feeds.values())).shape[0]
    runner = Runner(plan, np.dtype(np.float32))

    def forward(feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {**runner.session.run(feeds), **feeds}

    activations = forward(feeds)
    symbols = Symbols(Recorder(unused_prefix(plan.graph)), plan.graph, activations)
    found = choose(target, activations, samples)
    if examples.is_dynamic and names_samples(found):
        raise InputError(f"compile: {target} names samples, and the file's batch is free")
    choices = choices_of(target, found, names_of(plan.graph))
    target = given(target, choices, symbols.recorder)
    relevance = emitted(method, Trace(proto, plan, target, symbols, forward, samples))
    results = {name: relevance[tensor] for name, tensor in names.items()}
    return written(proto, symbols.recorder, results, choices, examples, activations, samples), choices


def _reference(plan: Plan, method: Method, scorer: Scorer) -> Any:
    """What NumPy makes of a batch and targets: a dict of tensor -> relevance for each."""
    runner, batches = Runner(plan, np.dtype(np.float32)), Batches(plan.graph)

    def reference(feeds: Mapping[str, Array], targets: Sequence[Target]) -> list[dict[str, Array]]:
        if isinstance(method, methods.Walk):
            return [run.relevance for run in runner.run(feeds, targets)]
        batch = Given(dict(feeds))
        return [ask(method, scorer, runner, batches, batch, target, None).relevance for target in targets]

    return reference


def _refuse_taken_names(plan: Plan, names: Mapping[str, str]) -> None:
    """Say what onnx.checker would only call a violated single assignment."""
    taken = set(names) & {name for node in plan.graph.nodes for name in node.outputs}
    if taken:
        raise ModelError(
            f"{plan.graph.title}: it has tensors called {', '.join(map(repr, sorted(taken)))} already; "
            "was it compiled before? Compile the original"
        )


def output_names(plan: Plan, method: Method) -> dict[str, str]:
    """The emitted outputs: their name -> the tensor whose relevance they hold."""
    single = len(plan.sources) == 1
    names = {"relevance" if single else f"relevance/{name}": name for name in plan.sources}
    if not isinstance(method, methods.Walk):
        return names
    return names | {f"relevance/{name}": tensor for name, tensor in plan.keep.items()}


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
        "start": goal.how,
        "from": str(goal.where),
        "inputs": {choice.name: choice.default for choice in choices},
    }
    if asked["against"] is not None:
        facts["against"] = str(asked["against"])
    if goal.conditions:
        facts["conditions"] = list(map(str, goal.conditions))
    entry = proto.metadata_props.add()
    entry.key, entry.value = "onnx_lrp", json.dumps(facts)
