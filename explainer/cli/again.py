"""A command as it was given, said another way: a message recommends one that works as it stands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

import explainer

from .headings import Headed

# What says how, by the names of parameters: nothing of it is kept where a way is bare.
HOW = {"method", "noise", "composite", "rules", "dialect", "options", "eps", "dtype"}
HOW |= {"start", "against", "conditions", "keep", "ranks", "stop"}
KEY = "onnx-lrp called"


class Repeatable(Headed):
    """A command that remembers what it was given, as it was written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        self.check_order(ctx, order)
        refuse_empty(ctx, self.get_params(ctx), given)
        ctx.meta[KEY] = Called(self, given)
        return super().parse_args(ctx, args)

    def check_order(self, ctx: click.Context, order: Sequence[click.Parameter]) -> None:
        """Refuse what is given twice: nothing, here."""


def refuse_empty(ctx: click.Context, params: Sequence[click.Parameter], given: Mapping[str, Any]) -> None:
    """Refuse a text without letters: what an unset variable of a shell leaves, and nothing can mean."""
    for param in params:
        value = given.get(str(param.name))
        if value == "" or (isinstance(value, list | tuple) and "" in value):
            name = param.opts[0] if isinstance(param, click.Option) else param.human_readable_name
            raise click.UsageError(f"{name} is given an empty text", ctx)


class OneTarget(Repeatable):
    """A command about one target: `explain` takes several, so of two given here neither wins in silence."""

    def check_order(self, ctx: click.Context, order: Sequence[click.Parameter]) -> None:
        for param in set(order):
            if param.name == "target" and list(order).count(param) > 1:
                raise click.UsageError(f"{'/'.join(param.opts)} is given twice; give it once", ctx)


@dataclass(frozen=True)
class Called:
    """What a command was given.

    Attributes
    ----------
    command : click.Command
    given : dict of parameter's name -> text, list of text, or a flag
    """

    command: click.Command
    given: Mapping[str, Any]

    def by(self, way: explainer.Way, command: click.Command | None = None, **given: Any) -> str:
        """The same command another way, ready for a shell.

        Parameters
        ----------
        way : Way
        command : click.Command, optional
            Another command, where this one does not go that way.
        **given
            Parameters that are to be others.
        """
        command = command or self.command
        said = {name: value for name, value in self.given.items() if not (way.bare and name in HOW)} | given
        if said.pop("numerics", False):  # which not every way takes; what it would run goes with it
            said = {name: value for name, value in said.items() if name not in ("image", "inputs")}
        settings = dict(way.settings)
        if target := settings.pop("target", ""):
            several = any(param.name == "targets" for param in command.params)
            said |= {"targets": [target]} if several else {"target": target}
        if stop := settings.pop("stop", ()):
            said["stop"] = [stop] if isinstance(stop, str) else list(stop)
        if method := settings.pop("method", ""):
            said["method"] = method
        said["options"] = [
            *(said.get("options") or ()),
            *(f"{name}={_text(value)}" for name, value in settings.items()),
        ]
        arguments: list[str] = []
        options: list[str] = []
        for param in command.params:
            name = str(param.name)
            value = said.get(name, said.get(name.removesuffix("s")))  # a command may take several of it
            if not isinstance(value, str | list | tuple | bool | int) or value == []:
                continue  # of what was not given click has marks of its own
            if isinstance(param, click.Argument):
                arguments += _texts(value)
            elif getattr(param, "is_flag", False):
                options.append(param.opts[0])
            else:
                options += [part for text in _texts(value) for part in (param.opts[0], text)]
        last = ["--", *arguments] if any(text.startswith("-") for text in arguments) else []
        first = [] if last else arguments
        # Options that the file's own values are not in, before what only may stand at the end.
        more = shlex.split(way.options)
        return shlex.join(["onnx-lrp", command.name or "", *first, *options, *more, *last])


def _texts(value: Any) -> list[str]:
    return list(map(str, value)) if isinstance(value, list | tuple) else [str(value)]


def _text(value: Any) -> str:
    """An option's value as --option reads it."""
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def advice(error: explainer.ExplainerError, ctx: click.Context, **given: Any) -> list[tuple[str, str]]:
    """What a model does answer, as (command, what it explains)."""
    called = ctx.meta.get(KEY)
    if called is None:
        return []
    # What is said input by input has no place among --option NAME=VALUE.
    ways = [way for way in error.ways if not any(isinstance(v, Mapping) for v in way.settings.values())]
    # Where no file can be made, whether `explain` answers is what `check` says.
    other = None
    if called.command.name == "compile":
        other = ctx.find_root().command.commands["check"]  # type: ignore[attr-defined]  # a Group
    return [(called.by(way, None if way.is_compiled else other, **given), way.why) for way in ways]


def in_lines(ways: Sequence[tuple[str, str]]) -> str:
    """The same as the end of a message; each line can be pasted into a shell."""
    return "".join(
        ["\nWhat this model does answer:" if ways else "", *(f"\n  {c}  # {why}" for c, why in ways)]
    )
