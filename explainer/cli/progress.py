"""How far a long command has come, shown where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from .pictures import Picture
from .say import say, say_json

ASKING = "asking the model"
# Back to the line's beginning, and away with what stands on it.
CLEARED = "\r\x1b[K"


class Progress:
    """Steps through the jobs with a bar, if it is seen; what is said meanwhile is printed at once."""

    def __init__(self, visible: bool) -> None:
        self.visible = visible
        self.bar: Any = None

    def through(self, jobs: Sequence[Picture]) -> Iterator[Picture]:
        """Step through them."""
        if not self.visible:
            yield from jobs
            return
        with click.progressbar(jobs, file=sys.stderr, show_pos=True) as self.bar:
            for job in self.bar:
                yield job
                self.bar.label = ""
        self.bar = None

    def step(self, done: int, total: int) -> None:
        """Say beside the bar how far the questions about the job at hand are."""
        if self.bar is not None:
            self.bar.label = f"{ASKING} {done:,} of {total:,}"
            self.bar.render_progress()

    def say(self, *lines: str, error: bool = False) -> None:
        """Print lines, in place of the bar where both are seen; the bar comes back with the next step."""
        self.make_room(error or sys.stdout.isatty())
        say(*lines, error=error)

    def say_json(self, numbers: object) -> None:
        """Print one line of JSON likewise."""
        self.make_room(sys.stdout.isatty())
        say_json(numbers)

    def make_room(self, shares_screen: bool) -> None:
        if self.visible and shares_screen:
            click.echo(CLEARED, file=sys.stderr, nl=False)


class Steps:
    """A bar over the many questions that a method asks about one picture; called with (done, total)."""

    def __init__(self, visible: bool) -> None:
        self.visible = visible
        self.bar: Any = None
        self.done = 0

    def __enter__(self) -> Steps:
        return self

    def __call__(self, done: int, total: int) -> None:
        if not self.visible:
            return
        if self.bar is None or done < self.done:
            self.close()
            self.bar = click.progressbar(length=total, file=sys.stderr, label=ASKING, show_pos=True)
            self.bar.__enter__()
            self.done = 0
        self.bar.update(done - self.done)
        self.done = done

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """End the bar's line."""
        if self.bar is not None:
            self.bar.__exit__(None, None, None)
            self.bar = None
