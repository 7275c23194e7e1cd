"""What is asked about inner tensors: relevance through some channels only, and which channels matter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

import explainer

from .options import Command


class Condition(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases of click
    """``TENSOR[CHANNELS]`` as its two parts; the library reads the channels."""

    name = "condition"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(.+?)\s*\[([^\[\]]+)\]\s*", value)
        if not found:
            self.fail(f"{value!r} is not TENSOR[CHANNELS], such as layer3[3, 17] or layer3[:8]", param, ctx)
        return found[1], found[2]


def condition_option(command: Command) -> Command:
    """Add --condition."""
    return click.option(
        "--condition",
        "conditions",
        type=Condition(),
        multiple=True,
        metavar="TENSOR[CHANNELS]",
        callback=lambda ctx, param, pairs: conditions_of(pairs),
        help="Only relevance that passes through these channels of this tensor: NAME[3, 17], NAME[:8]."
        "  [repeatable]",
    )(command)


def rank_option(command: Command) -> Command:
    """Add --rank."""
    return click.option(
        "--rank",
        "ranks",
        multiple=True,
        metavar="TENSOR",
        help="Also list the channels of this tensor that matter most.  [repeatable]",
    )(command)


def conditions_of(pairs: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    """Return the conditions as the library takes them: a tensor that is named twice has both channels."""
    joined: dict[str, str] = {}
    for name, channels in pairs:
        joined[name] = f"{joined[name]}, {channels}" if name in joined else channels
    return joined or None


@contextmanager
def calling(ranks: Sequence[str], keep: Sequence[str]) -> Iterator[None]:
    """Let a complaint about a tensor that --rank names, which is kept for that, say so."""
    try:
        yield
    except explainer.ExplainerError as error:
        lines = list(map(str, error.args))
        for name in map(repr, ranks):
            lines = [line.replace(f"keep: {name}", f"rank: {name}") for line in lines]
        if ranks and not keep:
            lines = [re.sub(r"^keep: ", "rank: ", line) for line in lines]
        error.args = tuple(lines)
        raise


def rankings_of(explanation: explainer.Explanation, tensors: Sequence[str]) -> dict[str, Any]:
    """Return the channels that matter most in a one-sample explanation, ready for JSON."""
    parts = ("channel", "relevance", "share")
    return {
        name: [dict(zip(parts, entry, strict=True)) for entry in explanation.ranking(name)]
        for name in tensors
    }


def in_full(numbers: Mapping[str, Any]) -> list[str]:
    """Return the lines on inner tensors in the report on one picture."""
    lines = [f"  through     {explainer.printable(condition)}" for condition in numbers["conditions"]]
    for tensor, ranking in numbers["ranking"].items():
        lines.append(f"  channels    of {tensor!r}: relevance, share of all amounts")
        lines += [
            f"              {entry['channel']:<6} {entry['relevance']:<12.5g} {entry['share']:+.1%}"
            for entry in ranking
        ]
    return lines


def in_short(numbers: Mapping[str, Any]) -> str:
    """Return the same in the line on one of many pictures."""
    best = (
        f", {tensor!r} " + " ".join(str(entry["channel"]) for entry in ranking[:3])
        for tensor, ranking in numbers["ranking"].items()
    )
    return through(numbers) + "".join(best)


def through(numbers: Mapping[str, Any]) -> str:
    """Return what relevance had to pass through, as it stands behind a target."""
    return "".join(f" through {explainer.printable(condition)}" for condition in numbers["conditions"])
