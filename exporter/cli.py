"""The command ``onnx-lrp-export``."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from exporter import Architecture, Report


class Batch(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """``dynamic``, or a positive number."""

    name = "batch"

    def convert(self, value: Any, param: Any, ctx: Any) -> Literal["dynamic"] | int:
        if value == "dynamic" or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        if not value.isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is neither 'dynamic' nor a positive number", param, ctx)
        return int(value)


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
    labels: Path | None,
) -> None:
    """Export one of torchvision's classification models (resnet18, ...) to ONNX.

    The file carries its preprocessing and its labels. It is written only when onnxruntime computes
    from it what PyTorch computes from the model.
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
            built.model,
            output,
            example=(1, 3, built.image_size, built.image_size),
            batchnorm=batchnorm,
            exporter=exporter,
            opset=opset,
            batch=batch,
            preprocess=built.preprocess,
            labels=names or built.labels,
        )
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(_describe(architecture, built, report))


def _describe(name: str, built: Architecture, report: Report) -> str:
    kept, folded = report.batch_norms, report.folded
    preprocess = built.preprocess
    resize, crop = preprocess["size"]["shortest_edge"], preprocess["crop_size"]["height"]
    return "\n".join(
        [
            f"{report.path}: {name}, {built.origin}",
            f"  input               {' x '.join(map(str, report.input_shape))}",
            f"  preprocessing       resize {resize}, crop {crop}, normalise",
            f"  labels              {report.labels or 'none'}",
            f"  operators           opset {report.opset}, by the {report.exporter} exporter",
            f"  BatchNormalization  {kept} kept as nodes" + (f", {folded} folded" if folded else ""),
            f"  largest difference  {report.difference:.1e} from PyTorch, outputs up to {report.largest:.3g}",
        ]
    )
