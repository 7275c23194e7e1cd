"""The command ``onnx-lrp explain``."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import click

import explainer

from . import channels, stopping
from .again import Repeatable
from .drawing import drawing_of, drawing_options
from .given import ARRAYS, Inputs, input_option
from .lines import Lines
from .opening import open_model, opening_options, pixels_option, refuse_pictures
from .options import (
    ask_of,
    dtype_option,
    method_options,
    start_options,
    target_option,
)
from .pictures import check_outputs, endings_of, list_jobs, make_folder
from .running import Run
from .runtime import runtime_options

EXAMPLE = "onnx-lrp explain model.onnx photo.jpg -o heatmap.png --composite recommended"


@click.command(cls=Repeatable, example=EXAMPLE)
@click.argument("model")
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option(
    "-o",
    "--output",
    required=True,
    help="The .png to write; for several images, or samples of --input, a folder.",
)
@target_option(several=True)
@method_options
@start_options
@channels.condition_option
@channels.rank_option
@dtype_option
@input_option
@opening_options
@pixels_option
@drawing_options
@runtime_options
@click.option("--save-relevance", is_flag=True, help="Also write the numbers, as .npz beside the heat map.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per image and line.")
@click.option(
    "--json-lines",
    "lines",
    metavar="FILE",
    help="Also write them to a file; with --skip-existing they are added to those that it has.",
)
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Explain the images alone whose results are not all there: goes on with a run that was stopped.",
)
def explain(
    model: str,
    images: tuple[str, ...],
    output: str,
    targets: tuple[Any, ...],
    **options: Any,
) -> None:
    """Draw what in an image made the MODEL's prediction.

    A model of several inputs gets the others, or all, by --input; a .npy is taken in an image's place.

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
    numbers = len(images) == 1 and not inputs and images[0].lower().endswith(ARRAYS)
    if not images or numbers:
        with channels.calling(options["ranks"], options["keep"]):
            explained = open_model(model, options, bool(inputs.pictures))
            inputs.check_names(explained)
    if numbers and explained is not None:
        inputs = Inputs.positional(explained, images[0])
        images = images[:0] if inputs else images
    names = images if images or explained is None else inputs.named(explained)
    what = "images" if images else "samples"
    pictures, several = list_jobs(names, output, with_numbers, endings_of(targets), what)
    files = [path for picture in pictures for job in picture for path in job.written]
    files += filter(None, (options["grid"], options["lines"]))
    explainer.files.read(model, *inputs.paths, *(picture[0].picture for picture in pictures if images))
    check_outputs(files)
    run = Run(pictures, several, options, drawing, what)
    with stopping.telling(run.told):
        asks = [ask_of(options, target) for target in targets]
        if explained is None:
            with channels.calling(options["ranks"], options["keep"]):
                explained = open_model(model, options)
        # What ails all of them is said once.
        inputs.check_names(explained)
        if not (images or inputs.pictures):
            refuse_pictures(explained.composite, explained.method.walks)
        try:
            inputs.of(explained, pictures[0][0].picture if images else None, 0, len(pictures))
        except (explainer.InputError, explainer.PreprocessError) as error:
            explained.check_first(asks, error)
            raise
        cuts = [explained.start_of(target).cut.partition(" ")[0] for target in targets]
        check_outputs(files)  # now the model has said where its weights lie
        if several:
            make_folder(output)
        if options["lines"]:
            run.lines = Lines(options["lines"], options["skip_existing"])
        if options["skip_existing"]:
            run.skip_existing()

        def asked_of(picture: str, place: int) -> Any:
            return inputs.of(explained, picture if images else None, place, run.total)

        run.go(explained, asked_of, asks, cuts, perf_counter() - began)
