"""BatchNormalization merged with its neighbour where the data flow allows, and nowhere else."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from onnx import numpy_helper

from explainer import Explainer, UnsupportedError, composites
from explainer.canonizers import BatchNorm, canonize, see_through
from explainer.layers import REGISTRY
from explainer.model.graph import Graph, Note
from explainer.plan import make
from explainer.rules import Epsilon

EPS = 1e-3
BN = "BatchNormalization <epsilon = 0.25>"
SIZES = {"Conv": (2, 4, 6, 5), "ConvTranspose": (2, 4, 6, 5), "Gemm": (2, 4)}
LINEAR = {
    "plain": ("Conv", "", (6, 4, 3, 2)),
    "strided": ("Conv", "<strides = [2, 1], dilations = [1, 2]>", (6, 4, 2, 2)),
    "valid": ("Conv", '<auto_pad = "VALID">', (6, 4, 3, 2)),
    "grouped": ("Conv", "<group = 2>", (6, 2, 3, 2)),
    "depthwise": ("Conv", "<group = 4>", (8, 1, 3, 3)),
    "padded": ("Conv", "<pads = [1, 1, 1, 0]>", (6, 4, 3, 2)),
    "same": ("Conv", '<auto_pad = "SAME_UPPER">', (6, 4, 3, 2)),
    "transposed": ("ConvTranspose", "<strides = [2, 1]>", (4, 6, 3, 2)),
    "transposed grouped": ("ConvTranspose", "<group = 2>", (4, 3, 3, 2)),
    "gemm": ("Gemm", "", (4, 6)),
    "gemm scaled": ("Gemm", "<alpha = 0.5, beta = 2.0, transB = 1>", (6, 4)),
}
MERGES_BEFORE = {"plain", "strided", "valid", "grouped", "depthwise", "gemm", "gemm scaled"}


def outputs_of(kind: str) -> int:
    operator, options, shape = LINEAR[kind]
    if operator == "ConvTranspose":
        return shape[1] * (2 if "group" in options else 1)
    return shape[0] if operator == "Conv" or "transB" in options else shape[1]


def norm(channels: int, shift: bool = True, seed: int = 1) -> dict[str, np.ndarray]:
    random = rng(seed, channels)
    values = {name: random.standard_normal(channels).astype(np.float32) for name in ("gamma", "beta", "mean")}
    values["variance"] = random.uniform(0.5, 2, channels).astype(np.float32)
    return values if shift else {**values, "beta": values["beta"] * 0, "mean": values["mean"] * 0}


def scale_and_shift(values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    gamma, beta, mean, variance = (np.asarray(value, dtype=np.float64) for value in values.values())
    scale = gamma / np.sqrt(variance + 0.25)
    return scale, beta - mean * scale


def model(kind: str, order: str, biased: bool = True, shift: bool = True, extra: str = "") -> onnx.ModelProto:
    """Linear then BatchNormalization ("after"), or the other way round ("before")."""
    operator, options, shape = LINEAR[kind]
    size = "N,4,6,5" if len(SIZES[operator]) == 4 else "N,4"
    b = ", b" if biased else ""
    norm_inputs = "gamma, beta, mean, variance"
    if order == "after":
        body = f"h = {operator} {options} (x, w{b}) y = {BN} (h, {norm_inputs})"
        channels = outputs_of(kind)
    else:
        body = f"h = {BN} (x, {norm_inputs}) y = {operator} {options} (h, w{b})"
        channels = 4
    constants = {"w": rng(2).standard_normal(shape), **norm(channels, shift)}
    if biased:
        constants["b"] = rng(3).standard_normal(outputs_of(kind))
    return parse(f"g (float[{size}] x) => (float[N] y) {{ {body} {extra} }}", **constants)


def x_for(kind: str) -> np.ndarray:
    return rng(4).standard_normal(SIZES[LINEAR[kind][0]]).astype(np.float32)


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
    assert relative(explanation.relevance, Epsilon(EPS)(by_hand, x, z)) < 1e-12
    assert relative(explanation.start, z.reshape(len(z), -1).sum(1)) < 1e-12
    assert relative(explanation.outputs["y"], z) < 1e-5  # onnxruntime's own, unmerged


def check_apart(proto: onnx.ModelProto, x: np.ndarray, target="y", keep=()) -> Explainer:
    """Nothing is merged, and the relevance is that without the canonizer."""
    explainer = Explainer(proto, eps=EPS, dtype="float64", keep=keep)
    found = explainer.explain(x, target=target)
    assert not any(step.node.members for step in explainer.plan_for(target).steps)
    plain = replace(composites.get("epsilon", eps=EPS), canonizers=())
    wanted = Explainer(proto, composite=plain, dtype="float64", keep=keep).explain(x, target=target)
    assert relative(found.relevance, wanted.relevance) < 1e-13
    return explainer


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
    text = f"g (float[N,4] x) => (float[N,4] y) {{ a = Gemm(x, w) b = {BN} (a, {inputs}) y = {BN} (b, {inputs}) }}"
    proto = parse(text, w=rng(7).standard_normal((4, 4)), **norm(4))
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


def test_a_normalization_whose_parameters_are_no_constants_is_not_merged_and_says_so():
    """Its scale is computed from the input's shape: known when the model runs, not before."""
    proto = model("plain", "after")
    constants = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    scale = "size = Shape <start = 1, end = 2> (x) number = Cast <to = 1> (size) s = Mul (gamma, number)"
    text = f"{scale} h = Conv (x, w, b) y = {BN} (h, s, beta, mean, variance)"
    proto = parse(f"g (float[N,4,6,5] x) => (float[N] y) {{ {text} }}", **constants)
    explainer = check_apart(proto, x_for("plain"))
    (note,) = explainer.plan_for("y").notes
    assert (note.nodes, note.reason) == (("h", "y"), "'s', its scale, is no constant")
    assert "'s', its scale, is no constant ('h' and 'y')" in str(explainer.plan_for("y"))


REASONS = {
    "'h' must stay visible": ("plain", "after", {"keep": ["h"]}, ""),
    "Relu 'z' reads 'h' too": ("plain", "after", {}, "z = Relu (h)"),
    "padding with zeros behind a shift: at the border the sums differ": ("padded", "before", {}, ""),
}


@pytest.mark.parametrize("reason", REASONS)
def test_why_nothing_is_merged_is_a_note_and_stands_in_the_plan(reason):
    kind, order, how, extra = REASONS[reason]
    plan = Explainer(model(kind, order, extra=extra), **how).plan_for("y")
    operators = ("Conv", "BatchNormalization") if order == "after" else ("BatchNormalization", "Conv")
    assert plan.notes == (Note("batchnorm", ("h", "y"), operators, reason=reason),)
    line = f"batchnorm: {' + '.join(operators)}, not one layer: {reason} ('h' and 'y')"
    assert line in str(plan).splitlines()


def test_notes_are_of_nodes_between_target_and_input_alone():
    extra = f"c = Conv (x, w) n = {BN} (c, gamma, beta, mean, variance)"
    explainer = Explainer(model("plain", "after", extra=extra))
    assert [note.layer for note in explainer.plan_for("y").notes] == ["h"]
    assert [note.layer for note in explainer.plan_for("n").notes] == ["c"]


def test_why_a_node_was_not_merged_stands_beside_the_complaint_about_it():
    text = f"g (float[N,4] x) => (float[N,6] y) {{ h = Gemm (x, w) y = {BN} (h, gamma, h, mean, variance) }}"
    constants = norm(6)
    del constants["beta"]
    with pytest.raises(
        UnsupportedError, match=r"(?s)BatchNormalization x1 .*: Gemm \+ .*'h', its shift, is no"
    ):
        Explainer(parse(text, w=rng(1).standard_normal((4, 6)), **constants)).plan  # noqa: B018
