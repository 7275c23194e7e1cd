"""How onnxruntime runs a model: where, on how many threads, and what is the same in every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from .given import arrays_of
from .options import Command, with_options


class Fixing(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """``NAME=VALUE``: a number, several with commas between them, or a file of numbers."""

    name = "fix"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, _, text = value.rpartition("=")
        if not (name and text):
            self.fail(f"{value!r} is no NAME=VALUE, such as sr=16000", param, ctx)
        if text.lower().endswith(".npy"):
            return name, text
        numbers = [_number(part) for part in text.split(",")]
        if None in numbers:
            self.fail(f"{text!r} is no number, none with commas between them and no .npy", param, ctx)
        return name, numbers[0] if len(numbers) == 1 else numbers


def _number(text: str) -> int | float | bool | None:
    if text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def fixed(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """What --fix says, its files read.

    Raises
    ------
    click.UsageError
        A name is given twice.
    InputError
        A file cannot be read.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise click.UsageError(f"--fix {name} is given twice; give it once")
        found[name] = arrays_of(name, value)[name] if isinstance(value, str) else value
    return found


def runtime_options(command: Command) -> Command:
    """Add the options that say how onnxruntime runs the model."""
    options = (
        click.option(
            "--provider",
            "providers",
            multiple=True,
            metavar="NAME",
            help="Where onnxruntime runs the model, such as CUDAExecutionProvider; the preferred first."
            "  [repeatable; default: the CPU]",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1),
            metavar="N",
            help="Threads of onnxruntime and NumPy; 1 on a busy machine.  [default: their own choice]",
        ),
        click.option(
            "--custom-ops",
            multiple=True,
            metavar="FILE",
            help="A shared library of custom operators of the model. It is code, and is run.  [repeatable]",
        ),
        click.option(
            "--fix",
            multiple=True,
            type=Fixing(),
            metavar="NAME=VALUE",
            help="What is the same in every run: an input's value (sr=16000, state=FILE.npy, or a number for"
            " all of it), or the size of an open axis by its name (batch=1).  [repeatable]",
        ),
    )
    return with_options(command, options)


def runtime_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what --provider to --custom-ops were given, as the library takes it."""
    given = {name: options[name] for name in ("providers", "threads", "custom_ops")}
    return {**given, "fix": fixed(options["fix"])}
