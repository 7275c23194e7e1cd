"""A file with one thing wrong in it is refused, whatever that is and on whatever examples it is proved."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from compiled import options, run
from onnx import numpy_helper
from residual import picture, residual_net

import explainer
from explainer import ModelError
from explainer.compiler import emitting, tracing
from explainer.compiler.examples import Examples
from explainer.rules import ZPlus

REFUSED = r"differs from NumPy's|cannot load|cannot run|is not valid|not finite|ask where|changes when"


def walked(proto: onnx.ModelProto) -> list[tuple[onnx.GraphProto, onnx.NodeProto]]:
    """The nodes of the walk, or of those in a loop where there is one, each with its graph."""
    bodies = [a.g for node in proto.graph.node for a in node.attribute if a.name == "body"]
    graphs = bodies or [proto.graph]
    return [
        (graph, node)
        for graph in graphs
        for node in graph.node
        if node.name.startswith("lrp") and "/model/" not in node.name and node.op_type != "Loop"
    ]


def flip_one_weight(proto: onnx.ModelProto) -> None:
    """Of the first convolution or product of matrices in the walk, the largest weight's sign."""
    weights = {tensor.name: tensor for tensor in proto.graph.initializer}
    for _, node in walked(proto):
        for place, name in enumerate(node.input):
            if node.op_type in ("ConvTranspose", "Conv", "MatMul", "Gemm") and name in weights:
                values = numpy_helper.to_array(weights[name]).copy()
                values.flat[np.abs(values).argmax()] *= -1
                proto.graph.initializer.append(numpy_helper.from_array(values, "broken"))
                node.input[place] = "broken"
                return
    raise AssertionError("no weight in the walk")


def shift_one_window(proto: onnx.ModelProto) -> None:
    """One convolution's pads, of the same size, to the other side."""
    for _, node in walked(proto):
        for attribute in node.attribute:
            if node.op_type in ("ConvTranspose", "Conv") and attribute.name == "pads" and any(attribute.ints):
                attribute.ints[:] = [0, attribute.ints[1], 2, attribute.ints[3]]
                return
    raise AssertionError("no window in the walk")


def change_one_stride(proto: onnx.ModelProto) -> None:
    for _, node in walked(proto):
        for attribute in node.attribute:
            if node.op_type == "ConvTranspose" and attribute.name == "strides" and attribute.ints[0] > 1:
                attribute.ints[0] -= 1
                return
    raise AssertionError("no stride in the walk")


def add_for_multiply(proto: onnx.ModelProto) -> None:
    node = next(node for _, node in walked(proto) if node.op_type == "Mul")
    node.op_type = "Add"


BREAKS = [flip_one_weight, shift_one_window, change_one_stride, add_for_multiply]
METHODS = {
    "epsilon": {},
    "recommended": {"composite": "recommended"},
    "gradient": {"method": "gradient"},
    **{method: options(method) for method in ("integrated_gradients", "vargrad", "deeplift")},
}


@pytest.mark.slow
@pytest.mark.parametrize("how", METHODS)
@pytest.mark.parametrize("breaks", BREAKS, ids=lambda breaks: breaks.__name__)
def test_one_wrong_node_is_seen(breaks, how, monkeypatch):
    real = emitting.written

    def broken(*given):
        proto = real(*given)
        breaks(proto)
        return proto

    monkeypatch.setattr(emitting, "written", broken)
    with pytest.raises(ModelError, match=REFUSED):
        explainer.compile(residual_net(), target=1, **METHODS[how])


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["c0", "c2", "y"])
def test_the_wrong_rule_at_one_layer_is_seen(layer, monkeypatch):
    real = tracing.backward

    def wrong(plan, *given, **more):
        steps = [replace(s, rule=ZPlus()) if s.layer.output in (layer, "n0", "n2") else s for s in plan.steps]
        return real(replace(plan, steps=tuple(steps)), *given, **more)

    monkeypatch.setattr(tracing, "backward", wrong)
    with pytest.raises(ModelError, match=REFUSED):
        explainer.compile(residual_net(), target=1)


def scale(proto: onnx.ModelProto, number: int, factor: float) -> None:
    """Multiply what one node of the walk gives."""
    graph, node = walked(proto)[number]
    name = node.output[0]
    proto.graph.initializer.append(numpy_helper.from_array(np.array(factor, np.float32), "broken"))
    node.output[0] = "whole"
    place = list(graph.node).index(node) + 1
    graph.node.insert(place, onnx.helper.make_node("Mul", ["whole", "broken"], [name]))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(9))
def test_every_ninth_node_off_by_a_hundredth_is_seen_or_makes_no_difference(start, monkeypatch):
    """A mask, a sign, |z| in a share: what comes of them does not change with their size."""
    good, x, real = explainer.compile(residual_net(), target=1), picture(2), emitting.written
    wanted = run(good, x)["relevance"]
    for number in range(start, len(walked(good)), 9):

        def broken(*given, number=number):
            proto = real(*given)
            scale(proto, number, 1.01)
            return proto

        monkeypatch.setattr(emitting, "written", broken)
        try:
            explainer.compile(residual_net(), target=1)
        except ModelError:
            continue
        proto = onnx.ModelProto()
        proto.CopyFrom(good)
        scale(proto, number, 1.01)
        assert relative(run(proto, x)["relevance"], wanted) < 1e-5


@pytest.mark.slow
def test_examples_do_not_decide(monkeypatch):
    """A map that is lost in float32, a dead net and a variance of nothing are no faults of a file."""
    text = "g (float[N,4] x) => (float[N,3] y) { q = Mul (x, x) n = Neg (q) r = Relu (n) y = MatMul (r, w) }"
    dead = parse(text, w=rng(0).standard_normal((4, 3)))
    for how in ({}, {"composite": "zplus"}, {"method": "gradient"}, {"method": "vargrad", "n_samples": 3}):
        explainer.compile(dead, target=1, **how)
    linear = parse(
        "g (float[N,4] x) => (float[N,3] y) { y = MatMul (x, w) }", w=rng(1).standard_normal((4, 3))
    )
    explainer.compile(linear, target=1, method="vargrad", n_samples=5)
    real = Examples.feeds
    for scale in (1e-6, 1e3):
        monkeypatch.setattr(
            Examples,
            "feeds",
            lambda *given, scale=scale: {k: (x * scale).astype(x.dtype) for k, x in real(*given).items()},
        )
        for how in ({}, {"method": "smoothgrad", "n_samples": 3}, {"method": "deeplift"}):
            explainer.compile(residual_net(), target=1, **how)
