"""RISE: which parts of the input are visible when the score is high."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..plain.checks import is_number
from ..tensor import Array
from .base import Progress
from .perturbing import Perturbing
from .question import Question


@dataclass(frozen=True)
class Rise(Perturbing):
    """Show the model the input through many random masks; a pixel is worth the scores it was visible in.

    The saliency of pixel λ is Σᵢ f(x ⊙ Mᵢ) Mᵢ(λ) / (n p): the mean score, given that λ is visible. It is
    its differences that tell: a pixel that does not matter gets the mean score over all masks, not 0,
    unless the map is `centered`. The paper's f is a probability (``start="probability"``).

    Masks depend on `seed` and on their number alone: they are the same for every batch size and for
    every sample, and are never in memory all at once.

    Parameters
    ----------
    n_masks : int
        How many. The paper takes 4000 for VGG-16 and 8000 for ResNet-50.
    cells : int
        A mask is a grid of so many cells along each spatial axis, enlarged.
    p_keep : float
        The probability p that a cell is visible, between 0 and 1.
    seed : int
        What decides the masks.
    centered : bool
        Take the mean score f̄ away: Σᵢ (f(x ⊙ Mᵢ) − f̄) Mᵢ(λ) / (n p). A pixel that does not matter then
        gets 0, and a signed picture says for and against. Not in the paper.
    baseline, batch_size
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

    n_masks: int = 4000
    cells: int = 8
    p_keep: float = 0.5
    seed: int = 0
    centered: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("n_masks")
        self.require_whole("cells")
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
            The batch and its score. Every input has a channel axis and at least one spatial axis. Several
            inputs are seen at the same time, each through masks of its own.
        progress : callable, optional
            Called after each batch as ``progress(done, total)``, in masked samples.

        Returns
        -------
        dict of input name -> array (N, ...)
            Shaped and typed like the inputs; every channel has the pixel's saliency.

        Raises
        ------
        InputError
            The cells or the baseline do not fit an input.
        """
        feeds = question.feeds
        origins = self.origins(question)
        channel = {name: self.channel_axis(question, name) for name in feeds}
        masks = {name: self.masks(name, x.shape, channel[name]) for name, x in feeds.items()}
        sums = {name: np.zeros((question.samples, *masks[name].sizes)) for name in feeds}
        visible = {name: np.zeros(masks[name].sizes) for name in feeds}
        mean = np.zeros(question.samples)
        for rows, which in self.pairs(question.samples, self.n_masks, progress):
            generators = [np.random.default_rng((self.seed, int(number))) for number in which]
            drawn = {name: np.stack([masks[name].draw(rng) for rng in generators]) for name in feeds}
            batch = {}
            for name, x in feeds.items():
                M = np.expand_dims(drawn[name], channel[name])
                batch[name] = (x[rows] * M + origins[name][rows] * (1 - M)).astype(x.dtype)
            for sample, (row, score) in enumerate(zip(rows, question.score(batch, rows), strict=True)):
                mean[row] += float(score) / self.n_masks
                for name in feeds:
                    sums[name][row] += float(score) * drawn[name][sample]
                    if row == 0:  # every sample has the same masks
                        visible[name] += drawn[name][sample]
        saliency = {}
        for name, x in feeds.items():
            if self.centered:
                sums[name] -= np.multiply.outer(mean, visible[name])
            values = np.expand_dims(sums[name] / (self.n_masks * self.p_keep), channel[name])
            saliency[name] = np.broadcast_to(values, x.shape).astype(x.dtype)
        return saliency

    def masks(self, name: str, shape: tuple[int, ...], channel: int) -> Masks:
        """The masks for one input.

        Raises
        ------
        InputError
            There are more cells than pixels.
        """
        sizes = tuple(size for axis, size in enumerate(shape) if axis not in (0, channel))
        self.require(
            self.cells <= min(sizes),
            f"{self.cells} cells along an axis are more than the pixels of input {name!r}, {sizes}",
        )
        return Masks(sizes, self.cells, self.p_keep)


class Masks:
    """Random masks of one size: a grid of visible and hidden cells, enlarged, and cut out at a random place.

    Parameters
    ----------
    sizes : sequence of int
        Pixels along each spatial axis.
    cells : int
        Cells along each axis.
    p_keep : float
        The probability that a cell is visible.
    """

    def __init__(self, sizes: Sequence[int], cells: int, p_keep: float) -> None:
        self.sizes = tuple(sizes)
        self.cells = cells
        self.p_keep = p_keep
        # One cell too many, so that a picture fits in at every offset within a cell.
        self._pixels = [-(-size // cells) for size in sizes]
        self._enlarge = [linear_interpolation(cells, (cells + 1) * pixels) for pixels in self._pixels]

    def draw(self, rng: np.random.Generator) -> Array:
        """One mask: array of `sizes`, in [0, 1]."""
        mask = (rng.random((self.cells,) * len(self.sizes)) < self.p_keep).astype(np.float64)
        for size, pixels, enlarge in zip(self.sizes, self._pixels, self._enlarge, strict=True):
            offset = rng.integers(pixels)
            # The first axis goes, its enlargement comes last: after all axes the order is the old one.
            mask = np.tensordot(mask, enlarge[offset : offset + size], (0, 1))
        return mask


def linear_interpolation(few: int, many: int) -> Array:
    """The matrix (many, few) that enlarges an axis linearly, as images are: between centres of pixels."""
    place = ((np.arange(many) + 0.5) * few / many - 0.5).clip(0, few - 1)
    weights: Array = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(few)))
    return weights
