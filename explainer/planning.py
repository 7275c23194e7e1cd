"""The plan that a method needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from .composites import Composite
from .errors import CompositeError, InputError
from .graph import Graph
from .methods import DeepLift, GradCam, Method, Noise, Walk
from .methods.cam import tensor_for
from .plan import Plan, make_plan
from .rules import Rescale
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
    if not isinstance(method, GradCam):
        plan = make_plan(graph, composite, start, keep, conditioned)
        asked = method.around if isinstance(method, Noise) else method
        if any(isinstance(step.rule, Rescale) for step in plan.steps) and not isinstance(asked, DeepLift):
            raise CompositeError("the rescale rule compares with a reference: use method='deeplift'")
        return plan
    name = method.tensor or tensor_for(make_plan(graph, composite, start).steps)
    plan = make_plan(graph, composite, start, [name])
    tensor = plan.keep[name]
    return replace(plan, keep={method.tensor: tensor}, shows=(tensor,))


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
