"""Class names: as the caller gives them, as a file's metadata has them, and the class that a name means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, ModelError, TargetError, did_you_mean
from ..model.graph import Graph
from ..plain.values import FrozenDict
from ..tensor import Array

Labels: TypeAlias = "Sequence[str] | Mapping[int, str]"


class Names(FrozenDict[int, str]):
    """Class names by index; `listed` where they were given one after the other, so that none is missing."""

    __slots__ = ("listed",)

    def __init__(self, held: Mapping[int, str] | None = None, listed: bool = False) -> None:
        super().__init__(held)
        self.listed = listed

    def __reduce__(self) -> tuple[Any, ...]:
        return Names, (dict(self), self.listed)

    def check(self, output: str, outputs: Mapping[str, Any]) -> None:
        """Refuse a list of another length than an output that one of its names would be put to.

        It may belong to another output: then nothing is said.

        Raises
        ------
        InputError
        """
        classes = {name: _classes(values) for name, values in outputs.items()}
        if self.listed and classes.get(output) and len(self) not in classes.values():
            raise InputError(
                f"labels: there are {len(self)} names, but {output!r} has {classes[output]} classes; "
                "give one name for each, or a dict of index -> name"
            )


def _classes(values: Any) -> int | None:
    """How many classes an output has, if it holds one value for each."""
    sizes = getattr(values, "shape", ())[1:]
    largest = max(sizes, default=0)
    return largest if largest == np.prod(sizes) else None


def labels_given(labels: Labels) -> Names:
    """Class names as the caller gives them.

    Raises
    ------
    InputError
        Neither a list of texts nor a dict of index -> text.
    """
    if isinstance(labels, Names):
        return labels
    listed = not isinstance(labels, Mapping)
    if isinstance(labels, str | bytes | Set) or not isinstance(labels, Iterable):
        raise InputError(
            f"labels: a list of class names, or a dict of index -> name, not {labels!r}; the names in a "
            "file of lines are Path(file).read_text().splitlines()"
        )
    pairs = list(enumerate(labels) if listed else labels.items())  # type: ignore[union-attr]  # a Mapping
    try:
        found = {int(index): label for index, label in pairs}
    except (TypeError, ValueError):
        raise InputError(f"labels: a dict's keys are the classes' indices, not {list(labels)[:3]}") from None
    if wrong := [label for label in found.values() if not isinstance(label, str)]:
        raise InputError(f"labels: a class name is a text, not {wrong[0]!r}")
    if len(found) != len(pairs):
        raise InputError("labels: several names for one index")
    return Names(found, listed)


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
        return Names({int(index): str(label) for index, label in json.loads(text).items()})
    except (ValueError, AttributeError, RecursionError) as error:
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
