"""The command ``onnx-lrp-export``."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from exporter import Architecture, Report
    from exporter.architecture import Example


class Batch(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """``dynamic``, or a positive number."""

    name = "batch"

    def convert(self, value: Any, param: Any, ctx: Any) -> Literal["dynamic"] | int:
        if value == "dynamic" or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        if not value.isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is neither 'dynamic' nor a positive number", param, ctx)
        return int(value)


TYPES = ("float32", "float64", "float16", "int64", "int32", "bool")


class Shape(click.ParamType):  # type: ignore[type-arg]
    """``NAME[:TYPE]=2x16``: an input, the type of its numbers, and its shape."""

    name = "input"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str, tuple[int, ...]]:
        if isinstance(value, tuple):
            return value
        called, _, sizes = value.partition("=")
        name, _, kind = called.partition(":")
        numbers = [int(n) if n.strip().isdecimal() else 0 for n in sizes.split("x")]
        if not name.isidentifier() or not all(numbers):
            self.fail(f"{value!r} is no NAME=SHAPE, such as x=1x3x224x224 or ids:int64=2x16", param, ctx)
        if kind and kind not in TYPES:
            self.fail(f"{kind!r} is none of {', '.join(TYPES)}", param, ctx)
        return name, kind, tuple(numbers)


class Axis(click.ParamType):  # type: ignore[type-arg]
    """``NAME[1]=sequence``: an axis of an input that may have any length, and what it is called."""

    name = "axis"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int, str]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\w+)\[(\d+)\]=(\w+)", value)
        if found is None:
            self.fail(f"{value!r} is no NAME[1]=sequence", param, ctx)
        return found[1], int(found[2]), found[3]


def _list(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from exporter import architectures

        click.echo("\n".join(architectures()))
        ctx.exit()


class Stoppable(click.Command):
    """A command that Ctrl-C and SIGTERM end with one line, while PyTorch is loaded too."""

    def invoke(self, ctx: click.Context) -> Any:
        heard = [signal.SIGINT]

        def stop(number: int, frame: Any) -> None:
            heard[:] = [signal.Signals(number)]
            while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
                frame = frame.f_back
            if frame is not None:  # raised while a library starts, it is shown as that library's failure
                os.write(2, b"stopped\n")
                os._exit(128 + number)
            raise KeyboardInterrupt

        here = threading.current_thread() is threading.main_thread()
        numbers = (signal.SIGINT, signal.SIGTERM) if here else ()
        before = {n: signal.signal(n, stop) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(128 + heard[0])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@click.command(cls=Stoppable, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("architecture")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The .onnx file to write."
)
@click.option(
    "--weights",
    default="default",
    metavar="none|default|NAME|FILE",
    help="Random ones, torchvision's default or named ones (downloaded), or a state dict.",
)
@click.option("--seed", default=0, help="For --weights none.")
@click.option(
    "--batchnorm",
    type=click.Choice(["keep", "fold"]),
    default="keep",
    help="Keep BatchNormalization as nodes, or fold each into the layer before it.",
)
@click.option("--exporter", type=click.Choice(["torchscript", "dynamo"]), default="torchscript")
@click.option("--opset", default=18, help="ONNX operator set.")
@click.option(
    "--batch", type=Batch(), default="dynamic", metavar="dynamic|N", help="Any batch size, or exactly N."
)
@click.option(
    "--image-size", type=click.IntRange(1), help="Side of the input.  [default: the architecture's]"
)
@click.option("--num-classes", type=click.IntRange(1), help="[default: the state dict's, or 1000]")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    type=Shape(),
    metavar="NAME[:TYPE]=SHAPE",
    help="An input of a module:factory by its name in forward, such as ids:int64=2x16; whole numbers are"
    " drawn from 0 and 1.  [repeatable; default: the model's own]",
)
@click.option(
    "--axis",
    "axes",
    multiple=True,
    type=Axis(),
    metavar="NAME[N]=WORD",
    help="An axis that may have any length beside the batch, such as ids[1]=sequence.  [repeatable]",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Class names, one a line or as JSON.  [default: ImageNet's, for 1000 classes]",
)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List architectures."
)
def main(
    architecture: str,
    output: Path,
    weights: str,
    seed: int,
    batchnorm: Literal["keep", "fold"],
    exporter: Literal["torchscript", "dynamo"],
    opset: int,
    batch: Literal["dynamic"] | int,
    image_size: int | None,
    num_classes: int | None,
    inputs: Sequence[tuple[str, str, tuple[int, ...]]],
    axes: Sequence[tuple[str, int, str]],
    labels: Path | None,
) -> None:
    """Export a PyTorch model to ONNX.

    ARCHITECTURE is one of torchvision's classification models (resnet18, ...), timm:NAME, hf:FOLDER (a
    model that transformers saved on this disk), or module:factory, a function of yours that returns the
    model: that module is imported, and its code is run.

    The file carries its preprocessing or tokenizer and its labels. It is written only when onnxruntime
    computes from it what PyTorch computes from the model.
    """
    try:
        from exporter import ExportError, build, export, read_labels
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error}. Exporting needs PyTorch: pip install 'onnx-lrp[export]'"
        ) from error
    try:
        names = read_labels(labels) if labels else None
        built = build(
            architecture, weights=weights, seed=seed, num_classes=num_classes, image_size=image_size
        )
        report = export(
            built,
            output,
            example=_example(inputs),
            axes=_axes(axes),
            batchnorm=batchnorm,
            exporter=exporter,
            opset=opset,
            batch=batch,
            labels=names,
        )
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(_describe(architecture, built, report))


def _example(inputs: Iterable[tuple[str, str, tuple[int, ...]]]) -> Example | None:
    """What --input says, as tensors where it says of what type."""
    import torch

    found: dict[str, torch.Tensor | Sequence[int]] = {}
    generator = torch.Generator().manual_seed(1)
    for name, kind, shape in inputs:
        if name in found:
            raise click.UsageError(f"--input {name} is given twice; give it once")
        dtype = getattr(torch, kind) if kind else None
        if dtype is None:
            found[name] = shape
        elif dtype.is_floating_point:
            found[name] = torch.randn(shape, generator=generator).to(dtype)
        else:
            found[name] = torch.randint(2, shape, generator=generator).to(dtype)
    return found or None


def _axes(axes: Iterable[tuple[str, int, str]]) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for name, axis, called in axes:
        if axis in found.setdefault(name, {}):
            raise click.UsageError(f"--axis {name}[{axis}] is given twice; give it once")
        found[name][axis] = called
    return found


def _describe(name: str, built: Architecture, report: Report) -> str:
    kept, folded = report.batch_norms, report.folded
    shapes = {one: " x ".join(map(str, shape)) for one, shape in report.inputs.items()}
    inputs = shapes.values() if len(shapes) == 1 else [f"{one}: {shape}" for one, shape in shapes.items()]
    return "\n".join(
        [
            f"{report.path}: {name}, {built.origin}",
            *(f"  input               {shape}" for shape in inputs),
            f"  preprocessing       {_prepares(built)}",
            f"  labels              {report.labels or 'none'}",
            f"  operators           opset {report.opset}, by the {report.exporter} exporter",
            f"  BatchNormalization  {kept} kept as nodes" + (f", {folded} folded" if folded else ""),
            f"  largest difference  {report.difference:.1e} from PyTorch, outputs up to {report.largest:.3g}",
        ]
    )


def _prepares(built: Architecture) -> str:
    """How pictures or words become an input, in short."""
    given = built.preprocess
    if given is None:
        return "a tokenizer, tokenizer.json" if built.tokenizer else "none"
    steps = [
        f"{step} {_size(given[key])}"
        for step, key, switch in (("resize", "size", "do_resize"), ("crop", "crop_size", "do_center_crop"))
        if given.get(switch) and key in given
    ]
    return ", ".join([*steps, *(["normalise"] if given.get("do_normalize") else [])]) or "none"


def _size(size: Any) -> str:
    numbers = list(size.values()) if isinstance(size, dict) else [size]
    return "x".join(map(str, dict.fromkeys(numbers)))
