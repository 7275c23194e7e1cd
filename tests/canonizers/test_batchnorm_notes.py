"""Why a BatchNormalization was not merged: a note, a line of the plan, a line of a complaint."""

import pytest
from building import parse, rng
from normed import BN, check_apart, model, norm, x_for
from onnx import numpy_helper

from explainer import Explainer, UnsupportedError
from explainer.model.graph import Note


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
