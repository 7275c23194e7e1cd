"""What the nodes of a compiled file are called: by what they are for, and no two alike."""

import re
from collections import Counter

import onnx
import pytest
from building import parse, rng
from compiled import ASKED, every_method, options
from residual import residual_net

import explainer
from explainer import Explainer

# Beside the steps of a walk: where it starts and ends, the model run again, what a method makes of a walk.
OTHERS = ("start", "end", "model", "map")


def added(original: onnx.ModelProto, compiled: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that are new, those inside a loop too."""
    nodes = list(compiled.graph.node)[len(original.graph.node) :]
    return nodes + [n for node in nodes for a in node.attribute for n in a.g.node]


@every_method
def test_every_node_says_what_it_is_for(method):
    model = residual_net()
    compiled = explainer.compile(model, target=1, **options(method))
    steps = {
        f"{step.rule.name()}/{step.node.name}"
        for step in Explainer(model, **options(method)).plan_for(1).steps
    }
    scope = "|".join(map(re.escape, (*OTHERS, *steps)))
    nodes = added(model, compiled)
    wrong = [n.name for n in nodes if not re.fullmatch(rf"lrp/((loop|reference)/)?({scope})/.+", n.name)]
    assert not wrong
    seen = {match[1] for n in nodes if (match := re.match(rf"lrp/(?:loop/)?({scope})/{n.op_type}", n.name))}
    assert len(seen & steps) > 5  # a step may hand on what it is given
    constants = {t.name for t in compiled.graph.initializer} - {t.name for t in model.graph.initializer}
    names = {choice for choice in constants if choice in ("target", "against")}
    assert all(re.match(rf"lrp/((loop|reference)/)?({scope})/", name) for name in constants - names)


@pytest.mark.parametrize("method", [*ASKED, "lrp"])
def test_no_name_is_given_twice(method):
    compiled = explainer.compile(residual_net(), target=1, **options(method) if method in ASKED else {})
    bodies = [a.g for node in compiled.graph.node for a in node.attribute if a.HasField("g")]
    nodes = [node for graph in (compiled.graph, *bodies) for node in graph.node]
    names = Counter(node.name for node in nodes if node.name)  # the model's own have none
    tensors = Counter(name for node in nodes for name in node.output)
    assert not [name for name, count in names.items() if count > 1]
    assert not [name for name, count in tensors.items() if count > 1]


def test_a_condition_names_its_own_nodes():
    model = residual_net()
    compiled = explainer.compile(model, target=1, conditions={"c1": [0, 1]})
    names = [node.name for node in added(model, compiled)]
    assert any(re.fullmatch(r"lrp/condition/c1/Mul(_\d+)?", name) for name in names)


def test_nodes_with_odd_names_or_none():
    text = "g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w) t = Relu (h) y = Gemm (t, v) }"
    model = parse(text, w=rng(0).standard_normal((3, 4)), v=rng(1).standard_normal((4, 2)))
    model.graph.node[0].name, model.graph.node[1].name = "a/b c", ""
    model.graph.node[2].name = "start"
    compiled = explainer.compile(model, target=1)
    names = [node.name for node in added(model, compiled)]
    assert {"lrp/epsilon/a/b c", "lrp/epsilon/start"} < {name.rpartition("/")[0] for name in names}
    assert len(set(names)) == len(names)


def test_names_of_nodes_are_taken_too():
    model = parse("g (float[N,3] x) => (float[N,2] y) { y = Gemm (x, w) }", w=rng(0).standard_normal((3, 2)))
    model.graph.node[0].name = "lrp/end/relevance"
    compiled = explainer.compile(model, target=1)
    names = [node.name for node in compiled.graph.node]
    assert len(set(names)) == len(names) and all(name.startswith("lrp_/") for name in names[1:])
