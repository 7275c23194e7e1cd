"""The composite and the plan that a method needs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from .. import composites
from ..composites import Composite, CompositeLike
from ..errors import CompositeError, InputError
from ..inputs.preprocess import Preprocess
from ..model.graph import Graph
from ..plan import Plan, make_plan
from ..rules import Stabilized, Zero
from ..targets import Anchor
from . import Asked, GradCam, Method, Walk
from .cam import tensor_for


def composite_of(
    asked: Asked,
    composite: CompositeLike | None,
    preprocess: Callable[[], Preprocess | None],
    **settings: Any,
) -> Composite:
    """The composite of a method's walks: the caller's, else the method's own, else ε.

    Parameters
    ----------
    asked : Asked
    composite : CompositeLike, optional
    preprocess : callable
        Returns how an image becomes the input, or None; asked where bounds of the input are needed.
    **settings
        rules, dialect and eps, as `composites.get` takes them.

    Raises
    ------
    CompositeError, PreprocessError
    """

    def bound(index: int) -> float | tuple[float, ...] | None:
        how = preprocess()
        if how is None:
            return None
        values = how.bounds()[index]
        # One number also fits an input whose channels have been flattened.
        return values[0] if len(set(values)) == 1 else values

    bounds = {"low": lambda: bound(0), "high": lambda: bound(1)}
    name = composite or asked.composite or "epsilon"
    return composites.get(name, defaults=bounds, **settings, **asked.parameters)


def plan_of(
    graph: Graph,
    composite: Composite,
    anchor: Anchor,
    keep: Collection[str] | str,
    method: Method,
    conditioned: Collection[str] = (),
) -> Plan:
    """The plan of a method's walks; Grad-CAM's shows and keeps the tensor that it looks at.

    Raises
    ------
    UnsupportedError, CompositeError, TargetError, InputError
        See `make_plan`.
    """
    core = method.core
    if not isinstance(core, GradCam):
        plan = make_plan(graph, composite, anchor, keep, conditioned)
        if method.walks and not isinstance(core, Walk):
            _require_gradients(plan)
        return plan
    name = core.tensor or tensor_for(make_plan(graph, composite, anchor))
    plan = make_plan(graph, composite, anchor, [name])
    tensor = plan.keep[name]
    return replace(plan, keep={core.tensor: tensor}, shows=(tensor,))


def _require_gradients(plan: Plan) -> None:
    """Refuse rules of relevance where a method multiplies what comes back, as only a gradient may be."""
    for step in plan.steps:
        if isinstance(step.rule, Zero | Stabilized):
            raise CompositeError(
                f"{step.rule} at {step.node} hands on relevance, and this method needs gradients: rules and "
                "composites of relevance belong to method 'lrp', or to noise around it"
            )


def require_walk(what: str, method: Method) -> None:
    """Refuse to look at inner tensors where the method hands them nothing.

    Raises
    ------
    InputError
    """
    if not isinstance(method, Walk):
        raise InputError(
            f"{what}: {type(method).__name__} hands nothing to inner tensors; use a method of one walk"
        )
