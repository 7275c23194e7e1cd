"""The commands around an explanation: check, operators, compile."""

from __future__ import annotations

import os
from typing import Any

import click

import explainer

from .options import Numbers, debug_option, kept, method_options, start_options, target_option


@click.command()
@click.argument("model")
@target_option()
@method_options
def check(model: str, target: Any, composite: str, eps: float) -> None:
    """Print the layer and the rule of every node; exit with 1 if one has none.

    Nothing is computed: this reads the MODEL file alone.
    """
    explained = explainer.Explainer(model, composite=composite, eps=eps)
    plan = explained.plan_for(target)
    preprocess = explained.preprocess
    click.echo(f"{model}: can be explained")
    click.echo(f"preprocessing: {preprocess or 'not in the file; explain needs options for it'}")
    click.echo(f"labels: {len(explained.labels) or 'none in the file'}")
    click.echo(str(plan))


@click.command()
@debug_option
def operators() -> None:
    """List the ONNX operators that can be explained, and how each is treated."""
    supported = explainer.supported()
    width = max(map(len, supported))
    for operator, layer in supported.items():
        click.echo(f"{operator:{width}}  {layer.kind}")
    click.echo("\nconvolution, dense, scale and sum: relevance is shared by the rule; activation: it passes")
    click.echo("unchanged; movement and winner: it goes where the value came from. Seen through: Identity,")
    click.echo(
        "Dropout, Cast, Constant, shape arithmetic. Cut before an output: Softmax, LogSoftmax, Sigmoid."
    )


@click.command("compile")
@click.argument("model")
@click.option("-o", "--output", required=True, help="The .onnx file to write.")
@target_option()
@method_options
@start_options
@click.option(
    "--image-size",
    type=Numbers(int, 2),
    metavar="N|H,W",
    help="Of a model whose spatial size is dynamic.  [default: its preprocessing's]",
)
def compile_command(model: str, output: str, image_size: tuple[int, ...] | None, **options: Any) -> None:
    """Write an ONNX file that computes its own explanation.

    Its outputs are those of MODEL and the relevance; any onnxruntime runs it.
    """
    if os.path.realpath(output) == os.path.realpath(model):
        raise click.UsageError(f"-o {output} would overwrite the model: choose another name")
    if image_size is not None:
        options["image_size"] = image_size * (2 // len(image_size))
    options["keep"] = kept(options["keep"])
    explainer.compile(model, output, **options)
    click.echo(f"written: {output}")
