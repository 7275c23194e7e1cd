"""A model with all that its file is to say and to be fed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch

# One input, as a tensor or its shape; or several by the names of `forward`.
Example: TypeAlias = "torch.Tensor | Sequence[int] | Mapping[str, torch.Tensor | Sequence[int]]"


@dataclass(frozen=True)
class Architecture:
    """A model ready for `exporter.export`.

    Attributes
    ----------
    model : torch.nn.Module
    preprocess : dict or None
        Its evaluation transforms, in the vocabulary of ``preprocessor_config.json``.
    labels : list of str, dict of index to str, or None
        Names of its classes, where known.
    image_size : int or None
        Side of the input, of a model of square pictures.
    origin : str
        Where weights and preprocessing come from, in words.
    example : tensor, shape or dict of them, optional
        What it is fed with, as `exporter.export` takes it.
    axes : dict of str -> dict of int -> str
        Names of its open axes beside the batch: ``{"input_ids": {1: "sequence"}}``.
    tokenizer : dict, optional
        The content of a ``tokenizer.json``.
    notes : tuple of str
        What the caller should know.
    """

    model: torch.nn.Module
    preprocess: dict[str, Any] | None = None
    labels: list[str] | dict[int, str] | None = None
    image_size: int | None = None
    origin: str = ""
    example: Example | None = None
    axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    tokenizer: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
