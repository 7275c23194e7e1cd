"""Groups of nodes have the names that people know them by."""

import numpy as np
from building import parse

from explainer.canonizers import canonize, groups_of
from explainer.canonizers.groups import KNOWN
from explainer.model.graph import Graph

C = {name: np.ones(1) for name in "ABCD"}
PAIR = ("odd pair", "q = com.example.One (x, A) y = com.example.Two (q)")


def view(body):
    more = {"w": np.ones((2, 2, 1, 1)), "S": np.array([1, 2, 2, 2])}
    text = f"g (float[1,2,2,2] x, float[1,2,2,2] k) => (float[1,2,2,2] y) {{ {body} }}"
    return canonize(
        Graph.load(parse(f'<ir_version: 8, opset_import: ["": 13, "com.example": 1]> {text}', **C, **more))
    )


def test_what_they_are_called(monkeypatch):
    name, body = PAIR
    monkeypatch.setitem(KNOWN, name, ("a = com.example.One (x, C); y = com.example.Two (a)",))
    graph = view(body)
    for node in graph.nodes:  # whichever of them is asked about
        (group,) = groups_of(graph, [node])
        assert group.name == name and group.nodes == graph.nodes


def test_what_is_no_group():
    graph = view("r = Relu (x) y = com.example.Two (r)")
    assert groups_of(graph, graph.nodes) == []
