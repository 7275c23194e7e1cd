"""The order that nodes run in: of the graph, whichever a file lists them in."""

import numpy as np
import onnx
import pytest
from building import parse, rng
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer import compile, explain
from explainer.model.graph import Graph
from explainer.model.order import CycleError, NodeNames, in_order, run_order

DEEP = 10_000


def names(*nodes: str) -> list[NodeNames]:
    """``"a,b>c"``: a node that reads a and b and makes c."""
    parts = [node.split(">") for node in nodes]
    return [NodeNames(tuple(reads.split(",")), tuple(makes.split(","))) for reads, makes in parts]


def shuffled(model: onnx.ModelProto, order) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    copy.graph.node.extend(model.graph.node[place] for place in order)
    return copy


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=200)
def test_every_node_stands_behind_what_it_reads_and_the_file_has_no_say(seed):
    random = rng(seed)
    made = ["x"]
    nodes = []
    for number in range(random.integers(1, 12)):
        nodes.append(NodeNames(tuple(random.choice(made, random.integers(1, 4))), (f"t{number}",)))
        made.append(f"t{number}")
    ends = list(random.choice(made, 2))
    wanted = [nodes[place] for place in run_order(nodes, ends)]
    assert in_order(wanted)
    assert sorted(wanted) == sorted(nodes)
    mixed = [nodes[place] for place in random.permutation(len(nodes))]
    assert [mixed[place] for place in run_order(mixed, ends)] == wanted


def test_operands_come_in_their_order_and_dead_ends_last():
    nodes = names("c,b>y", "x>b", "x>c", "x>unread", "x>also")
    assert [nodes[place].makes[0] for place in run_order(nodes, ["y"])] == ["c", "b", "y", "also", "unread"]


@pytest.mark.parametrize(
    ("nodes", "ring"),
    [
        (names("y>y"), [0]),
        (names("x,b>a", "a>b", "b>y"), [0, 1]),
        (names("x>y", "b>a", "a>b"), [1, 2]),  # off the path
        (names("x>y", "b>a", "a>b", "b>c"), [1, 2]),  # and with a dead end behind it
    ],
)
def test_nodes_that_wait_for_each_other_are_named(nodes, ring):
    with pytest.raises(CycleError) as caught:
        run_order(nodes, ["y"])
    assert sorted(caught.value.places) == ring


def test_a_ring_as_long_as_the_graph_is_found_without_recursion():
    chain = [NodeNames((f"t{n}",), (f"t{n + 1}",)) for n in range(DEEP)]
    assert run_order(chain[::-1], [f"t{DEEP}"]) == list(range(DEEP))[::-1]
    ring = [*chain, NodeNames((f"t{DEEP}",), ("t0",))]
    with pytest.raises(CycleError) as caught:
        run_order(ring, [f"t{DEEP}"])
    assert len(caught.value.places) == DEEP + 1


OPERATORS = ("Add", "Sub", "Mul", "Relu", "Neg", "Gemm", "Max", "Concat")


def net(seed: int) -> onnx.ModelProto:
    """A random graph of two inputs and some constants; every tensor may have many readers."""
    random = rng(9, seed)
    made, lines = ["x", "z"], []
    for number in range(random.integers(3, 12)):
        first, second = random.choice(made, 2)
        operator = random.choice(OPERATORS)
        body = {
            "Relu": f"Relu ({first})",
            "Neg": f"Neg ({first})",
            "Gemm": f"Gemm ({first}, w)",
            "Max": f"MatMul ({first}, k)",
            "Concat": f"Concat <axis = 1> ({first}, {second})",
        }.get(operator, f"{operator} ({first}, {second if operator != 'Mul' else 'c'})")
        if operator == "Concat":
            lines.append(f"j{number} = {body}")
            body = f"MatMul (j{number}, v)"
        lines.append(f"t{number} = {body}")
        made.append(f"t{number}")
    lines.append(f"y = Sum ({', '.join(dict.fromkeys(made[-1:] + list(random.choice(made, 3))))})")
    return parse(
        f"g (float[N,4] x, float[N,4] z) => (float[N,4] y) {{ k = Transpose (w) {' '.join(lines)} }}",
        w=random.standard_normal((4, 4)),
        v=random.standard_normal((8, 4)),
        c=random.standard_normal(4),
    )


def explained(model: onnx.ModelProto, **options) -> dict[str, np.ndarray]:
    feeds = {name: rng(8).standard_normal((2, 4)).astype(np.float32) for name in "xz"}
    names = {value.name for value in Graph.load(model).inputs}
    return explain(model, {name: feeds[name] for name in names}, target=1, **options).relevance


def equal_to_the_bit(found, wanted) -> None:
    found, wanted = (value if isinstance(value, dict) else {"": value} for value in (found, wanted))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert found[name].tobytes() == values.tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_nodes_are_explained_as_sorted_ones_to_the_bit(seed):
    model = net(seed)
    orders = [rng(7, seed, n).permutation(len(model.graph.node)) for n in range(2)]
    for options in ({"eps": 1e-2}, {"eps": 1e-2, "dtype": "float64"}, {"method": "gradient"}):
        wanted = explained(model, **options)
        for order in orders:
            equal_to_the_bit(explained(shuffled(model, order), **options), wanted)


@pytest.mark.parametrize("seed", range(6))
def test_shuffled_nodes_are_compiled_as_sorted_ones(seed):
    model = net(seed)
    order = rng(7, seed).permutation(len(model.graph.node))
    wanted = compile(model, target=1, eps=1e-2).SerializeToString(deterministic=True)
    assert compile(shuffled(model, order), target=1, eps=1e-2).SerializeToString(deterministic=True) == wanted


def test_what_runs_is_the_file_as_it_was_given_and_the_callers_model_stays_as_it_is():
    model = shuffled(net(0), range(len(net(0).graph.node))[::-1])
    given = model.SerializeToString()
    graph = Graph.load(model)
    assert graph.source.data == given == model.SerializeToString()
    assert in_order([NodeNames(node.inputs, node.outputs) for node in graph.nodes])


def test_a_model_that_its_owner_changes_later_is_the_one_that_was_read():
    model = parse("g (float[N,2] x) => (float[N,2] y) { y = Mul (x, k) }", k=[2.0, 3.0])
    graph = Graph.load(model)
    model.graph.initializer[0].raw_data = bytes(8)
    assert graph.constant("k").tolist() == [2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("backwards", [False, True])
def test_ten_thousand_nodes_in_a_row(backwards):
    nodes = [onnx.helper.make_node("Relu", [f"t{n}"], [f"t{n + 1}"]) for n in range(DEEP)]
    ends = [onnx.helper.make_tensor_value_info(name, 1, ["N", 2]) for name in ("t0", f"t{DEEP}")]
    graph = onnx.helper.make_graph(nodes[::-1] if backwards else nodes, "g", ends[:1], ends[1:])
    opsets = [onnx.helper.make_opsetid("", 17)]
    nodes = Graph.load(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)).nodes
    assert [node.outputs[0] for node in nodes] == [f"t{n + 1}" for n in range(DEEP)]
