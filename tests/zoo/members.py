"""The table of the zoo: who is in it, how each is made small and seeded, and by which exporters it goes.

Nothing here imports a framework: a factory does when it is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

EXPORTERS = ("torchscript", "dynamo")
FAMILIES = ("of_torchvision", "of_timm", "of_transformers", "of_yolo", "of_sequences")


@dataclass(frozen=True)
class Member:
    """One model of one family.

    Parameters
    ----------
    name : str
        As the family's package calls it.
    make : callable
        The module, of one output, called under a fixed seed. One of several inputs takes them by position.
    inputs : dict of name -> shape or range
        A shape of floating-point noise, or ``(shape, low, high)``: whole numbers, ``high`` excluded.
    needs : str
        The package that has it, beside torch.
    quick : bool
        Whether it is in the part that always runs.
    exporters : tuple of str
    """

    name: str
    make: Callable[[], Any]
    inputs: dict[str, Any] = field(default_factory=lambda: {"input": (1, 3, 64, 64)})
    needs: str = ""
    quick: bool = False
    exporters: tuple[str, ...] = EXPORTERS


def pictures(size: int, frames: int = 0) -> dict[str, Any]:
    """The input of a model of pictures, or of films."""
    return {"input": (1, 3, *([frames] if frames else []), size, size)}


def words(length: int, vocabulary: int = 30, mask: bool = False) -> dict[str, Any]:
    """The inputs of a model of words; a mask lets all of them count."""
    inputs = {"input_ids": ((1, length), 2, vocabulary)}
    return inputs | ({"attention_mask": ((1, length), 1, 2)} if mask else {})


def members(families: Iterable[str] = FAMILIES) -> Iterator[tuple[str, Member]]:
    """Every family with each of its members."""
    for family in families:
        for member in importlib.import_module(family).MEMBERS:
            yield family.removeprefix("of_"), member


def found(family: str, name: str) -> Member:
    """A member by its names."""
    return next(member for of, member in members([f"of_{family}"]) if member.name == name)
