"""The command ``onnx-lrp``, and what becomes of whatever goes wrong in it."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import click

import explainer

from .again import advice, in_lines
from .checking import check
from .commands import compile_command, composites, methods, operators, rules
from .explain import explain
from .say import LONGEST, say
from .stopping import Stopped, asked, at_work, listening


class Commands(click.Group):
    """A group in which whatever goes wrong becomes one message and an exit code."""

    def main(self, *args: Any, **extra: Any) -> Any:
        with listening():
            return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with at_work(), warnings.catch_warnings(), explainer.files.recording():
                warnings.showwarning = in_one_line
                return super().invoke(ctx)
        except click.ClickException as error:
            shown = explainer.printable(error.message, LONGEST)
            error.message = shown  # type: ignore[misc]  # click's own classes know no other way
            raise
        except KeyboardInterrupt:
            raise Stopped() from None
        except (click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:  # a user reads one line even of our own mistakes; --debug shows the rest
            if asked():  # an import, say, passes a signal on as its own failure
                raise Stopped() from None
            if ctx.meta.get("debug"):
                raise
            said = message(error, ctx)
            if isinstance(error, explainer.OutputError) and error.overwrites:
                raise click.UsageError(said) from error
            raise click.ClickException(said) from error


def in_one_line(message: Warning | str, *where: Any, **source: Any) -> None:
    """Print a warning, ours or a library's, without the line of code that it comes from."""
    say(f"Warning: {' '.join(str(message).split())}", error=True)


def message(error: Exception, ctx: click.Context) -> str:
    """Return what a user reads about an error."""
    if isinstance(error, explainer.ExplainerError):
        return error.text_in_options + in_lines(advice(error, ctx))
    if isinstance(error, MemoryError):
        return f"not enough memory: {explainer.printable(error) or 'give smaller or fewer pictures'}"
    if isinstance(error, OSError):
        name = explainer.printable(error.filename or "the output")
        return f"{name} cannot be read or written: {error.strerror or error}"
    first = explainer.printable((str(error).strip() or "no message").splitlines()[0], LONGEST)
    return f"internal error ({type(error).__name__}: {first}). Please report it with what --debug prints"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(explainer.__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Explain what an ONNX model sees: layer-wise relevance propagation on the file as it is."""
    # A name in another script must not end a command whose terminal cannot show it.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


for command in (explain, check, operators, methods, composites, rules, compile_command):
    main.add_command(command)
