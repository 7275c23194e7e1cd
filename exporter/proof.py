"""Whether an ONNX file computes what a PyTorch module computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from exporter.errors import ExportError
from exporter.feeds import Feeds, tensors_of
from exporter.tracing import reason

# Relative to the largest output. Two right float32 runs of one network differ by rounding alone: by
# 2e-6 at the most over eighteen of torchvision's classifiers (half of them with either exporter), so
# that this leaves room for deeper ones. A lost bias or a wrongly folded BatchNormalization shows above it.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Proof:
    """What a comparison found.

    Attributes
    ----------
    difference : float
        The largest difference between a value of onnxruntime and PyTorch's.
    largest : float
        The largest absolute value among PyTorch's outputs.
    informative : bool
        False when PyTorch answers all inputs alike (an untrained head of zeros, for instance), so
        that agreement says nothing about the layers before.
    """

    difference: float
    largest: float
    informative: bool


def run(model: torch.nn.Module, feeds: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """The tensors that ``model`` returns: one, or those of a nest of lists, tuples and dicts.

    Raises
    ------
    ExportError
        The model does not run on these, or returns something else as well.
    """
    try:
        result = model(*feeds.values())
    except Exception as error:  # whatever a stranger's forward raises
        if isinstance(error, ExportError):
            raise
        shapes = " and ".join(str(tuple(x.shape)) for x in feeds.values())
        raise ExportError(f"the model does not run on an input of shape {shapes}: {reason(error)}") from error
    return list(tensors_of(result))


def samples_of(
    feeds: Feeds, batches: Iterable[int], preprocess: Mapping[str, Any] | None
) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """The feeds to compare on, each with a name: the example, noise and, for (N, C, H, W), pictures.

    Noise of whole numbers is drawn from the example's own: other numbers may mean nothing.

    Parameters
    ----------
    feeds : Feeds
    batches : iterable of int
        The numbers of samples to try, at the example's lengths and at others of its named axes.
    preprocess : mapping or None
        How the file's pictures are prepared.
    """
    generator = torch.Generator().manual_seed(0)
    for n in batches:
        for sizes in ({}, feeds.halves()) if feeds.sizes else ({},):
            what = ", ".join([f"batch {n}", *(f"{name} {size}" for name, size in sizes.items())])
            example = feeds.sized(n, sizes)
            yield f"the example, {what}", example
            yield f"noise, {what}", {name: _noise(x, generator) for name, x in example.items()}
            if any(map(_is_picture, example.values())):
                yield (
                    f"a picture, {what}",
                    {
                        name: _prepare(_pictures(tuple(x.shape), generator), preprocess or {}).to(x)
                        if _is_picture(x)
                        else x
                        for name, x in example.items()
                    },
                )


def _is_picture(x: torch.Tensor) -> bool:
    return x.ndim == 4 and x.is_floating_point()


def _noise(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if x.is_floating_point():
        return torch.randn(x.shape, generator=generator).to(x)
    drawn = torch.randint(x.numel(), x.shape, generator=generator)
    return x.flatten()[drawn.to(x.device)]


def _pictures(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Pictures of pixels 0 to 255, with as much detail at every scale as photographs have (1/f)."""
    pixels = torch.zeros(shape)
    for octave in range(1, 7):
        grid = torch.rand((*shape[:2], 2**octave, 2**octave), generator=generator)
        pixels += torch.nn.functional.interpolate(grid, size=shape[2:], mode="bilinear") / 2**octave
    low, high = pixels.amin(dim=(1, 2, 3), keepdim=True), pixels.amax(dim=(1, 2, 3), keepdim=True)
    return ((pixels - low) / (high - low) * 255).round()


def _prepare(pixels: torch.Tensor, preprocess: Mapping[str, Any]) -> torch.Tensor:
    """The declared preprocessing, less resizing and cropping: the pictures are made at their final size."""
    if preprocess.get("do_flip_channel_order"):
        pixels = pixels.flip(1)
    if preprocess.get("do_rescale", True):
        pixels = pixels * preprocess.get("rescale_factor", 1 / 255)
    if preprocess.get("do_normalize"):
        mean, std = (
            torch.tensor(preprocess[key]).reshape(1, -1, 1, 1) for key in ("image_mean", "image_std")
        )
        pixels = (pixels - mean) / std
    return pixels


def prove(
    path: Path, model: torch.nn.Module, samples: Iterable[tuple[str, Mapping[str, torch.Tensor]]]
) -> Proof:
    """Check the file at ``path`` and compare what it computes with ``model``, in evaluation mode.

    Parameters
    ----------
    path : Path
    model : torch.nn.Module
    samples : iterable of (str, dict of str -> tensor)
        As `samples_of` makes them.

    Raises
    ------
    ExportError
        The file is not valid ONNX, onnxruntime cannot run it, or an output has another shape, is not
        finite, or is off by more than `TOLERANCE` times the largest.
    """
    options = onnxruntime.SessionOptions()
    # Its waiting threads would spin while PyTorch's compute.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base class
        raise ExportError(f"the exported file is not valid: {reason(error)}") from error
    difference = largest = 0.0
    answers: list[np.ndarray] = []
    read = {value.name for value in session.get_inputs()}  # the graph may read less than the model takes
    for name, feeds in samples:
        expected = [tensor.cpu().numpy() for tensor in run(model, feeds)]
        try:
            actual = session.run(None, {key: x.cpu().numpy() for key, x in feeds.items() if key in read})
        except Exception as error:
            raise ExportError(
                f"onnxruntime cannot run the exported file on {name}: {reason(error)}. A model that is "
                "tied to one batch size can be exported for that size only (batch N)"
            ) from error
        if len(actual) != len(expected):
            raise ExportError(f"the file has {len(actual)} outputs, the model {len(expected)}")
        for ours, theirs in zip(actual, expected, strict=True):
            off, size = _compare(ours, theirs, name)
            difference, largest = max(difference, off), max(largest, size)
        answers += list(expected[0]) if expected[0].ndim else [expected[0]]
    alike = (np.array_equal(answer, answers[0]) for answer in answers[1:] if answer.shape == answers[0].shape)
    informative = not all(alike)
    return Proof(difference, largest, informative)


def _compare(actual: np.ndarray, expected: np.ndarray, name: str) -> tuple[float, float]:
    if actual.shape != expected.shape:
        raise ExportError(f"on {name} the file's output is {actual.shape}, PyTorch's {expected.shape}")
    if not (np.isfinite(actual).all() and np.isfinite(expected).all()):
        raise ExportError(f"on {name} an output is not finite")
    expected = expected.astype(np.float64)
    off = float(np.abs(actual.astype(np.float64) - expected).max(initial=0))
    size = float(np.abs(expected).max(initial=0))
    if off > TOLERANCE * size:
        raise ExportError(
            f"the file does not compute what the model computes: on {name} an output is off by {off:.3g}, "
            f"where the largest is {size:.3g}"
        )
    return off, size
