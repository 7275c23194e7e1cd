"""Class activation maps: an inner tensor's channels, weighted by their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..errors import InputError
from ..tensor import Array, ReduceSum, Relu, Transpose, Value, stabilize
from .base import Method, Problem, Progress

if TYPE_CHECKING:
    from ..layers import Layer
    from ..plan import Step

UPSAMPLING = ("bilinear", "nearest")


@dataclass(frozen=True)
class GradCam(Method):
    """relu(Σ_c w_c A_c), w_c = mean_hw(∂f/∂A_c); enlarged to the input. Selvaraju et al. 2017, eq. 1, 2.

    The map has one channel: (N, 1, H, W).

    Parameters
    ----------
    tensor : str
        A, an inner tensor (N, C, h, w); "" is the output of the last convolution, behind its
        BatchNormalization, sum and activation.
    upsampling : str
        "bilinear" or "nearest".
    signed : bool
        Leave the relu out, as captum does by default.
    """

    composite: ClassVar[str] = "gradient"
    tensor: str = ""
    upsampling: str = "bilinear"
    signed: bool = False

    def __post_init__(self) -> None:
        self.require(
            self.upsampling in UPSAMPLING,
            f"upsampling is {self.upsampling!r}; there is: {', '.join(UPSAMPLING)}",
        )

    def weights(self, A: Value, g: Value) -> Value:
        """w, (N, C, 1, 1)."""
        return ReduceSum(g, _spatial(A)) * A.dtype.type(1 / np.prod(A.shape[2:]))

    def map(self, A: Value, g: Value, sizes: tuple[int, ...]) -> Value:
        """The map, from the tensor's values and its gradient, enlarged to `sizes`."""
        cam = ReduceSum(self.weights(A, g) * A, np.array([1]))
        return enlarged(cam if self.signed else Relu(cam), sizes, self.upsampling)

    def __call__(self, problem: Problem, progress: Progress | None = None) -> dict[str, Array]:
        A, g = problem.inner(self.tensor)
        if A.ndim < 3:
            raise InputError(
                f"grad_cam: {self.tensor!r} is {A.shape}, without places; name a convolution's output"
            )
        maps = {}
        for name, x in problem.feeds.items():
            if x.ndim != A.ndim:
                raise InputError(f"grad_cam: input {name!r} is {x.shape} and {self.tensor!r} is {A.shape}")
            if problem.layout == "NHWC":
                maps[name] = np.moveaxis(self.map(A, g, x.shape[1:-1]), 1, -1)
            else:
                maps[name] = self.map(A, g, x.shape[2:])
        return maps


@dataclass(frozen=True)
class GradCamPlusPlus(GradCam):
    """w_c = Σ_hw a·relu(g), a = g² / (2g² + g³·Σ_hw A_c), g = ∂f/∂A. Chattopadhay et al. 2018, eq. 19.

    f is read as the logarithm of the class score, as the paper has it (Y = exp(S)).
    """

    def weights(self, A: Value, g: Value) -> Value:
        # g² cancels, where g is not 0; and what is multiplied by relu(g) counts where g > 0 alone.
        return ReduceSum(Relu(g) / stabilize(g * ReduceSum(A, _spatial(A)) + 2, 1e-7), _spatial(A))


def tensor_for(steps: Sequence[Step]) -> str:
    """The tensor that Grad-CAM looks at by default: the last convolution's, behind sums and activations.

    Raises
    ------
    InputError
        There is no convolution.
    """
    last = next((step for step in steps if step.layer.kind == "convolution"), None)
    if last is None:
        raise InputError("grad_cam: no convolution on the way from target to input; name a tensor (tensor=)")
    tensor = last.layer.output
    while True:
        readers = [step for step in steps if tensor in step.layer.inputs]
        if len(readers) != 1 or not _is_elementwise(readers[0].layer):
            return tensor
        tensor = readers[0].layer.output


def _is_elementwise(layer: Layer) -> bool:
    return layer.kind in ("activation", "scale") or layer.node.operator in ("Add", "Sum")


def _spatial(A: Value) -> Array:
    return np.arange(2, A.ndim)


def enlarged(cam: Value, sizes: tuple[int, ...], how: str) -> Value:
    """(N, 1, h, ...) at other spatial sizes: a matrix product along each axis."""
    for axis, size in enumerate(sizes, start=2):
        matrix = _resampling(cam.shape[axis], size, how).astype(cam.dtype)
        order = list(range(cam.ndim))
        order[axis], order[-1] = order[-1], order[axis]
        cam = Transpose(Transpose(cam, perm=order) @ matrix, perm=order)
    return cam


def _resampling(old: int, new: int, how: str) -> Array:
    """(old, new): each new place as a mixture of old ones, centres on centres."""
    place = (np.arange(new) + 0.5) * old / new - 0.5
    if how == "nearest":
        return np.eye(old)[:, np.floor((np.arange(new) + 0.5) * old / new).astype(int)]
    place = np.clip(place, 0, old - 1)
    low = np.minimum(place.astype(int), max(old - 2, 0))
    share = place - low
    matrix = np.zeros((old, new))
    np.add.at(matrix, (low, np.arange(new)), 1 - share)
    np.add.at(matrix, (np.minimum(low + 1, old - 1), np.arange(new)), share)
    return matrix
