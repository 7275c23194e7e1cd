"""Pages of Markdown as programs: their blocks of Python and their commands, in the order of reading."""

import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from click.testing import CliRunner

import explainer.cli
import exporter.cli

PROGRAMS = {"onnx-lrp": explainer.cli.main, "onnx-lrp-export": exporter.cli.main}
# Fences with what a reader looks at, and does not run.
SHOWN = {"", "text", "json", "toml"}


class Piece(NamedTuple):
    """A block of Python, or one command line.

    Attributes
    ----------
    language : str
        "python" or "bash".
    code : str
    line : int
        Where on the page it begins, from 0.
    """

    language: str
    code: str
    line: int


def pieces(text: str) -> Iterator[Piece]:
    """What a reader would run: fences of python and bash, and indented lines that call a program."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```"):
            language, end = line[3:].strip(), lines.index("```", at + 1)
            assert language in SHOWN | {"python", "bash"}, f"line {at + 1}: nobody runs {language!r}"
            if language == "python":
                yield Piece("python", "\n".join(lines[at + 1 : end]), at + 1)
            elif language == "bash":
                yield from commands(lines[at + 1 : end], at + 1)
            at = end
        elif line.startswith("    ") and line.split()[0] in PROGRAMS:
            end = next(i for i in range(at, len(lines)) if not lines[i].endswith("\\"))
            yield from commands(lines[at : end + 1], at)
            at = end
        at += 1


def commands(lines: list[str], first: int) -> Iterator[Piece]:
    """Command lines, those that end in a backslash joined with the next."""
    begun = ""
    for at, line in enumerate(lines, first):
        begun += line.rstrip("\\")
        if not line.endswith("\\") and begun.strip():
            yield Piece("bash", begun.strip(), at)
            begun = ""


def run(piece: Piece, names: dict[str, Any], title: str) -> str:
    """Run one piece in the working folder and return what it printed, if it is a command.

    Python runs in the namespace `names`; its tracebacks have the lines of the page.
    """
    if piece.language == "python":
        exec(compile("\n" * piece.line + piece.code, title, "exec"), names)
        return ""
    program, *arguments = shlex.split(piece.code, comments=True)
    assert program in PROGRAMS, f"{title}, line {piece.line + 1}: nobody runs {program!r}"
    result = CliRunner().invoke(PROGRAMS[program], arguments, catch_exceptions=False)
    assert result.exit_code == 0, f"{title}, line {piece.line + 1}: {piece.code}\n{result.output}"
    return result.output


def options() -> set[str]:
    """Every option of every command."""
    commands = [PROGRAMS["onnx-lrp-export"], *PROGRAMS["onnx-lrp"].commands.values()]
    return {name for command in commands for option in command.params for name in option.opts}


def options_named(text: str) -> set[str]:
    """What a page calls an option."""
    return set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", text))


def links(text: str) -> list[str]:
    """The files that a page leads to."""
    return re.findall(r"\]\(([^):#]+)\)", text)
