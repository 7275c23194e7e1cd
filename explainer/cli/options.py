"""What the commands' options have in common: how they are written and what they become."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

import explainer

Command = TypeVar("Command", bound=Callable[..., Any])
# Written out, because asking the library for them would load it before it is needed.
NOISES = ("smoothgrad", "smoothgrad_sq", "vargrad")
DIALECTS = ("zennit", "captum", "innvestigate", "attnlrp", "cp_lrp")


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


class Option(click.ParamType):  # type: ignore[type-arg]  # as above
    """``NAME=VALUE``: the name, and the value as what it looks like."""

    name = "name=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not (equals and name.strip()):
            self.fail(f"{value!r} is not NAME=VALUE, such as gamma=0.1", param, ctx)
        return name.strip().replace("-", "_"), value_of(text)


def named(ctx: click.Context, param: click.Parameter, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return what --option was given as one dict; what has an option of its own is not given that way."""
    own = {str(other.name): other.opts[0] for other in ctx.command.params if other.name != "eps"}
    own |= {name.removesuffix("s"): place for name, place in own.items()}
    for name, _ in pairs:
        if name in own:
            raise click.BadParameter(f"{name} has its own place on the command line: {own[name]}", ctx, param)
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise click.BadParameter(f"{', '.join(sorted(twice))} is given twice; give it once", ctx, param)
    return dict(pairs)


def value_of(text: str) -> Any:
    """Return the value of an option from its text: a bool, a number, a tuple of numbers, else the text.

    Parameters
    ----------
    text : str
        ``true``, ``false``, ``200``, ``1e-6``; numbers with slashes or commas between them.
    """
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        numbers = tuple(map(_number, re.split(r"[/,]", text)))
    except ValueError:
        return text
    return numbers if len(numbers) > 1 else numbers[0]


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def with_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """The command with these options, listed in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def refuse_unread(names: Sequence[str], why: str) -> None:
    """Refuse those of these options that the command line gives: nothing would read them.

    Raises
    ------
    click.UsageError
    """
    ctx = click.get_current_context()
    unread = [
        param.opts[0]
        for param in ctx.command.params
        if param.name in names and ctx.get_parameter_source(param.name) == ParameterSource.COMMANDLINE
    ]
    if unread:
        raise click.UsageError(f"{', '.join(unread)}: {why}")


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


def dtype_option(command: Command) -> Command:
    """Add --dtype."""
    return click.option(
        "--dtype", type=click.Choice(["float32", "float64"]), default="float32", help="Of the numbers."
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
    """Add the options that say by which method and which rules it is explained."""
    options = (
        click.option(
            "--method",
            default="lrp",
            show_default=True,
            metavar="NAME",
            help="lrp, integrated_gradients, grad_cam, occlusion, ... (see onnx-lrp methods).",
        ),
        click.option(
            "--noise",
            metavar="|".join(NOISES),
            help="Ask the method again and again under noise.",
        ),
        click.option(
            "--composite",
            metavar="NAME|FILE",
            help="The rules: a preset's name (see onnx-lrp composites), or a .toml or .json file."
            "  [default: epsilon]",
        ),
        click.option(
            "--rule",
            "rules",
            multiple=True,
            metavar="SELECTOR=RULE",
            help="A rule of your own, such as Conv=zplus or '/layer1/*=gamma:0.1' (see onnx-lrp rules);"
            " of several that meet a node the narrowest wins, else the first.  [repeatable]",
        ),
        click.option(
            "--dialect",
            type=click.Choice(DIALECTS, case_sensitive=False),
            help="Whose form of the rules is meant, if another's.",
        ),
        click.option(
            "--option",
            "options",
            type=Option(),
            multiple=True,
            metavar="NAME=VALUE",
            callback=named,
            help="Of the method (n_steps=200) or the composite (gamma=0.1, low=-2.1/-2.0/-1.8)."
            "  [repeatable]",
        ),
        click.option(
            "--stop",
            multiple=True,
            metavar="TENSOR",
            help="Where walks end, in place of the inputs: the relevance, or the gradients, of this tensor."
            "  [repeatable]",
        ),
        click.option(
            "--eps",
            type=float,
            help="The epsilon rule's stabiliser.  [default: the composite's own; 1e-6 for epsilon]",
        ),
        debug_option,
    )
    return with_options(command, options)


def recipe_of(options: Mapping[str, Any], *keep: str) -> explainer.Recipe:
    """Return how it is explained, as the options from --method to --eps, --keep and --dtype say.

    Parameters
    ----------
    options : dict
    *keep : str
        Tensors that are looked at beside those of --keep.
    """
    names = ("method", "noise", "composite", "rules", "dialect", "eps", "stop", "dtype", "audit")
    said = {name: options[name] for name in names if name in options}
    if options["eps"] is not None and "eps" in options["options"]:
        raise click.UsageError("--eps and --option eps=... say the same: give one of them")
    kept = (*options.get("keep", ()), *keep)
    return explainer.Recipe.of({**said, "keep": "all" if "all" in kept else kept, **options["options"]})


def ask_of(options: Mapping[str, Any], target: Any) -> explainer.Ask:
    """Return what is asked about a target, as --start, --against and --condition say."""
    return explainer.Ask(target, options["start"], options["against"], options["conditions"])


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
            help="Also return the relevance of this tensor, or constant, or of all tensors.  [repeatable]",
        ),
    )
    return with_options(command, options)
