"""A view with constants that the file does not hold: they are known wherever constants are."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run
from onnx import numpy_helper

from explainer import Explainer, ModelError, NumericalError, compile, composites
from explainer.canonizers import Canonizer, Pattern
from explainer.model.graph import Graph

NET = """g (float[N,4] x) => (float[N,3] y) {
    h = Gemm <transB = 1> (x, w, b) r = Relu (h) y = Gemm <transB = 1> (r, v)
}"""
WEIGHTS = {
    "w": rng(1).standard_normal((5, 4)),
    "b": rng(2).standard_normal(5),
    "v": rng(3).standard_normal((3, 5)),
}
X = rng(4).standard_normal((2, 4)).astype(np.float32)


@dataclass(frozen=True)
class Turned(Pattern):
    """A stored weight that is turned becomes a new one that is not: the same map, another array."""

    patterns = ("y = Gemm (x, WEIGHT, BIAS?)",)
    dtype: str = "float32"

    def check(self, graph, match):
        return None if match.nodes[0].attributes["transB"] else "it is not turned"

    def arrays(self, graph, match):
        return {"WEIGHT": graph.constant(match["WEIGHT"]).T.astype(self.dtype)}

    def group(self, match):
        (node,) = match.nodes
        inputs = [match["x"], match["WEIGHT"], match["BIAS"]]
        return match.becomes("Gemm", inputs, name=node.name, attributes={**node.attributes, "transB": 0})


@dataclass(frozen=True)
class Unbiased(Canonizer):
    """Another map than the file's: the bias of every Gemm is gone."""

    def __call__(self, graph: Graph, visible: Collection[str]) -> Graph:
        zeros, nodes, arrays = graph.unused("zeros"), [], {}
        for node in graph.nodes:
            if node.operand(2):
                arrays[zeros] = np.zeros(5, np.float32)
                node = replace(node, inputs=(*node.inputs[:2], zeros))
            nodes.append(node)
        return graph.having(nodes=tuple(nodes), arrays=arrays)


def composite(*canonizers: Canonizer):
    return replace(composites.get("epsilon", eps=1e-2), canonizers=canonizers)


def graph() -> Graph:
    return Graph.load(parse(NET, **WEIGHTS))


def test_a_new_array_is_a_constant_of_the_view_and_of_no_other():
    whole, array = graph(), np.arange(4.0)
    view = whole.having(arrays={"new": array})
    assert view.constant("new") is array
    assert view.is_constant("new")
    assert "new" not in view.carrying
    assert not whole.is_constant("new")
    assert whole.constants is view.constants
    assert "new" not in view.constants
    further = view.having(arrays={"newer": -array})
    assert list(further.arrays) == ["new", "newer"]
    assert list(further.having(nodes=view.nodes).arrays) == ["new", "newer"]


@pytest.mark.parametrize("name", ["x", "w", "h", "y", "new"])
def test_a_name_is_given_once(name):
    view = graph().having(arrays={"new": np.zeros(1)})
    assert view.unused(name) == f"{name}_"
    with pytest.raises(ModelError, match=f"an array of a canonizer is called '{name}', as another tensor is"):
        view.having(arrays={name: np.zeros(1)})


def test_what_is_computed_from_a_new_array_is_not_what_the_file_computes():
    text = "g (float[N,4] x) => (float[N,5] y) { t = Transpose <perm = [1, 0]> (w) y = MatMul (x, t) }"
    whole = Graph.load(parse(text, w=WEIGHTS["w"]))
    np.testing.assert_array_equal(whole.constant("t"), whole.constant("w").T)
    node, other = whole.nodes
    view = whole.having(arrays={"new": np.ones((5, 4))}, nodes=(replace(node, inputs=("new",)), other))
    assert view.is_constant("t")
    with pytest.raises(ModelError, match="'t' is computed from an array that a canonizer made"):
        view.constant("t")


@pytest.mark.parametrize("canonizer", [Turned(), Turned("float64"), Turned("float16")])
@pytest.mark.parametrize("how", [{}, {"dtype": "float64"}, {"method": "integrated_gradients"}])
def test_explanations_know_it(canonizer, how):
    own = {} if "method" in how else {"composite": composite(canonizer)}
    if "method" in how:
        own = {"composite": replace(composites.get("gradient"), canonizers=(canonizer,)), "n_steps": 3}
    plain = {"composite": "gradient", "n_steps": 3} if "method" in how else {"eps": 1e-2}
    changed = Explainer(parse(NET, **WEIGHTS), **own, **how)
    assert [step.layer.operands["w"] for step in changed.plan.steps[::2]] == ["y/WEIGHT", "h/WEIGHT"]
    allowed = 2e-3 if canonizer.dtype == "float16" else 1e-6
    wanted = Explainer(parse(NET, **WEIGHTS), **plain, **how).explain(X)
    found = changed.explain(X)
    assert relative(found.relevance, wanted.relevance) < allowed


def test_the_walk_in_onnxruntime_knows_it():
    asked = {"method": "integrated_gradients", "n_steps": 3}
    gradients = replace(composites.get("gradient"), canonizers=(Turned(),))
    answers = [
        Explainer(parse(NET, **WEIGHTS), composite=gradients, engine=engine, **asked).explain(X).relevance
        for engine in ("numpy", "onnxruntime")
    ]
    assert relative(*answers) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("how", [{}, {"method": "integrated_gradients", "n_steps": 3}])
def test_a_compiled_file_holds_it_under_a_name_of_its_own(dtype, how):
    """The file has tensors called as the view would call the arrays, and as compiled files call theirs."""
    proto = parse(NET.replace("r = Relu (h)", "lrp_WEIGHT = Relu (h) r = Identity (lrp_WEIGHT)"), **WEIGHTS)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            names[:] = [
                name.replace("lrp_WEIGHT", "y/WEIGHT").replace("b", "lrp/constant_0") for name in names
            ]
    proto.graph.initializer[1].name = "lrp/constant_0"
    base = "gradient" if how else "epsilon"
    chosen = replace(composites.get(base), canonizers=(Turned(dtype),))
    made = compile(proto, composite=chosen, **how)
    wanted = Explainer(proto, composite=base, **how).explain(X)
    answers = run(made, X)
    assert relative(answers["relevance"], wanted.relevance) < CLOSE
    np.testing.assert_array_equal(answers["y"], wanted.outputs["y"])
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    assert len(held) == len(made.graph.initializer)
    turned = [name for name, value in held.items() if value.shape == (4, 5)]
    assert len(turned) == 1
    assert turned[0] not in {tensor.name for tensor in proto.graph.initializer}
    np.testing.assert_array_equal(held[turned[0]], WEIGHTS["w"].T.astype(np.float32))
    onnx.checker.check_model(made)


def test_another_map_than_the_files_is_found_out_in_float64():
    changed = Explainer(parse(NET, **WEIGHTS), composite=composite(Unbiased()), dtype="float64")
    with pytest.raises(NumericalError, match="differs from onnxruntime's"):
        changed.explain(X)
