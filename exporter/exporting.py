"""Export, prove, and only then name the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
import torch

from exporter import metadata, proof, tracing
from exporter.errors import ExportError
from exporter.files import written_whole

# What each of PyTorch's exporters can write; the default is the one that is native to both.
OPSETS = {"torchscript": range(7, 21), "dynamo": range(18, 26)}
DEFAULT_OPSET = 18
# Protocol Buffers hold no message beyond this; the file is to be one file.
LARGEST_FILE = 2**31 - 1


@dataclass(frozen=True)
class Report:
    """What was written, and how well it agrees with PyTorch.

    Attributes
    ----------
    path : Path
    exporter : str
    opset : int
    batch_norms : int
        BatchNormalization nodes in the file: all that ran in PyTorch, or none.
    folded : int
        Batch normalisations that ran in PyTorch and are no node of the file.
    input_shape : tuple of int or str
        The first entry is ``"batch"`` when any batch may be fed.
    difference : float
        Largest difference between an output of onnxruntime and PyTorch's.
    largest : float
        Largest absolute output, for scale.
    labels : int
        Number of classes with a name.
    notes : tuple of str
        What the caller should know.
    """

    path: Path
    exporter: str
    opset: int
    batch_norms: int
    folded: int
    input_shape: tuple[int | str, ...]
    difference: float
    largest: float
    labels: int = 0
    notes: tuple[str, ...] = ()


def export(
    model: torch.nn.Module,
    path: str | os.PathLike[str],
    *,
    example: torch.Tensor | Sequence[int],
    batchnorm: Literal["keep", "fold"] = "keep",
    exporter: Literal["torchscript", "dynamo"] = "torchscript",
    opset: int = DEFAULT_OPSET,
    batch: Literal["dynamic"] | int = "dynamic",
    preprocess: Mapping[str, Any] | None = None,
    labels: Sequence[str] | Mapping[Any, str] | str | os.PathLike[str] | None = None,
) -> Report:
    """Export a module to an ONNX file that is proved to compute the same.

    The model is exported in evaluation mode and left as it was. The file is written under another
    name, checked, run by onnxruntime against PyTorch on noise, pictures and the example, and only
    then given its name: after an error, what was at ``path`` before is still there.

    Parameters
    ----------
    model : torch.nn.Module
        Takes one floating-point tensor.
    path : path-like
        The file to write.
    example : torch.Tensor or sequence of int
        An input, or its shape, the batch axis included: ``(1, 3, 224, 224)``. Every axis but the batch
        is fixed by it.
    batchnorm : {"keep", "fold"}
        Keep each BatchNormalization as a node with its four parameters as initializers, or fold each
        into the layer before it.
    exporter : {"torchscript", "dynamo"}
        Which of PyTorch's exporters.
    opset : int
        ONNX operator set to write.
    batch : "dynamic" or int
        Any batch size, or exactly this one.
    preprocess : mapping, optional
        How a picture becomes an input, in the vocabulary of Hugging Face's
        ``preprocessor_config.json``; stored in the file as ``preprocessor_config``.
    labels : sequence of str, mapping of index to str or path, optional
        Names of the classes, which are axis 1 of the first output; stored as ``id2label``.

    Returns
    -------
    Report

    Raises
    ------
    ExportError
        An argument does not fit, PyTorch cannot export the model, the file's BatchNormalization nodes
        are not as asked for, its outputs differ from PyTorch's, or it cannot be written.
    """
    path = Path(path)
    _choose("batchnorm", batchnorm, ("keep", "fold"))
    _choose("exporter", exporter, ("torchscript", "dynamo"))
    if batch != "dynamic" and (not isinstance(batch, int) or batch < 1):
        raise ExportError(f"batch must be 'dynamic' or a positive number, not {batch!r}")
    opsets = OPSETS[exporter]
    if opset not in opsets:
        raise ExportError(f"opset {opset}: the {exporter} exporter writes opset {opsets[0]} to {opsets[-1]}")
    size = sum(t.numel() * t.element_size() for t in [*model.parameters(), *model.buffers()])
    if size > LARGEST_FILE:
        raise ExportError(f"the model's parameters take {size / 2**30:.1f} GiB; an ONNX file holds 2")
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ExportError(
                f"{name} normalises by the batch it is given (track_running_stats=False): "
                "what it computes for one input depends on the others"
            )
    inputs = _example(model, example)
    metadata.check_preprocess(preprocess, inputs.shape)
    # PyTorch takes an axis of length 1 for a constant.
    rows = torch.arange(2 if batch == "dynamic" else batch, device=inputs.device) % len(inputs)
    traced = inputs[rows]
    keep = batchnorm == "keep"

    with written_whole(path) as temporary, tracing.evaluating(model):
        with tracing.BatchNormCounter() as counter:
            outputs = proof.run(model, traced)
        ran = counter.count
        names = metadata.id2label(labels, outputs[0].shape[1] if outputs[0].ndim > 1 else 1)
        proto = tracing.trace(
            model,
            traced,
            outputs=len(outputs),
            exporter=exporter,
            keep=keep,
            opset=opset,
            dynamic=batch == "dynamic",
        )
        batch_norms = tracing.check_batch_norms(proto.graph, ran, keep=keep)
        metadata.write(proto, {metadata.PREPROCESS_KEY: preprocess, metadata.LABELS_KEY: names})
        onnx.save(proto, temporary)
        samples = proof.inputs(traced, (1, 3) if batch == "dynamic" else (batch,), preprocess)
        found = proof.prove(temporary, model, samples)

    notes = []
    if not found.informative:
        notes.append(
            f"PyTorch answers every input alike ({found.largest:.3g} at most): agreement proves little"
        )
    return Report(
        path=path,
        exporter=exporter,
        opset=opset,
        batch_norms=batch_norms,
        folded=ran - batch_norms,
        input_shape=(batch if batch != "dynamic" else "batch", *inputs.shape[1:]),
        difference=found.difference,
        largest=found.largest,
        labels=len(names or ()),
        notes=tuple(notes),
    )


def _choose(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ExportError(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}")


def _example(model: torch.nn.Module, example: torch.Tensor | Sequence[int]) -> torch.Tensor:
    """``example`` itself, or noise of its shape, of the type and on the device of the model's weights."""
    if isinstance(example, torch.Tensor):
        if not example.is_floating_point():
            raise ExportError(f"the input must be of a floating-point type, not {example.dtype}")
        shape = tuple(example.shape)
    else:
        shape = tuple(example)
    if len(shape) < 2 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ExportError(f"example must have a batch axis and be of positive sizes, not {shape}")
    if isinstance(example, torch.Tensor):
        return example.detach()
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(weight.detach())
