"""The result: relevance, prediction, target and audit, able to draw and save itself."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..drawing.options import Drawing
from ..errors import InputError
from ..files import Files
from ..plain.checks import check_held, is_whole
from ..plain.keywords import check_known, named, only_named
from ..tensor import Array
from ..walk.audit import Audit
from .facts import facts_of
from .formats import write
from .keys import arrays_of
from .ranking import Ranked, channel_sums, ranked
from .remarks import remark_on, whole_of
from .telling import html_of, line_of, name_of, text_of

if TYPE_CHECKING:
    from typing import Unpack

    from PIL.Image import Image

    from ..recipe import Recipe
    from ..targets import Ask


@dataclass(frozen=True, eq=False)
class Explanation:
    """What an explanation returns.

    Attributes
    ----------
    relevance : array shaped like the input, or dict of input name -> array
        Where the walk ended at other tensors, a dict of these.
    relevances : dict of str -> array
        The relevance of the tensors named by `keep`, and of those with conditions: what passes them.
    outputs : dict of str -> array
        The model's own outputs.
    target : array (N,) or None
        The index that is explained in each sample's flattened output; None for a whole tensor
        and for a region.
    target_name : str
        The tensor that the index counts in.
    start : array (N,)
        The relevance put on the target, summed; 0 for "clrp" and "sglrp", by their definition.
    conserved : array (N,)
        ΣR at the input / R at the target; not a number where the latter is 0.
    audit : Audit
        Per step: relevance out, in, and the shares of bias and epsilon.
    kind : str
        What was put on the target: see `start` of `explainer.explain`.
    method, composite : str
        By which it was made; no composite, "", where scores alone were asked for.
    how : dict
        What else was asked for: noise, dialect, rules and options, as text.
    delta : array (N,) or None
        Of methods whose attributions should sum to a difference, or to the score: what they miss of it.
    placeless : array (N,) or None
        Of methods that lay terms of inner layers on the input: the sum of those that lie on no place of it,
        and are in no map; None where sums mean nothing.
    score : array (N,)
        What is explained: the target's value, its probability, or a margin; a region's sum.
    against : array (N,) or None
        The other side of a margin, counted as `target` is.
    region : str
        The elements that are explained, ``output[0, :, 17]``; "" for an index and a whole tensor.
    conditions : tuple of str
        What relevance had to pass through: ``("layer3[3, 17]",)``.
    labels : dict of int -> str
    photos : tuple of PIL images
        The images as the model saw them, where they were preprocessed here.
    pictured : str
        The input that they are of, where there are several; else "".
    stopped : str
        Where the walk ended before the inputs, and why, if nobody asked for that: at a model's embedding.
    given : tuple of str
        What is to be said of how they were made into the input, and of what ends on the way, a line each.
    amounts : dict of input name -> array (N,)
        Of several inputs with relevance, Σ|relevance| of each, a repeated map counted once.
    layout : str
        "NCHW" or "NHWC", for drawing.
    axis : int or None
        Where the first input has its samples; None where it has one alone.
    repeats : bool
        Whether every channel holds the whole amount of its place.
    recipe : Recipe or None
        How it was made, and `ask`, what was asked; None for one that was put together by hand.
    ask : Ask or None
    files : Files
        What it was made from: it is saved over none of these.
    """

    relevance: Array | dict[str, Array]
    relevances: dict[str, Array]
    outputs: dict[str, Array]
    target: Array | None
    target_name: str
    start: Array
    conserved: Array
    audit: Audit
    kind: str
    score: Array
    method: str = "lrp"
    composite: str = "epsilon"
    how: Mapping[str, Any] = field(default_factory=dict)
    delta: Array | None = None
    placeless: Array | None = None
    against: Array | None = None
    region: str = ""
    conditions: tuple[str, ...] = ()
    labels: Mapping[int, str] = field(default_factory=dict)
    photos: tuple[Image, ...] = ()
    pictured: str = ""
    stopped: str = ""
    given: tuple[str, ...] = ()
    amounts: Mapping[str, Array] = field(default_factory=dict)
    layout: str = "NCHW"
    axis: int | None = 0
    repeats: bool = False
    recipe: Recipe | None = None
    ask: Ask | None = None
    files: Files = field(default_factory=Files)

    def __repr__(self) -> str:
        return line_of(self)

    def __str__(self) -> str:
        return text_of(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def label(self, sample: int = 0) -> str:
        """The name of the explained class, or its index where it has none; or the region's text."""
        self._check_sample(sample)
        if self.region or self.target is None:
            return self.region or self.target_name
        return name_of(self, self.target[sample])

    def title(self, sample: int = 0) -> str:
        """The label, and what relevance had to pass through."""
        return " through ".join([self.label(sample), *self.conditions])

    def remark(self, sample: int = 0) -> str:
        """What its map has to be read with, in one line: that it is 0 everywhere, or all rounding, that
        biases, epsilon or conditions took nearly all of the relevance, which of several inputs is drawn,
        or how the picture was filled up. "" if there is nothing of the kind."""
        self._check_sample(sample)
        return remark_on(self, sample)

    def rival(self, sample: int = 0) -> str:
        """The name of a margin's other side, or its index; "" where there is none."""
        self._check_sample(sample)
        return "" if self.against is None else name_of(self, self.against[sample])

    def _check_sample(self, sample: int) -> None:
        check_held("sample", sample)
        if not is_whole(sample) or not 0 <= sample < len(self.start):
            raise InputError(f"sample {sample!r} is not one of the {len(self.start)} that were explained")

    @only_named()
    def channels(self, tensor: str, axis: int = 1) -> Array:
        """The relevance of each channel of a kept tensor, or of each word of an embedding.

        Parameters
        ----------
        tensor : str
            One that was kept, or that walks ended at.
        axis : int
            Where the tensor has its channels; 0 is the batch. An embedding (N, T, D) has its words on axis 1.

        Returns
        -------
        array (N, C), float64
            Sums over all other axes.

        Raises
        ------
        InputError
            The tensor was not kept, or has no such axis.
        """
        return channel_sums(self, tensor, axis)

    @only_named()
    def ranking(
        self, tensor: str, sample: int = 0, top: int | None = 10, signed: bool = False, axis: int = 1
    ) -> list[Ranked]:
        """The channels of a kept tensor that matter most.

        Parameters
        ----------
        tensor, axis : see `channels`
        sample : int
        top : int or None
            How many; None is all of them.
        signed : bool
            First what speaks most for the target, last what speaks most against it; else by amount.

        Returns
        -------
        list of (channel, relevance, share)
            The share is the relevance over Σ|relevance| of all channels: -1 to 1.

        Raises
        ------
        InputError
            As `channels` does.

        References
        ----------
        Achtibat et al. 2023, Nature Machine Intelligence 5, 1006–1019.
        """
        self._check_sample(sample)
        return ranked(self.channels(tensor, axis)[sample], top, signed)

    @property
    def drawn(self) -> Array:
        """The relevance of the first input as it is drawn: its sum over channels is a place's amount.

        Of several inputs the pictured one is the first.
        """
        first = self.first()
        if self.axis != 0:
            first = first[None] if self.axis is None else np.moveaxis(first, self.axis, 0)
        if not self.repeats:
            return first
        return np.asarray(first / first.shape[1 if self.layout == "NCHW" else -1])

    def first(self) -> Array:
        """The relevance of the first input; of several that of the pictured one."""
        relevance = self.relevance
        if not isinstance(relevance, dict):
            return relevance
        return relevance.get(self.pictured, next(iter(relevance.values())))

    @named(Drawing)
    def heatmap(self, sample: int = 0, **options: Unpack[Drawing]) -> Image:
        """Draw one sample.

        Parameters
        ----------
        sample : int
        **options
            See `explainer.render`; the photo, the layout, the caption and the whole are filled in.

        Returns
        -------
        PIL.Image.Image

        Raises
        ------
        InputError
            No such sample, or no such option.
        """
        from ..drawing import render

        check_known("heatmap", options, Drawing, "sample")
        self._check_sample(sample)
        is_shown = not isinstance(self.relevance, dict) or self.pictured in self.relevance
        photo = self.photos[sample] if is_shown and sample < len(self.photos) else None
        filled: Drawing = {
            "photo": photo,
            "layout": self.layout,
            "caption": self.remark(sample) or None,
        }
        if (whole := whole_of(self, sample)) is not None:
            filled["whole"], filled["whole_name"] = whole
        filled |= options
        return render(self.drawn[sample], **filled)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.heatmap().save(buffer, "PNG")
        return buffer.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """The numbers without the arrays: target, prediction, conservation, remarks, audit."""
        return facts_of(self)

    @named(Drawing)
    def save(self, path: str | Path, *, sample: int = 0, **options: Unpack[Drawing]) -> None:
        """Write the explanation, whole or not at all.

        Parameters
        ----------
        path : path
            `.png` draws one sample, `.npy` holds the relevance of a model's only input, `.npz` that of
            every input and kept tensor with target and conservation: "relevance" for an only input,
            "relevance/NAME" for all others; `.json` the numbers without the arrays.
        sample, **options
            For `.png`: see `heatmap`.

        Raises
        ------
        OutputError
            Another suffix, or the file cannot be written.
        InputError
            As `heatmap`.
        """
        check_known("save", options, Drawing, "sample")
        write(self, path, sample=sample, **options)

    def arrays(self) -> dict[str, Any]:
        """Name -> array, as an `.npz` holds them: see `explainer.results.keys`."""
        return arrays_of(self)
