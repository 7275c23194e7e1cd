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
    """A class index as a number; whatever else can be a target as the text that it is."""

    name = "target"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        is_index = isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,18}", value)
        return int(value) if is_index else value


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


# Each with what it puts on the target, as the library has it.
STARTS = ("output", "logit", "one", "probability", "margin", "clrp", "sglrp")


def target_option(several: bool = False) -> Callable[[Command], Command]:
    """Add --target; `several` of them can be asked for where the walk runs."""
    return click.option(
        "--target",
        "targets" if several else "target",
        type=Target(),
        multiple=several,
        default=["top"] if several else "top",
        help="top, a class index, a label, a tensor's name, or elements of one: NAME[3], NAME[0, :, 2:5]."
        + ("  [repeatable]" if several else ""),
    )


def method_options(command: Command) -> Command:
    """Add the options that say by which rules it is explained."""
    options = (
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
            type=click.Choice(STARTS),
            default="output",
            help="At the target: its own value, 1, its probability; or in contrast to other classes.",
        ),
        click.option(
            "--against",
            type=Target(),
            help="The other side of --start margin.  [default: the best other class]",
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
