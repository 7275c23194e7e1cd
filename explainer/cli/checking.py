"""The command ``onnx-lrp check``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

import explainer

from .again import OneTarget, advice, in_lines
from .given import options_for
from .opening import open_model, opening_options
from .options import method_options, target_option
from .runtime import runtime_options
from .say import say, say_json, say_text

COLUMNS = ("node", "operator", "layer", "rule")


EXAMPLE = "onnx-lrp check model.onnx --target tabby --composite recommended"


@click.command(cls=OneTarget, example=EXAMPLE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@target_option()
@method_options
@opening_options
@runtime_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model and line.")
def check(models: tuple[str, ...], target: Any, as_json: bool, **options: Any) -> None:
    """Print the layer and the rule of every node; exit with 1 if one has none.

    Nothing is computed: this reads the MODEL file alone. Of several models each has its lines, without
    the tables; one that cannot be explained, or read, does not keep the others from being checked.
    """
    ctx = click.get_current_context()
    several, failures = len(models) > 1, 0
    for model in models:
        error: explainer.ExplainerError | None = None
        explained: explainer.Explainer | None = None
        plan: Any = None
        try:
            explained = open_model(model, options)
            plan = explained.check_target(target)
            explained.check_preprocess()
        except explainer.ExplainerError as caught:
            if not (several or as_json):
                if caught.table:
                    say(f"{model}: cannot be explained")
                    say_text(caught.table)
                raise
            error, failures = caught, failures + 1
        if as_json:
            ways = advice(error, ctx, models=[model]) if error else []
            say_json({"model": model, **facts(explained, plan, error, ways)})
        elif error:
            text = error.text_in_options
            say_text(
                (text if model in text else f"{model}: {text}") + in_lines(advice(error, ctx, models=[model]))
            )
        elif explained is not None:
            first, *more = told(model, explained, plan)
            say(first, *(f"  {line}" if several else line for line in more))
            if plan is not None and not several:
                say_text(plan)
    if failures and not as_json:
        raise click.ClickException(f"{failures} of {len(models)} models cannot be explained")
    if failures:
        ctx.exit(1)


def told(model: str, explained: explainer.Explainer, plan: Any) -> list[str]:
    """Return the lines on a model that can be explained."""
    lines = [f"{model}: can be explained; {explained.name} asks for scores alone, no node needs a rule"]
    if plan is not None:
        lines = [f"{model}: can be explained, {len(plan.steps)} steps"]
        lines += [f"looks at: tensor {tensor!r}" for tensor in plan.shows]
    names = [value.name for value in explained.graph.inputs]
    if explained.pictured:
        how = explained.preprocess or "not in the file; explain needs options for it"
    else:
        how = f"none, for no input takes pictures; explain takes {options_for(names)}"
    return [*lines, f"preprocessing: {how}", f"labels: {len(explained.labels) or 'none in the file'}"]


def facts(
    explained: explainer.Explainer | None,
    plan: Any,
    error: explainer.ExplainerError | None,
    ways: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Return what is known of a model, ready for JSON; the keys are those of docs/checking.md."""
    rows = error.rows if error else () if plan is None else plan.rows
    missing = error.missing if error else ()
    found: dict[str, Any] = {
        "explainable": error is None,
        "error": None if error is None else error.text_in_options,
        "kind": None if error is None else type(error).__name__,
        "missing": [
            {"what": one.what, "count": len(one.nodes), "first": one.nodes[0], "reason": one.reason}
            for one in missing
        ],
        "ways": [{"command": command, "explains": why} for command, why in ways],
        "steps": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
        "starts_at": None if plan is None else plan.anchor.tensor,
        "looks_at": [] if plan is None else list(plan.shows),
        "ends_at": [] if plan is None else list(plan.sources),
        "preprocessing_in_file": [] if plan is None else [node.name for node in plan.preprocessing],
    }
    return {**found, **(of_model(explained) if explained is not None else dict.fromkeys(OF_MODEL))}


OF_MODEL = ("method", "composite", "inputs", "outputs", "preprocessing", "labels")


def of_model(explained: explainer.Explainer) -> Mapping[str, Any]:
    """Return what a file says of itself, and how it is explained."""
    graph = explained.graph
    inputs = [
        {"name": value.name, "dtype": str(value.dtype), "shape": value.shape and list(value.shape)}
        for value in graph.inputs
    ]
    preprocess = explained.preprocess
    values = (
        explained.name,
        explained.composite.name if explained.method.walks else None,
        inputs,
        list(graph.outputs),
        preprocess and preprocess.to_config(),
        len(explained.labels),
    )
    return dict(zip(OF_MODEL, values, strict=True))
