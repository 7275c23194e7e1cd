"""A run over pictures: what is done is on the disk, whatever ends it, and the same command goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias

import click

import explainer

from . import channels, report, stopping
from .drawing import common_scale
from .lines import Lines
from .pictures import Job, Picture, not_there
from .progress import Progress, Steps
from .say import say

Result: TypeAlias = "tuple[explainer.Explanation, Job, dict[str, Any]]"


@dataclass
class Run:
    """Explains picture after picture, writes each result as soon as it is known, and says so.

    Attributes
    ----------
    pictures : sequence of Picture
        With the jobs that are left of them.
    several : bool
        Whether what fails is passed over, and lines are short.
    options, drawing : dict
    what : str
        What is explained: "images", or "samples" of arrays.
    lines : Lines or None
    """

    pictures: Sequence[Picture]
    several: bool
    options: dict[str, Any]
    drawing: dict[str, Any]
    what: str = "images"
    lines: Lines | None = None
    done: int = 0
    failures: int = 0
    waiting: list[list[Result]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = len(self.pictures)
        self.progress = Progress(self.several and sys.stderr.isatty())

    @property
    def waits(self) -> bool:
        """Whether nothing is drawn before all is known."""
        return bool(self.options["shared_scale"] or self.options["grid"])

    def skip_existing(self) -> None:
        """Leave out what is there: a result is written whole or not at all, so it is not looked into."""
        left = (not_there(picture, self.lines) for picture in self.pictures)
        self.pictures = [picture for picture in left if picture]
        self.done = self.total - len(self.pictures)
        if self.done:
            say(f"{self.done:,} of {self.total:,} are there already", error=True)

    def told(self) -> str:
        """Return how far a run came that was stopped."""
        if not self.several:
            return "stopped"
        done = f"{self.done:,} of {self.total:,} done"
        if self.waits:
            return f"{done}; --shared-scale and --grid draw at the end, so the same command begins anew"
        return f"{done}; the same command with --skip-existing goes on"

    def go(
        self,
        explained: explainer.Explainer,
        asked_of: Callable[[str, int], Any],
        asks: Sequence[explainer.Ask],
        cuts: Sequence[str],
        loading: float,
    ) -> None:
        """Explain and write what is left.

        Parameters
        ----------
        explained : Explainer
        asked_of : callable
            Returns what the model is given for a picture, by its path and its place among all.
        asks : sequence of Ask
            What is asked of each picture, one after the other.
        cuts : sequence of str
            Of each, the operator that was cut at the model's end; "" where none was.
        loading : float
            The seconds that it took to load the model.

        Raises
        ------
        ExplainerError, click.ClickException
        """
        for picture in self.progress.through(self.pictures):
            began = perf_counter()
            given = asked_of(picture[0].picture, picture[0].place)
            try:
                watched = not self.several and sys.stderr.isatty()
                with channels.calling(self.options["ranks"], self.options["keep"]), Steps(watched) as steps:
                    asked = [asks[job.target] for job in picture]
                    told = self.progress.step if self.several else steps
                    found = explained.explain_targets(given, asked, progress=told)
            except (explainer.InputError, explainer.NumericalError) as error:
                # What ails one picture need not ail the next; anything else ails the model, and so does what
                # other questions to it would answer.
                stopping.check()
                if error.elsewhere or not self.several:
                    raise
                self.failures += 1
                name = picture[0].picture
                said = error.text_in_options
                self.progress.say(said if name in said else f"{name}: {said}", error=True)
                continue
            self.check_layout(found[0])
            more = {"seconds": perf_counter() - began}
            results = []
            for job, explanation in zip(picture, found, strict=True):
                ranking = channels.rankings_of(explanation, self.options["ranks"])
                output = predicted(explanation, explained)
                inputs = [value.name for value in explained.graph.inputs]
                numbers = report.describe(explanation, output, cuts[job.target], inputs)
                results.append((explanation, job, {**numbers, **more, "ranking": ranking}))
            if self.waits:
                self.waiting.append(results)
            else:
                self.deliver(results, self.drawing["scale"], loading)
        if self.waiting:
            self.draw_together(loading)
        if self.failures:
            raise click.ClickException(f"{self.failures} of {self.total} {self.what} could not be explained")

    def check_layout(self, explanation: explainer.Explanation) -> None:
        """Refuse a --layout of arrays that the model's own operators contradict: they know better.

        Raises
        ------
        click.UsageError
        """
        asked = self.options["layout"]
        if asked and not explanation.photos and explanation.layout != asked:
            where = "last" if explanation.layout == "NHWC" else "first, or that there are none"
            raise click.UsageError(f"--layout {asked}: the model itself tells that channels are {where}")

    def deliver(self, results: Sequence[Result], scale: float | None, loading: float) -> None:
        """Write the results of one picture, and say so; a signal to stop waits for that."""
        with stopping.in_one():
            for explanation, job, numbers in results:
                look = self.drawing | {"scale": scale}
                explanation.save(job.heatmap, title=report.title_of(numbers), **look)
                if job.numbers:
                    explanation.save(job.numbers)
                line = {"image": job.picture, "written": job.written, **numbers}
                if self.lines:
                    self.lines.add(line)
                if self.options["as_json"]:
                    self.progress.say_json(line)
                elif self.several:
                    self.progress.say(report.in_short(job.picture, numbers, job.written))
                else:
                    self.progress.say(*report.in_full(job.picture, numbers, job.written, loading))
            self.done += 1

    def draw_together(self, loading: float) -> None:
        """Write what waited for the last picture: under one scale, and all in one picture."""
        results = [result for picture in self.waiting for result in picture]
        drawn = [explanation for explanation, _, _ in results]
        scale = common_scale(drawn, self.drawing) if self.options["shared_scale"] else self.drawing["scale"]
        for picture in self.waiting:
            self.deliver(picture, scale, loading)
        path = self.options["grid"]
        if path:
            titles = [
                f"{os.path.basename(job.picture)}: {report.target_of(numbers)}{channels.through(numbers)}"
                for _, job, numbers in results
            ]
            shown = self.drawing if self.drawing["scale"] else self.drawing | {"scale": "shared"}
            grid = explainer.grid(drawn, titles=titles, **shown)
            with explainer.files.write_whole(path) as file:
                grid.save(file, "PNG")
            if not self.options["as_json"]:
                self.progress.say(f"all of them: {path}")


def predicted(explanation: explainer.Explanation, explained: explainer.Explainer) -> str:
    """Return the model output that holds the prediction: the first that is made of what is explained."""
    made = explained.graph.depending({explanation.target_name})
    return next((name for name in explanation.outputs if name in made), next(iter(explanation.outputs)))
