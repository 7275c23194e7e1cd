"""A MatMul, with or without an Add of a vector, takes in a BatchNormalization as a Gemm does."""

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run

from explainer import Explainer, compile
from explainer.canonizers import canonize
from explainer.model.graph import Graph

NORM_4, NORM_6 = (
    f"BatchNormalization <epsilon = 0.25> ({{}}, gamma{k}, beta{k}, mean{k}, variance{k})" for k in (4, 6)
)
ROWS = "g (float[N,4] x) => (float[N,6] y) {{ {} }}"
THREE = "g (float[N,6,4] x) => (float[N,6,6] y) {{ {} }}"
UNKNOWN = "g (float[N,M] t, int64[K] size) => (float[N,6] y) {{ x = Reshape (t, size) {} }}"
# The same map twice: with MatMul, and with Gemm.
ALIKE = {
    "MatMul, norm": (
        "m = MatMul (x, w) y = " + NORM_6.format("m"),
        "m = Gemm (x, w) y = " + NORM_6.format("m"),
    ),
    "MatMul, Add, norm": (
        "m = MatMul (x, w) a = Add (m, b) y = " + NORM_6.format("a"),
        "m = Gemm (x, w, b) y = " + NORM_6.format("m"),
    ),
    "MatMul, Add of a row, norm": (
        "m = MatMul (x, w) a = Add (row, m) y = " + NORM_6.format("a"),
        "m = Gemm (x, w, b) y = " + NORM_6.format("m"),
    ),
    "MatMul, Add of a number, norm": (
        "m = MatMul (x, w) a = Add (m, one) y = " + NORM_6.format("a"),
        "m = Gemm (x, w, one) y = " + NORM_6.format("m"),
    ),
    "norm, MatMul": (
        "m = " + NORM_4.format("x") + " y = MatMul (m, w)",
        "m = " + NORM_4.format("x") + " y = Gemm (m, w)",
    ),
    "norm, MatMul, Add": (
        "n = " + NORM_4.format("x") + " m = MatMul (n, w) y = Add (m, b)",
        "n = " + NORM_4.format("x") + " y = Gemm (n, w, b)",
    ),
}
X = rng(4).standard_normal((2, 4)).astype(np.float32)


def model(text: str, form: str = ROWS) -> onnx.ModelProto:
    b = rng(31).standard_normal(6)
    constants = {"w": rng(30).standard_normal((4, 6)), "b": b, "row": b[None], "one": np.float32(0.7)}
    constants["column"] = rng(32).standard_normal((2, 1))
    for k in (4, 6):
        random = rng(33, k)
        constants |= {f"{name}{k}": random.standard_normal(k) for name in ("gamma", "beta", "mean")}
        constants[f"variance{k}"] = random.uniform(0.5, 2, k)
    return parse(form.format(text), **constants)


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("composite", ["epsilon", "gamma", "alpha2_beta1", "flat", "gradient"])
def test_the_relevance_is_that_of_the_gemm(name, composite):
    if composite == "flat" and name.startswith("norm"):
        pytest.skip("a norm before a first layer that does not multiply by its input is preprocessing")
    found, wanted = [], []
    for text, answers, operator in zip(ALIKE[name], (found, wanted), ("MatMul", "Gemm"), strict=True):
        explainer = Explainer(model(text), composite=composite, dtype="float64")
        (step,) = explainer.plan_for("y").steps
        assert (step.node.operator, type(step.layer).__name__) == (operator, "Gemm")
        answers.append(explainer.explain(X, target="y"))
    np.testing.assert_allclose(found[0].relevance, wanted[0].relevance, rtol=1e-12)
    for ours, theirs in zip(found[0].audit, wanted[0].audit, strict=True):
        np.testing.assert_allclose(ours.bias, theirs.bias, rtol=1e-12)
    assert relative(found[0].outputs["y"], wanted[0].outputs["y"]) < 1e-6  # onnxruntime's, unmerged


def test_it_is_not_the_relevance_of_three_layers():
    text, _ = ALIKE["MatMul, Add, norm"]
    one = Explainer(model(text), dtype="float64", eps=1e-2).explain(X)
    three = Explainer(model(text), dtype="float64", eps=1e-2, keep=["m", "a"]).explain(X)
    assert relative(one.relevance, three.relevance) > 1e-2


def test_it_is_selected_by_its_own_operator_and_by_every_name_in_it():
    for selector in ("MatMul", "m", "a", "y", "dense"):
        (step,) = Explainer(model(ALIKE["MatMul, Add, norm"][0]), rules={selector: "zplus"}).plan.steps
        assert str(step.rule).startswith("zplus")


@pytest.mark.parametrize("name", ALIKE)
def test_it_compiles(name):
    proto = model(ALIKE[name][0])
    assert relative(run(compile(proto), X)["relevance"], Explainer(proto).explain(X).relevance) < CLOSE


def test_a_matmul_and_an_add_alone_are_another_canonizers():
    plan = Explainer(model("m = MatMul (x, w) y = Add (m, b)")).plan
    assert [note.canonizer for note in plan.notes] == ["linear"]


@pytest.mark.parametrize(
    ("form", "text", "reason"),
    [
        (
            ROWS,
            "m = MatMul (x, w) a = Add (m, column) y = " + NORM_6.format("a"),
            "'column' is no vector over 6",
        ),
        (
            ROWS,
            "m = MatMul (x, w) n = Relu (m) a = Add (m, n) y = " + NORM_6.format("a"),
            "Relu 'n' reads 'm' too",
        ),
        (
            ROWS,
            "m = MatMul (x, w) n = Gemm (x, w) a = Add (m, n) y = " + NORM_6.format("a"),
            "'n', its bias, is no constant",
        ),
        (THREE, "m = MatMul (x, w) y = " + NORM_6.format("m"), "'x' has 3 axes: channels are the columns of"),
        (THREE, "n = " + NORM_6.format("x") + " m = MatMul (n, w) y = Add (m, b)", "'x' has 3 axes"),
    ],
)
def test_what_is_no_gemm_stays_apart_and_the_plan_says_why(form, text, reason):
    plan = Explainer(model(text, form)).plan_for("y")
    (note,) = [note for note in plan.notes if note.canonizer == "batchnorm"]
    assert note.refused
    assert note.reason.startswith(reason)
    assert reason in str(plan)


def test_an_add_that_is_no_vector_does_not_keep_a_normalization_from_what_is_behind_it():
    plan = Explainer(model("n = " + NORM_4.format("x") + " m = MatMul (n, w) y = Add (m, column)")).plan
    assert [len(step.node.members) for step in plan.steps] == [0, 2]
    assert [note.layer for note in plan.notes] == ["m"]


def test_where_the_number_of_axes_is_not_known_nothing_is_merged():
    graph = Graph.load(model("m = MatMul (x, w) y = " + NORM_6.format("m"), UNKNOWN))
    assert "'x' has an unknown number of axes" in canonize(graph).notes[0].reason
