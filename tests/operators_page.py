"""docs/operators.md: every operator, what it is taken for, and by which rule; read from the code itself.

    OPERATORS_TABLE=1 pytest tests/layers/test_operators_page.py

writes the page anew; without the flag the test holds the page to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from examples import EXAMPLES, IN_NETS, Example

from explainer import composites
from explainer.canonizers import CANONIZERS
from explainer.composites import DIALECTS
from explainer.layers import KINDS, REGISTRY, Kind, Layer
from explainer.model.graph import Graph
from explainer.model.operators import OURS
from explainer.rules import Rule

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operators.md"
RELEASE = re.compile(r"ONNX (\d+\.\d+)")
HELD, SHARED, ALONE = "with a gate held constant", "of two activations", ""
# What products with a gate are called, by what the gate is made of: `explainer.canonizers.gates.called`.
KNOWN_AS = {"gates": "attention, squeeze-excite gate, gated linear unit, gate"}
BY = {"ours": None, **{name: name for name in DIALECTS}}

INTRODUCTION = """\
# Operators

Written by `OPERATORS_TABLE=1 pytest tests/layers/test_operators_page.py` from the layers and rules; a test
holds it to them. What the operators of a model of yours are recognised as: `onnx-lrp check MODEL`
([more](checking.md)). One that is not here: [adding an operator](adding-an-operator.md).

An operator is taken for what its map is, its kind, and the kind decides its rule where a composite says
nothing else: below are the rules of `--composite epsilon`, by default and in each dialect, and the papers
that the rules and layers name. Opsets are the versions of the operator's definition that ONNX {release}
knows, each of which holds until the next one; those in bold are run by the tests of the layers on examples
of their own, of LSTM, GRU and RNN in whole nets."""

SEEN_THROUGH = """\
## Without a layer
Seen through: Identity, a Dropout that drops nothing, a Cast between floats. Not explained because no
relevance is in it: constants and what is computed from them, shapes. Cut before an output, so that relevance
starts from the logits: Softmax, LogSoftmax, Sigmoid."""


@dataclass(frozen=True, eq=False)
class Use:
    """One way in which an operator is explained.

    Attributes
    ----------
    operator : str
    layer : Layer
    how : str
        Beside its name: `SHARED`, `HELD`, or "".
    """

    operator: str
    layer: Layer
    how: str = ALONE


def uses() -> Iterator[Use]:
    """Every way in which the tests use an operator, in the order of names."""
    met: dict[tuple[str, type[Layer]], Use] = {}
    for use in (use for example in EXAMPLES for use in _uses_of(example)):
        met.setdefault((use.operator, type(use.layer)), use)
    for name in sorted(IN_NETS & REGISTRY.keys()):  # whole nets are their examples
        met[name, REGISTRY[name]] = Use(name, REGISTRY[name].__new__(REGISTRY[name]))
    yield from (met[key] for key in sorted(met, key=lambda key: (key[0].lower(), key[1].__name__)))


def _uses_of(example: Example) -> Iterator[Use]:
    graph = Graph.load(example.model())
    node, plain = graph.nodes[-1], REGISTRY[example.operator]
    layer = plain.of(node, graph, 0)
    activations = [place for place, name in enumerate(node.inputs) if name in graph.carrying]
    is_shared = len(activations) > 1 and layer.kind == "product"
    yield Use(example.operator, layer, SHARED if is_shared else ALONE)
    if plain.gated is not None and len(activations) == 2:
        yield Use(example.operator, plain.of(replace(node, gate=activations[1]), graph, 0), HELD)


def opsets(operator: str) -> str:
    """The versions of an operator's definition, those in bold that an example runs."""
    domain, _, name = operator.rpartition(".")
    known = {
        s.since_version
        for s in onnx.defs.get_all_schemas_with_history()
        if (s.domain, s.name) == (domain, name)
    }
    if not known:
        return "onnxruntime's own" if domain or operator in OURS else "newer than that"
    ran = {max((v for v in known if v <= e.opset), default=0) for e in EXAMPLES if e.operator == operator}
    return ", ".join(f"**{version}**" if version in ran else str(version) for version in sorted(known))


def rules_of(layer: Layer) -> dict[str, Rule | None]:
    """The rule of a layer by default and in each dialect."""
    return {name: composites.get("epsilon", dialect=by).rule_for(layer) for name, by in BY.items()}


def sources(described: type, inherited: bool = False) -> str:
    """The papers that a docstring names; if it names none and that may be, those of the class above it."""
    for one in described.__mro__ if inherited else (described,):
        said = " ".join((one.__dict__.get("__doc__") or "").partition("Parameters\n")[0].split())
        pieces = re.split(r"(?<!\bal)(?<!\beq)(?<!\beqs)(?<!\bsec)\. |; |(?<=\d)\.$", said)
        found = [
            piece.strip(" .")
            for piece in pieces
            if re.search(r"[A-Z]\w+ (et al\.|& [A-Z]\w+).*\d{4}|^[A-Z]\w+ \d{4}", piece)
        ]
        if found:
            return "; ".join(found)
    return ""


def first_line(described: type) -> str:
    """The first line of a docstring, without the paper that it ends with."""
    line = (described.__doc__ or "").strip().splitlines()[0].rstrip(".;")
    return re.sub(r"\. [A-Z]\w+ (et al\.|& \w+|\d{4}).*$", "", line)


def page() -> str:
    """The whole page."""
    by_kind: dict[str, list[Use]] = {}
    for use in uses():
        by_kind.setdefault(use.layer.kind.name, []).append(use)
    release = ".".join(onnx.__version__.split(".")[:2])
    parts = [INTRODUCTION.format(release=release)]
    parts += [section(kind, by_kind[name]) for name, kind in KINDS.items() if name in by_kind]
    parts += [groups(), SEEN_THROUGH]
    return "\n\n".join(parts) + "\n"


def section(kind: Kind, members: list[Use]) -> str:
    """A kind: its rule in every dialect, where they are from, and its operators.

    Raises
    ------
    ValueError
        Layers of one kind get different rules: then this page would say what is not so.
    """
    rules = rules_of(members[0].layer)
    for use in members:
        if use.how != HELD and rules_of(use.layer) != rules:
            raise ValueError(f"{use.operator} is {kind.name}, and has other rules than {members[0].operator}")
    lines = [f"## {kind.name.capitalize()}", f"{kind.meaning[:1].upper()}{kind.meaning[1:]}.", ""]
    lines += [_row(rules), _row(["---"] * len(rules)), _row(f"`{rule}`" for rule in rules.values()), ""]
    for rule in dict.fromkeys(type(rule) for rule in rules.values() if rule is not None):
        source = sources(rule, inherited=True)
        lines.append(f"- `{rule.name()}`: {first_line(rule)}{f'. *{source}.*' if source else ''}")
    lines += ["", _row(["operator", "opsets", "what it is", "source"]), _row(["---"] * 4)]
    for use in members:
        layer = type(use.layer)
        what = first_line(layer)
        lines.append(
            _row(
                [
                    f"`{use.operator}`{f' {use.how}' if use.how else ''}",
                    opsets(use.operator),
                    what,
                    sources(layer),
                ]
            )
        )
    return "\n".join(lines)


def groups() -> str:
    """What exporters write out, and is recognised."""
    lines = [
        "## Written out, and recognised",
        "Nodes that are explained as one; `onnx-lrp check` calls them so.",
        "",
        _row(["canonizer", "recognised as", "what it is", "source"]),
        _row(["---"] * 4),
    ]
    for name, canonizer in CANONIZERS.items():
        what = first_line(canonizer)
        lines.append(
            _row(
                [
                    f"`{name}`",
                    KNOWN_AS.get(name) or getattr(canonizer, "known_as", "") or "the operator that it is",
                    what,
                    sources(canonizer),
                ]
            )
        )
    return "\n".join(lines)


def _row(cells) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
