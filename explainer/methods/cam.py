"""Class activation maps: an inner tensor's channels, weighted by their gradients."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..composites import Composite
from ..errors import CompositeError, InputError
from ..layers.kinds import CONVOLUTION
from ..model.axes import axes_of, tensor_axes
from ..model.graph import Graph
from ..model.told import Axes
from ..plain.checks import check_flag, is_one_of
from ..plan import Plan, make_plan
from ..targets import Anchor
from ..tensor import Array, ReduceSum, Relu, Transpose, Value, stabilize
from ..tensor.resampling import UPSAMPLING, enlarged
from .base import Method, Progress
from .baselines import LAYOUT, untold
from .question import Question, axes_of_feeds
from .trace import Trace


@dataclass(frozen=True)
class GradCam(Method):
    """relu(Σ_c w_c A_c), w_c = mean_hw(∂f/∂A_c); enlarged to the input. Selvaraju et al. 2017, eq. 1, 2.

    The map has one channel: (N, 1, H, W), or (N, H, W, 1) where the input has its channels last. An input
    without places, or with other ones than the tensor, has none.

    Parameters
    ----------
    tensor : str
        A, an inner tensor of channels and places, in any order that the graph tells; "" is the output of
        the last convolution, behind its BatchNormalization, sum and activation.
    upsampling : str
        "bilinear" or "nearest", captum's.
    signed : bool
        Leave the relu out, as captum does by default.
    """

    composite: ClassVar[str] = "gradient"
    tensor: str = ""
    upsampling: str = "bilinear"
    signed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(isinstance(self.tensor, str), f"tensor is a tensor's name, not {self.tensor!r}")
        self.require(
            is_one_of(self.upsampling, UPSAMPLING),
            f"upsampling is {self.upsampling!r}; there is: {', '.join(UPSAMPLING)}",
        )
        check_flag("signed", self.signed)

    def weights(self, A: Value, g: Value) -> Value:
        """w, (N, C, 1, 1)."""
        return ReduceSum(g, _spatial(A)) * A.dtype.type(1 / np.prod(A.shape[2:]))

    def maps(
        self, A: Value, g: Value, inputs: Mapping[str, Value], axes: Mapping[str, Axes]
    ) -> dict[str, Value]:
        """The map, from the tensor's values and its gradient, for every input that has as many places.

        Raises
        ------
        InputError
            The tensor has no places, or no input has as many.
        """
        fitting = [
            name for name in inputs if not axes[name].is_open and len(axes[name].places) == A.ndim - 2 > 0
        ]
        if not fitting:
            is_open = next(
                (name for name, x in inputs.items() if axes[name].is_open and x.ndim == A.ndim), None
            )
            if is_open is not None and A.ndim > 2:
                said = f": {LAYOUT}" if A.ndim > 3 else ""
                raise InputError(f"grad_cam: {untold(is_open, inputs[is_open].shape)}{said}")
            raise unplaced(A.ndim, {name: len(axes[name].places) for name in inputs})
        cam = ReduceSum(self.weights(A, g) * A, np.array([1]))
        cam = cam if self.signed else Relu(cam)
        return {name: placed(cam, inputs[name], axes[name], self.upsampling) for name in fitting}

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        A, g = question.of_tensor(self.tensor)
        A, g = self._turned(question.walkers.graph, A, g)
        return self.maps(A, g, question.feeds, question.axes)

    def _turned(self, graph: Graph, *tensors: Value) -> list[Value]:
        """A named tensor as (N, C, h, w), whatever order its axes have.

        Raises
        ------
        InputError
            Nothing tells which of them hold channels and places.
        """
        if not self.tensor or tensors[0].ndim < 3:
            return list(tensors)
        axes = tensor_axes(graph, self.tensor, tensors[0].ndim)
        if axes is None or axes.samples is None or axes.channel is None:
            raise InputError(
                f"grad_cam: tensor {self.tensor!r}, {list(tensors[0].shape)}: nothing tells which of its "
                "axes hold channels and places; name a tensor beside a convolution or a pooling (tensor=)"
            )
        order = [axes.samples, axes.channel, *axes.places]
        return [x if order == sorted(order) else Transpose(x, perm=order) for x in tensors]

    def plan(
        self,
        graph: Graph,
        composite: Composite,
        anchor: Anchor,
        keep: Collection[str] | str = (),
        conditioned: Collection[str] = (),
    ) -> Plan:
        """The plan that shows and keeps the tensor it looks at."""
        name = self.tensor or tensor_for(make_plan(graph, composite, anchor))
        plan = make_plan(graph, composite, anchor, [name], called="tensor")
        tensor = plan.keep[name]
        check_reached(plan, tensor)
        return replace(plan, keep={self.tensor: tensor}, shows=(tensor,))

    def require_askable(self, graph: Graph, layout: str = "", plan: Plan | None = None) -> None:
        super().require_askable(graph, layout, plan)
        rank = None if plan is None else graph.axes(plan.shows[0])
        if plan is None or rank is None:
            return
        shapes = {value.name: value.shape for value in graph.inputs if value.name in plan.sources}
        axes = {name: axes_of(graph, name, shape, layout) for name, shape in shapes.items() if shape}
        places = {name: len(one.places) for name, one in axes.items()}
        # Where nothing tells an input's axes, an array's own sizes may.
        are_told = len(axes) == len(shapes) and not any(one.is_open for one in axes.values())
        if are_told and not any(count == rank - 2 > 0 for count in places.values()):
            raise unplaced(rank, places)

    def emit(self, trace: Trace) -> dict[str, Value]:
        (tensor,) = trace.plan.shows
        graph = trace.plan.graph
        A, g = self._turned(graph, trace.value(tensor), trace.walk()[tensor])
        return self.maps(A, g, trace.inputs, axes_of_feeds(graph, trace.examples, trace.layout))


@dataclass(frozen=True)
class GradCamPlusPlus(GradCam):
    """w_c = Σ_hw a·relu(g), a = g² / (2g² + g³·Σ_hw A_c), g = ∂f/∂A. Chattopadhay et al. 2018, eq. 19.

    f is read as the logarithm of the class score, as the paper has it (Y = exp(S)).
    """

    def weights(self, A: Value, g: Value) -> Value:
        # g² cancels, where g is not 0; and what is multiplied by relu(g) counts where g > 0 alone.
        return ReduceSum(Relu(g) / stabilize(g * ReduceSum(A, _spatial(A)) + 2, 1e-7), _spatial(A))


def unplaced(rank: int, places: Mapping[str, int]) -> InputError:
    """What is said of a tensor of so many axes that has other places than every input, so many each."""
    inputs = ", ".join(f"{name!r} {count}" for name, count in places.items())
    return InputError(
        f"grad_cam: the tensor has {max(rank - 2, 0)} axes of places, beside samples and channels, and the "
        f"input {inputs}; name a convolution's output that has as many (tensor=)"
    ).looking("methods")


def check_reached(plan: Plan, tensor: str) -> None:
    """Refuse a rule for layers below the tensor alone: what passes them is not looked at.

    Raises
    ------
    CompositeError
    """
    behind, above = {tensor}, []
    for step in reversed(plan.steps):
        if not behind.isdisjoint(step.layer.inputs):
            behind.add(step.layer.output)
            above.append(step)
    try:
        plan.composite.check([step.layer for step in above], [step.rule for step in above])
    except CompositeError as error:
        raise CompositeError(f"{error}; grad_cam walks back to {tensor!r} alone") from error


def tensor_for(plan: Plan) -> str:
    """The tensor that Grad-CAM looks at by default: the last convolution's, behind what goes with it.

    That is its BatchNormalization, sum, activation, and what is concatenated with it.

    Raises
    ------
    InputError
        There is no convolution, or the last one is the target itself.
    """
    last = next((step for step in plan.steps if step.layer.kind == CONVOLUTION), None)
    if last is None:
        raise InputError(
            "grad_cam: no convolution on the way from target to input; name a tensor that has channels and "
            "places (tensor=), if there is one"
        ).looking("methods")
    tensor = last.layer.output
    while tensor != plan.anchor.tensor:
        readers = [step for step in plan.steps if tensor in step.layer.inputs]
        if len(readers) != 1 or not readers[0].layer.keeps_maps:
            return tensor
        tensor = readers[0].layer.output
    raise InputError(
        f"grad_cam: the last convolution, {last.node}, makes the target itself, so that its map would show "
        "where the target lies; name an inner tensor (tensor=)"
    ).looking("methods")


def placed(cam: Value, x: Value, axes: Axes, how: str) -> Value:
    """The map (N, 1, h, ...) over an input's places, with one channel where the input has its own."""
    cam = enlarged(cam, tuple(x.shape[axis] for axis in axes.places), how)
    if axes.channel is None:
        return ReduceSum(cam, np.array([1]), keepdims=0)
    come = [0, axes.channel, *axes.places]
    order = [come.index(axis) for axis in range(x.ndim)]
    return cam if order == sorted(order) else Transpose(cam, perm=order)


def _spatial(A: Value) -> Array:
    return np.arange(2, A.ndim)
