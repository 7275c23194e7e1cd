"""How a file writes a deviation or a length out: read from y upwards, one node after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..model.graph import Graph, Node
from .matching import Match
from .reader import Reader, Unread, axes_of, counted_axes, spread_of

STATISTICS = ("ReduceMean", "ReduceSum", "ReduceSumSquare")


@dataclass(frozen=True, eq=False)
class Reading(Match):
    """A normalisation that a file writes out: x, y, and WEIGHT and BIAS where there are such.

    Attributes
    ----------
    attributes : dict
        See `explainer.layers.norms.Standardised`.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)


def read(graph: Graph, node: Node) -> Iterator[Reading]:
    """The normalisations that end at a node: of x − m, and of that as it is, which may be read elsewhere."""
    if node.members or node.operator not in ("Div", "Mul", "Add") or len(node.inputs) != 2:
        return
    way = _shifted if node.operator == "Add" else _quotient
    seen = set[tuple[Node, ...]]()
    for centred in (True, False):
        for order in ((0, 1),) if node.operator == "Div" else ((0, 1), (1, 0)):
            reader = Reader(graph, [node])
            try:
                names, how = way(reader, node.inputs[order[0]], node.inputs[order[1]], centred)
            except Unread:
                continue
            nodes = tuple(sorted(set(reader.nodes), key=graph.places.__getitem__))
            if nodes not in seen:
                seen.add(nodes)
                yield Reading({**names, "y": node.outputs[0]}, {}, nodes, how)


def _quotient(reader: Reader, u: str, other: str, centred: bool) -> tuple[dict[str, str], dict[str, Any]]:
    """y = u/d, or u·(1/d), or u·(w/d)."""
    last, names = reader.nodes[0], dict[str, str]()
    if last.operator == "Mul":
        other, names = _weighted(reader, other)
    how = _deviation(reader, other, inverse=last.operator == "Mul")
    return {"x": _signal(reader, how, u, centred), **names}, how


def _shifted(reader: Reader, a: str, c: str, centred: bool) -> tuple[dict[str, str], dict[str, Any]]:
    """y = x·k + (b − m·k), k = w/d: TensorFlow's batch_normalization."""
    if not centred:
        raise Unread
    rest, scaled = reader.take(c, "Sub"), reader.take(a, "Mul")
    bias = rest.inputs[0]
    moved = reader.take(rest.inputs[1], "Mul")
    for k in scaled.inputs:
        if k in moved.inputs and bias not in reader.graph.carrying:
            x, m = (node.inputs[1 - node.inputs.index(k)] for node in (scaled, moved))
            inverse, names = _weighted(reader, k)
            how = _deviation(reader, inverse, inverse=True)
            base = how.pop("base")
            _mean_of(reader, how, m, x)
            if base != x and not _is_difference(reader, how, base, x, m):
                continue
            how["centred"] = True
            return {"x": x, "BIAS": bias, **names}, how
    raise Unread


def _weighted(reader: Reader, name: str) -> tuple[str, dict[str, str]]:
    """1/d of w/d, and w by its name, where a constant is multiplied first."""
    node = reader.maker(name, "Mul")
    for place in (0, 1) if node is not None else ():
        if node is not None and reader.graph.is_constant(node.inputs[place]):
            reader.nodes.append(node)
            return node.inputs[1 - place], {"WEIGHT": node.inputs[place]}
    return name, {}


def _signal(reader: Reader, how: dict[str, Any], u: str, centred: bool) -> str:
    """x, whose deviation it is: what u is the difference of from its own mean, or u itself."""
    base = how.pop("base")
    if how["centred"] or centred:
        node = reader.take(u, "Sub")
        x, m = node.inputs
        if base not in (u, x) and not _is_difference(reader, how, base, x, m):
            raise Unread
        if (base == x) != how["centred"]:
            raise Unread  # the deviation of one, the difference of the other
        _mean_of(reader, how, m, x)
        how["centred"] = True
        return x
    if base != u:
        raise Unread
    return u


def _is_difference(reader: Reader, how: dict[str, Any], name: str, x: str, m: str) -> bool:
    """Whether a tensor is x − m, by another node than the one that is divided, or by a mean of its own."""
    node = reader.maker(name, "Sub")
    if node is None or node.inputs[0] != x:
        return False
    reader.nodes.append(node)
    if node.inputs[1] != m:
        _mean_of(reader, how, node.inputs[1], x)
    return True


def _mean_of(reader: Reader, how: dict[str, Any], name: str, x: str) -> None:
    """Take m, the mean of x over the same axes."""
    name, added = spread_of(reader, name)
    factor = 1.0
    while (node := reader.maker(name, "Mul", "Div")) is not None and (scaled := reader.with_number(node)):
        name, value = scaled
        factor *= value if node.operator == "Mul" else 1 / value
        reader.nodes.append(node)
    if not added:
        name, added = spread_of(reader, name)
    last = reader.take(name, "ReduceMean", "ReduceSum")
    if last.inputs[0] != x or axes_of(reader, last, added) != how["axes"]:
        raise Unread
    if last.operator == "ReduceSum":
        how["mean_factor"] = factor
    elif factor != 1:
        raise Unread


def _deviation(reader: Reader, name: str, *, inverse: bool) -> dict[str, Any]:
    """What is read of d, or of 1/d: see `Standardised`; and the tensor whose squares are added up."""
    how: dict[str, Any] = {"outside": 0.0, "least": 0.0, "epsilon": 0.0, "factor": 1.0}
    how |= {"centred": False, "summed": False, "mean_factor": None}
    limit = reader.maker(name, "Min") if inverse else None
    limited = None if limit is None else reader.with_number(limit)
    if limit is not None and limited is not None and limited[1] > 0:  # TensorFlow's: min(1/r, 1/least)
        reader.nodes.append(limit)
        name, how["least"] = limited[0], 1 / limited[1]
    power = _power(reader, name) if inverse else None
    if power is not None and math.isclose(power[1], -0.5):
        reader.take(name, "Pow")
        return how | _squares(reader, power[0], how)
    if inverse:
        turned = reader.take(name, "Reciprocal", "Div")
        if turned.operator == "Div" and reader.number(turned.inputs[0]) != 1:
            raise Unread
        name = turned.inputs[-1]
    name, added = spread_of(reader, name)
    while (node := reader.maker(name, "Add", "Max", "Clip")) is not None:
        inner, value = _bounded(reader, node)
        if node.operator == "Add":
            how["outside"] += value
        else:
            how["least"] = max(how["least"], value)
        if node.operator == "Add" and how["least"]:
            raise Unread  # max(r + c, least) is another function
        name = inner
    name, before = spread_of(reader, name)
    added = added or before
    if (length := reader.maker(name, "ReduceL2")) is not None:
        reader.nodes.append(length)
        found = {"base": length.inputs[0], "axes": axes_of(reader, length, added), "summed": True}
        return how | found
    power = _power(reader, name)
    if power is not None and math.isclose(power[1], 0.5):
        reader.take(name, "Pow")
        return how | _squares(reader, power[0], how, added)
    return how | _squares(reader, reader.take(name, "Sqrt").inputs[0], how, added)


def _power(reader: Reader, name: str) -> tuple[str, float] | None:
    node = reader.maker(name, "Pow")
    value = None if node is None else reader.number(node.inputs[1])
    return None if node is None or value is None else (node.inputs[0], value)


def _bounded(reader: Reader, node: Node) -> tuple[str, float]:
    """What a constant is added to, or is the least of, and the constant."""
    reader.nodes.append(node)
    if node.operator == "Clip":
        least = node.attributes.get("min", reader.number(node.operand(1)))
        most = node.attributes.get("max", reader.number(node.operand(2)))
        most = math.inf if most is None and not node.operand(2) else most
        if least is None or most is None or most < np.finfo(np.float32).max:
            raise Unread
        return node.inputs[0], float(least)
    found = reader.with_number(node)
    if found is None or found[1] < 0:
        raise Unread
    return found


def _squares(reader: Reader, name: str, so_far: dict[str, Any], added: Sequence[Node] = ()) -> dict[str, Any]:
    """What is under the root: f·Σu² + ε, or the larger of that and a bound."""
    how: dict[str, Any] = {"factor": 1.0, "epsilon": 0.0, "correction": 0.0}
    while True:
        if not added:
            name, added = spread_of(reader, name)
        node = reader.maker(name, "Add", "Max", "Clip", "Mul", "Div")
        if node is None or (node.operator == "Mul" and node.inputs[0] == node.inputs[1]):
            break
        if node.operator == "Div" and (corrected := _corrected(reader, node)) is not None:
            name, how["correction"], counted = corrected
            how["counted"] = counted
            continue
        if node.operator in ("Mul", "Div"):
            scaled = reader.with_number(node)
            if scaled is None or scaled[1] <= 0:
                raise Unread
            reader.nodes.append(node)
            name = scaled[0]
            how["factor"] *= scaled[1] if node.operator == "Mul" else 1 / scaled[1]
            continue
        name, value = _bounded(reader, node)
        if node.operator == "Add":
            how["epsilon"] += how["factor"] * value
        elif value > 0:
            if how["epsilon"] or so_far["least"] or how["factor"] != 1:
                raise Unread
            how["least"] = math.sqrt(value)
    counted = how.pop("counted", None)
    if (difference := reader.maker(name, "Sub")) is not None and how["factor"] == 1:
        found = _variance(reader, difference, added)
    else:
        found = _mean_square(reader, name, added)
    if counted is not None and (found["summed"] or counted_axes(reader.graph, counted) != found["axes"]):
        raise Unread
    return how | found


def _corrected(reader: Reader, node: Node) -> tuple[str, float, str] | None:
    """v of v·n/(n − c), c, and n by its name, a number of values that the input's sizes tell."""
    graph, below = reader.graph, node.inputs[1]
    less = graph.producers.get(below)
    scaled = reader.maker(node.inputs[0], "Mul")
    if graph.is_constant(below) or less is None or less.operator != "Sub" or scaled is None:
        return None
    n, c = less.inputs[0], reader.number(less.inputs[1])
    if c is None or n not in scaled.inputs or below in graph.carrying:
        return None
    reader.nodes += [node, scaled]
    return scaled.inputs[1 - scaled.inputs.index(n)], c, n


def _mean_square(reader: Reader, name: str, added: Sequence[Node]) -> dict[str, Any]:
    """Σu² or its mean: u, the axes, and which."""
    node = reader.take(name, *STATISTICS)
    base = node.inputs[0]
    if node.operator != "ReduceSumSquare":
        base = _squared(reader, base)
    return {
        "base": base,
        "axes": axes_of(reader, node, added),
        "summed": node.operator != "ReduceMean",
    }


def _squared(reader: Reader, name: str) -> str:
    """u of u², as a power or a product."""
    node = reader.take(name, "Pow", "Mul")
    same = node.inputs[0] == node.inputs[1]
    if not same if node.operator == "Mul" else reader.number(node.inputs[1]) != 2:
        raise Unread
    return node.inputs[0]


def _variance(reader: Reader, node: Node, added: Sequence[Node]) -> dict[str, Any]:
    """E(x²) − E(x)²: JAX's."""
    reader.nodes.append(node)
    first, second = node.inputs
    factor = 1.0
    if (scaled := reader.maker(first, "Mul")) is not None and (pair := reader.with_number(scaled)):
        reader.nodes.append(scaled)
        first, factor = pair
    found = _mean_square(reader, first, added)
    if found["summed"] == (factor == 1):
        raise Unread
    mean = _squared(reader, second)
    mean_how: dict[str, Any] = {"axes": found["axes"], "mean_factor": None}
    _mean_of_same(reader, mean_how, mean, found["base"], added)
    if found["summed"] and mean_how["mean_factor"] not in (None, factor):
        raise Unread
    return found | {"factor": factor, "centred": True, "mean_factor": factor if found["summed"] else None}


def _mean_of_same(reader: Reader, how: dict[str, Any], name: str, x: str, added: Sequence[Node]) -> None:
    """The mean in E(x)², which is spread where the variance is."""
    factor = 1.0
    if (node := reader.maker(name, "Mul")) is not None and (pair := reader.with_number(node)):
        reader.nodes.append(node)
        name, factor = pair
    node = reader.take(name, "ReduceMean", "ReduceSum")
    if node.inputs[0] != x or axes_of(reader, node, added) != how["axes"]:
        raise Unread
    if node.operator == "ReduceSum":
        how["mean_factor"] = factor
