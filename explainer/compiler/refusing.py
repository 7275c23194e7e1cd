"""What has no place in a file: float64, what all samples share, names that the model has already."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import InputError, ModelError
from ..model.graph import Graph
from ..model.sharing import is_shared, is_whole
from ..plan import Plan
from ..recipe import Recipe, Settings
from .examples import Examples


def recipe_of(how: Settings) -> Recipe:
    """The recipe, refused where it asks for what a file cannot be asked for."""
    recipe = Recipe.of(how)
    if recipe.dtype != "float32":
        raise InputError(f"compile: a file walks in float32, not {recipe.dtype}; leave dtype out")
    # "auto" and audit=True are what recipes say of themselves: a file has no audit, and none is asked for.
    for what, asked in (("engine", recipe.engine), ("forward", recipe.forward)):
        if asked == "numpy":
            raise InputError(
                f"compile: a file walks by itself, wherever it is run, and not in NumPy; leave {what} out"
            )
    return recipe


def check_shared(graph: Graph, plan: Plan, examples: Examples) -> None:
    """Refuse a walk to what all samples share: in a file they are walked together, and so is its relevance.

    Raises
    ------
    InputError
    ModelError
        For one sample at a time it is that sample's.
    """
    samples = {} if graph.source.cut is None else graph.source.cut.samples
    for name in plan.sources:
        if samples.get(name, 0) != 0:
            raise InputError(
                f"compile: stop {name!r} does not begin with the samples, and a file walks over all of them "
                "together; take explain, which walks one sample after the other"
            )
    shared = [name for name in plan.sources if name not in samples and is_shared(graph, name)]
    for name in shared:
        if is_whole(graph, name):
            what = "" if graph.axes(name) else "one number, "
            raise InputError(
                f"compile: input {name!r} is {what}the same for all samples, and a file would hand it what "
                "all of them have for it together; make it a constant of the model, or take explain, which "
                "walks one sample after the other"
            )
    if shared and examples.is_dynamic:
        raise ModelError(f"its input {shared[0]!r} is the same for all samples")


def refuse_taken_names(graph: Graph, names: Collection[str], wanted: Collection[str]) -> None:
    """Say what onnx.checker would only call a violated single assignment."""
    taken = set(names) & set(wanted)
    if taken:
        raise ModelError(
            f"{graph.title}: it has tensors called {', '.join(map(repr, sorted(taken)))} already; "
            "was it compiled before? Compile the original"
        )
