"""Which picture is read, and where its results go."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import click

import explainer

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Job:
    """One explanation: its picture, the heat map, and the file of numbers, if one is wanted."""

    picture: str
    heatmap: str
    numbers: str | None

    @property
    def written(self) -> list[str]:
        return [path for path in (self.heatmap, self.numbers) if path]


# The jobs of one picture, one per target.
Picture: TypeAlias = tuple[Job, ...]


def list_jobs(
    images: Sequence[str], output: str, with_numbers: bool, model: str, endings: Sequence[str] = ("",)
) -> tuple[list[Picture], bool]:
    """Return the jobs of each picture, and whether the results go to a folder, which is made if need be.

    Each picture has one job for each of the `endings` of its results' names.

    Raises
    ------
    ExplainerError, click.UsageError
        If there is no picture, or the results cannot go there or would take the place of what is read.
    """
    pictures = [picture for image in images for picture in pictures_of(image)]
    to_folder = (
        len(images) > 1 or os.path.isdir(images[0]) or output.endswith(("/", os.sep)) or os.path.isdir(output)
    )
    if to_folder:
        if os.path.exists(output) and not os.path.isdir(output):
            raise click.UsageError(f"several images need a folder, but -o {output} is a file")
        if Path(output).suffix.lower() == ".png" and not os.path.isdir(output):
            raise click.UsageError(f"several images need a folder: -o {output} names a picture")
        bases = [os.path.join(output, Path(picture).stem) for picture in pictures]
    else:
        if Path(output).suffix.lower() != ".png":
            raise click.UsageError(f"-o {output}: a heat map is a .png (the numbers: --save-relevance)")
        bases = [output[: -len(".png")]]
    names = iter(distinct([base + ending for base in bases for ending in endings]))
    jobs = [
        Job(picture, f"{name}.png", f"{name}.npz" if with_numbers else None)
        for picture in pictures
        for name in (next(names) for _ in endings)
    ]
    read = {os.path.realpath(path) for path in (*pictures, model)}
    for job in jobs:
        for path in job.written:
            if os.path.realpath(path) in read:
                raise click.UsageError(
                    f"-o {output} would overwrite {path}, which is read: choose another place"
                )
    if to_folder:
        try:
            os.makedirs(output, exist_ok=True)
        except OSError as error:
            raise explainer.OutputError(f"the folder {output} cannot be made: {error.strerror}") from error
    count = len(endings)
    return [tuple(jobs[place : place + count]) for place in range(0, len(jobs), count)], to_folder


def endings_of(targets: Sequence[object]) -> list[str]:
    """Return what is put behind a result's name to tell targets apart; nothing for a single one."""
    if len(targets) == 1:
        return [""]
    return ["-" + (re.sub(r"[^\w.-]+", "_", str(target)).strip("_") or "target") for target in targets]


def pictures_of(image: str) -> list[str]:
    """Return the file itself, or the pictures in a folder, by name."""
    if not os.path.isdir(image):
        return [image]
    try:
        found = sorted(entry.path for entry in os.scandir(image) if entry.name.lower().endswith(ENDINGS))
    except OSError as error:
        raise explainer.InputError(f"the folder {image} cannot be read: {error.strerror}") from error
    if not found:
        raise explainer.InputError(f"no picture in the folder {image}; looked for {' '.join(ENDINGS)}")
    return found


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names, with a number behind those that would collide."""
    taken: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 1
        # Some file systems do not tell upper from lower case.
        while unique.casefold() in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique.casefold())
        found.append(unique)
    return found
