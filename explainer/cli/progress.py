"""How far a long command has come, shown where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from .pictures import Picture


class Progress:
    """Steps through the jobs with a bar, if it is seen; what is said meanwhile is printed after it."""

    def __init__(self, jobs: Sequence[Picture], visible: bool) -> None:
        self.jobs = jobs
        self.visible = visible
        self.said: list[tuple[str, bool]] = []

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *failure: object) -> None:
        for text, is_error in self.said:
            click.echo(text, err=is_error)

    def __iter__(self) -> Iterator[Picture]:
        if not self.visible:
            yield from self.jobs
            return
        with click.progressbar(self.jobs, file=sys.stderr) as bar:
            yield from bar

    def say(self, text: str, is_error: bool = False) -> None:
        if self.visible:
            self.said.append((text, is_error))
        else:
            click.echo(text, err=is_error)


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
            self.bar = click.progressbar(length=total, file=sys.stderr, label="asking the model")
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
