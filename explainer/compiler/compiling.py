"""`compile`: from a model file to one that returns its explanation too."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx

from ..composites import Composite
from ..errors import ExplainerError, InputError, ModelError, PreprocessError, TargetError
from ..files import path_of, recording, write_whole
from ..inputs.feeds import layout_of
from ..inputs.preprocess import reading
from ..inputs.ranges import edges
from ..methods import Method
from ..model.fixing import FixLike
from ..model.graph import Graph, ModelLike
from ..model.mixing import mixing
from ..model.parts import Parts
from ..model.raising import OPSET, raised
from ..model.runtime import PathLike, ProviderLike, Runtime
from ..plain.checks import check_held
from ..plain.keywords import named
from ..plan import Plan
from ..recipe import Recipe, Settings
from ..recipe.advice import Asked
from ..recipe.stopping import goal_of, stopped
from ..targets import (
    UNSAID,
    Ask,
    ConditionsLike,
    LabelsLike,
    Names,
    Target,
    TargetLike,
    conditioned_tensors,
    declared_outputs,
    labels_given,
    labels_of,
)
from ..text import LINE, printable
from ..walk.chunks import callers_level
from ..walk.gates import check_passable
from .choices import Choice
from .emitted import Emitted
from .emitting import Emitter, output_names
from .examples import Examples, check_sizes, declared_batches
from .pools import told
from .refusing import check_shared, recipe_of, refuse_taken_names
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
    labels: LabelsLike | None = None,
    providers: Sequence[ProviderLike] | None = None,
    threads: int | None = None,
    custom_ops: Sequence[PathLike] = (),
    fix: FixLike | None = None,
    **how: Unpack[Settings],
) -> onnx.ModelProto:
    """Emit an ONNX file that returns its original outputs and their relevance.

    A target that is an index becomes an input of the file, ``target``, which may be left out: whole
    numbers, one or one per sample; what was compiled is the default, and a negative number is each
    sample's largest output. A margin's other side is the input ``against`` likewise; a negative
    number is the best other class.

    The batch stays dynamic where the model's is; where it is only declared to be, it is fixed, with a
    warning. Where samples change each other's numbers, the file takes one at a time: `explain` asks each
    alone. Spatial sizes are fixed. A method that asks at many
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
        For a model whose spatial size is dynamic, or one whose texts or series have any length; its
        preprocessing's size by default.
    labels : sequence of str, dict of int -> str, path or None
        See `Explainer`: names by which a target can be said.
    providers, threads, custom_ops
        See `Explainer`: how onnxruntime runs the model, and the file that is made, to prove it.
    fix : dict of str -> number or array, optional
        See `Explainer`: what is fixed is no input of the file, or no open axis.
    **how
        method, noise, composite, rules, dialect, eps, keep, stop and options, as `Explainer` takes them, or
        a `recipe`; one that asks for float64 or NumPy is refused, its audit is not the file's.

    Returns
    -------
    onnx.ModelProto
        With the further outputs ``relevance`` (``relevance/NAME`` for each input of a model that
        has several) and ``relevance/NAME`` for each kept or conditioned tensor, and each stop.

    Raises
    ------
    UnsupportedError, TargetError, ModelError, InputError, OutputError
    """
    if image_size is not None:
        try:
            check_held("image_size", image_size)
            image_size = edges("image_size", image_size)
        except PreprocessError as error:
            raise InputError(str(error)) from None
    written = None if path is None else path_of(path)
    recipe, asked = recipe_of(how), Ask.of("top" if target is None else target, start, against, conditions)
    runtime = Runtime(providers, threads, custom_ops)
    original = Graph.load(model, runtime, fix)
    preprocess = reading(None, original.metadata)
    names = labels_of(original) if labels is None else labels_given(labels)
    sizes = Examples.of(original, image_size)

    def tried(recipe: Recipe, asked: Ask) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that nobody gets
            _emitted(original, sizes, recipe, asked, names, *recipe.made(preprocess))

    method, composite = recipe.made(preprocess)
    method.require_compilable()
    # Complaints first, in the names of the file as given.
    runs = {"providers": runtime.providers, "threads": runtime.threads, "custom_ops": runtime.custom_ops}
    given: dict[str, object] = {**runs, "fix": fix}
    said = [*([] if labels is None else ["labels"]), *(name for name, value in given.items() if value)]
    with Asked(original, recipe, preprocess, asked, names, said, tried).advising():
        goal, _, _ = _planned(original, asked, recipe, names, method, composite)
    names.check(goal.anchor.output, declared_outputs(original))
    goal, file = _emitted(original, sizes, recipe, asked, names, method, composite)
    compiled = file.proto
    _declare(compiled, recipe, asked, composite, goal, file.choices)
    if written is not None:
        with write_whole(written) as opened:
            opened.write(compiled.SerializeToString())
    return compiled


def _emitted(
    original: Graph,
    sizes: Examples,
    recipe: Recipe,
    asked: Ask,
    names: Names,
    method: Method,
    composite: Composite,
) -> tuple[Target, Emitted]:
    """The file, proved.

    Raises
    ------
    UnsupportedError, TargetError, ModelError, InputError
    """
    method.require_compilable()

    def made(examples: Examples) -> tuple[Target, Emitted]:
        there = raised(original)
        proto = told(there, original, examples.feeds(2))
        is_same = proto is there and original.opset >= OPSET
        graph = original if is_same else Graph.load(proto, original.runtime)
        graph = graph.having(source=replace(graph.source, title=original.title))
        # A converter may insert nodes before the output: the target is looked up anew.
        goal, plan, parts = _planned(graph, asked, recipe, names, method, composite)
        check_shared(graph if parts is None else parts.rest, plan, examples)
        refuse_taken_names(original, names_of(proto.graph), output_names(plan, method))
        layout = layout_of(reading(None, original.metadata))
        emitter = Emitter(original, proto, plan, goal, examples, layout, parts)
        asking = emitter.behind(method)
        file = emitter.emit(asking)
        emitter.prove(asking, file)
        return goal, file

    with np.errstate(all="ignore"):  # the proof says what is not finite, NumPy only that
        sizes = sizes.running(original)
        start = goal_of(original, stopped(original, recipe, method), asked, names).anchor
        alone = _alone(original, [start.tensor, start.output], sizes, made)
        return alone or _first_that_works(original, sizes, made)


def _alone(
    original: Graph,
    tensors: Sequence[str],
    examples: Examples,
    made: Callable[[Examples], tuple[Target, Emitted]],
) -> tuple[Target, Emitted] | None:
    """The file for one sample at a time, where samples meet for sure and each is explained alone.

    None where they do not meet before these tensors, or where none passes alone: what begins the inputs are
    no samples then.
    """
    meeting = mixing(_before(original, tensors)) if examples.is_dynamic else None
    if meeting is None or not meeting.is_sure:
        return None
    with suppress(ModelError, TargetError):
        found = made(examples.fixed(1))
        what = f"{original.title}: {meeting}, and each is explained alone"
        warnings.warn(
            printable(f"{what}: the file that was made takes 1 sample at a time", LINE),
            stacklevel=callers_level(),
        )
        return found
    return None


def _before(graph: Graph, tensors: Sequence[str]) -> Graph:
    """The nodes that these tensors are made by."""
    needed, nodes = set(tensors), []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            nodes.append(node)
            needed.update((*node.inputs, *node.captures))
    return graph.having(nodes=tuple(nodes[::-1]))


def _first_that_works(
    original: Graph, examples: Examples, made: Callable[[Examples], tuple[Target, Emitted]]
) -> tuple[Target, Emitted]:
    """The file for a free batch; else for a fixed one.

    A batch may be declared free and not be it: that was done by hand, or the model mixes samples. What fails
    in all ways fails as in the first.
    """
    batches = (1, *declared_batches(original)) if examples.is_dynamic else ()
    failure: ExplainerError | None = None
    for there in (examples, *map(examples.fixed, batches)):
        try:
            found = made(there)
        except (ModelError, TargetError) as error:
            failure = failure or error
            continue
        if there.batch is not None:
            what = (
                f"{original.title} declares a dynamic batch that cannot be compiled ({failure}); the file "
                f"that was made takes {there.batch} sample{'s' if there.batch > 1 else ''} at a time"
            )
            warnings.warn(printable(what, LINE), stacklevel=callers_level())
        return found
    assert failure is not None
    check_sizes(original, examples)
    raise failure


def _planned(
    graph: Graph, asked: Ask, recipe: Recipe, names: Names, method: Method, composite: Composite
) -> tuple[Target, Plan, Parts | None]:
    """The target in a graph, and the plan for it; and the graph's parts where walks end inside of it."""
    parts = stopped(graph, recipe, method)
    goal = goal_of(graph, parts, asked, names)
    if isinstance(goal.index, np.ndarray) or isinstance(goal.against, np.ndarray):
        raise InputError(
            "compile: one target for all samples; several are the compiled file's own input 'target'"
        )
    if goal.conditions:
        method.require_keeping("conditions")
    conditioned = conditioned_tensors(goal.conditions)
    walked = graph if parts is None else parts.rest
    plan = method.plan(walked, composite, goal.anchor, recipe.keep, conditioned)
    check_passable(plan, goal.conditions)
    return goal, plan, parts


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
