"""The gate: what no file behind it has, in its graph, in subgraphs and in functions."""

import numpy as np
import onnx
import pytest
from building import parse, run
from gated import W, X, body, changed, refused
from onnx import helper, numpy_helper

from explainer import explain
from explainer.model.graph import Graph

PLAIN = "g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"


def inside(lines: str, output: str = "o") -> str:
    """The lines in a branch of an If, behind which y is made."""
    branch = f"t () => (float[N,4] {output}) {{ {lines} }}"
    return body(
        f"y = If <then_branch = {branch}, else_branch = e () => (float[N,4] p) {{ p = Neg (x) }}> (c)"
    )


def in_function(*nodes: onnx.NodeProto, opset: int = 17) -> onnx.ModelProto:
    """The nodes, from a to b, as a function of the model."""
    model = parse(body("y = Relu (x)"))
    model.graph.node[0].domain, model.graph.node[0].op_type = "own", "F"
    model.opset_import.add(domain="own", version=1)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], list(nodes), imports))
    return model


YES = {"c": np.array(True)}
NEG = helper.make_node("Neg", ["a"], ["b"])


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (body("y = Relu (x) y = Neg (x)"), ["'y' is made twice", "Relu 'y' and Neg 'y'"]),
        ("g (float[N,4] x) => (float[N,2] y) { y, y = Split <axis = 1> (x) }", ["'y' is made twice"]),
        ("g (float[N,4] x, float[N,4] x) => (float[N,4] y) { y = Relu (x) }", ["'x' is made twice"]),
        (body("x = Neg (x) y = Relu (x)"), ["'x' is made twice", "an input and Neg"]),
        (body("y = Relu (q)"), ["Relu 'y' reads 'q', which nothing makes"]),
        ("g (float[N,4] x) => (float[N,4] z) { y = Relu (x) }", ["nothing makes the output 'z'"]),
        ("g (float[N,4] x) => (float[N,4] y, float[N,4] y) { y = Relu (x) }", ["two outputs", "'y'"]),
    ],
)
def test_names_stand_for_one_thing(model, parts):
    refused(parse(model), *parts)


def twice(model):
    model.graph.initializer.append(numpy_helper.from_array(2 * W, "w"))


def test_initializers_have_names_of_their_own():
    refused(changed(body("y = MatMul (x, w)"), twice, w=W), "'w' is made twice", "an initializer and an init")
    refused(parse(body("w = Neg (x) y = Add (x, w)"), w=W), "'w' is made twice", "an initializer and Neg 'w'")
    large = np.ones((90, 90), np.float32)  # read from the file when it is needed
    model = parse("g (float[N,90] x) => (float[N,90] y) { y = MatMul (x, w) }", w=large)
    model.graph.initializer.append(numpy_helper.from_array(2 * large, "w"))
    refused(model, "'w' is made twice")


def test_two_nodes_of_one_name_are_refused():
    def named(model):
        for node in model.graph.node:
            node.name = "n"

    refused(changed(body("a = Neg (x) y = Relu (a)"), named), "two nodes are called 'n'")
    # Constants have no node in onnxruntime, which runs such files.
    constants = "a = Constant <value_float = 2.0> () b = Constant <value_float = 3.0> ()"
    constants += " c = Mul (x, a) y = Mul (c, b)"

    def constants_named(model):
        for node in model.graph.node[:2]:
            node.name = "n"

    explained = explain(changed(body(constants), constants_named), np.ones((1, 4), np.float32))
    np.testing.assert_allclose(explained.outputs["y"], 6)


def test_an_initializer_may_be_an_inputs_default():
    model = parse("g (float[N,4] x, float[4] k) => (float[N,4] y) { y = Mul (x, k) }", k=[1.0, 2, 3, 4])
    np.testing.assert_allclose(explain(model, X, target=2).relevance[:, 2], 3 * X[:, 2], rtol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        ("y = Identity (y)", ["Identity 'y' waits for its own output", "no cycles"]),
        ("y = Relu (y)", ["Relu 'y' waits"]),
        ("a = Add (x, b) b = Relu (a) y = Neg (b)", ["Add 'a'", "Relu 'b'", "wait for each other"]),
        ("y = Relu (x) a = Add (x, b) b = Relu (a)", ["Add 'a'", "Relu 'b'"]),  # off the path
    ],
)
def test_cycles_are_refused_at_once(nodes, named):
    refused(parse(body(nodes)), *named)


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        ("o = Add (q, x) q = Abs (o)", ["Add 'o'", "Abs 'q'", "in then_branch of If 'y'", "no cycles"]),
        ("o = Add (q, x) q = Abs (x)", ["in then_branch of If 'y'", "not in the order that they run"]),
        ("o = Abs (x) o = Neg (x)", ["'o' in then_branch of If 'y' is made twice"]),
        ("o = Add (q, x)", ["If 'y' reads 'q', which nothing makes"]),
        ("o = Add (y, x)", ["If 'y' waits for its own output"]),
        ("o = MatMul (x)", ["MatMul 'o' in then_branch of If 'y'", "has 1 input, and takes 2"]),
        ("k = Neg (x)", ["nothing makes the output 'o' in then_branch of If 'y'"]),
    ],
)
def test_subgraphs_pass_the_same_gate(lines, parts):
    refused(parse(inside(lines), **YES), *parts)


def test_a_name_in_a_subgraph_hides_the_one_outside():
    text = inside("o = Add (q, x)").replace("(c)", "(d)")  # told by data: a known branch is put in place
    told = "q = Exp (x) m = ReduceSum <keepdims = 0> (x) d = Cast <to = 9> (m) y = If"
    model = parse(text.replace("y = If", told))
    assert set(Graph.load(model).producers["y"].captures) == {"q", "x"}
    branch = model.graph.node[3].attribute[0].g
    branch.initializer.append(numpy_helper.from_array(np.ones(4, np.float32), "q"))
    assert Graph.load(model).producers["y"].captures == ("x",)
    np.testing.assert_allclose(run(model, {"x": X})[0], X + 1)


def nested(levels: int) -> onnx.ModelProto:
    """An If in an If in an If ..., each reading the x of the outermost graph."""
    model = parse(body("y = Relu (x)"), **YES)
    graph = model.graph
    for level in range(levels):
        graph.node[0].op_type, graph.node[0].input[:] = "If", ["c"]
        plain, deep = (
            graph.node[0].attribute.add(name=name, type=5) for name in ("else_branch", "then_branch")
        )
        for attribute, made in ((plain, f"p{level}"), (deep, f"t{level}")):
            attribute.g.name = made
            attribute.g.node.append(helper.make_node("Neg", ["x"], [made]))
            attribute.g.output.add(name=made)
        graph = deep.g
    return model


def test_subgraphs_nest_as_deep_as_protobuf_reads_them():
    model = nested(25)
    assert Graph.load(model).producers["y"].operator == "Neg"
    del model.graph.initializer[:]
    model.graph.input.add().CopyFrom(helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, []))
    assert set(Graph.load(model).producers["y"].captures) == {"x", "c"}
    for form in (nested(1000), nested(1000).SerializeToString()):
        refused(form, "truncated or nests too deep")


@pytest.mark.parametrize(
    ("nodes", "parts"),
    [
        ([helper.make_node("Neg", ["b"], ["b"])], ["Neg 'b' in function own.F waits for its own output"]),
        ([helper.make_node("Neg", ["x"], ["b"])], ["Neg 'b' in function own.F reads 'x'"]),
        ([NEG, NEG], ["'b' in function own.F is made twice"]),
        ([helper.make_node("Add", ["a"], ["b"])], ["Add 'b' in function own.F", "has 1 input, and takes 2"]),
        ([helper.make_node("F", ["a"], ["b"], domain="own")], ["functions of it call themselves: own.F"]),
        (
            [helper.make_node("Neg", ["k"], ["b"]), helper.make_node("Abs", ["a"], ["k"])],
            ["the nodes in function own.F are not in the order"],
        ),
    ],
)
def test_functions_pass_the_same_gate(nodes, parts):
    refused(in_function(*nodes), *parts)


def test_two_functions_of_one_name_are_refused():
    model = in_function(NEG)
    model.functions.append(model.functions[0])
    refused(model, "two functions are called own.F")


def test_a_function_may_mean_another_opset():
    Graph.load(in_function(NEG, opset=6))
