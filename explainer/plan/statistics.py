"""An image's own statistics, by which a file normalises it: x − mean(x), (x − mean(x)) / deviation(x).

In front of a first layer whose rule does not multiply by x they are numbers of this call, as the mean and
deviation of a data set are numbers of the file: relevance goes to the image and none to its mean, so that
the map is that of the same net fed the normalised image.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import UnsupportedError
from ..layers.kinds import SUM
from ..model.graph import Graph, Node
from ..model.operators import known
from ..model.roles import ELEMENTWISE, REDUCING
from .complaints import layer_of
from .where import Prepared

# What sums an image up, or the surroundings of each place.
SUMMING = REDUCING | {"AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool"}
MOVING = frozenset(
    {"Expand", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
NORMALISING = frozenset({"Add", "Div", "Mul", "Sub", "Sum"})

IMAGE, VALUES, STATISTIC = "the input, at most moved and normalised", "made of its values", "sums them up"


def normalised(graph: Graph) -> dict[Node, Graph]:
    """The nodes in front of every weight that join the input with its own statistics.

    Parameters
    ----------
    graph : Graph, canonized

    Returns
    -------
    dict of Node -> Graph
        Each with a view in which its statistics are parameters.
    """
    roles = {value.name: IMAGE for value in graph.inputs}
    origins = {value.name: frozenset({value.name}) for value in graph.inputs}
    prepared = Prepared(roles)
    found: dict[Node, Graph] = {}
    for node in graph.nodes:
        reads = [name for name in dict.fromkeys((*node.inputs, *node.captures)) if name in graph.carrying]
        if not reads or known(node.operator).shape_alone or not roles.keys() >= set(reads):
            continue
        held = frozenset(name for name in reads if roles[name] == STATISTIC)
        images = [name for name in node.inputs if roles.get(name) == IMAGE]
        origin = frozenset().union(*(origins[name] for name in reads))
        if node.operator in NORMALISING and held and _joins(node, images, held, origins):
            found[node] = graph.having(held=graph.held | held)
        if _goes_through(found.get(node, graph), node, prepared):
            role: str | None = IMAGE
        else:
            role = _role(node, {roles[name] for name in reads})
        if role is not None:
            roles.update((name, role) for name in node.outputs if name)
            origins.update((name, origin) for name in node.outputs if name)
    return found


def _joins(
    node: Node, images: list[str], held: frozenset[str], origins: Mapping[str, frozenset[str]]
) -> bool:
    """Whether it is one image, on a line of its own, and statistics of nothing else."""
    if len(images) != 1 or (node.operator == "Div" and node.inputs[0] != images[0]):
        return False
    return all(origins[name] <= origins[images[0]] for name in held)


def _goes_through(graph: Graph, node: Node, prepared: Prepared) -> bool:
    """Whether all that it makes of the input is the input, at most moved and normalised."""
    if node.operator in SUMMING:
        return False
    try:
        layers = [layer_of(node, graph, place) for place, name in enumerate(node.outputs) if name]
    except UnsupportedError:
        return False  # there is no need to explain it
    scales = (layer.having(kind=SUM) if layer.only_scales(graph) else layer for layer in layers)
    return all(prepared.goes_through(layer) for layer in scales)


def _role(node: Node, reads: set[str]) -> str | None:
    """What its outputs are besides, None where there may be weights in them."""
    if node.operator in SUMMING:
        return STATISTIC
    if node.operator in ELEMENTWISE | MOVING:
        return STATISTIC if reads == {STATISTIC} else VALUES
    return None
