"""Class names: as the caller gives them, as a file's metadata has them, and the class that a name means."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping, Sequence, Set
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, ModelError, TargetError, did_you_mean, shown
from ..model.graph import Graph, Input
from ..model.node import input_of
from ..plain.checks import is_whole
from ..plain.values import FrozenDict
from ..tensor import Array
from .labelfiles import read_labels, read_open

Labels: TypeAlias = "Sequence[str] | Mapping[int, str]"
LabelsLike: TypeAlias = "Labels | str | os.PathLike[str]"

MOST = 1 << 20  # classes


class Names(FrozenDict[int, str]):
    """Class names by index.

    Attributes
    ----------
    listed : bool
        Whether they were given one after the other, so that none is missing.
    given : bool
        Whether the caller gave them, and not the file.
    """

    __slots__ = ("given", "listed")

    def __init__(
        self, held: Mapping[int, str] | None = None, listed: bool = False, given: bool = False
    ) -> None:
        super().__init__(held)
        self.listed, self.given = listed, given

    def __reduce__(self) -> tuple[Any, ...]:
        return Names, (dict(self), self.listed, self.given)

    def check(self, output: str, outputs: Mapping[str, Any]) -> None:
        """Refuse a list of another length than an output that one of its names would be put to.

        So is a dict with a name for a class that there is not. Either may belong to another output: then
        nothing is said.

        Raises
        ------
        InputError
        """
        classes = {name: _classes(values) for name, values in outputs.items()}
        if self.listed and classes.get(output) and len(self) not in classes.values():
            what = f"labels: there are {len(self)} names, but {output!r} has {classes[output]} classes; give"
            raise InputError(f"{what} one name for each, or a dict of index -> name").optioned(
                f"{what} one name for each, or JSON of index: name"
            )
        count, last = classes.get(output), max(self, default=0)
        if self.given and count and all(one is None or one <= last for one in classes.values()):
            raise InputError(
                f"labels: there is a name for class {last}, but {output!r} has the classes 0 to {count - 1}"
            )


def _classes(values: Any) -> int | None:
    """How many classes an output has, if it holds one value for each."""
    sizes = getattr(values, "shape", ())[1:]
    largest = max(sizes, default=0)
    return largest if largest == np.prod(sizes) else None


def declared_outputs(graph: Graph) -> dict[str, Input]:
    """A model's outputs as it declares them; none where the size of one is open, which could be any."""
    outputs = {value.name: value for value in map(input_of, graph.source.proto.graph.output)}
    told = all(value.shape is not None and None not in value.shape[1:] for value in outputs.values())
    return outputs if told else {}


def shape_by_sample(graph: Graph, output: str) -> tuple[int | None, ...] | None:
    """What an output declares, where its first axis is the samples' for sure; else None.

    It is where it is fixed to one, or has the very name that an input's first axis has.
    """
    shapes = [
        {value.name: value.type.tensor_type.shape.dim for value in values}
        for values in (graph.source.proto.graph.input, graph.source.proto.graph.output)
    ]
    value = declared_outputs(graph).get(output)
    if value is None or not value.shape or len(value.shape) < 2:
        return None
    names = {dims[0].dim_param for dims in shapes[0].values() if dims} - {""}
    is_samples = value.shape[0] == 1 or shapes[1][output][0].dim_param in names
    return value.shape if is_samples else None


def labels_given(labels: LabelsLike) -> Names:
    """Class names as the caller gives them; a text is the path of a file, and an open one is read as it is.

    Raises
    ------
    InputError
        Neither a list of texts nor a dict of index -> text, nor a file that holds one: see `read_labels`.
    """
    if isinstance(labels, Names):
        return labels
    where, held = "labels", labels  # type: str, Any
    if isinstance(labels, str | os.PathLike):
        where, held = f"labels: {os.fspath(labels)}", read_labels(labels)
    elif isinstance(labels, io.IOBase):
        held = read_open(labels)
    listed = not isinstance(held, Mapping)
    pairs = _pairs(held)
    if pairs is None:
        raise InputError(
            f"{where}: a list of class names, a dict of index -> name, or the path of a file of them, "
            f"not {shown(held)}"
        )
    found = {_index(index, where): _name(label, where) for index, label in pairs}
    if len(found) != len(pairs):
        raise InputError(f"{where}: several names for one index")
    return Names(found, listed, given=True)


def _pairs(held: Any) -> list[tuple[Any, Any]] | None:
    """Index and name, as a list or a dict has them; None where it is neither."""
    if isinstance(held, str | bytes | bytearray | Set):
        return None
    try:
        # No model has so many classes, and some iterators have no end.
        pairs = list(islice(held.items() if isinstance(held, Mapping) else enumerate(held), MOST + 1))
    except TypeError:
        return None
    return None if len(pairs) > MOST else pairs


def _index(index: Any, where: str) -> int:
    """A class that a name is for; JSON has it as text."""
    if is_whole(index) and index >= 0:
        return int(index)
    if isinstance(index, str) and re.fullmatch(r"[0-9]{1,18}", index):
        return int(index)
    raise InputError(f"{where}: a dict's keys are the classes' indices, not {shown(index)}")


def _name(label: Any, where: str) -> str:
    """A class's name; of Keras' pairs, ["n02123045", "tabby"], the second."""
    if isinstance(label, list | tuple) and len(label) == 2 and all(isinstance(part, str) for part in label):
        synset, name = label
        label = name if re.fullmatch(r"n\d+", synset) else label
    if not isinstance(label, str):
        raise InputError(f"{where}: a class name is a text, not {shown(label)}")
    return str(label).rstrip("\r\n")  # as `readlines` leaves them


def labels_of(graph: Graph) -> Names:
    """Class names by index, as the file's metadata `id2label` has them; empty where it has none.

    Raises
    ------
    ModelError
        The metadata is no JSON object of index -> name.
    """
    text = graph.metadata.get("id2label")
    if text is None:
        return Names()
    try:
        pairs = json.loads(text).items()
        # Others wrote the file: a name that is a number, of a digit say, is taken for its text.
        return Names(
            {_index(i, "id2label"): _name(str(n) if is_whole(n) else n, "id2label") for i, n in pairs}
        )
    except (ValueError, AttributeError, RecursionError, InputError) as error:
        raise ModelError(f"{graph.title}: metadata 'id2label' is not a JSON object of index: name") from error


def index_of(name: str, labels: Labels) -> int | None:
    """The class that is called so; None where none is.

    Raises
    ------
    TargetError
        Several are.
    """
    items = list(labels.items() if isinstance(labels, Mapping) else enumerate(labels))
    for fold in (str, str.casefold):
        found = [int(i) for i, label in items if fold(name) in (fold(label), *_synonyms(fold(label)))]
        if len(found) > 1:
            raise TargetError(f"several classes are called {name!r}: {found}; give the index")
        if found:
            return found[0]
    return None


def _synonyms(label: str) -> list[str]:
    """ImageNet's own labels list synonyms: "tench, Tinca tinca"."""
    return [part.strip() for part in label.split(",")]


def hint(name: str, labels: Labels | None, *tensors: Sequence[str]) -> str:
    """What a name that nothing has may have meant, to end a message: classes before `tensors`."""
    known = [] if labels is None else list(labels.values() if isinstance(labels, Mapping) else labels)
    found = did_you_mean(name, known, *tensors)
    return found or ("" if known else "; the model has no labels: give labels, an index or a tensor's name")


def called(index: int, labels: Labels | None) -> str:
    """A class for a message: its index, and its name if it has one."""
    names = dict(labels.items() if isinstance(labels, Mapping) else enumerate(labels or ()))
    return f"index {index} ({names[index]!r})" if index in names else f"index {index}"


def refuse_itself(target: Array | None, against: Array | None, labels: Labels | None = None) -> None:
    """Refuse a margin of which one sample's sides turn out to be the same class.

    Parameters
    ----------
    target, against : array of int (N,), or None

    Raises
    ------
    TargetError
    """
    if target is None or against is None or not (same := target == against).any():
        return
    sample = int(np.flatnonzero(same)[0])
    where = f" in sample {sample}" if len(target) > 1 else ""
    raise TargetError(
        f"against: it is the target itself{where}, {called(int(target[sample]), labels)}; "
        "leave it out for each sample's best other class"
    )
