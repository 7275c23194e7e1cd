"""BatchNormalization merged with its neighbour where the data flow allows, and nowhere else."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from normed import (
    BN,
    EPS,
    LINEAR,
    MERGES_BEFORE,
    check_apart,
    model,
    norm,
    outputs_of,
    scale_and_shift,
    x_for,
)
from onnx import numpy_helper

from explainer import Explainer, UnsupportedError, composites
from explainer.canonizers import BatchNorm, canonize, see_through
from explainer.layers import REGISTRY
from explainer.model.graph import Graph
from explainer.plan import make
from explainer.rules import Epsilon, Relevance
from explainer.testing import check_canonizer


def merged_by_hand(proto: onnx.ModelProto, kind: str, order: str, shift: bool) -> dict[str, np.ndarray]:
    """W and b of the one layer, channel by channel in plain loops."""
    stored = {t.name: np.array(numpy_helper.to_array(t), dtype=np.float64) for t in proto.graph.initializer}
    operator, options, _ = LINEAR[kind]
    w, outputs = stored["w"].copy(), outputs_of(kind)
    b = stored.get("b", np.zeros(outputs)).copy()
    if kind == "gemm scaled":
        w, b = 0.5 * w.T, 2 * b
    scale, move = scale_and_shift(norm(outputs if order == "after" else 4, shift))
    group = 4 if kind == "depthwise" else 2 if "group" in options else 1
    if order == "after":
        for k in range(outputs):
            if operator == "Conv":
                w[k] *= scale[k]
            elif operator == "Gemm":
                w[:, k] *= scale[k]
            else:
                depth = outputs // group
                rows = slice((k // depth) * (4 // group), (k // depth + 1) * (4 // group))
                w[rows, k % depth] *= scale[k]
        return {"w": w, "b": b * scale + move}
    for j in range(4):
        for k in range(outputs):
            if operator == "Gemm":
                b[k] += w[j, k] * move[j]
                w[j, k] *= scale[j]
            elif j // (4 // group) == k // (outputs // group):
                place = k, j % (4 // group)
                b[k] += w[place].sum() * move[j]
                w[place] *= scale[j]
    return {"w": w, "b": b}


def check_merged(proto: onnx.ModelProto, kind: str, order: str, shift: bool = True) -> None:
    explainer = Explainer(proto, eps=EPS, dtype="float64")
    (step,) = explainer.plan_for("y").steps
    assert len(step.node.members) == 2
    x = x_for(kind).astype(np.float64)
    graph = Graph.load(proto)
    linear = next(node for node in graph.nodes if node.operator == LINEAR[kind][0])
    by_hand = REGISTRY[linear.operator](linear, graph)
    by_hand = by_hand.bind(x, None, merged_by_hand(proto, kind, order, shift))
    z = by_hand.forward(x)
    explanation = explainer.explain(x_for(kind), target="y")
    assert relative(explanation.relevance, Epsilon(EPS)(by_hand, x, Relevance(None, z)).whole) < 1e-12
    assert relative(explanation.start, z.reshape(len(z), -1).sum(1)) < 1e-12
    assert relative(explanation.outputs["y"], z) < 1e-5  # onnxruntime's own, unmerged


@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("order", ["after", "before"])
def test_it_passes_the_proofs_that_other_peoples_canonizers_have_to(kind, order):
    if order == "after" or kind in MERGES_BEFORE:
        # These models declare no rank that onnx's checker would take.
        (note,) = check_canonizer("batchnorm", model(kind, order), {"x": x_for(kind)}, compiled=False)
        assert not note.refused


@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("biased", [True, False])
def test_a_normalization_behind_its_linear_layer_is_merged(kind, biased):
    check_merged(model(kind, "after", biased), kind, "after")


@pytest.mark.parametrize("kind", sorted(MERGES_BEFORE))
@pytest.mark.parametrize("biased", [True, False])
def test_a_normalization_before_an_unpadded_linear_layer_is_merged(kind, biased):
    check_merged(model(kind, "before", biased), kind, "before")


@pytest.mark.parametrize("kind", ["padded", "same"])
def test_padding_after_a_shift_forbids_it_and_without_a_shift_does_not(kind):
    check_apart(model(kind, "before"), x_for(kind))
    check_merged(model(kind, "before", shift=False), kind, "before", shift=False)


@pytest.mark.parametrize("kind", ["transposed", "transposed grouped"])
def test_a_transposed_convolution_takes_in_no_normalization_before_it(kind):
    check_apart(model(kind, "before"), x_for(kind))


@pytest.mark.parametrize(
    ("order", "extra"),
    [("after", "z = Relu (h)"), ("before", "z = Relu (h)"), ("after", "z = Add (h, y)")],
)
def test_a_second_reader_forbids_it(order, extra):
    proto = model("plain", order, extra=extra)
    check_apart(proto, x_for("plain"))


@pytest.mark.parametrize("order", ["after", "before"])
def test_a_graph_output_in_between_forbids_it(order):
    proto = model("plain", order)
    proto.graph.output.append(onnx.helper.make_empty_tensor_value_info("h"))
    proto.graph.output[-1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    explainer = check_apart(proto, x_for("plain"))
    assert "'h' must stay visible" in str(explainer.plan)


@pytest.mark.parametrize("order", ["after", "before"])
def test_a_kept_tensor_in_between_forbids_it(order):
    check_apart(model("plain", order), x_for("plain"), keep=["h"])
    explanation = Explainer(model("plain", order), keep="h").explain(x_for("plain"))
    assert set(explanation.relevances) == {"h"}


@pytest.mark.parametrize("order", ["after", "before"])
def test_a_target_in_between_stays_itself(order):
    explainer = Explainer(model("plain", order), dtype="float64")
    (step,) = explainer.plan_for("h").steps
    assert step.node.name == "h"
    assert not step.node.members
    explainer.explain(x_for("plain"), target=("h", 3))


def test_a_normalization_between_two_goes_to_the_first_and_each_layer_takes_one():
    weights = {name: rng(7).standard_normal((4, 4, 1, 1)) for name in "wv"}
    text = "g (float[N,4,3,3] x) => (float[N,4,3,3] y) {{ {} }}"
    inputs = "gamma, beta, mean, variance"
    sandwich = f"a = Conv(x, w) b = {BN} (a, {inputs}) y = Conv(b, v)"
    found = Explainer(parse(text.format(sandwich), **weights, **norm(4))).plan.steps
    assert [[m.operator for m in step.node.members] for step in found] == [[], ["Conv", "BatchNormalization"]]
    around = f"a = {BN} (x, {inputs}) b = Conv(a, w) y = {BN} (b, {inputs})"
    found = Explainer(parse(text.format(around), w=weights["w"], **norm(4))).plan.steps
    assert [[m.operator for m in step.node.members] for step in found] == [[], ["BatchNormalization", "Conv"]]


def test_a_second_canonizer_of_the_same_kind_takes_in_no_second_normalization():
    inputs = "gamma, beta, mean, variance"
    chain = f"a = Gemm(x, w) b = {BN} (a, {inputs}) y = {BN} (b, {inputs})"
    proto = parse(
        f"g (float[N,4] x) => (float[N,4] y) {{ {chain} }}", w=rng(7).standard_normal((4, 4)), **norm(4)
    )
    twice = replace(composites.get("epsilon", eps=EPS), canonizers=("batchnorm", "batchnorm"))
    explainer = Explainer(proto, composite=twice, dtype="float64")
    assert [len(step.node.members) for step in explainer.plan.steps] == [0, 2]
    assert explainer.plan.notes[-1].reason == "Gemm 'a' has taken in another one"
    once = Explainer(proto, eps=EPS, dtype="float64").explain(x_for("gemm"))
    np.testing.assert_array_equal(explainer.explain(x_for("gemm")).relevance, once.relevance)


def test_a_gemm_that_turns_its_input_takes_in_no_normalization_before_it():
    text = f"h = {BN} (x, gamma, beta, mean, variance) y = Gemm <transA = 1> (h, w)"
    proto = parse(
        f"g (float[2,4] x) => (float[4,3] y) {{ {text} }}", w=rng(7).standard_normal((2, 3)), **norm(4)
    )
    (note,) = canonize(Graph.load(proto)).notes
    assert note.reason == "Gemm 'y' turns its input: channels become rows"


def test_one_tensor_read_twice_by_the_next_layer_is_not_merged():
    text = f"g (float[N,4] x) => (float[N,6] y) {{ h = Gemm (x, w) y = {BN} (h, gamma, h0, mean, variance) }}"
    constants = norm(6)
    proto = parse(text, w=rng(1).standard_normal((4, 6)), h0=constants.pop("beta"), **constants)
    assert len(Explainer(proto).plan.steps) == 1
    proto.graph.node[1].input[2] = "h"  # the shift is computed from the input
    with pytest.raises(UnsupportedError, match="its shift is computed from the input"):
        Explainer(proto).plan  # noqa: B018


def test_a_normalization_in_training_mode_is_refused():
    proto = model("plain", "after")
    proto.graph.node[1].attribute.append(onnx.helper.make_attribute("training_mode", 1))
    with pytest.raises(UnsupportedError, match=r"training mode.*eval mode"):
        Explainer(proto).plan  # noqa: B018


def test_the_graph_and_the_file_stay_as_they_were():
    proto = model("plain", "after")
    before = proto.SerializeToString()
    graph = Graph.load(proto)
    nodes, source = graph.nodes, graph.source
    view = canonize(graph)
    assert graph.nodes is nodes
    assert [node.operator for node in nodes] == ["Conv", "BatchNormalization"]
    assert len(view.nodes) == 1
    assert BatchNorm()(view, ()).nodes == view.nodes == see_through(view).nodes
    explainer = Explainer(proto)
    explainer.explain(x_for("plain"))
    assert proto.SerializeToString() == before
    for name in graph.initializers:
        stored = numpy_helper.to_array(next(t for t in proto.graph.initializer if t.name == name))
        np.testing.assert_array_equal(explainer.graph.constant(name), stored)
    assert graph.source is source
    assert make.canonize is canonize
