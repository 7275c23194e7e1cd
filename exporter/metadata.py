"""What a file says about itself: its preprocessing and the names of its classes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from exporter.errors import ExportError

PREPROCESS_KEY = "preprocessor_config"
LABELS_KEY = "id2label"


def write(proto: onnx.ModelProto, entries: Mapping[str, Any]) -> None:
    """Store ``entries`` as JSON in ``proto.metadata_props``; those that are None are left out.

    Raises
    ------
    ExportError
        An entry has no JSON form.
    """
    for key, value in entries.items():
        if value is None:
            continue
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ExportError(f"{key} cannot be written as JSON: {error}") from error
        proto.metadata_props.add(key=key, value=text)


def id2label(labels: Sequence[str] | Mapping[Any, str] | None, classes: int) -> dict[str, str] | None:
    """The ``id2label`` of ``labels`` for an output of ``classes`` values.

    Parameters
    ----------
    labels : sequence of str, mapping of class index to str, or None
        A sequence names every class; a mapping, its keys ints or their decimal text, may leave some out.
    classes : int
        Length of the output's last axis.

    Raises
    ------
    ExportError
        More or fewer names than classes, an index that is not one of the classes, or one named twice.
    """
    if labels is None:
        return None
    if isinstance(labels, str):
        raise ExportError("labels must be a list of names or a dict, not one string")
    if not isinstance(labels, Mapping):
        if len(labels) != classes:
            raise ExportError(f"{len(labels)} labels for {classes} classes")
        labels = dict(enumerate(labels))
    try:
        by_index = {int(index): str(label) for index, label in labels.items()}
    except (TypeError, ValueError) as error:
        raise ExportError(f"labels: a class index is an integer ({error})") from error
    if len(by_index) != len(labels):
        raise ExportError("labels: two keys mean the same class index")
    strangers = [index for index in by_index if not 0 <= index < classes]
    if strangers:
        raise ExportError(f"labels: class {strangers[0]} is not one of 0 to {classes - 1}")
    return {str(index): by_index[index] for index in sorted(by_index)}


def read_labels(file: Path) -> list[str] | dict[str, str]:
    """Class names from a text file, one a line, or from JSON: a list, a dict, or one with ``id2label``.

    Raises
    ------
    ExportError
        The file cannot be read, or is none of these.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"labels cannot be read from {file}: {error}") from error
    if not text.lstrip().startswith(("[", "{")):
        return text.splitlines()
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ExportError(f"labels cannot be read from {file}: {error}") from error
    names: list[str] | dict[str, str] = (
        content.get(LABELS_KEY, content) if isinstance(content, dict) else content
    )
    return names


def check_preprocess(preprocess: Mapping[str, Any] | None, shape: Sequence[int]) -> None:
    """Compare a preprocessing with the input it is meant to make.

    Parameters
    ----------
    preprocess : mapping or None
        In the vocabulary of Hugging Face's ``preprocessor_config.json``.
    shape : sequence of int
        The input's shape, (N, C, H, W).

    Raises
    ------
    ExportError
        The input is no picture, the preprocessing makes pictures of another size, or its mean and
        standard deviation do not fit the channels.
    """
    if preprocess is None:
        return
    if not isinstance(preprocess, Mapping):
        raise ExportError("preprocess must be a dict in the vocabulary of preprocessor_config.json")
    if len(shape) != 4:
        raise ExportError(f"preprocess describes pictures, (N, C, H, W), but the input is {tuple(shape)}")
    sizes = [preprocess.get("crop_size")] if preprocess.get("do_center_crop") else []
    sizes += [preprocess.get("size")] if preprocess.get("do_resize") and not sizes else []
    for size in sizes:
        if isinstance(size, Mapping) and {"height", "width"} <= size.keys():
            made = (size["height"], size["width"])
            if made != tuple(shape[2:]):
                raise ExportError(
                    f"preprocess makes pictures of {made[0]}x{made[1]}, "
                    f"but the input is {shape[2]}x{shape[3]}"
                )
    if preprocess.get("do_normalize"):
        for key in ("image_mean", "image_std"):
            values = preprocess.get(key)
            if not isinstance(values, Sequence) or len(values) not in (1, shape[1]):
                raise ExportError(f"preprocess: {key} must be a list of {shape[1]} numbers, not {values!r}")
        if not all(preprocess["image_std"]):
            raise ExportError("preprocess: image_std holds a zero")
