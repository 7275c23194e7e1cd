"""Which picture is read, and where its results go."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import click

import explainer

from .lines import Lines

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# What is called like this is meant as a file; where its kind of content goes instead.
OTHER_FILES = {
    ".npz": "--save-relevance writes the numbers, as .npz beside each heat map",
    ".npy": "--save-relevance writes the numbers, as .npz beside each heat map",
    ".json": "--json-lines FILE writes one JSON object per result",
    ".jsonl": "--json-lines FILE writes one JSON object per result",
    **dict.fromkeys((".csv", ".html", ".onnx", ".pdf", ".svg", ".txt", ".zip"), "a heat map is a .png"),
}

# In bytes and in letters: file systems take names of 255 bytes.
LONGEST_NAME, LONGEST_ENDING = 180, 40


@dataclass(frozen=True)
class Job:
    """One explanation: its picture, heat map, file of numbers if one is wanted; which target and place."""

    picture: str
    heatmap: str
    numbers: str | None
    target: int = 0
    place: int = 0

    @property
    def written(self) -> list[str]:
        return [path for path in (self.heatmap, self.numbers) if path]


# The jobs of one picture, one per target.
Picture: TypeAlias = tuple[Job, ...]


def list_jobs(
    images: Sequence[str],
    output: str,
    with_numbers: bool,
    endings: Sequence[str] = ("",),
    what: str = "images",
) -> tuple[list[Picture], bool]:
    """Return the jobs of each picture, and whether the results go to a folder.

    Each picture has one job for each of the `endings` of its results' names; `what` they are called.

    Raises
    ------
    ExplainerError, click.UsageError
        If there is no picture, or the results cannot go there.
    """
    pictures = [picture for image in images for picture in pictures_of(image)]
    to_folder = (
        len(images) > 1 or os.path.isdir(images[0]) or output.endswith(("/", os.sep)) or os.path.isdir(output)
    )
    if to_folder:
        if os.path.exists(output) and not os.path.isdir(output):
            raise click.UsageError(f"several {what} need a folder, but -o {output} is a file")
        check_is_folder(output, what)
        if any(
            os.path.isdir(image) and os.path.realpath(image) == os.path.realpath(output) for image in images
        ):
            # The next run would take the results for pictures.
            raise click.UsageError(f"-o {output} is the folder that the pictures are in: name another")
        bases = [os.path.join(output, name) for name in names_of(pictures)]
    else:
        suffix = Path(output).suffix.lower()
        if suffix != ".png":
            more = OTHER_FILES.get(suffix, "the numbers: --save-relevance")
            raise click.UsageError(f"-o {output}: a heat map is a .png ({more})")
        bases = [output[: -len(".png")]]
    names = iter(distinct([base + ending for base in bases for ending in endings]))
    jobs = [
        Job(picture, f"{name}.png", f"{name}.npz" if with_numbers else None, target, place)
        for place, picture in enumerate(pictures)
        for target, name in enumerate(next(names) for _ in endings)
    ]
    count = len(endings)
    return [tuple(jobs[place : place + count]) for place in range(0, len(jobs), count)], to_folder


def check_is_folder(output: str, what: str) -> None:
    """Refuse a folder for several results that is called like a file: a new one of that name is a mistake.

    Raises
    ------
    click.UsageError
    """
    suffix = Path(output).suffix.lower()
    if os.path.isdir(output) or output.endswith(("/", os.sep)) or suffix not in (*ENDINGS, *OTHER_FILES):
        return
    names = "a picture" if suffix in ENDINGS else f"a file; {OTHER_FILES[suffix]}"
    raise click.UsageError(f"several {what} need a folder: -o {output} names {names}")


def not_there(picture: Picture, lines: Lines | None) -> Picture:
    """Return the jobs of a picture whose results, or their line, are not there; what is there is whole."""
    return tuple(
        job
        for job in picture
        if not all(map(os.path.isfile, job.written)) or (lines and not lines.has(job.written))
    )


def check_outputs(outputs: Sequence[str]) -> None:
    """Refuse outputs that are read, as far as that is known yet, or that are the same file.

    Raises
    ------
    click.UsageError
    """
    try:
        explainer.files.check(outputs)
    except explainer.OutputError as error:
        raise click.UsageError(str(error)) from None


def make_folder(output: str) -> None:
    """Make the folder for results, if need be.

    Raises
    ------
    OutputError
    """
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        raise explainer.OutputError(f"the folder {output} cannot be made: {error.strerror}") from error


def names_of(pictures: Sequence[str]) -> list[str]:
    """Return what the pictures' results are called: each by the picture alone, whatever lies beside it.

    A result is taken for its picture's by its name, also in a later run over a folder that has grown. So
    the name is the picture's whole name, `a.jpg` and `a.bmp` tell themselves apart, with the folder's in
    front of it where there are several folders.
    """
    paths = {os.path.abspath(picture) for picture in pictures}
    with_folder = len(set(map(os.path.dirname, paths))) > 1
    counts = Counter(folded(name_of(path, with_folder)) for path in paths)
    names = ((picture, name_of(picture, with_folder)) for picture in pictures)
    return [f"{name}-{mark_of(picture)}" if counts[folded(name)] > 1 else name for picture, name in names]


def name_of(picture: str, with_folder: bool = False) -> str:
    """Return a picture's name, less what cannot be seen in it, or is too long."""
    path = Path(os.path.abspath(picture))
    name = f"{path.parent.name}-{path.name}" if with_folder else path.name
    seen = "".join(letter if letter.isprintable() else "_" for letter in name)
    short = seen.encode()[:LONGEST_NAME].decode(errors="ignore")
    return short if short == name else f"{short}-{mark_of(picture)}"


def mark_of(picture: str) -> str:
    """Return a few letters that another path hardly has."""
    return hashlib.sha256(os.fsencode(os.path.abspath(picture))).hexdigest()[:8]


def endings_of(targets: Sequence[object]) -> list[str]:
    """Return what is put behind a result's name to tell targets apart; nothing for a single one."""
    if len(targets) == 1:
        return [""]
    names = (re.sub(r"[^\w.-]+", "_", str(target)[:LONGEST_ENDING]).strip("_") for target in targets)
    return [f"-{name or 'target'}" for name in names]


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


def folded(name: str) -> str:
    """Return a name as the file systems see it that tell neither capitals nor ways to write an accent."""
    return unicodedata.normalize("NFC", name).casefold()


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names, with a number behind those that would collide."""
    taken: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 1
        while folded(unique) in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(folded(unique))
        found.append(unique)
    return found
