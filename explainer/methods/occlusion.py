"""Occlusion: what the score loses when a window of the input is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np

from ..errors import InputError
from ..plain.checks import is_whole
from ..tensor import Array
from .base import Progress
from .baselines import open_axes
from .perturbing import Perturbing, kind_of
from .question import Question

WINDOWS_ACROSS = 8  # default windows side by side along each axis

Box = tuple[Any, ...]  # slices, or one mask


@dataclass(frozen=True)
class Occlusion(Perturbing):
    """Hide one window of the input after the other, and see what the score loses.

    A value's attribution is the mean of f(x) − f(x with the window hidden) over the windows that cover
    it. Windows start at the first value of every axis; the last one may reach beyond the border, and is
    cut off there. Of several inputs one is changed at a time. All this as captum's `Occlusion` has it.

    Parameters
    ----------
    window : int, tuple of int, dict or None
        Size of the window along the places, over all channels; of an input without places along its
        features. A tuple with one entry more is a shape with the channels, in the input's own order
        (captum's ``sliding_window_shapes``). None is an eighth of each spatial axis, rounded up, and
        of a graph's nodes; of a text one word, of a table one feature. A dict has one per input.
    stride : int, tuple of int, dict or None
        Step from one window to the next; one number is for every axis. It cannot be larger than the
        window, or some values would never be hidden. None is half the window, rounded up: with both
        defaults, 225 windows on an image of 64 or of 224 pixels. captum's default is 1.
    groups, baseline, batch_size, hold
        See `Perturbing`.

    Raises
    ------
    InputError
        An option is out of range.

    References
    ----------
    Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*, section 4.2.
    """

    sizes: ClassVar[str] = "window"
    window: int | tuple[int, ...] | Mapping[str, Any] | None = None
    stride: int | tuple[int, ...] | Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(
            self.groups is None or self.window is self.stride is None,
            "groups say what is hidden together, window and stride mean nothing there: give one or the other",
        )
        self.require_sizes("window")
        self.require_sizes("stride")

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        """Attribute the score to the inputs.

        Parameters
        ----------
        question : Question
            The batch and its score.
        progress : callable, optional
            Called after each batch as ``progress(done, total)``, in changed samples.

        Returns
        -------
        dict of input name -> array (N, ...)
            Shaped like the inputs, of floating point; all values under one window have equal shares in it, so
            a window over all channels gives every channel the same.

        Raises
        ------
        InputError
            Window, stride or baseline do not fit an input.
        """
        feeds = question.feeds
        self.check_names(question)
        boxes = {name: self.boxes(question, name) for name in feeds}
        origins = self.origins(question)
        lost = {name: np.zeros(x.shape) for name, x in feeds.items()}
        # The first change hides nothing: its score is what those of the others are compared with.
        changes: list[tuple[str, Box]] = [("", ()), *((name, box) for name in feeds for box in boxes[name])]
        whole = np.zeros(question.samples)
        for rows, which in self.pairs(question.samples, len(changes), progress):
            batch = {name: x[rows] for name, x in feeds.items()}
            for sample, (row, change) in enumerate(zip(rows, which, strict=True)):
                name, box = changes[change]
                if name:
                    batch[name][(sample, *box)] = origins[name][(row, *box)]
            for row, change, score in zip(rows, which, question.score(batch, rows), strict=True):
                name, box = changes[change]
                if name:
                    lost[name][(row, *box)] += whole[row] - score
                else:
                    whole[row] = score
        return {
            name: (lost[name] / _coverage(boxes[name], x)).astype(kind_of(question, name))
            for name, x in feeds.items()
        }

    def boxes(self, question: Question, name: str) -> list[Box]:
        """The parts of one input's samples that are hidden: places of the window, or groups.

        Raises
        ------
        InputError
            Window and stride, or groups, do not fit the input; or nothing tells what its axes are.
        """
        groups = self.grouped(question, name)
        if groups is not None:
            return [(groups == group,) for group in range(groups.max() + 1)]
        shape, axes = question.feeds[name].shape[1:], question.axes[name]
        window: Any = self.of(self.window, name)
        if axes.is_open and not self.tells(name, len(shape)):
            raise InputError(open_axes(name, question.feeds[name].shape, self.sizes))
        # What moves over the places takes all channels with it.
        along = [axis - 1 for axis in axes.places] or list(range(len(shape)))
        if window is None:
            single = axes.tokens or not axes.places
            window = [1 if single else -(-shape[axis] // WINDOWS_ACROSS) for axis in along]
        elif is_whole(window):
            window = [window] * len(along)
        window = self._per_axis("window", window, name, shape, along, shape)
        stride: Any = self.of(self.stride, name)
        if stride is None:
            stride = [-(-width // 2) for width in window]
        elif is_whole(stride):
            stride = [stride] * len(shape)
        stride = self._per_axis("stride", stride, name, shape, along, window)
        sizes = list(zip(shape, window, stride, strict=True))
        self.require(
            all(width <= size for size, width, _ in sizes),
            f"a window of {window} is larger than input {name!r} with {shape} per sample",
        )
        self.require(
            all(step <= width or width == size for size, width, step in sizes),
            f"a stride of {stride} is larger than the window of {window}: what lies between two windows "
            "would never be hidden",
        )
        return list(
            product(
                *(
                    [slice(start, start + width) for start in range(0, size - width + step, step)]
                    for size, width, step in sizes
                )
            )
        )

    def _per_axis(
        self,
        option: str,
        sizes: Any,
        name: str,
        shape: tuple[int, ...],
        along: list[int],
        rest: tuple[int, ...],
    ) -> tuple[int, ...]:
        """One size per axis of a sample, whether given for all axes or for those that it moves along."""
        places = f"{len(along)} spatial axes, " if len(along) < len(shape) else ""
        self.require(
            len(sizes) in (len(along), len(shape)),
            f"{option} has {len(sizes)} numbers; input {name!r} has {places}{len(shape)} with the channels"
            if places
            else f"{option} has {len(sizes)} numbers; input {name!r} has {len(shape)} axes per sample",
        )
        if len(sizes) == len(shape):
            return tuple(sizes)
        given = dict(zip(along, sizes, strict=True))
        return tuple(given.get(axis, rest[axis]) for axis in range(len(shape)))


def _coverage(boxes: list[Box], x: Array) -> Array:
    """How many windows cover each value of a sample."""
    covered = np.zeros(x.shape[1:])
    for box in boxes:
        covered[box] += 1
    return covered
