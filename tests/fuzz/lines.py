"""Command lines, put together from what the commands themselves say they take."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from bases import ROOT
from click.testing import CliRunner
from kinds import Case, Verdict

from explainer import ExplainerError
from explainer.cli import main

VALUES = (
    *(
        "",
        "0",
        "1",
        "-1",
        "3",
        "0.5",
        "1e9",
        "nan",
        "inf",
        "99999999999999999999",
        "top",
        "star",
        "cat",
        "all",
        "x",
    ),
    *(
        "epsilon",
        "gamma",
        "epsilon_plus_flat",
        "grad_cam",
        "gradient",
        "deeplift",
        "Conv=zplus",
        "Conv=gamma:0.1",
        "=",
        "a=b",
    ),
    *(
        "n_steps=4",
        "gamma=0.1",
        "n_masks=4",
        "window=8",
        "low=-2/-2/-2",
        "smoothgrad",
        "zennit",
        "output",
        "one",
        "margin",
    ),
    *(
        "/8/Relu_1_output_0",
        "/8/Relu_1_output_0[3]",
        "NCHW",
        "RGB",
        "8",
        "8,8",
        "64",
        "0.5,0.5,0.5",
        "\x1b[2J",
        "é",
    ),
    *(
        "map.png",
        "maps",
        "map.npz",
        "shapes.onnx",
        "shapes.png",
        "labels.txt",
        "config.json",
        "mine.toml",
        "nowhere",
        ".",
        "-",
    ),
    *(
        "overlay",
        "map",
        "bwr",
        "0ff,00f,80:000,f00",
        "CPUExecutionProvider",
        "float64",
        "a/b/c.png",
        "/dev/null",
        "--json",
    ),
)
FILES = {
    "labels.txt": "\n".join("abcdefgh"),
    "config.json": '{"size": 64, "rescale_factor": 0.0039, "image_mean": 0.5, "image_std": 0.5}',
    "mine.toml": 'composite = "epsilon_plus"\n[rules]\nConv = "gamma:0.25"\n',
    "text.onnx": "this is no model",
}
RESULTS = ("-o", "--output", "--grid", "--json-lines")
STARTS = (
    ("explain", "shapes.onnx", "shapes.png", "-o", "map.png"),
    ("explain", "shapes.onnx", "shapes.png", "two.png", "-o", "maps"),
    ("explain", "shapes.onnx", "shapes.png", "-o", "map.png", "--json"),
    ("check", "shapes.onnx"),
    ("check", "digits.onnx"),
    ("compile", "digits.onnx", "-o", "out.onnx"),
    ("methods",),
    ("composites",),
    ("rules",),
    ("operators",),
)


def folder() -> None:
    """A working folder with all that the lines name, as it was."""
    here = Path.cwd()
    assert here.name.startswith("fuzz-"), "a folder of one's own, in which everything may be removed"
    for found in here.iterdir():
        shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()
    for name in (
        "shapes.onnx",
        "digits.onnx",
        "shapes.png",
    ):  # copies: what is written through a link is lost
        shutil.copy(ROOT / "models" / name, name)
    shutil.copy(ROOT / "models" / "digit.png", "two.png")
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")


def taken(command: str) -> list[click.Parameter]:
    """The options of a command, as it declares them."""
    found = main.commands.get(command) if isinstance(main, click.Group) else None
    return [] if found is None else [item for item in found.params if isinstance(item, click.Option)]


def changed(line: list[str], rng: np.random.Generator) -> list[str]:
    """An option put in, a word taken out, exchanged or repeated."""
    what, at = int(rng.integers(6)), int(rng.integers(1, len(line) + 1))
    value = VALUES[int(rng.integers(len(VALUES)))]
    if what < 3:
        options = taken(line[0])
        if not options:
            return [*line, value]
        option = options[int(rng.integers(len(options)))]
        name = option.opts[0]
        if option.is_flag:
            return [*line, name]
        if isinstance(option.type, click.Choice) and rng.integers(2):
            value = str(option.type.choices[int(rng.integers(len(option.type.choices)))])
        return [*line, name, value]
    if what == 3:
        return [*line[:at], *line[at + 1 :]]
    if what == 4:
        return [*line[:at], value, *line[at + 1 :]]
    return [*line[:at], value, *line[at:]]


def case(seed: int) -> Case:
    rng = np.random.default_rng([6, seed])
    start = STARTS[int(rng.integers(len(STARTS)))]
    chosen = [("changed", int(rng.integers(2**31))) for _ in range(rng.integers(1, 4))]

    def line(kept: Sequence[tuple[str, int]]) -> list[str]:
        words = list(start)
        for _, number in kept:
            words = changed(words, np.random.default_rng(number))
        return words

    def run(kept: Sequence[tuple[str, int]]) -> Verdict:
        folder()
        before = {file.name: file.read_bytes() for file in Path.cwd().iterdir() if file.is_file()}
        words = line(kept)
        result = CliRunner().invoke(main, words)
        if "--debug" in words and isinstance(result.exception, ExplainerError):
            return Verdict("refused")  # with its traceback, as asked
        return verdict(words, result, before)

    return Case("lines", start[0], chosen, run, lambda kept: " ".join(map(repr, line(kept))).encode())


def verdict(words: list[str], result: click.testing.Result, before: dict[str, bytes]) -> Verdict:
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        error = result.exception
        if isinstance(error, MemoryError):
            raise error
        return Verdict("fault", f"{type(error).__name__} on the command line", f"{error}"[:300])
    if result.exit_code not in (0, 1, 2) or "Traceback" in result.output:
        return Verdict("fault", f"exit status {result.exit_code}", result.output[-300:])
    if "\x1b" in result.output.replace("\x1b[0m", ""):
        return Verdict("fault", "an escape sequence in the output", repr(result.output[-300:]))
    # Whoever names a file as a result alone means it.
    results = {words[at + 1] for at in range(len(words) - 1) if words[at] in RESULTS}
    kept = {name: data for name, data in before.items() if name not in results or words.count(name) > 1}
    left = [name for name, data in kept.items() if not Path(name).exists() or Path(name).read_bytes() != data]
    if left:
        return Verdict("fault", "a file that was read is changed", f"{left}")
    if result.exit_code and not result.output.strip():
        return Verdict("fault", "an empty message", f"exit status {result.exit_code}")
    if parts := [file.name for file in Path.cwd().rglob("*.part")]:
        return Verdict("fault", "something half-written is left", f"{parts}")
    return Verdict("refused" if result.exit_code else "answered")
