"""The plan that a method needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from .composites import Composite
from .errors import InputError
from .graph import Graph
from .methods import GradCam, Method, Walk
from .methods.cam import tensor_for
from .plan import Plan, make_plan
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
        return make_plan(graph, composite, start, keep, conditioned)
    name = core.tensor or tensor_for(make_plan(graph, composite, start))
    plan = make_plan(graph, composite, start, [name])
    tensor = plan.keep[name]
    return replace(plan, keep={core.tensor: tensor}, shows=(tensor,))


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
