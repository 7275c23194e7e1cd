"""`check --numerics`: one input is run, and what became of the relevance at every node is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

import explainer

from .given import Inputs, input_option
from .options import Command, refuse_unread, with_options
from .report import SHARES, conserved, describe

NUMBERS = ("R_out", "R_in", "bias", "epsilon", "intercept", "kept", "amount", "amplification")
SELDOM = ("intercept", "kept")
TITLES = {"bias": "constants", "amount": "sum of |R in|", "amplification": "amplifies"}
# Decimal digits of a float32 number: 24 bits.
DIGITS = 24 * math.log10(2)


def numerics_options(command: Command) -> Command:
    """Add --numerics, and what says which input is run."""
    options = (
        click.option(
            "--numerics",
            is_flag=True,
            help="Run one input, and print what goes in and out of every node, to constants and to epsilon,"
            " and how ill-conditioned it is.",
        ),
        click.option("--image", metavar="FILE", help="The picture for --numerics.  [default: drawn numbers]"),
        input_option,
    )
    return with_options(command, options)


def measuring(options: dict[str, Any]) -> Inputs | None:
    """Return what --input gives, if a model is to be run; else None.

    Raises
    ------
    click.UsageError
        An input is given, and nothing runs it.
    """
    if not options["numerics"]:
        refuse_unread(("image", "inputs"), "nothing is run without --numerics")
        return None
    options["audit"] = "numerics"
    return Inputs.read(options["inputs"])


def measured(
    explained: explainer.Explainer, plan: Any, ask: explainer.Ask, inputs: Inputs, image: str | None
) -> dict[str, Any]:
    """Run one input, and return what became of the relevance, ready for JSON.

    Raises
    ------
    click.UsageError, ExplainerError
    """
    if plan is None or explained.recipe.noise or not explained.method.conserves(plan):
        how = f"{explained.recipe.noise} around it" if explained.recipe.noise else explained.name
        raise click.UsageError(
            f"--numerics follows one walk of relevance, and {how} is none: it is for --method lrp alone"
        )
    if image is None and not inputs:
        given, source = explained.example(), "drawn"
    else:
        inputs.check_names(explained)
        given, source = inputs.of(explained, image, 0, 1), ", ".join(filter(None, (image, *inputs.paths)))
    found = explained.explain(given, ask)
    numbers = describe(found, next(iter(found.outputs)), "")
    keys = ("target", "target_name", "kind", "score", "start", "conserved", "remark", "conditions", "how")
    told = {key: numbers[key] for key in (*keys, *SHARES, "stopped")}
    return {"input": source, **told, "steps": numbers["audit"]}


def lines_of(numbers: Mapping[str, Any]) -> list[str]:
    """Return the lines on the whole walk."""
    source = "numbers that were drawn" if numbers["input"] == "drawn" else numbers["input"]
    index = "" if numbers["target"] is None else f"[{numbers['target']}]"
    lines = [
        f"numerics: of {source}: {numbers['target_name']}{index}, relevance {numbers['start']:.6g}",
        f"conserved: {conserved(numbers)}",
    ]
    steps = [step for step in numbers["steps"] if first(step, "amplification")]
    if steps:
        worst = max(steps, key=lambda step: first(step, "amplification"))
        times = first(worst, "amplification")
        left = max(0.0, DIGITS - math.log10(max(times, 1)))
        lines.append(
            f"least certain: {worst['operator']} {worst['node']!r} amplifies roundings {times:.3g} times; of "
            f"float32's {DIGITS:.0f} digits about {left:.0f} are left there"
        )
    return lines


def first(step: Mapping[str, Any], name: str) -> float:
    """Return a number of the only sample; 0 where it was not measured or is none."""
    values = step.get(name)
    return values[0] if values and values[0] is not None else 0.0


def columns_of(steps: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the numbers of every step as columns of a plan's table."""
    walked = [step for step in steps if step["operator"] != "Condition"]
    met = {name for name in SELDOM if any(first(step, name) for step in walked)}
    return {
        TITLES.get(name, name.replace("_", " ")): [f"{first(step, name):.4g}" for step in walked]
        for name in NUMBERS
        if name not in SELDOM or name in met
    }
