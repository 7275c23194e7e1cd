"""Export, prove, and only then name the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import onnx
import torch

from exporter import finishing, metadata, proof, tracing
from exporter.architecture import Architecture, Example
from exporter.errors import ExportError
from exporter.feeds import BATCH, Feeds, Named, names_of
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
        Of the first input. The first entry is ``"batch"`` when any batch may be fed.
    difference : float
        Largest difference between an output of onnxruntime and PyTorch's.
    largest : float
        Largest absolute output, for scale.
    labels : int
        Number of classes with a name.
    notes : tuple of str
        What the caller should know.
    inputs : dict of str -> tuple of int or str
        The shapes of all inputs, axes of any length by their names.
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
    inputs: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)


def export(
    model: torch.nn.Module | Architecture | str,
    path: str | os.PathLike[str],
    *,
    example: Example | None = None,
    axes: Mapping[str, Mapping[int, str]] | None = None,
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
    model : torch.nn.Module, Architecture or str
        An `Architecture`, which `build` makes, brings what else is not given here. Text is a name as `build`
        takes it, ``"timm:resnet18"``, with its published weights; ``"module:factory"`` runs that code.
    path : path-like
        The file to write.
    example : tensor, sequence of int, or dict of str to these
        An input, or its shape, the batch axis included: ``(1, 3, 224, 224)``; of several inputs a dict by
        the names of the model's ``forward``. Every axis but the batch is fixed by it. Whole numbers are
        given as a tensor; the proof draws others from it.
    axes : dict of str to dict of int to str, optional
        Further axes that may have any length, by input, and their names:
        ``{"input_ids": {1: "sequence"}}``; the one input of a model without names is ``"input"``. The proof
        tries half the example's length too.
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
    built = _built(model)
    walked, example = built.model, built.example if example is None else example
    preprocess = built.preprocess if preprocess is None else preprocess
    labels = built.labels if labels is None else labels
    _check_module(walked)
    if example is None:
        raise ExportError(
            "example is missing: an input of the model, or its shape, (1, 3, 224, 224); of several a dict "
            "(--input NAME=1x3x224x224, --input ids:int64=2x16)"
        )
    feeds = Feeds.of(walked, example, {**built.axes, **(axes or {})}, batch)
    if isinstance(example, Mapping):
        walked = Named(walked, list(feeds.tensors))
    metadata.check_preprocess(preprocess, _pictured(feeds))
    keep = batchnorm == "keep"

    with written_whole(path) as temporary, tracing.evaluating(walked):
        with tracing.BatchNormCounter() as counter:
            outputs = proof.run(walked, feeds.tensors)
        ran = counter.count
        names = metadata.id2label(labels, outputs[0].shape[1] if outputs[0].ndim > 1 else 1)
        proto = tracing.trace(
            walked,
            feeds,
            outputs=_open_outputs(walked, feeds, outputs),
            exporter=exporter,
            keep=keep,
            opset=opset,
        )
        batch_norms = finishing.check_batch_norms(proto.graph, ran, keep=keep)
        metadata.write(
            proto,
            {
                metadata.PREPROCESS_KEY: preprocess,
                metadata.LABELS_KEY: names,
                metadata.TOKENIZER_KEY: built.tokenizer,
            },
        )
        onnx.save(proto, temporary)
        samples = proof.samples_of(feeds, (1, 3) if batch == "dynamic" else (batch,), preprocess)
        found = proof.prove(temporary, walked, samples)

    notes = list(built.notes)
    if not found.informative:
        notes.append(
            f"PyTorch answers every input alike ({found.largest:.3g} at most): agreement proves little"
        )
    unread = feeds.tensors.keys() - {value.name for value in proto.graph.input}
    notes += [f"the model does not use its input {name!r}, and the file has none" for name in sorted(unread)]
    shapes = {name: feeds.shape(name) for name in feeds.tensors if name not in unread}
    return Report(
        path=path,
        exporter=exporter,
        opset=opset,
        batch_norms=batch_norms,
        folded=ran - batch_norms,
        input_shape=next(iter(shapes.values()), ()),
        difference=found.difference,
        largest=found.largest,
        labels=len(names or ()),
        notes=tuple(notes),
        inputs=shapes,
    )


def _built(model: torch.nn.Module | Architecture | str) -> Architecture:
    if isinstance(model, str):
        from exporter.naming import build

        return build(model, weights="default")
    if isinstance(model, Architecture):
        return model
    if not isinstance(model, torch.nn.Module):
        raise ExportError(
            f"a model is a torch.nn.Module, an Architecture or a name, not {type(model).__name__}"
        )
    return Architecture(model)


def _check_module(model: torch.nn.Module) -> None:
    size = sum(t.numel() * t.element_size() for t in [*model.parameters(), *model.buffers()])
    if size > LARGEST_FILE:
        raise ExportError(f"the model's parameters take {size / 2**30:.1f} GiB; an ONNX file holds 2")
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ExportError(
                f"{name} normalises by the batch it is given (track_running_stats=False): "
                "what it computes for one input depends on the others"
            )


def _pictured(feeds: Feeds) -> tuple[int, ...]:
    """The shape of the input that pictures are made for: the first of four axes, or else the first."""
    shapes = [tuple(x.shape) for x in feeds.tensors.values()]
    return next((shape for shape in shapes if len(shape) == 4), shapes[0])


def _open_outputs(
    model: torch.nn.Module, feeds: Feeds, outputs: Sequence[torch.Tensor]
) -> dict[str, dict[int, str]]:
    """What outputs are called, and their axes that have another length where an input's has."""
    inner = model.model if isinstance(model, Named) else model
    if isinstance(model, Named):
        names = names_of(inner(**feeds.tensors))
    else:
        names = ["output"] if len(outputs) == 1 else [f"output_{i}" for i in range(len(outputs))]
    # An output called as an input is none of ONNX's names.
    names = [f"{name}_output" if name in feeds.tensors else name for name in names]
    is_open = any(0 in axes for axes in feeds.axes.values())
    found: dict[str, dict[int, str]] = {
        name: {0: BATCH} if is_open and one.ndim else {} for name, one in zip(names, outputs, strict=True)
    }
    rows = len(next(iter(feeds.tensors.values())))
    for called, half in feeds.halves().items():
        others = proof.run(model, feeds.sized(rows, {called: half}))
        for name, whole, other in zip(names, outputs, others, strict=True):
            for axis, (size, less) in enumerate(zip(whole.shape, other.shape, strict=True)):
                if size != less:
                    same = (size, less) == (feeds.sizes[called], half)
                    found[name].setdefault(axis, called if same else f"{name}_{axis}")
    return found


def _choose(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ExportError(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}")
