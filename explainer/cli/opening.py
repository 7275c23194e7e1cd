"""How a model is opened: the options that say what becomes its input and what its classes are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

import explainer

from .options import Command, Numbers, recipe_of, refuse_unread, with_options
from .runtime import runtime_of

FIELDS = ("size", "crop", "scale", "mean", "std", "layout", "channels")


def labels_option(command: Command) -> Command:
    """Add --labels."""
    return click.option("--labels", metavar="FILE", help="Class names: one a line, or JSON.")(command)


def opening_options(command: Command) -> Command:
    """Add --labels, and the options that say what a picture becomes."""
    options = (
        labels_option,
        click.option("--preprocess", metavar="FILE", help="A Hugging Face preprocessor_config.json."),
        click.option(
            "--size", type=Numbers(int, 2), metavar="N|H,W", help="Resize: the shorter edge, or both."
        ),
        click.option("--crop", type=Numbers(int, 2), metavar="N|H,W", help="Then cut out the centre."),
        click.option("--scale", type=float, help="Then (pixel * SCALE - MEAN) / STD; pixels are 0 to 255."),
        click.option(
            "--mean", type=Numbers(float, 3), help="One number, or one per channel in the model's order."
        ),
        click.option("--std", type=Numbers(float, 3), help="As --mean."),
        click.option(
            "--layout", type=click.Choice(["NCHW", "NHWC"]), help="Where the model has its channels."
        ),
        click.option("--channels", type=click.Choice(["RGB", "BGR", "gray"]), help="What the model takes."),
    )
    return with_options(command, options)


def pixels_option(command: Command) -> Command:
    """Add --max-pixels, for commands that read pictures."""
    return click.option(
        "--max-pixels", type=int, metavar="N", help="A picture of more is not decoded.  [default: 64 million]"
    )(command)


def refuse_pictures(composite: explainer.Composite, walks: bool) -> None:
    """Refuse what says how a picture becomes the input, where there is none.

    Parameters
    ----------
    composite : Composite
        Of the walk; the rules of some need the least and the largest value of an input, which its
        preprocessing tells.
    walks : bool

    Raises
    ------
    click.UsageError
    """
    why = "no image is given, and arrays of --input are taken as they are"
    refuse_unread(("size", "crop", "max_pixels"), why)
    if not (walks and any(hasattr(rule, "low") for _, rule in composite.rules)):
        more = f"{why}; --layout says where their channels are"
        refuse_unread(("preprocess", "scale", "mean", "std", "channels"), more)


def open_model(model: str, options: Mapping[str, Any], pictures: bool = True) -> explainer.Explainer:
    """Return the explainer, its preprocessing as the options say.

    Without `pictures` to prepare, they need not say what becomes of a pixel to say where the channels are.
    """
    recipe = recipe_of(options, *options.get("ranks", ()))
    changes = {name: options[name] for name in FIELDS if options[name] is not None}
    if isinstance(changes.get("size"), tuple) and len(changes["size"]) == 1:
        changes["size"] = changes["size"][0]
    if len(changes.get("crop", ())) == 1:
        changes["crop"] *= 2
    preprocess = options["preprocess"]
    if changes:
        # Known before the rules are chosen, which may depend on it.
        preprocess = explainer.Explainer(model, preprocess=preprocess).preprocess
        # Sizes alone do not say what a pixel becomes: then the model's lack of an answer is reported.
        if preprocess is None and (not pictures or changes.keys() & {"scale", "mean", "std"}):
            preprocess = explainer.Preprocess(**changes)
        elif preprocess is not None:
            preprocess = preprocess.replace(**changes)
    given = {"preprocess": preprocess, "labels": options["labels"], **runtime_of(options)}
    if options.get("max_pixels") is not None:
        given["max_pixels"] = options["max_pixels"]
    return explainer.Explainer(model, recipe=recipe, **given)
