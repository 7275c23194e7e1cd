"""Functions are explained through their body: a model's own, and those that ONNX defines."""

import pickle

import numpy as np
import onnx
import pytest
from building import parse, relative, rng, run
from onnx import helper

import explainer
from explainer import Explainer, ModelError, UnsupportedError, layers
from explainer.model import inlining
from explainer.model.graph import Graph
from explainer.model.notes import told

W = rng(3).standard_normal((4, 4))
X = rng(4).standard_normal((3, 4)).astype(np.float32)
# A function in a function, attributes handed on and left to their defaults, an operand that may be absent.
NESTED = """<ir_version: 10, opset_import: ["": {}, "own": 1]>
g (float[N,4] x) => (float[N,4] y) {{
    a = own.Block <slope = 0.3> (x, w)
    y = own.Block (a, w, b)
}}
<domain: "own", opset_import: ["": {}, "own": 1]>
Block <slope: float = 0.1> (x, w, b) => (y) {{
    h = MatMul (x, w)
    k = own.Act <alpha: float = @slope> (h)
    y = own.Shift (k, b)
}}
<domain: "own", opset_import: ["": {}]>
Act <alpha: float = 0.01> (x) => (y) {{ y = LeakyRelu <alpha: float = @alpha> (x) }}
<domain: "own", opset_import: ["": {}]>
Shift (x, b) => (y) {{ n = Clip (x, , b)  z = Softmax (n)  y = Add (x, z) }}
"""
PLAIN = """g (float[N,4] x) => (float[N,4] y) {
    h = MatMul (x, w) k = LeakyRelu <alpha = 0.3> (h) z = Softmax (k) a = Add (k, z)
    i = MatMul (a, w) l = LeakyRelu <alpha = 0.1> (i) n = Clip (l, , b) t = Softmax (n) y = Add (l, t)
}"""
B = np.float32(0.2)


def nested(model: int = 21, function: int = 21) -> onnx.ModelProto:
    return parse(NESTED.format(model, *[function] * 3), w=W, b=B)


def test_a_model_of_functions_is_that_model_written_out():
    model, plain = nested(), parse(PLAIN, w=W, b=B)
    graph = Graph.load(model)
    assert [node.operator for node in graph.nodes if node.operator != "Clip"] == [
        *("MatMul", "LeakyRelu", "Softmax", "Add"),
        *("MatMul", "LeakyRelu", "Softmax", "Add"),
    ]
    np.testing.assert_array_equal(run(graph.source.data, {"x": X})[0], run(model, {"x": X})[0])
    for how in ({}, {"composite": "gradient"}, {"dtype": "float64"}):
        found = Explainer(model, **how).explain(X, "y").relevance
        assert relative(found, Explainer(plain, **how).explain(X, "y").relevance) < 1e-6


def test_inner_tensors_are_called_after_the_call():
    made = Explainer(nested(), keep=["a/h", "y/k"])
    found = made.explain(X, "y")
    assert found.relevances["a/h"].shape == (3, 4)
    np.testing.assert_allclose(made.graph.session(["y/k"]).run({"x": X})["y/k"], _plainly("l"), rtol=1e-5)


def _plainly(name: str) -> np.ndarray:
    model = parse(PLAIN, w=W, b=B)
    model.graph.output.add(name=name)
    return run(model, {"x": X})[-1]


def test_a_note_says_what_became_of_calls():
    (line,) = told(Graph.load(nested()).notes)
    assert line == "functions: 2 x own.Block, explained as its body ('a', 'y')"
    assert line in str(Explainer(nested()).plan_for("y"))


def test_what_cannot_be_explained_says_which_function_it_came_from():
    text = """<ir_version: 10, opset_import: ["": 18, "own": 1]>
    g (float[N,4] x) => (float[N,4] y) { a = own.F (x)  y = own.F (a) }
    <domain: "own", opset_import: ["": 18]> F (x) => (y) { d = Det (x)  y = Add (x, d) }"""
    with pytest.raises(UnsupportedError) as error:
        Explainer(parse(text)).plan_for("y")
    assert "Det x2 (this operator has no layer): the first is 'a/d'" in str(error.value)
    assert "functions: 2 x own.F, explained as its body ('a', 'y')" in str(error.value)


@pytest.mark.parametrize(("model", "function"), [(18, 12), (12, 18), (18, 18)])
def test_a_body_is_in_the_opset_that_onnxruntime_runs_it_in(model, function):
    # Softmax up to 12 is over all axes from one on together: another one where there are two.
    text = f"""<ir_version: 10, opset_import: ["": {model}, "own": 1]>
    g (float[N,2,4] x) => (float[N,2,4] y) {{ y = own.Soft (x) }}
    <domain: "own", opset_import: ["": {function}]>
    Soft (x) => (y) {{ y = Softmax (x) }}"""
    x = rng(5).standard_normal((3, 2, 4)).astype(np.float32)
    graph = Graph.load(parse(text))
    np.testing.assert_array_equal(run(graph.source.data, {"x": x})[0], run(parse(text), {"x": x})[0])
    (line,) = told(graph.notes)
    assert (f"in the model's opset {model} and not its own {function}" in line) == (model != function)


def test_a_body_that_is_none_in_the_models_opset_is_refused():
    text = """<ir_version: 10, opset_import: ["": 18, "own": 1]>
    g (float[N,4] x) => (float[N,1] y) { y = own.Mean (x) }
    <domain: "own", opset_import: ["": 17]>
    Mean (x) => (y) { y = ReduceMean <axes = [1]> (x) }"""
    with pytest.raises(ModelError, match=r"ReduceMean 'y': it has no attribute 'axes'"):
        Graph.load(parse(text))


def test_a_model_that_imports_no_operators_of_onnx_has_those_of_its_functions():
    text = """<ir_version: 10, opset_import: ["own": 1, "two": 1]>
    g (float[N,4] x) => (float[N,4] y) { h = own.F (x)  y = two.G (h) }
    <domain: "own", opset_import: ["": 17]> F (x) => (y) { y = Relu (x) }
    <domain: "two", opset_import: ["": 18]> G (x) => (y) { y = Sigmoid (x) }"""
    graph = Graph.load(parse(text))
    assert graph.opset == 18
    np.testing.assert_array_equal(run(graph.source.data, {"x": X})[0], run(parse(text), {"x": X})[0])


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml", ""])
def test_a_function_called_as_an_operator_of_the_runtime_is_not_what_runs(domain):
    operator = {"ai.onnx.ml": "Binarizer", "com.microsoft": "SampleOp", "": "Gelu"}[domain]
    text = f"""<ir_version: 10, opset_import: ["": 20, "com.microsoft": 1, "ai.onnx.ml": 3]>
    g (float[N,4] x) => (float[N,4] y) {{ y = {domain + "." if domain else ""}{operator} (x) }}
    <domain: "{domain}", opset_import: ["": 20]> {operator} (a) => (b) {{ b = Neg (a) }}"""
    model = parse(text)
    assert not np.allclose(run(model, {"x": X})[0], -X)
    assert "Neg" not in {node.operator for node in Graph.load(model).nodes}
    if domain:
        with pytest.raises(UnsupportedError, match=r"give the function a domain of its own"):
            Explainer(model).plan_for("y")


def test_a_function_that_hands_on_what_it_takes():
    text = """<ir_version: 10, opset_import: ["": 18, "own": 1]>
    g (float[N,4] x) => (float[N,4] y) { a, b = own.Two (x)  y = Mul (a, three) }
    <domain: "own", opset_import: ["": 18]>
    Two (x) => (HANDED, r) { r = Relu (x) MORE }"""
    named = parse(text.replace("HANDED", "o").replace("MORE", "o = Identity (x)"), three=np.float32(3))
    found = Explainer(named, composite="gradient").explain(X, "y")
    np.testing.assert_array_equal(found.relevance, np.full((3, 4), 3))
    with pytest.raises(ModelError, match="onnxruntime cannot load it"):  # what it takes is what it makes
        Graph.load(parse(text.replace("HANDED", "x").replace("MORE", ""), three=np.float32(3)))


def test_names_that_are_taken_are_not_taken_again():
    text = """<ir_version: 10, opset_import: ["": 18, "own": 1]>
    g (float[N,4] x) => (float[N,4] y) { a = own.F (x)  |inner| = Neg (a)  y = Add (|inner|, a) }
    <domain: "own", opset_import: ["": 18]>
    F (x) => (y) { h = Relu (x)  y = Sigmoid (h) }"""
    model = parse(text.replace("|inner|", "inner"))
    for node in model.graph.node:  # not to be written in the text
        node.input[:] = ["a/h" if name == "inner" else name for name in node.input]
        node.output[:] = ["a/h" if name == "inner" else name for name in node.output]
    graph = Graph.load(model)
    assert [node.outputs[0] for node in graph.nodes] == ["a/h_1", "a", "a/h", "y"]
    np.testing.assert_array_equal(run(graph.source.data, {"x": X})[0], np.zeros((3, 4)))


def test_branches_in_a_body_read_the_callers_tensors():
    text = """<ir_version: 10, opset_import: ["": 18, "own": 1]>
    g (float[N,4] x, bool c) => (float[N,4] y) { y = own.Pick (x, c) }
    <domain: "own", opset_import: ["": 18]>
    Pick (v, d) => (y) {
        h = Relu (v)
        y = If (d) <then_branch = t () => (float[N,4] o) { k = Neg (h) o = Exp (k) },
                    else_branch = e () => (float[N,4] o) { o = Identity (v) }>
    }"""
    model = parse(text)
    for choice in (True, False):
        feeds = {"x": X, "c": np.array(choice)}
        graph = Graph.load(model)
        np.testing.assert_array_equal(run(graph.source.data, feeds)[0], run(model, feeds)[0])
        known = Graph.load(model, fix={"c": choice})
        assert "If" not in {node.operator for node in known.nodes}
        np.testing.assert_array_equal(run(known.source.data, {"x": X})[0], run(model, feeds)[0])


@pytest.fixture
def layered(monkeypatch):
    """own.Act as an operator that has a layer."""
    from explainer.layers.activations import LeakyRelu

    monkeypatch.setitem(layers.REGISTRY, "own.Act", LeakyRelu)


def test_a_layer_of_its_own_wins(layered):
    graph = Graph.load(nested())
    assert [node.operator for node in graph.nodes].count("own.Act") == 2
    assert [function.name for function in graph.source.proto.functions] == ["Act"]


def test_a_pickled_model_is_the_same(tmp_path):
    onnx.save(nested(), tmp_path / "m.onnx")
    for model in (nested(), tmp_path / "m.onnx"):
        made = Explainer(model, keep=["a/h"])
        again = pickle.loads(pickle.dumps(made))
        assert again.graph.notes == made.graph.notes
        np.testing.assert_array_equal(again.explain(X, "y").relevance, made.explain(X, "y").relevance)


def test_a_compiled_file_has_no_calls():
    made = explainer.compile(nested(), target="y")
    assert not made.functions
    np.testing.assert_allclose(
        run(made, {"x": X})[1], Explainer(nested()).explain(X, "y").relevance, rtol=1e-4, atol=1e-6
    )


def doubling(levels: int) -> onnx.ModelProto:
    """Functions of which each calls the one before twice: 2^levels nodes."""
    functions = "\n".join(
        f'<domain: "own", opset_import: ["": 18, "own": 1]> F{level} (x) => (y) '
        f"{{ h = {f'own.F{level - 1}' if level else 'Neg'} (x) "
        f"y = {f'own.F{level - 1}' if level else 'Neg'} (h) }}"
        for level in range(levels)
    )
    return parse(
        '<ir_version: 10, opset_import: ["": 18, "own": 1]> '
        f"g (float[N,4] x) => (float[N,4] y) {{ y = own.F{levels - 1} (x) }}\n{functions}"
    )


def test_bodies_that_grow_without_end_are_refused(monkeypatch):
    assert len(Graph.load(doubling(6)).nodes) == 64
    monkeypatch.setattr(inlining, "MOST_NODES", 200)
    with pytest.raises(ModelError, match=r"the bodies of its functions come to more than 200 nodes"):
        Graph.load(doubling(60))


def test_calls_that_come_to_nothing_are_counted(monkeypatch):
    model = parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }")
    model.opset_import.add(domain="own", version=1)
    imports = list(model.opset_import)
    for level in range(60):
        calls = [helper.make_node(f"F{level - 1}", ["x"], [], domain="own")] * 2 if level else []
        model.functions.append(helper.make_function("own", f"F{level}", ["x"], [], calls, imports))
    model.graph.node.append(helper.make_node("F59", ["x"], [], domain="own"))
    monkeypatch.setattr(inlining, "MOST_NODES", 2000)
    with pytest.raises(ModelError, match=r"come to more than 2,000 nodes"):
        Graph.load(model)


def test_calls_nest_as_deep_as_onnxruntime_runs_them():
    def chain(levels):
        functions = "\n".join(
            f'<domain: "own", opset_import: ["": 18, "own": 1]> F{level} (x) => (y) '
            f"{{ y = {f'own.F{level - 1}' if level else 'Neg'} (x) }}"
            for level in range(levels)
        )
        return parse(
            f'<ir_version: 10, opset_import: ["": 18, "own": 1]> g (float[N,4] x) => (float[N,4] y) '
            f"{{ y = own.F{levels - 1} (x) }}\n{functions}"
        )

    assert len(Graph.load(chain(100)).nodes) == 1
    assert np.array_equal(run(chain(100), {"x": X})[0], -X)
    with pytest.raises(ModelError, match="more than 100 deep"):
        Graph.load(chain(101))


def test_calls_in_branches_in_calls_end():
    body = """If (c) <then_branch = t () => (float[N,4] o) {{ o = own.F{} (x) }},
                     else_branch = e () => (float[N,4] o) {{ o = Neg (x) }}>"""
    functions = "\n".join(
        f'<domain: "own", opset_import: ["": 18, "own": 1]> F{level} (x, c) => (y) '
        f"{{ y = {body.format(level - 1).replace('(x)', '(x, c)', 1) if level else 'Relu (x)'} }}"
        for level in range(40)
    )
    text = """<ir_version: 10, opset_import: ["": 18, "own": 1]>
    g (float[N,4] x) => (float[N,4] y) {{ y = own.F{} (x, c) }}"""
    shallow = parse(f"{text.format(9)} {functions}", c=np.array(True))
    assert [node.operator for node in Graph.load(shallow).nodes] == ["Relu"]
    with pytest.raises(ModelError, match=r"nest more than 32 deep"):
        Graph.load(parse(f"{text.format(39)} {functions}", c=np.array(True)))
