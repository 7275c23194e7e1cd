"""RISE: which parts of the input are visible when the score is high."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import InputError
from ..plain.checks import is_number
from ..tensor import Array
from .base import Progress
from .baselines import open_axes
from .perturbing import Perturbing, kind_of
from .question import Question


@dataclass(frozen=True)
class Rise(Perturbing):
    """Show the model the input through many random masks; a pixel is worth the scores it was visible in.

    The saliency of pixel λ is Σᵢ (f(x ⊙ Mᵢ) − f̄) Mᵢ(λ) / (n p): how far the mean score, given that λ is
    visible, lies above that over all masks, f̄. A pixel that does not matter gets 0. The paper leaves f̄ in,
    so that such a pixel gets f̄ (`centered`); its f is a probability (``start="probability"``).

    A mask is 0 to 1 over the places of pictures and series: what is between two whole numbers is rounded.
    Every word of a text, feature of a table or group is shown or hidden by itself.

    Masks depend on `seed` and on their number alone: they are the same for every batch size and for
    every sample, and are never in memory all at once.

    Parameters
    ----------
    n_masks : int
        How many. The paper takes 4000 for VGG-16 and 8000 for ResNet-50.
    cells : int, tuple of int, dict or None
        A mask is a grid of so many cells along each spatial axis, enlarged; one number is for every axis.
        None is the paper's 8, or as many as there are places. Where nothing tells which axis holds the
        channels, a tuple with a number for each axis of a sample takes all of them for places. A dict has
        one per input.
    p_keep : float
        The probability p that a cell is visible, between 0 and 1.
    seed : int
        What decides the masks.
    centered : bool
        Whether the mean score f̄ is taken away, so that a signed picture says for and against. False is the
        paper's Σᵢ f(x ⊙ Mᵢ) Mᵢ(λ) / (n p).
    groups, baseline, batch_size, hold
        See `Perturbing`. The authors' code hides with 0 too, in what is left when the mean is subtracted.

    Raises
    ------
    InputError
        An option is out of range.

    References
    ----------
    Petsiuk, Das and Saenko 2018, *RISE: Randomized Input Sampling for Explanation of Black-box Models*,
    arXiv 1806.07421, section 3.
    """

    sizes: ClassVar[str] = "cells"
    n_masks: int = 4000
    cells: int | tuple[int, ...] | Mapping[str, Any] | None = None
    p_keep: float = 0.5
    seed: int = 0
    centered: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("n_masks")
        self.require(
            self.groups is None or self.cells is None,
            "groups say what is hidden together, cells mean nothing there: give one or the other",
        )
        self.require_sizes("cells")
        self.require_whole("seed", least=0)
        self.require(isinstance(self.centered, bool), f"centered can be True or False, not {self.centered!r}")
        self.require(
            is_number(self.p_keep) and 0 < self.p_keep < 1,
            f"p_keep is the probability that a cell is visible, between 0 and 1, not {self.p_keep!r}: at the "
            "ends all masks are alike",
        )

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        """Attribute the score to the inputs.

        Parameters
        ----------
        question : Question
            The batch and its score. Several inputs are seen at the same time, each through masks of its own.
        progress : callable, optional
            Called after each batch as ``progress(done, total)``, in masked samples.

        Returns
        -------
        dict of input name -> array (N, ...)
            Shaped like the inputs, of floating point; every channel has the pixel's saliency.

        Raises
        ------
        InputError
            The cells or the baseline do not fit an input.
        """
        feeds = question.feeds
        self.check_names(question)
        origins = self.origins(question)
        masks = {name: self.masks(question, name) for name in feeds}
        sums = {name: np.zeros((question.samples, *masks[name].shape)) for name in feeds}
        visible = {name: np.zeros(masks[name].shape) for name in feeds}
        mean, first = np.zeros(question.samples), np.full(question.samples, np.nan)
        for rows, which in self.pairs(question.samples, self.n_masks, progress):
            generators = [np.random.default_rng((self.seed, int(number))) for number in which]
            drawn = {name: np.stack([masks[name].draw(rng) for rng in generators]) for name in feeds}
            batch = {name: masked(x[rows], origins[name][rows], drawn[name]) for name, x in feeds.items()}
            for sample, (row, score) in enumerate(zip(rows, question.score(batch, rows), strict=True)):
                if np.isnan(first[row]):
                    # What all scores have in common falls out below: taken away now, it is not rounded.
                    first[row] = float(score) if self.centered else 0
                beyond = float(score) - first[row]
                mean[row] += beyond / self.n_masks
                for name in feeds:
                    sums[name][row] += beyond * drawn[name][sample]
                    if row == 0:  # every sample has the same masks
                        visible[name] += drawn[name][sample]
        saliency = {}
        for name, x in feeds.items():
            if self.centered:
                sums[name] -= np.multiply.outer(mean, visible[name])
            values = sums[name] / (self.n_masks * self.p_keep)
            saliency[name] = np.broadcast_to(values, x.shape).astype(kind_of(question, name))
        return saliency

    def masks(self, question: Question, name: str) -> Masks | Choices:
        """The masks for one input.

        Raises
        ------
        InputError
            There are more cells than pixels, groups do not fit, or nothing tells what its axes are.
        """
        groups, axes = self.grouped(question, name), question.axes[name]
        shape = question.feeds[name].shape[1:]
        if groups is not None:
            return Choices(groups, self.p_keep)
        given = self.of(self.cells, name)
        if axes.is_open and not self.tells(name, len(shape)):
            raise InputError(open_axes(name, question.feeds[name].shape, self.sizes))
        if not axes.is_open and (axes.tokens or not axes.places):
            return Choices(np.arange(int(np.prod(shape))).reshape(shape), self.p_keep)
        places = range(1, len(shape) + 1) if axes.is_open else axes.places
        sizes = tuple(shape[axis - 1] for axis in places)
        cells = min(8, *sizes) if given is None else given
        cells = tuple(cells) if isinstance(cells, tuple | list) else (cells,) * len(sizes)
        self.require(
            len(cells) == len(sizes),
            f"cells has {len(cells)} numbers; input {name!r} has {len(sizes)} spatial axes, {sizes}",
        )
        self.require(
            all(few <= size for few, size in zip(cells, sizes, strict=True)),
            f"{' x '.join(map(str, cells))} cells are more than the pixels of input {name!r}, {sizes}",
        )
        channel = None if axes.is_open or axes.channel is None else axes.channel - 1
        # Rows may lie behind columns.
        order = tuple(int(place) for place in np.argsort(places))
        return Masks(sizes, cells, self.p_keep, channel, order)


def masked(x: Array, origin: Array, mask: Array) -> Array:
    """x where the mask is 1, the baseline where it is 0; what lies between whole numbers is rounded."""
    shown = x * mask + origin * (1 - mask)
    return np.asarray(np.rint(shown) if x.dtype.kind in "iub" else shown, dtype=x.dtype)


class Choices:
    """Random masks that show or hide every group of values by itself.

    Parameters
    ----------
    groups : array of int
        The group of each value, from 0 on.
    p_keep : float
        The probability that one is visible.
    """

    def __init__(self, groups: Array, p_keep: float) -> None:
        self.groups, self.p_keep = groups, p_keep
        self.shape = groups.shape

    def draw(self, rng: np.random.Generator) -> Array:
        """One mask: an array of `shape` of 0 and 1."""
        shown = rng.random(int(self.groups.max(initial=0)) + 1) < self.p_keep
        return np.asarray(shown[self.groups], dtype=np.float64)


class Masks:
    """Random masks of one size: a grid of visible and hidden cells, enlarged, and cut out at a random place.

    Parameters
    ----------
    sizes : sequence of int
        Pixels along each spatial axis.
    cells : sequence of int
        Cells along each axis.
    p_keep : float
        The probability that a cell is visible.
    channel : int, optional
        Where the channels are, which share a mask.
    order : sequence of int, optional
        The axes as the input has them, where that is another order.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        cells: Sequence[int],
        p_keep: float,
        channel: int | None = None,
        order: Sequence[int] | None = None,
    ) -> None:
        self.sizes = tuple(sizes)
        self.cells = tuple(cells)
        self.p_keep = p_keep
        self.order = tuple(range(len(sizes))) if order is None else tuple(order)
        own = [sizes[place] for place in self.order]
        self.shape = tuple(own) if channel is None else (*own[:channel], 1, *own[channel:])
        # One cell too many, so that a picture fits in at every offset within a cell.
        self._pixels = [-(-size // few) for size, few in zip(sizes, cells, strict=True)]
        self._enlarge = [
            linear_interpolation(few, (few + 1) * pixels)
            for few, pixels in zip(cells, self._pixels, strict=True)
        ]

    def draw(self, rng: np.random.Generator) -> Array:
        """One mask: an array of `shape` in [0, 1]."""
        mask = (rng.random(self.cells) < self.p_keep).astype(np.float64)
        for size, pixels, enlarge in zip(self.sizes, self._pixels, self._enlarge, strict=True):
            offset = rng.integers(pixels)
            # The first axis goes, its enlargement comes last: after all axes the order is the old one.
            mask = np.tensordot(mask, enlarge[offset : offset + size], (0, 1))
        return np.asarray(np.reshape(np.transpose(mask, self.order), self.shape))


def linear_interpolation(few: int, many: int) -> Array:
    """The matrix (many, few) that enlarges an axis linearly, as images are: between centres of pixels."""
    place = ((np.arange(many) + 0.5) * few / many - 0.5).clip(0, few - 1)
    weights: Array = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(few)))
    return weights
