"""The command ``onnx-lrp explain``."""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import Any

import click

import explainer

from . import channels, report
from .again import Repeatable
from .drawing import common_scale, drawing_of, drawing_options
from .given import Inputs, input_option
from .opening import open_model, opening_options
from .options import (
    ask_of,
    method_options,
    runtime_options,
    start_options,
    target_option,
)
from .pictures import Job, check_outputs, endings_of, list_jobs, make_folder
from .progress import Progress, Steps


@click.command(cls=Repeatable)
@click.argument("model")
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option("-o", "--output", required=True, help="The .png to write; for several images a folder.")
@target_option(several=True)
@method_options
@start_options
@channels.condition_option
@channels.rank_option
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", help="Of the numbers.")
@input_option
@opening_options
@drawing_options
@runtime_options
@click.option("--save-relevance", is_flag=True, help="Also write the numbers, as .npz beside the heat map.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per image and line.")
def explain(
    model: str,
    images: tuple[str, ...],
    output: str,
    targets: tuple[Any, ...],
    **options: Any,
) -> None:
    """Draw what in an image made the MODEL's prediction.

    A model of several inputs gets the others, or all, by --input.

    Several targets have a picture each, with the target in its name, and share one forward pass.

    How an image becomes the input is said by the file's own metadata, or by --preprocess; the
    options from --size to --channels change single fields of it, or say it all.
    """
    began = perf_counter()
    drawing = drawing_of(options)
    # What is kept is asked for: it goes where numbers go.
    with_numbers = options["save_relevance"] or bool(options["keep"])
    inputs = Inputs.read(options["inputs"])
    if not (images or inputs):
        raise click.UsageError("Missing argument 'IMAGE...', or --input for what is no image")
    explained = None
    if not images:
        with channels.calling(options["ranks"], options["keep"]):
            explained = open_model(model, options)
    names = images if explained is None else inputs.named(explained)
    jobs, several = list_jobs(names, output, with_numbers, endings_of(targets))
    outputs = [path for picture in jobs for job in picture for path in job.written]
    outputs += [options["grid"]] if options["grid"] else []
    explainer.files.read(model, *(picture[0].picture for picture in jobs))
    check_outputs(outputs)
    asks = [ask_of(options, target) for target in targets]
    if explained is None:
        with channels.calling(options["ranks"], options["keep"]):
            explained = open_model(model, options)
    check_outputs(outputs)  # now the model has said where its weights lie
    if several:
        make_folder(output)
    cuts = [explained.start_of(target).cut.partition(" ")[0] for target in targets]
    loading = perf_counter() - began

    waiting: list[tuple[explainer.Explanation, Job, dict[str, Any]]] = []
    failures = 0
    progress = Progress(jobs, several and sys.stderr.isatty())

    def deliver(
        explanation: explainer.Explanation, job: Job, numbers: dict[str, Any], scale: float | None
    ) -> None:
        explanation.save(job.heatmap, title=report.title_of(numbers), **drawing | {"scale": scale})
        if job.numbers:
            explanation.save(job.numbers)
        if options["as_json"]:
            progress.say_json({"image": job.picture, "written": job.written, **numbers})
        elif several:
            progress.say(report.in_short(job.picture, numbers, job.written))
        else:
            progress.say(*report.in_full(job.picture, numbers, job.written, loading))

    for place, picture in enumerate(progress):
        began = perf_counter()
        asked_of = inputs.of(explained, picture[0].picture if images else None, place, len(jobs))
        try:
            watched = not several and sys.stderr.isatty()
            with channels.calling(options["ranks"], options["keep"]), Steps(watched) as steps:
                explanations = explained.explain_targets(asked_of, asks, progress=steps)
        except (explainer.InputError, explainer.NumericalError) as error:
            # What ails one picture need not ail the next; anything else ails the model.
            if not several:
                raise
            failures += 1
            name = picture[0].picture
            progress.say(str(error) if name in str(error) else f"{name}: {error}", error=True)
            continue
        seconds = perf_counter() - began
        for job, explanation, cut in zip(picture, explanations, cuts, strict=True):
            numbers = report.describe(explanation, predicted(explanation), cut)
            numbers |= {
                "seconds": seconds,
                "ranking": channels.rankings_of(explanation, options["ranks"]),
            }
            if options["shared_scale"] or options["grid"]:
                waiting.append((explanation, job, numbers))
            else:
                deliver(explanation, job, numbers, drawing["scale"])
    if waiting:
        drawn = [explanation for explanation, _, _ in waiting]
        scale = common_scale(drawn, drawing) if options["shared_scale"] else drawing["scale"]
        for explanation, job, numbers in waiting:
            deliver(explanation, job, numbers, scale)
        if options["grid"]:
            titles = [
                f"{os.path.basename(job.picture)}: {report.target_of(numbers)}{channels.through(numbers)}"
                for _, job, numbers in waiting
            ]
            shown = drawing if drawing["scale"] else drawing | {"scale": "shared"}
            grid = explainer.grid(drawn, titles=titles, **shown)
            with explainer.files.write_whole(options["grid"]) as file:
                grid.save(file, "PNG")
            if not options["as_json"]:
                progress.say(f"all of them: {options['grid']}")
    if failures:
        raise click.ClickException(f"{failures} of {len(jobs)} images could not be explained")


def predicted(explanation: explainer.Explanation) -> str:
    """Return the model output that holds the prediction: the one asked about, else the first."""
    asked = explanation.target_name
    return asked if asked in explanation.outputs else next(iter(explanation.outputs))
