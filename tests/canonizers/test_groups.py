"""Groups of nodes have the names that people know them by."""

import numpy as np
import pytest
from building import parse

from explainer.canonizers import canonize, groups_of
from explainer.canonizers.groups import KNOWN
from explainer.model.graph import Graph

C = {name: np.ones(1) for name in "ABCD"}
CASES = [
    ("fake-quantised tensor", "q = QuantizeLinear (x, A, Z) y = DequantizeLinear (q, A, Z)"),
]


def view(body):
    more = {"w": np.ones((2, 2, 1, 1)), "S": np.array([1, 2, 2, 2]), "Z": np.zeros(1, np.uint8)}
    text = f"g (float[1,2,2,2] x, float[1,2,2,2] k) => (float[1,2,2,2] y) {{ {body} }}"
    return canonize(Graph.load(parse(f'<ir_version: 8, opset_import: ["": 13]> {text}', **C, **more)))


@pytest.mark.parametrize(("name", "body"), CASES)
def test_what_they_are_called(name, body):
    graph = view(body)
    for node in graph.nodes[-1:]:  # whichever of them is asked about
        (group,) = groups_of(graph, [node])
        assert group.name == name and group.nodes[-1] is node


def test_each_known_group_is_met_above():
    asked = {name for name, _ in CASES}
    others = {
        "attention",
        "embedding lookup",
        "GELU",
        "SiLU",
    }  # of whole numbers, of another domain: see test_complaints
    assert asked == set(KNOWN) - others


def test_what_is_no_group():
    # What depends on the input is no constant.
    graph = view("q = QuantizeLinear (x, k, Z) y = DequantizeLinear (q, A, Z)")
    assert groups_of(graph, graph.nodes) == []
