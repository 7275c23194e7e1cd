"""Occlusion: what the score loses when a window of the input is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..plain.checks import is_whole
from ..tensor import Array
from .base import Progress
from .perturbing import Perturbing
from .question import Question

WINDOWS_ACROSS = 8  # default windows side by side along each axis

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Occlusion(Perturbing):
    """Hide one window of the input after the other, and see what the score loses.

    A value's attribution is the mean of f(x) − f(x with the window hidden) over the windows that cover
    it. Windows start at the first value of every axis; the last one may reach beyond the border, and is
    cut off there. Of several inputs one is changed at a time. All this as captum's `Occlusion` has it.

    Parameters
    ----------
    window : int, tuple of int or None
        Size of the window along the spatial axes, over all channels; a tuple with one entry more is a
        shape with the channels, in the input's own order (captum's ``sliding_window_shapes``). None is
        an eighth of each spatial axis, rounded up.
    stride : int, tuple of int or None
        Step from one window to the next; one number is for every axis. It cannot be larger than the
        window, or some values would never be hidden. None is half the window, rounded up: with both
        defaults, 225 windows on an image of 64 or of 224 pixels. captum's default is 1.
    baseline, batch_size
        See `Perturbing`.

    Raises
    ------
    InputError
        An option is out of range.

    References
    ----------
    Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*, section 4.2.
    """

    window: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, value in (("window", self.window), ("stride", self.stride)):
            sizes: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)
            self.require(
                value is None or (len(sizes) > 0 and all(is_whole(size) and size > 0 for size in sizes)),
                f"{option} can be a positive whole number, one per axis, or None; not {value!r}",
            )

    def repeats(self, x: Array) -> bool:
        by_channel = isinstance(self.window, tuple) and len(self.window) == x.ndim - 1
        return not by_channel

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        """Attribute the score to the inputs.

        Parameters
        ----------
        question : Question
            The batch and its score. Every input has a channel axis and at least one spatial axis.
        progress : callable, optional
            Called after each batch as ``progress(done, total)``, in changed samples.

        Returns
        -------
        dict of input name -> array (N, ...)
            Shaped and typed like the inputs; all values under one window have equal shares in it, so
            a window over all channels gives every channel the same.

        Raises
        ------
        InputError
            Window, stride or baseline do not fit an input.
        """
        feeds = question.feeds
        boxes = {name: self.boxes(question, name) for name in feeds}
        origins = self.origins(question)
        lost = {name: np.zeros(x.shape) for name, x in feeds.items()}
        # The first change hides nothing: its score is what those of the others are compared with.
        nothing = (next(iter(feeds)), (slice(0),))
        changes = [nothing, *((name, box) for name in feeds for box in boxes[name])]
        whole = np.zeros(question.samples)
        for rows, which in self.pairs(question.samples, len(changes), progress):
            batch = {name: x[rows] for name, x in feeds.items()}
            for sample, (row, change) in enumerate(zip(rows, which, strict=True)):
                name, box = changes[change]
                batch[name][sample][box] = origins[name][row][box]
            for row, change, score in zip(rows, which, question.score(batch, rows), strict=True):
                name, box = changes[change]
                if change == 0:
                    whole[row] = score
                lost[name][row][box] += whole[row] - score
        return {name: (lost[name] / _coverage(boxes[name], x)).astype(x.dtype) for name, x in feeds.items()}

    def boxes(self, question: Question, name: str) -> list[Box]:
        """The places of the window on one input's samples.

        Raises
        ------
        InputError
            Window and stride do not fit the input.
        """
        channel = self.channel_axis(question, name) - 1
        shape = question.feeds[name].shape[1:]
        window: Any = self.window
        if window is None:
            window = tuple(-(-size // WINDOWS_ACROSS) for axis, size in enumerate(shape) if axis != channel)
        elif is_whole(window):
            window = (window,) * (len(shape) - 1)
        window = self._per_axis("window", window, name, shape, channel, shape[channel])
        stride: Any = self.stride
        if stride is None:
            stride = tuple(-(-width // 2) for width in window)
        elif is_whole(stride):
            stride = (stride,) * len(shape)
        stride = self._per_axis("stride", stride, name, shape, channel, window[channel])
        axes = list(zip(shape, window, stride, strict=True))
        self.require(
            all(width <= size for size, width, _ in axes),
            f"a window of {window} is larger than input {name!r} with {shape} per sample",
        )
        self.require(
            all(step <= width or width == size for size, width, step in axes),
            f"a stride of {stride} is larger than the window of {window}: what lies between two windows "
            "would never be hidden",
        )
        return list(
            product(
                *(
                    [slice(start, start + width) for start in range(0, size - width + step, step)]
                    for size, width, step in axes
                )
            )
        )

    def _per_axis(
        self, option: str, sizes: Any, name: str, shape: tuple[int, ...], channel: int, channels: int
    ) -> tuple[int, ...]:
        """One size per axis of a sample, whether given for all axes or for the spatial ones alone."""
        self.require(
            len(sizes) in (len(shape) - 1, len(shape)),
            f"{option} has {len(sizes)} numbers; input {name!r} has {len(shape) - 1} spatial axes, "
            f"{len(shape)} with the channels",
        )
        if len(sizes) == len(shape):
            return tuple(sizes)
        return (*sizes[:channel], channels, *sizes[channel:])


def _coverage(boxes: list[Box], x: Array) -> Array:
    """How many windows cover each value of a sample."""
    covered = np.zeros(x.shape[1:])
    for box in boxes:
        covered[box] += 1
    return covered
