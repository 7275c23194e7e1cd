"""Which picture is read, and where its results go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

import explainer

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2")


@dataclass(frozen=True)
class Job:
    """One picture: its file, the heat map's, and the file of numbers, if one is wanted."""

    picture: str
    heatmap: str
    numbers: str | None

    @property
    def written(self) -> list[str]:
        return [path for path in (self.heatmap, self.numbers) if path]


def list_jobs(images: Sequence[str], output: str, with_numbers: bool, model: str) -> tuple[list[Job], bool]:
    """Return one job per picture, and whether the results go to a folder, which is made if need be.

    Raises
    ------
    ExplainerError, click.UsageError
        If there is no picture, or the results cannot go there or would take the place of what is read.
    """
    pictures = [picture for image in images for picture in pictures_of(image)]
    to_folder = (
        len(images) > 1 or os.path.isdir(images[0]) or output.endswith(os.sep) or os.path.isdir(output)
    )
    if to_folder:
        if os.path.exists(output) and not os.path.isdir(output):
            raise click.UsageError(f"several images need a folder, but -o {output} is a file")
        if Path(output).suffix.lower() == ".png" and not os.path.isdir(output):
            raise click.UsageError(f"several images need a folder: -o {output} names a picture")
        names = [os.path.join(output, f"{stem}.png") for stem in distinct_stems(pictures)]
    else:
        if Path(output).suffix.lower() != ".png":
            raise click.UsageError(f"-o {output}: a heat map is a .png (the numbers: --save-relevance)")
        names = [output]
    jobs = [
        Job(picture, name, str(Path(name).with_suffix(".npz")) if with_numbers else None)
        for picture, name in zip(pictures, names, strict=True)
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
    return jobs, to_folder


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


def distinct_stems(pictures: Sequence[str]) -> list[str]:
    """Return each picture's name without its ending; with a number where two would collide."""
    taken: set[str] = set()
    stems = []
    for picture in pictures:
        stem = unique = Path(picture).stem
        number = 1
        # Some file systems do not tell upper from lower case.
        while unique.casefold() in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique.casefold())
        stems.append(unique)
    return stems
