"""What the commands' options have in common: how they are written and what they become."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class Numbers(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """One number, or several with commas between them."""

    name = "number[,...]"

    def __init__(self, kind: type[int] | type[float], most: int) -> None:
        self.kind, self.most = kind, most

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self.kind(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if not 1 <= len(numbers) <= self.most:
            what = "whole numbers" if self.kind is int else "numbers"
            self.fail(f"{value!r} is not 1 to {self.most} {what} with commas between them", param, ctx)
        return numbers


class Target(click.ParamType):  # type: ignore[type-arg]  # as above
    """``top``, a class index, a label, a tensor, or a tensor and an index: ``NAME[3]``."""

    name = "target"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"[+-]?\d{1,18}", value):
            return int(value)
        if place := re.fullmatch(r"(.+)\[(\d{1,18}(?:,\d{1,18})*)\]", value):
            indices = tuple(map(int, place[2].split(",")))
            return place[1], indices[0] if len(indices) == 1 else indices
        return value


def debug_option(command: Command) -> Command:
    def remember(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.meta["debug"] = True

    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=remember,
        help="Show the traceback of an error.",
    )(command)


def method_options(command: Command) -> Command:
    """Add the options that say what is explained, and by which rules."""
    options = (
        click.option(
            "--target",
            type=Target(),
            default="top",
            help="top, a class index, a label, a tensor's name, or an index in one: NAME[3].",
        ),
        click.option("--composite", default="epsilon", metavar="NAME", help="The rules, by a preset's name."),
        click.option(
            "--eps", type=float, default=1e-6, show_default=True, help="The epsilon rule's stabiliser."
        ),
        debug_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def start_options(command: Command) -> Command:
    """Add the options of a walk: where it starts, what is kept on the way."""
    options = (
        click.option(
            "--start",
            type=click.Choice(["output", "one"]),
            default="output",
            help="Relevance at the target: its own value, or 1.",
        ),
        click.option(
            "--keep",
            multiple=True,
            metavar="TENSOR",
            help="Also return the relevance of this tensor, or of all.  [repeatable]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def kept(names: Sequence[str]) -> Sequence[str] | str:
    """Return what --keep was given, as the library takes it."""
    return "all" if "all" in names else names
