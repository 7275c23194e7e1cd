"""The command ``onnx-lrp check``."""

from __future__ import annotations

from typing import Any

import click

import explainer

from . import channels
from .again import OneTarget, advice, in_lines
from .checked import covered, facts, told
from .numerics import columns_of, lines_of, measured, measuring, numerics_options
from .opening import open_model, opening_options
from .options import ask_of, dtype_option, method_options, start_options, target_option
from .runtime import runtime_options
from .say import say, say_json, say_text

EXAMPLE = "onnx-lrp check model.onnx --target tabby --composite recommended"


@click.command(cls=OneTarget, example=EXAMPLE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@target_option()
@method_options
@start_options
@channels.condition_option
@dtype_option
@opening_options
@runtime_options
@numerics_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model and line.")
def check(models: tuple[str, ...], target: Any, as_json: bool, **options: Any) -> None:
    """Print what every node was recognised as, and its rule; exit with 1 if one has none.

    This reads the MODEL file alone, and runs it only with --numerics. Of several models each has its
    lines, without the tables; one that cannot be explained, or read, does not keep the others from being
    checked.
    """
    ctx = click.get_current_context()
    several, failures = len(models) > 1, 0
    ask = ask_of(options, target)
    inputs = measuring(options)
    for model in models:
        error: explainer.ExplainerError | None = None
        explained: explainer.Explainer | None = None
        plan: Any = None
        numbers: dict[str, Any] | None = None
        try:
            explained = open_model(model, options)
            plan = explained.check_target(ask)
            explained.check_preprocess()
            if inputs is not None:
                numbers = measured(explained, plan, ask, inputs, options["image"])
        except explainer.ExplainerError as caught:
            if not (several or as_json):
                if caught.table:
                    say(f"{model}: cannot be explained; coverage {covered(caught.coverage)}")
                    say_text(caught.table)
                raise
            error, failures = caught, failures + 1
        if as_json:
            ways = advice(error, ctx, models=[model]) if error else []
            say_json({"model": model, **facts(explained, plan, error, ways), "numerics": numbers})
        elif error:
            text = error.text_in_options
            say_text(
                (text if model in text else f"{model}: {text}") + in_lines(advice(error, ctx, models=[model]))
            )
        elif explained is not None:
            first, *more = told(model, explained, plan)
            more += [] if numbers is None else lines_of(numbers)
            say(first, *(f"  {line}" if several else line for line in more))
            if plan is not None and not several:
                say_text(plan if numbers is None else plan.table(columns_of(numbers["steps"])))
    if failures and not as_json:
        raise click.ClickException(f"{failures} of {len(models)} models cannot be explained")
    if failures:
        ctx.exit(1)
