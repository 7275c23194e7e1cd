"""What is known of operators, whether or not they have a layer: facts, and how their names are written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Protocol, TypeAlias

import onnx

from ..errors import RegistrationError, shown
from .contributed import CONTRIBUTED


class Signs(Protocol):
    """What is known of the signs of a node's operands: whether none of their values is negative."""

    @property
    def first(self) -> bool:
        """Of the first operand."""

    @property
    def some(self) -> bool:
        """Of at least one operand."""

    @property
    def every(self) -> bool:
        """Of all operands."""

    def setting(self, attribute: str, index: int) -> bool | None:
        """Of an attribute, or of the operand that took its place; None where neither is given."""


Sign: TypeAlias = Callable[[Signs], bool]


def unknown(signs: Signs) -> bool:
    """Nothing is known of the output's sign."""
    return False


def never_negative(signs: Signs) -> bool:
    """The output is 0 or more, whatever comes in."""
    return True


def as_first(signs: Signs) -> bool:
    """The output is 0 or more if the first operand is; the others are axes and sizes."""
    return signs.first


def as_all(signs: Signs) -> bool:
    """The output is 0 or more if all that it is computed from is."""
    return signs.every


@dataclass(frozen=True)
class Facts:
    """What is known of an operator apart from its map. Those that have a layer say it on its class.

    Attributes
    ----------
    sign : callable
        Whether no output is negative, from what is known of the operands' signs.
    rectifies : bool
        z = max(x, 0), with nothing more to it.
    rearranges : str
        "shape" or "order" where every value comes out once, unchanged, and no other; else "".
    cut : str
        What the outputs are ("probability"), of an operator that ends a model and before which
        relevance starts; "" for all others.
    shape_alone : bool
        The output depends on the shape of what comes in, never on its values.
    random : bool
        The output differs from run to run, even where all that comes in is constant.
    decides : bool
        The outputs are truth values: there is nothing between yes and no, and no relevance passes.
    chooses : str
        What it chooses among, of an operator whose outputs tell which and not how much: "scores", or
        "values" that may be anything; "" for all others.
    """

    sign: Sign = unknown
    rectifies: bool = False
    rearranges: str = ""
    cut: str = ""
    shape_alone: bool = False
    random: bool = False
    decides: bool = False
    chooses: str = ""


NOTHING_KNOWN = Facts()
# How much of two names is alike, at least, where one is the other with a letter wrong.
NEARLY = 0.85

# ONNX's own that older releases of it do not know, and that have a layer.
RECENT = frozenset({"RMSNormalization", "Swish"})
# Those that onnxruntime has, some of them in ONNX's domain.
OURS = frozenset(operator for domain, operator in CONTRIBUTED if not domain)

# Of operators that have no layer; those that have one say it there.
FACTS: dict[str, Facts] = {
    **dict.fromkeys(("Shape", "Size"), Facts(shape_alone=True)),
    **dict.fromkeys(
        (
            *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
            *("Bernoulli", "Multinomial"),
        ),
        Facts(random=True),
    ),
    **dict.fromkeys(
        (
            *("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual"),
            *("Not", "Or", "Xor"),
        ),
        Facts(decides=True),
    ),
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK", "Hardmax", "ai.onnx.ml.ZipMap"), Facts(chooses="scores")),
    **dict.fromkeys(("NonMaxSuppression", "Cast", "Unique"), Facts(chooses="values")),
}

# Why some operators have no layer, for those who ask.
_DRAWN = "it draws random numbers, others in each run"
_TREES = "trees ask whether numbers exceed thresholds: between these nothing changes, and there is no slope"
REASONS: dict[str, str] = {
    "TopK": "it sorts by size, so that a place of what comes out is another one of the input each time",
    "Unique": "it sorts values and leaves out those that are there already",
    "Hardmax": "it is 1 at the largest value and 0 everywhere else, and there is nothing between",
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _DRAWN),
    **dict.fromkeys(("Bernoulli", "Multinomial"), _DRAWN),
    **dict.fromkeys(
        (
            *("ai.onnx.ml.TreeEnsemble", "ai.onnx.ml.TreeEnsembleClassifier"),
            "ai.onnx.ml.TreeEnsembleRegressor",
        ),
        _TREES,
    ),
}

# Outputs that tell which of several something is, or where: whole numbers that no relevance passes.
PLACES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("ArgMax", "ArgMin", "NonMaxSuppression", "NonZero"), (0,)),
    **dict.fromkeys(("MaxPool", "TopK"), (1,)),
    "Unique": (1, 2, 3),
}
# Operands that only choose among the others, which are relevant where they are chosen.
CHOOSERS: dict[str, tuple[int, ...]] = {"Where": (0,)}
# Operands that tell how many steps each sample has: they choose too.
COUNTS: dict[str, tuple[int, ...]] = {"ReverseSequence": (1,), **dict.fromkeys(("GRU", "LSTM", "RNN"), (4,))}
CHOOSERS |= COUNTS


# The layers of operators: kept here for reading, where it counts that there is one, and filled in layers/.
LAYERS: dict[str, Any] = {}


def has_layer(operator: str) -> bool:
    """Whether a layer explains an operator, so that nobody asks what it is made of."""
    return operator in LAYERS


def known(operator: str) -> Facts:
    """The facts of an operator without a layer."""
    return FACTS.get(operator, NOTHING_KNOWN)


def spelled(name: str) -> str:
    """An operator's name as nodes have it: ``Relu``, and with its domain ``com.example.MyScale``.

    ``com.example::MyScale`` is understood, and ``ai.onnx.Relu`` for ONNX's own.
    """
    domain, _, operator = name.replace("::", ".").rpartition(".")
    return operator if domain in ("", "ai.onnx") else f"{domain}.{operator}"


def checked(name: str) -> str:
    """A name as nodes have it, refused where no node can ever have it.

    Raises
    ------
    RegistrationError
    """
    parts = name.replace("::", ".").split(".") if isinstance(name, str) else [""]
    if not all(part.replace("-", "_").isidentifier() for part in parts):
        raise RegistrationError(
            f"{shown(name):.80} cannot be an operator's name: it is Relu, com.example.MyScale or "
            "com.example::MyScale"
        )
    domain, _, operator = spelled(name).rpartition(".")
    there = _operators().get(domain)
    if there is not None and operator not in there | (frozenset() if domain else RECENT | OURS):
        near = get_close_matches(operator, there)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise RegistrationError(
            f"ONNX {onnx.__version__} has no operator {operator!r}{f' in {domain}' if domain else ''}: {hint}"
            "one of your own has its domain in front, such as com.example.MyScale"
        )
    return spelled(name)


def mistyped(name: str) -> str:
    """The operators of ONNX that a name without a domain nearly is; "" where it is one, or like none."""
    there = _operators().get("", frozenset())
    if "." in name or name in there:
        return ""
    return ", ".join(sorted(one for one in there if _nearly(name.casefold(), one.casefold())))


def _nearly(one: str, other: str) -> bool:
    """Whether a name is another with a letter wrong, or two of them swapped: Silu is not Selu."""
    alike = SequenceMatcher(None, one, other).ratio() >= NEARLY and abs(len(one) - len(other)) <= 1
    return alike or sorted(one) == sorted(other)


@functools.cache
def _operators() -> dict[str, frozenset[str]]:
    """The operators of ONNX's own domains, of all versions."""
    found: dict[str, set[str]] = {}
    for schema in onnx.defs.get_all_schemas():
        found.setdefault(schema.domain, set()).add(schema.name)
    return {domain: frozenset(names) for domain, names in found.items()}
