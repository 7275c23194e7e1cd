"""A MatMul with a matrix and the Add of its bias as one dense layer: what frameworks have as one."""

from __future__ import annotations

from ..model.graph import Graph, Node
from .base import register
from .matching import Match
from .pattern import Pattern


@register("linear")
class Linear(Pattern):
    """W x + b: the bias counts in the layer's own denominators, as in that of a Gemm."""

    quiet = True
    known_as = "dense layer"
    patterns = ("m = MatMul (x, WEIGHT); y = Add (m, BIAS)",)

    def check(self, graph: Graph, match: Match) -> str | None:
        weight, bias = (graph.shape(match[label]) for label in ("WEIGHT", "BIAS"))
        if len(weight) != 2:
            return f"{match['WEIGHT']!r} is no matrix"
        if bias[-1:] != weight[1:] or any(size != 1 for size in bias[:-1]):
            return f"{match['BIAS']!r} is no vector over {weight[1]} columns"
        return None

    def group(self, match: Match) -> Node:
        return match.becomes(
            "MatMul", [match["x"], match["WEIGHT"], match["BIAS"]], name=match.node("MatMul").name
        )
