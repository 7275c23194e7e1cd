"""The plan that a method needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from .composites import Composite
from .errors import CompositeError, InputError
from .graph import Graph
from .methods import GradCam, Method, Walk
from .methods.cam import tensor_for
from .plan import Plan, make_plan
from .rules import Stabilized, Zero
from .targets import Start


def plan_of(
    graph: Graph,
    composite: Composite,
    start: Start,
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
        plan = make_plan(graph, composite, start, keep, conditioned)
        if method.walks and not isinstance(core, Walk):
            _require_gradients(plan)
        return plan
    name = core.tensor or tensor_for(make_plan(graph, composite, start))
    plan = make_plan(graph, composite, start, [name])
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
