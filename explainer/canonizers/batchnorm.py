"""A BatchNormalization and its linear neighbour as one layer."""

from __future__ import annotations

import numpy as np

from ..model.graph import Graph, Node
from .base import register
from .matching import Match
from .pattern import Pattern

NORM = "BatchNormalization"
PARAMETERS = "SCALE, SHIFT, MEAN, VARIANCE"
# What Gemm's layer reads: a MatMul with a matrix, and an Add behind it, are a Gemm.
PLAIN_GEMM = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}


@register("batchnorm")
class BatchNorm(Pattern):
    """W x + b and a BatchNormalization, in either order, are one W' x + b'.

    With a = scale / sqrt(variance + ε) and t = shift − mean·a, one each per channel, a
    BatchNormalization is a·x + t. Behind the linear layer, k counting outputs,

        a_k (Σ_j w_jk x_j + b_k) + t_k = Σ_j (a_k w_jk) x_j + (a_k b_k + t_k),

    and before it, j counting inputs,

        Σ_j w_jk (a_j x_j + t_j) + b_k = Σ_j (w_jk a_j) x_j + (b_k + Σ_j w_jk t_j).

    The last sum is the same at all places only if no window reaches into padding: there x is 0, and
    not t. The layer computes W' and b' (`explainer.layers.affine`).

    A MatMul, and an Add of a constant vector behind it, are a Gemm wherever they are rows of a matrix:
    a BatchNormalization's channels are axis 1, which is the last one only there.
    """

    known_as = "merged BatchNormalization"
    patterns = (
        f"h = Conv | ConvTranspose | Gemm (x, WEIGHT, BIAS?); y = {NORM} (h, {PARAMETERS})",
        f"m = MatMul (x, WEIGHT); h = Add (m, BIAS); y = {NORM} (h, {PARAMETERS})",
        f"h = MatMul (x, WEIGHT); y = {NORM} (h, {PARAMETERS})",
        f"h = {NORM} (x, {PARAMETERS}); y = Conv | Gemm (h, WEIGHT, BIAS?)",
        f"h = {NORM} (x, {PARAMETERS}); m = MatMul (h, WEIGHT); y = Add (m, BIAS)",
        f"h = {NORM} (x, {PARAMETERS}); y = MatMul (h, WEIGHT)",
    )

    def check(self, graph: Graph, match: Match) -> str | None:
        norm, linear = match.node(NORM), _linear(match)
        if norm.attributes.get("training_mode"):
            return "it normalises by the batch, in training mode"
        if norm.attributes.get("spatial") == 0:
            return "spatial=0 is a deprecated form, with parameters for every place"
        if any(member.operator == NORM for member in linear.members):
            return f"{linear} has taken in another one"
        if linear.operator == "MatMul" and (reason := _no_gemm(graph, match)):
            return reason
        if match.nodes[0] is not norm:
            return None
        if linear.attributes.get("transA"):
            return f"{linear} turns its input: channels become rows"
        if _is_padded(linear) and _shifts(graph, norm):
            return "padding with zeros behind a shift: at the border the sums differ"
        return None

    def group(self, match: Match) -> Node:
        linear = _linear(match)
        gemm = linear.operator == "MatMul"
        return match.becomes(
            linear.operator,
            [match["x"], match["WEIGHT"], match.get("BIAS")],
            name=linear.name,
            attributes=PLAIN_GEMM if gemm else linear.attributes,
            acts_as="Gemm" if gemm else "",
        )


def _linear(match: Match) -> Node:
    return match.node("Conv", "ConvTranspose", "Gemm", "MatMul")


def _no_gemm(graph: Graph, match: Match) -> str | None:
    """Why a MatMul is no Gemm, None where it is one."""
    axes = graph.axes(match["x"])
    if axes != 2 or graph.constant(match["WEIGHT"]).ndim != 2:
        known = "an unknown number of" if axes is None else axes
        return f"{match['x']!r} has {known} axes: channels are the columns of a matrix by a matrix alone"
    columns, bias = graph.constant(match["WEIGHT"]).shape[1], match.get("BIAS")
    if bias and graph.constant(bias).shape not in [(), (1,), (columns,), (1, 1), (1, columns)]:
        return f"{bias!r} is no vector over {columns} columns"
    return None


def _is_padded(node: Node) -> bool:
    automatic = node.attributes.get("auto_pad") not in (None, "NOTSET", "VALID")
    return automatic or any(node.attributes.get("pads") or ())


def _shifts(graph: Graph, norm: Node) -> bool:
    gamma, beta, mean, variance = (graph.constant(name) for name in norm.inputs[1:5])
    return not np.all(beta == mean * (gamma / np.sqrt(variance + norm.attributes["epsilon"])))
