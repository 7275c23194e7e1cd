"""The options that say how a map is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

import explainer

from .options import Command, refuse_unread, with_options

FIELDS = ("style", "sign", "colormap", "percentile", "outlier_perc", "pool", "alpha_overlay", "colorbar")
STYLES = ("side_by_side", "overlay", "map")
# What a style without a map, or with a map that has no colours, does not read.
NO_MAP = ("sign", "percentile", "outlier_perc", "fixed_scale", "shared_scale", "pool")
NO_COLOURS = ("colormap",)
CAPTUMS = ("heat_map", "blended_heat_map", "masked_image", "alpha_scaling", "original_image")


class Colours(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """A colour map's name, or its colours."""

    name = "colours"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return explainer.ColorMap.of(value)
        except explainer.ExplainerError as error:
            self.fail(str(error), param, ctx)


def drawing_options(command: Command) -> Command:
    """Add the options that say how a map is drawn."""
    options = (
        click.option(
            "--style",
            type=click.Choice(STYLES + CAPTUMS),
            default="side_by_side",
            help="The photo beside the map, under it, or not at all; or one of captum's methods.",
        ),
        click.option(
            "--sign",
            type=click.Choice(["all", "positive", "negative", "absolute_value"]),
            default="all",
            help="Which relevance is drawn.",
        ),
        click.option(
            "--colormap",
            type=Colours(),
            metavar="NAME|COLOURS",
            help="bwr, coldnhot, seismic, france, coolio, coleus, RdWhGn, gray, hot, cold, wred, wblue, Reds,"
            " Greens, Blues, one of matplotlib's if that is installed, or colours such as 00f,80:fff,f00."
            "  [default: bwr; of one sign white to red, blue or black]",
        ),
        click.option(
            "--percentile",
            type=click.FloatRange(0, 100, min_open=True),
            default=99.5,
            help="The share of pixels within the colour scale; the bar says what lies beyond.",
        ),
        click.option(
            "--outlier-perc",
            type=click.FloatRange(0, 100, max_open=True),
            help="captum's way instead: the share of relevance beyond the colour scale.",
        ),
        click.option(
            "--fixed-scale",
            type=click.FloatRange(0, min_open=True),
            metavar="NUMBER",
            help="The relevance that gets the full colour, in every picture.",
        ),
        click.option(
            "--shared-scale", is_flag=True, help="One colour scale for all images (held in memory)."
        ),
        click.option(
            "--pool",
            type=click.IntRange(1),
            default=1,
            help="Draw sums over squares of so many pixels: noisy maps become legible.",
        ),
        click.option(
            "--alpha-overlay",
            type=click.FloatRange(0, 1),
            default=0.5,
            help="The map's opacity; of --style blended_heat_map alone.",
        ),
        click.option("--colorbar/--no-colorbar", default=True, help="Draw the scale."),
        click.option(
            "--grid",
            metavar="FILE",
            help="Also draw all images and targets in one .png, under one scale (held in memory).",
        ),
    )
    return with_options(command, options)


def drawing_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options say about every picture, as the library takes it.

    Raises
    ------
    click.UsageError
        If they contradict each other.
    """
    check_read(options)
    if options["style"] in ("masked_image", "alpha_scaling") and options["sign"] == "all":
        raise click.UsageError(f"--style {options['style']} cannot show both signs: add --sign positive")
    if options["skip_existing"] and (options["shared_scale"] or options["grid"]):
        raise click.UsageError(
            "--skip-existing leaves out images, and --shared-scale and --grid need all: take --fixed-scale"
        )
    if options["shared_scale"] and options["fixed_scale"] is not None:
        raise click.UsageError("--shared-scale and --fixed-scale exclude each other")
    if options["grid"] and Path(options["grid"]).suffix.lower() != ".png":
        raise click.UsageError(f"--grid {options['grid']}: a picture is a .png")
    return {name: options[name] for name in FIELDS} | {"scale": options["fixed_scale"]}


def check_read(options: Mapping[str, Any]) -> None:
    """Refuse what another option makes meaningless.

    Raises
    ------
    click.UsageError
    """
    style = options["style"]
    bar = ("colorbar",) if options["colorbar"] else ()
    if style == "original_image":
        refuse_unread((*NO_MAP, *NO_COLOURS, *bar), f"--style {style} draws the photo alone, without the map")
    if style in ("masked_image", "alpha_scaling"):
        refuse_unread(
            (*NO_COLOURS, *bar), f"--style {style} has the photo's colours alone, and no colour bar"
        )
    if style != "blended_heat_map":
        refuse_unread(("alpha_overlay",), "only --style blended_heat_map lays a map over the photo that way")
    if options["fixed_scale"] is not None:
        refuse_unread(("percentile", "outlier_perc"), "--fixed-scale says the scale, so none is looked for")
    if options["outlier_perc"] is not None:
        refuse_unread(("percentile",), "--outlier-perc finds the scale its own way: give one of the two")


def common_scale(explanations: Sequence[explainer.Explanation], drawing: Mapping[str, Any]) -> float:
    """Return the one scale of several explanations."""
    measure = {name: drawing[name] for name in ("sign", "percentile", "outlier_perc", "pool")}
    maps: list[Any] = [explanation.drawn for explanation in explanations]
    return explainer.shared_scale([map[0] for map in maps], layout=explanations[0].layout, **measure)
