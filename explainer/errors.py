"""One exception tree: catch `ExplainerError` and print it, and no user ever sees a traceback."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Self

from .text import LINE, printable

# Of a message: names from a file stand in it, as many as somebody likes.
MOST_LINES = 200


@dataclass(frozen=True)
class Way:
    """Another question that this model answers, tried before it is said.

    Attributes
    ----------
    why : str
        What it explains.
    settings : dict of str -> value
        What is asked for in the place of what was: ``{"method": "occlusion", "window": 2}``, by the names
        of `explain`'s parameters and of options.
    bare : bool
        Whether nothing else that says how is kept: rules, noise, kept tensors.
    call : str
        It as Python.
    is_compiled : bool
        Whether a file was asked for, and can be compiled that way.
    options : str
        What a command line needs besides, where nothing says how the model takes pictures.
    """

    why: str
    settings: Mapping[str, Any]
    bare: bool
    call: str = ""
    is_compiled: bool = False
    options: str = ""


@dataclass(frozen=True)
class Missing:
    """What of one kind cannot be explained.

    Attributes
    ----------
    what : str
        An operator, or what people call a group of them.
    reason : str
    nodes : tuple of str
        The nodes' names, in the order they run; of a group the first that cannot be explained.
    """

    what: str
    reason: str
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        first = repr(self.nodes[0]) if len(self.nodes) == 1 else f"the first is {self.nodes[0]!r}"
        return f"{self.what} x{len(self.nodes)} ({self.reason}): {first}"


class ExplainerError(Exception):
    """Something that the user can mend. The message says what is wrong, where, and what to do next.

    Parameters
    ----------
    *lines : object
        The message, line by line. What ends a line inside one of them came out of a file, and is written
        as `\\n`: see `printable`.

    Attributes
    ----------
    in_options : tuple of object
        The message as the command line says it, line by line, where Python's own words are others.
    ways : tuple of Way
        What this model does answer, where that was looked for.
    elsewhere : str
        Where to look for it: among "targets", "methods" or "scores"; "" is nowhere.
    before : tuple of str
        Inner tensors that can be explained up to what is in the way, the last one first.
    behind : tuple of str
        Inner tensors that all of the target's relevance gets to before it meets what is in the way.
    missing : tuple of Missing
        What has no layer or no rule; of an `UnsupportedError`, as the next two.
    rows : tuple of (node, operator, recognised as, rule, note, layer)
        All nodes from target to input, as a plan has them; of what is missing the layer is "" and the note
        the reason.
    table : str
        The same, to be printed.
    coverage : tuple of int
        How many of the file's nodes that relevance would pass are explained, and how many there are.
    """

    in_options: tuple[object, ...] = ()
    ways: tuple[Way, ...] = ()
    elsewhere: str = ""
    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    table: str = ""
    coverage: tuple[int, int] = (0, 0)

    def __init__(self, *lines: object) -> None:
        super().__init__(*lines)
        # A traceback shows what another package complained of as well, in the file's own names.
        cause = sys.exception()
        while cause is not None and not isinstance(cause, ExplainerError):
            cause.args = tuple(printable(one, LINE) if isinstance(one, str) else one for one in cause.args)
            cause = cause.__context__

    @property
    def text(self) -> str:
        """The message without the ways."""
        return _joined(self.args)

    @property
    def text_in_options(self) -> str:
        """The same as the command line says it."""
        return _joined(self.in_options or self.args)

    def optioned(self, *lines: object) -> Self:
        """The same, with the message as the command line says it: `--size 224` is not Python."""
        self.in_options = lines
        return self

    def also(self, other: "ExplainerError") -> Self:
        """The same, and another one behind it: what is in the way next."""
        self.in_options = (*(self.in_options or self.args), *(other.in_options or other.args))
        self.args = (*self.args, *other.args)
        return self

    def looking(self, elsewhere: str) -> Self:
        """The same, with where to look for what the model does answer."""
        self.elsewhere = elsewhere
        return self

    def __str__(self) -> str:
        lines = [printable(f"  {way.call}  # {way.why}", LINE) for way in self.ways]
        return "\n".join([self.text, *(["What this model does answer:"] if lines else []), *lines])


def _joined(lines: tuple[object, ...]) -> str:
    said = [printable(line, LINE) for line in lines[:MOST_LINES]]
    more = len(lines) - len(said)
    return "\n".join([*said, f"... and {more:,} more lines"] if more > 0 else said)


class ModelError(ExplainerError):
    """The model file cannot be read, checked or run."""


class UnsupportedError(ExplainerError):
    """The path from target to input has nodes without a layer or a rule; all of them are listed."""

    elsewhere = "targets"


class InputError(ExplainerError):
    """The image or array is unreadable, or does not fit the model's input."""


class PreprocessError(ExplainerError):
    """The preprocessing is missing, contradictory or out of range.

    Attributes
    ----------
    likely : (str, str)
        Where it is missing, what most probably is it: as Python, and as options of the command line.
    """

    likely: tuple[str, str] = ("", "")


class TargetError(ExplainerError):
    """No such output, tensor, index or label, or none that can be explained."""


class CompositeError(ExplainerError):
    """No such composite or rule, or parameters that it does not take."""


class RegistrationError(ExplainerError):
    """What is declared is no layer, kind, rule, canonizer, composite or method; or there is one already."""


class NumericalError(ExplainerError):
    """NaN or infinity in the forward pass or in the walk; the message names the node."""


class OutputError(ExplainerError):
    """A result cannot be written where it was asked for.

    Attributes
    ----------
    overwrites : bool
        Whether it would have replaced a file that is read, or another result.
    """

    overwrites = False

    def overwriting(self) -> Self:
        """The same, for what would have replaced another file."""
        self.overwrites = True
        return self


def shown(value: object) -> str:
    """A value that was given, for a message: as Python writes it, if it can."""
    try:
        return repr(value)
    except Exception:  # lists in lists without end, or whatever an object of the user's raises
        return f"a {type(value).__name__} that Python cannot write"


def check_name(what: str, name: object, how: str) -> None:
    """Refuse what cannot be a name: in text, in files and on the command line.

    Parameters
    ----------
    what : str
        What is registered: "method".
    name : object
    how : str
        How it is done right, for the message.

    Raises
    ------
    RegistrationError
    """
    if not isinstance(name, str) or re.fullmatch(r"\w[\w.-]*", name) is None:
        given = f"the {name.__name__} itself" if isinstance(name, type) else shown(name)
        raise RegistrationError(
            f"{given} is no name of a {what}: it has letters, digits and . _ - alone; write {how}"
        )


def check_derived(what: str, thing: object, base: type) -> None:
    """Refuse what is no class of a kind.

    Raises
    ------
    RegistrationError
    """
    if not (isinstance(thing, type) and issubclass(thing, base)):
        given = thing.__qualname__ if isinstance(thing, type) else shown(thing)
        home = ".".join(base.__module__.split(".")[:2])
        raise RegistrationError(
            f"{given} is no {what}: register a class that derives from {home}.{base.__name__}"
        )


def folded(name: str) -> str:
    """A name without what tools write differently: ``AlphaBeta`` and ``alpha_beta`` are ``alphabeta``."""
    return re.sub(r"[\s._-]", "", name).casefold()


def near(name: object, *groups: Iterable[str], most: int = 3) -> list[str]:
    """What a name that nothing has may have meant, the likeliest first.

    A name that holds it goes before one that is spelled nearly so: ``cat`` is ``tiger cat`` before it is
    ``car``. Of two that are as near, that of an earlier group goes first.

    Parameters
    ----------
    name : object
        As the user gave it.
    *groups : iterable of str
        What there is: class names before outputs before inner tensors, say.
    """
    if not isinstance(name, str):
        return []
    asked = folded(name)
    known = [{one: folded(one) for one in dict.fromkeys(group)} for group in groups]
    found: list[str] = []
    for group in known if len(asked) > 1 else ():
        within = (one for one, key in group.items() if asked in key)
        found += sorted(within, key=lambda one: _apart(name, one))
    if not found:
        found = _spelled_nearly(asked, known)
    return list(dict.fromkeys(found))[:most]


def _apart(name: str, other: str) -> tuple[bool, int]:
    """How far a name that holds another is from it: a word of its own is nearer than a part of one."""
    words = re.split(r"[^a-z0-9]+", other.casefold())
    return name.casefold() not in words, len(other)


def _spelled_nearly(asked: str, groups: Iterable[Mapping[str, str]]) -> list[str]:
    """The names that are spelled about as nearly as the nearest one, group by group."""
    alike: dict[str, float] = {}
    for group in groups:
        # Beyond some hundred letters nothing is mistyped, and comparing takes the square of them.
        short = {key: one for one, key in group.items() if len(key) <= 200}
        for key in get_close_matches(asked[:200], short, cutoff=0.5):
            alike.setdefault(short[key], SequenceMatcher(None, key, asked).ratio())
    nearest = max(alike.values(), default=0)
    return [one for one, ratio in alike.items() if ratio >= nearest - 0.15]


def did_you_mean(name: object, *groups: Iterable[str]) -> str:
    """``; did you mean …?`` for the end of a message, "" where nothing is near. See `near`."""
    found = near(name, *groups)
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def no_such(what: str, name: object, known: Iterable[str], more: str = "", lists: str = "") -> str:
    """What is said of a name that nothing has: the one way to do so.

    Parameters
    ----------
    what : str
        What was asked for: "method".
    name : object
        As the user gave it.
    known : iterable of str
        What there is. All are listed where none is near.
    more : str
        What there is beside them.
    lists : str
        The command that lists them.
    """
    names = list(known)
    hint = did_you_mean(name, names)
    if hint:
        return f"no {what} {shown(name)}{hint}" + (f" `{lists}` lists all" if lists else "")
    return f"no {what} {shown(name)}; there are: {', '.join(names)}{more}"
