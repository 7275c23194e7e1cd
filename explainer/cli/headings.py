"""What a command's help looks like: an example, and its options under headings that all commands share."""

from __future__ import annotations

import click

# By the names of parameters, in the order of what is decided first; what is in none stands under "Other".
HEADINGS = {
    "What comes out": ("output", "save_relevance", "as_json", "lines", "skip_existing", "grid"),
    "What is explained": ("target", "targets", "labels", "start", "against", "conditions"),
    "By which method and rules": (
        *("method", "noise", "composite", "rules", "dialect", "options", "eps", "dtype"),
    ),
    "What is looked at inside": ("stop", "keep", "ranks", "numerics"),
    "From a picture, or numbers, to the input": (
        *("preprocess", "size", "crop", "scale", "mean", "std", "layout", "channels"),
        *("max_pixels", "image_size", "image", "inputs"),
    ),
    "What the heat map looks like": (
        *("style", "sign", "colormap", "percentile", "outlier_perc", "fixed_scale", "shared_scale"),
        *("pool", "alpha_overlay", "colorbar"),
    ),
    "How the model is run": ("providers", "threads", "custom_ops", "fix"),
}
OTHER = "Other"


class Headed(click.Command):
    """A command whose help lists its options under headings.

    Parameters
    ----------
    example : str
        A whole command that most people start with, shown first.
    """

    def __init__(self, *args: object, example: str = "", **extra: object) -> None:
        super().__init__(*args, **extra)  # type: ignore[arg-type]
        self.example = example

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.example:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write(f"{'':{formatter.current_indent}}{self.example}\n")  # one line can be pasted
        super().format_help_text(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        headings = {name: heading for heading, names in HEADINGS.items() for name in names}
        found: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*HEADINGS, OTHER)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                found[headings.get(str(param.name), OTHER)].append(record)
        for heading, records in found.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
