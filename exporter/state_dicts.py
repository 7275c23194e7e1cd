"""Weights from a file: read without running code, fitted to a model, or refused in words."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from exporter.errors import ExportError
from exporter.files import read as noted

State = OrderedDict[str, torch.Tensor]
# What the side branches of torchvision's GoogLeNet and Inception are called; a file may lack them.
_SIDE_BRANCHES = ("aux1.", "aux2.", "AuxLogits.")


def load(
    file: Path, construct: Callable[..., torch.nn.Module], num_classes: int | None = None
) -> tuple[torch.nn.Module, int]:
    """A model with the weights of ``file``, and the number of its classes.

    Parameters
    ----------
    file : Path
        What ``torch.save(model.state_dict(), file)`` wrote, or a checkpoint that holds that under
        ``state_dict`` or ``model``, also of a model wrapped in ``DataParallel``.
    construct : callable
        ``construct(num_classes=..., side_branches=...)`` makes the model.
    num_classes : int, optional
        Read from the file's last layer by default.

    Raises
    ------
    ExportError
        The file cannot be read, holds anything but tensors, or does not fit the model.
    """
    state = read(file)
    how = {"side_branches": any(key.startswith(_SIDE_BRANCHES) for key in state)}
    classes = num_classes or 1000
    model = construct(num_classes=classes, **how)
    if num_classes is None:
        resized = {len(state[key]) for key in _reshaped(model.state_dict(), state) if state[key].ndim}
        if len(resized) == 1:
            classes = resized.pop()
            model = construct(num_classes=classes, **how)
    _check(model.state_dict(), state, file)
    try:
        model.load_state_dict(state)
    except (RuntimeError, ValueError) as error:  # a module with a check of its own
        raise ExportError(f"{file} does not fit the model: {error}") from error
    return model, classes


def read(file: Path) -> State:
    """The state dict in ``file``.

    Raises
    ------
    ExportError
        It cannot be read, or holds anything but tensors.
    """
    try:
        content: Any = torch.load(noted(file), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load's errors for a strange file are of many kinds
        raise ExportError(
            f"{file} cannot be read as a state dict; write one with torch.save(model.state_dict(), FILE). "
            "A whole pickled model is refused, for loading it would run code"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise ExportError(f"{file} holds no state dict but a {type(content).__name__}")
    strangers = [key for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise ExportError(f"{file} holds no state dict: {strangers[0]!r} is not a tensor")
    wrapped = all(key.startswith("module.") for key in content)
    state: State = OrderedDict()
    for key, value in content.items():
        key = key.removeprefix("module.") if wrapped else key
        # torchvision's published DenseNets are older than its code: norm.1 is norm1 today.
        state[re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", key)] = value
    # The versions of the modules that were saved: MNASNet does not load without its own.
    if hasattr(content, "_metadata"):
        state._metadata = content._metadata  # type: ignore[attr-defined]
    return state


def _reshaped(expected: Mapping[str, torch.Tensor], state: State) -> list[str]:
    return [key for key in expected if key in state and expected[key].shape != state[key].shape]


def _check(expected: Mapping[str, torch.Tensor], state: State, file: Path) -> None:
    # Batch counters matter in training alone, and old files have none.
    missing = [key for key in expected if key not in state and not key.endswith("num_batches_tracked")]
    unknown = [key for key in state if key not in expected]
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in _reshaped(expected, state)
    ]
    problems = [
        f"{len(found)} {what} ({found[0]}{', ...' if len(found) > 1 else ''})"
        for what, found in (("missing", missing), ("unknown", unknown), ("of another shape", reshaped))
        if found
    ]
    if problems:
        raise ExportError(f"{file} does not fit the model: {'; '.join(problems)}")
