"""The one place that prints: what stands in a file reaches no terminal as it is."""

from __future__ import annotations

import json

import click

import explainer

LONGEST = 2000


def say(*lines: object, error: bool = False) -> None:
    """Print lines, each of which stays one: see `explainer.printable`. They are out before this returns."""
    click.echo("\n".join(explainer.printable(line, LONGEST) for line in lines), err=error)


def say_json(numbers: object) -> None:
    """Print one line of JSON: names in it are exact, and written in ASCII, control characters escaped."""
    click.echo(json.dumps(numbers))


def say_text(text: object) -> None:
    """Print a text of several lines, such as a table, whose names were made printable when it was made."""
    say(*str(text).split("\n"))
