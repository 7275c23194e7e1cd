"""Where layers lie between input and target, against every path through random graphs."""

import numpy as np
import onnx
import pytest
from building import NEWEST, model_of
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from explainer import Explainer

# What a random graph is made of: tensors are (N,4) throughout.
OPERATORS = {"Relu": 1, "Tanh": 1, "Neg": 1, "Identity": 1, "MatMul": 1, "Gemm": 1, "Add": 2, "Sub": 2}
WEIGHTED = {"MatMul", "Gemm"}


@st.composite
def graphs(draw) -> list[tuple[str, list[int]]]:
    """Node i: its operator, and the earlier values it reads; value 0 is the input."""
    nodes = []
    for index in range(draw(st.integers(1, 9))):
        operator = draw(st.sampled_from(sorted(OPERATORS)))
        reads = st.lists(st.integers(0, index), min_size=OPERATORS[operator], max_size=OPERATORS[operator])
        nodes.append((operator, draw(reads)))
    return nodes


def model(nodes: list[tuple[str, list[int]]]) -> onnx.ModelProto:
    built = []
    for index, (operator, reads) in enumerate(nodes):
        inputs = [f"v{read}" for read in reads] + (["w"] if operator in WEIGHTED else [])
        built.append(helper.make_node(operator, inputs, [f"v{index + 1}"], name=f"n{index + 1}"))
    x, y = (helper.make_tensor_value_info(n, 1, ["N", 4]) for n in ("v0", f"v{len(nodes)}"))
    graph = helper.make_graph(
        built, "g", [x], [y], [numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")]
    )
    return model_of(graph, NEWEST)


def paths(nodes, value: int) -> list[list[int]]:
    """Every path from a value to the input, as the numbers of its nodes."""
    if value == 0:
        return [[]]
    return [[value, *rest] for read in set(nodes[value - 1][1]) for rest in paths(nodes, read)]


@pytest.mark.slow
@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(graphs())
def test_first_last_and_ancestors_are_what_the_paths_say(nodes):
    found = {step.node.name: step.layer.place for step in Explainer(model(nodes)).plan.steps}
    first, last, ancestors = set(), set(), {}
    for path in paths(nodes, len(nodes)):
        weighted = [f"n{node}" for node in path if nodes[node - 1][0] in WEIGHTED]
        first.update(weighted[-1:])
        last.update(weighted[:1])
        for place, node in enumerate(path):
            ancestors.setdefault(f"n{node}", set()).update(f"n{other}" for other in path[place:])
    assert {name for name, place in found.items() if place.first} == first
    assert {name for name, place in found.items() if place.last} == last
    for name, place in found.items():
        seen = {other for other in place.ancestors(name) if other in found}
        assert seen == {other for other in ancestors[name] if other in found}
        assert place.ancestors("nowhere") == frozenset()


@pytest.mark.slow
@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(graphs())
def test_who_reads_the_input_itself(nodes):
    # What has no weights computes place by place here, of one tensor or two: no operator moves values.
    copies = {0}
    for index, (operator, reads) in enumerate(nodes, start=1):
        if operator not in WEIGHTED and copies.issuperset(reads):
            copies.add(index)
    for step in Explainer(model(nodes)).plan.steps:
        reads = nodes[int(step.node.name[1:]) - 1][1]
        assert step.layer.place.at_input == copies.issuperset(reads)


def test_several_inputs():
    from building import parse

    text = """g (float[N,4] a, float[N,4] b) => (float[N,4] y) {
        p = MatMul (a, w) q = Add (p, b) r = MatMul (q, w) s = Concat <axis = 1> (r, b) y = MatMul (s, v)
    }"""
    plan = Explainer(parse(text, w=np.eye(4), v=np.ones((8, 4)))).plan
    places = {step.node.name: step.layer.place for step in plan.steps}
    assert {name for name, place in places.items() if place.first} == {"p", "r", "y"}
    assert {name for name, place in places.items() if place.last} == {"y"}
    assert {name for name, place in places.items() if place.at_input} == {"p"}


@pytest.mark.parametrize("target", ["v2", "v3"])
def test_the_last_layer_is_the_targets(target):
    chain = [("MatMul", [0]), ("Relu", [1]), ("MatMul", [2]), ("MatMul", [3])]
    steps = Explainer(model(chain)).plan_for(target).steps
    last = [step.node.name for step in steps if step.layer.place.last]
    assert last == [{"v2": "n1", "v3": "n3"}[target]]
