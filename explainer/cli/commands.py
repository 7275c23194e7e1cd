"""The commands around an explanation: compile, and what there is to choose from."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

import explainer

from .again import OneTarget
from .channels import condition_option
from .opening import labels_option
from .options import (
    Numbers,
    ask_of,
    debug_option,
    method_options,
    recipe_of,
    start_options,
    target_option,
)
from .pictures import check_outputs
from .runtime import runtime_of, runtime_options
from .say import say

MODELS = (".onnx", ".ort")  # what a written model may be called; a pipe or a device has no such name


@click.command()
@debug_option
def operators() -> None:
    """List the ONNX operators that can be explained, how each is treated, and where it comes from."""
    supported = explainer.supported()
    rows = [
        (name, ", ".join(map(str, explainer.layers.kinds_of(layer))), explainer.plugins.origin(layer))
        for name, layer in supported.items()
    ]
    width, kind_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, kinds, origin in rows:
        say(f"{name:{width}}  {kinds:{kind_width}}  {origin}")
    say("")
    for name, kind in sorted(explainer.layers.KINDS.items()):
        say(f"{name:{width}}  {kind.meaning}")
    say("", "Seen through: Identity, Dropout, Cast, Constant, shape arithmetic. Cut before an output:")
    say("Softmax, LogSoftmax, Sigmoid.")


@click.command()
@debug_option
def methods() -> None:
    """List the methods for --method, and the options that --option sets."""
    explainer.plugins.load()
    noises = explainer.methods.KINDS
    describe(explainer.methods.METHODS | dict.fromkeys(noises, explainer.methods.Noise), noises)
    say("", "The same as --method lrp --composite NAME:")
    describe({name: explainer.composites.COMPOSITES[name] for name in explainer.methods.COMPOSITES})
    say("", "--noise puts one of the three around any method.")


@click.command()
@debug_option
def composites() -> None:
    """List the presets for --composite, and the parameters that --option sets."""
    explainer.plugins.load()
    describe(explainer.composites.COMPOSITES)


@click.command()
@debug_option
def rules() -> None:
    """List the rules for --rule, and how their parameters are written."""
    explainer.plugins.load()
    describe(explainer.rules.RULES)
    say(
        "",
        "Written gamma:0.1 or gamma:gamma=0.1; alpha_beta:2,1; zbox:-2.1/-2.0/-1.8,2.2/2.4/2.6 with a",
        "number per channel. Who gets one: SELECTOR=RULE, where SELECTOR is a node's name, a glob such as",
        "/layer1/*, first, last, until:NODE, an operator, or a kind of layer (see onnx-lrp operators).",
    )


# Parameters that other options set.
ELSEWHERE = ("dialect", "kind", "around")


def describe(things: Mapping[str, Any], said: Mapping[str, str] | None = None) -> None:
    """Print what each is, in its own words or the first line of its documentation, and its parameters."""
    width = max(map(len, things))
    for name, thing in things.items():
        words = (said or {}).get(name) or (inspect.getdoc(thing) or "no words of its own").splitlines()[0]
        origin = explainer.plugins.origin(thing)
        say(f"{name:{width}}  {words}" + ("" if origin == explainer.plugins.OURS else f"  [{origin}]"))
        parameters = inspect.signature(thing).parameters.values()
        takes = [parameter for parameter in parameters if parameter.name not in ELSEWHERE]
        if takes:
            say(f"{'':{width}}  parameters: {', '.join(map(shown, takes))}")


def shown(parameter: inspect.Parameter) -> str:
    """Return a parameter's name, with its default if it has one of its own."""
    default = parameter.default
    return parameter.name if default in (parameter.empty, None, ()) else f"{parameter.name}={default}"


EXAMPLE = "onnx-lrp compile model.onnx -o explained.onnx --composite recommended"


@click.command("compile", cls=OneTarget, example=EXAMPLE)
@click.argument("model")
@click.option("-o", "--output", required=True, help="The .onnx file to write.")
@target_option()
@method_options
@start_options
@condition_option
@click.option(
    "--image-size",
    type=Numbers(int, 2),
    metavar="N|H,W",
    help="Of a model whose spatial size is dynamic.  [default: its preprocessing's]",
)
@labels_option
@runtime_options
def compile_command(
    model: str,
    output: str,
    image_size: tuple[int, ...] | None,
    **options: Any,
) -> None:
    """Write an ONNX file that computes its own explanation.

    Its outputs are those of MODEL and the relevance; any onnxruntime runs it.
    """
    if not (Path(output).suffix.lower() in MODELS or (os.path.exists(output) and not os.path.isfile(output))):
        raise click.UsageError(f"-o {output}: a model is a {MODELS[0]}")
    explainer.files.read(model)
    check_outputs([output])
    made = explainer.compile(
        model,
        output,
        target=ask_of(options, options["target"]),
        labels=options["labels"],
        image_size=None if image_size is None else (image_size[0], image_size[-1]),
        recipe=recipe_of(options),
        **runtime_of(options),
    )
    outputs = ", ".join(explainer.printable(value.name) for value in made.graph.output)
    say(f"written: {output}", f"outputs: {outputs}")
    inputs = {value.name for value in made.graph.initializer} & {value.name for value in made.graph.input}
    if inputs:
        say(f"optional inputs: {', '.join(sorted(inputs))} (whole numbers, one or one per sample)")
