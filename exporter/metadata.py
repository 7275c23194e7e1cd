"""What a file says about itself: its preprocessing and the names of its classes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import onnx

from exporter.errors import ExportError
from exporter.files import read as noted

PREPROCESS_KEY = "preprocessor_config"
LABELS_KEY = "id2label"
TOKENIZER_KEY = "tokenizer"


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


def id2label(
    labels: Sequence[str] | Mapping[Any, str] | str | os.PathLike[str] | None, classes: int
) -> dict[str, str] | None:
    """The ``id2label`` of ``labels`` for an output of ``classes`` values.

    Parameters
    ----------
    labels : sequence of str, mapping of class index to str, path or None
        A sequence names every class; a mapping, its keys ints or their decimal text, may leave some out;
        a path is read by `read_labels`. Of Keras' pairs, ["n02123045", "tabby"], the second is the name.
    classes : int
        Length of the output's last axis.

    Raises
    ------
    ExportError
        More or fewer names than classes, an index that is not one of the classes, or one named twice;
        or a name that is no text.
    """
    if isinstance(labels, str | os.PathLike):
        labels = read_labels(labels)
    if labels is None:
        return None
    if not isinstance(labels, Collection) or isinstance(labels, bytes | Set):
        raise ExportError(f"labels must be a list of names, a dict or the path of a file, not {labels!r}")
    if not isinstance(labels, Mapping):
        if len(labels) != classes:
            raise ExportError(f"{len(labels)} labels for {classes} classes")
        labels = dict(enumerate(labels))
    try:
        by_index = {int(index): _name(label) for index, label in labels.items()}
    except (TypeError, ValueError) as error:
        raise ExportError(f"labels: a class index is an integer ({error})") from error
    if len(by_index) != len(labels):
        raise ExportError("labels: two keys mean the same class index")
    strangers = [index for index in by_index if not 0 <= index < classes]
    if strangers:
        raise ExportError(f"labels: class {strangers[0]} is not one of 0 to {classes - 1}")
    return {str(index): by_index[index] for index in sorted(by_index)}


def _name(label: Any) -> str:
    """A class's name, alone or as the second of a pair of Keras'."""
    pair = isinstance(label, list | tuple) and len(label) == 2 and all(isinstance(p, str) for p in label)
    if pair and re.fullmatch(r"n\d+", label[0]):
        return str(label[1])
    if not isinstance(label, str):
        raise ExportError(f"labels: a class name is a text, not {label!r}")
    return label


def read_labels(file: str | os.PathLike[str]) -> list[str] | dict[str, str]:
    """Class names from a text file, one a line, or from JSON: a list, a dict, or one with ``id2label``.

    Lines may have ImageNet's synset before the name, or all of them their index, from 0 on.

    Raises
    ------
    ExportError
        The file cannot be read, or is none of these.
    """
    try:
        text = noted(Path(file)).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ExportError(f"labels cannot be read from {file}: {error}") from error
    if not text.lstrip().startswith(("[", "{")):
        return _of_lines(text.splitlines(), file)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"labels cannot be read from {file}: {error}") from error
    names: list[str] | dict[str, str] = (
        content.get(LABELS_KEY, content) if isinstance(content, dict) else content
    )
    return names


def _of_lines(names: list[str], file: str | os.PathLike[str]) -> list[str]:
    """The names without what stands before them in every line."""
    for before in (r"n\d{8}\s+", r"(\d+)(?:\s*[:,]\s*|\s+-\s+|\s+)", r"n\d{8}\s+"):
        found = [re.match(before, name) for name in names]
        if not all(found) or not names:
            continue
        rest = [name[one.end() :] for name, one in zip(names, found, strict=True) if one]
        if not before.startswith("n"):
            numbers = [int(one[1]) for one in found if one]
            if len(set(numbers)) < len(numbers):  # years, say
                return names
            if sorted(numbers) != list(range(len(numbers))):
                raise ExportError(
                    f"labels: the lines of {file} are numbered, and not from 0 on as classes are"
                )
            rest = [name for _, name in sorted(zip(numbers, rest, strict=True))]
        names = rest
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
