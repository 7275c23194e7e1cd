"""`compile`: from a model file to one that returns its explanation too."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx

from ..composites import Composite
from ..errors import InputError, ModelError, PreprocessError
from ..files import path_of, recording, write_whole
from ..inputs.feeds import layout_of
from ..inputs.preprocess import reading
from ..inputs.ranges import edges
from ..methods import Method
from ..model.graph import Graph, ModelLike
from ..model.raising import OPSET, raised
from ..model.runtime import PathLike, ProviderLike, Runtime
from ..plain.keywords import named
from ..plan import Plan
from ..recipe import Recipe, Settings
from ..recipe.advice import Asked
from ..targets import (
    UNSAID,
    Ask,
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

if TYPE_CHECKING:
    from typing import Unpack


@named(Settings, defaults=Recipe(), but=("dtype", "engine", "forward", "audit"))
@recording()
def compile(
    model: ModelLike,
    path: str | os.PathLike[str] | None = None,
    *,
    target: TargetLike | None = None,
    start: str = UNSAID,
    against: TargetLike | None = None,
    conditions: ConditionsLike | None = None,
    image_size: int | tuple[int, int] | None = None,
    providers: Sequence[ProviderLike] | None = None,
    threads: int | None = None,
    custom_ops: Sequence[PathLike] = (),
    **how: Unpack[Settings],
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
    target, start, against
        See `explain`; None is "top": each sample's largest output.
    conditions : dict of tensor name -> channels, optional
        See `explain`; the same for all samples.
    image_size : int or (height, width), optional
        For a model whose spatial size is dynamic; its preprocessing's size by default.
    providers, threads, custom_ops
        See `Explainer`: how onnxruntime runs the model, and the file that is made, to prove it.
    **how
        method, noise, composite, rules, dialect, eps, keep and options, as `Explainer` takes them, or a
        `recipe`.

    Returns
    -------
    onnx.ModelProto
        With the further outputs ``relevance`` (``relevance/NAME`` for each input of a model that
        has several) and ``relevance/NAME`` for each kept or conditioned tensor.

    Raises
    ------
    UnsupportedError, TargetError, ModelError, InputError, OutputError
    """
    if image_size is not None:
        try:
            edges("image_size", image_size)
        except PreprocessError as error:
            raise InputError(str(error)) from None
    written = None if path is None else path_of(path)
    recipe, asked = _asked(how), Ask.of("top" if target is None else target, start, against, conditions)
    original = Graph.load(model, Runtime(providers, threads, custom_ops))
    preprocess = reading(None, original.metadata)
    method, composite = recipe.made(preprocess)
    method.require_compilable()
    # Complaints first, in the names of the file as given.
    given = {"providers": providers, "threads": threads, "custom_ops": custom_ops}
    said = [name for name, value in given.items() if value is not None and value != ()]
    with Asked(original, recipe, preprocess, asked, labels_of(original), said).advising():
        goal, plan = _planned(original, asked, recipe, method, composite)
    proto = raised(original)
    _refuse_taken_names(original, names_of(proto.graph), output_names(plan, method))
    if original.opset < OPSET:
        graph = Graph.load(proto, original.runtime)
        graph = graph.having(source=replace(graph.source, title=original.title))
        # A converter may insert nodes before the output: the target is looked up anew.
        goal, plan = _planned(graph, asked, recipe, method, composite)
    emitter = Emitter(original, proto, plan, goal, Examples.of(original, image_size), layout_of(preprocess))
    file = emitter.emit(method)
    emitter.prove(method, file)
    compiled = file.proto
    _declare(compiled, recipe, asked, composite, goal, file.choices)
    if written is not None:
        with write_whole(written) as opened:
            opened.write(compiled.SerializeToString())
    return compiled


def _asked(how: Settings) -> Recipe:
    """The recipe, refused where it asks for what a file cannot be asked for."""
    recipe = Recipe.of(how)
    if recipe.dtype != "float32":
        raise InputError(f"compile: a file walks in float32, not {recipe.dtype}; leave dtype out")
    return recipe


def _planned(
    graph: Graph, asked: Ask, recipe: Recipe, method: Method, composite: Composite
) -> tuple[Target, Plan]:
    """The target in a graph, and the plan for it."""
    goal = resolve_target(graph, asked, labels_of(graph))
    if isinstance(goal.index, np.ndarray) or isinstance(goal.against, np.ndarray):
        raise InputError(
            "compile: one target for all samples; several are the compiled file's own input 'target'"
        )
    if goal.conditions:
        method.require_keeping("conditions")
    conditioned = conditioned_tensors(goal.conditions)
    plan = method.plan(graph, composite, goal.anchor, recipe.keep, conditioned)
    check_passable(plan, goal.conditions)
    return goal, plan


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
    recipe: Recipe,
    asked: Ask,
    composite: Composite,
    goal: Target,
    choices: Sequence[Choice],
) -> None:
    """Say in the file what was compiled into it."""
    facts = {
        "method": recipe.method,
        "composite": composite.name,
        "target": str(asked.target),
        "start": goal.start,
        "from": str(goal.anchor),
        "inputs": {choice.name: choice.default for choice in choices},
        "recipe": repr(recipe),
        "ask": repr(asked),
    }
    if asked.against is not None:
        facts["against"] = str(asked.against)
    if goal.conditions:
        facts["conditions"] = list(map(str, goal.conditions))
    entry = proto.metadata_props.add()
    entry.key, entry.value = "onnx_lrp", json.dumps(facts)
