"""Normalisations that exporters write out node by node become one node again, whose deviation can be held.

y = u/d, u = x − m or x itself, d = max(√(f·Σu² + ε), least) + outside: a LayerNormalization, an
RMSNormalization, an L2 normalisation, a standardisation. Read node by node u·u would be a product of two
activations, and y a quotient of two. How it is written is read up from y (`spread.py`): as one pattern for
each way there would be thousands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..model.graph import Graph, Node
from .base import register
from .matching import Match
from .pattern import Pattern
from .spread import Reading, read

# The layer of all of them.
LAYER = "MeanVarianceNormalization"
NAMES = ("LayerNormalization", "RMSNormalization", "LpNormalization", LAYER)


@register("norms")
class Norms(Pattern):
    """x, less its mean or not, divided by its deviation or length."""

    def _candidates(self, graph: Graph) -> Iterator[list[Match]]:
        found = [reading for node in graph.nodes for reading in read(graph, node)]
        found.sort(key=lambda reading: (graph.places[reading.nodes[0]], -len(reading.nodes)))
        for reading in found:
            yield [reading]

    def group(self, match: Match) -> Node:
        assert isinstance(match, Reading)
        inputs = [match["x"], match.get("WEIGHT"), match.get("BIAS")]
        return match.becomes(_name(match.attributes), inputs, attributes=match.attributes, acts_as=LAYER)


def _name(how: Mapping[str, Any]) -> str:
    """What people call it."""
    if how["summed"] and not how["centred"]:
        return "LpNormalization"
    if not how["epsilon"] and how["centred"]:
        return LAYER
    return "LayerNormalization" if how["centred"] else "RMSNormalization"


@register("norm_weights")
class NormWeights(Pattern):
    """The weight and bias behind such a group: they count in its own denominators, as the operator's do."""

    quiet = True
    patterns = (
        f"n = {' | '.join(NAMES)} (x); y = Mul (n, WEIGHT)",
        f"n = {' | '.join(NAMES)} (x); m = Mul (n, WEIGHT); y = Add (m, BIAS)",
        f"n = {' | '.join(NAMES)} (x, OLD?); y = Add (n, BIAS)",
    )

    def check(self, graph: Graph, match: Match) -> str | None:
        if match.node(*NAMES).acts_as != LAYER:
            return "it is an operator, with a weight of its own"
        axes = match.node(*NAMES).attributes["axes"]
        for name in filter(None, (match.get("WEIGHT"), match.get("BIAS"))):
            if sum(size != 1 for size in graph.shape(name)) > len(axes):
                return f"{name!r} is no vector"
        return None

    def group(self, match: Match) -> Node:
        norm = match.node(*NAMES)
        weight = match.get("WEIGHT") or match.get("OLD")
        inputs = [match["x"], weight, match.get("BIAS")]
        return match.becomes(norm.operator, inputs, name=norm.name, attributes=norm.attributes, acts_as=LAYER)
