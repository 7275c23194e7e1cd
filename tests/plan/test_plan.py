"""The plan: complaints all at once, what is kept, what is freed, and the shortcut behind a Relu."""

import numpy as np
import pytest
from building import parse, relative, rng

from explainer import Explainer, TargetError, UnsupportedError

NET = """g (float[N,2,6,6] x) => (float[N,3] y) {
    c = Conv (x, w, b)
    r = Relu (c)
    p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
    f = Flatten (p)
    y = Gemm (f, v)
}"""
SHAPES = {"w": (4, 2, 3, 3), "b": (4,), "v": (16, 3), "u": (4, 2, 3, 3), "t": (4, 4, 1, 1)}


def net(text: str = NET):
    weights = {name: rng(9, *shape).standard_normal(shape) for name, shape in SHAPES.items()}
    return parse(text, zero=np.float32(0), six=np.float32(6), **weights)


def x_for(samples: int = 2) -> np.ndarray:
    return rng(10).standard_normal((samples, 2, 6, 6)).astype(np.float32)


def body(*lines: str) -> str:
    return "g (float[N,2,6,6] x) => (float[N] y) {" + " ".join(lines) + "}"


def behind(text: str, target="y", composite="epsilon") -> list[str]:
    """The layers that take the Relu's output for their own."""
    steps = Explainer(net(text), composite=composite).plan_for(target).steps
    changed = [step for step in steps if step.record != step.layer.output]
    assert changed == [step for step in steps if not step.layer.signed]
    return [step.node.name for step in changed]


HEAD = "f = Flatten (p) y = Gemm (f, v)"
POOL = "p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)"
SHORTCUT = {
    "a head of movement and pools": NET,
    "a residual sum": body("c = Conv (x, w, b) r = Relu (c) e = Conv (r, t) d = Add (e, r) y = Relu (d)"),
    "a kept copy": body("c = Conv (x, w) e = Conv (x, u) s = Add (c, e) r = Relu (s)", POOL, HEAD),
    "two Relus": body("c = Conv (x, w, b) r0 = Relu (c) r = Relu (r0)", POOL, HEAD),
    "an average": body("c = Conv (x, w, b) r = Relu (c) m = GlobalAveragePool (r) y = Flatten (m)"),
}


@pytest.mark.parametrize("name", SHORTCUT)
@pytest.mark.parametrize("start", ["output", "one"])
def test_behind_a_relu_the_relevance_is_the_same(name, start, monkeypatch):
    text = SHORTCUT[name]
    assert behind(text)
    options = {"dtype": "float64", "keep": "all", "eps": 1e-2}
    short = Explainer(net(text), **options).explain(x_for(), start=start)
    monkeypatch.setattr("explainer.plan.make.behind_relu", lambda graph, steps, start: steps)
    long = Explainer(net(text), **options).explain(x_for(), start=start)
    assert relative(short.relevance, long.relevance) < 1e-12
    for name, value in long.relevances.items():
        assert relative(short.relevances[name], value) < 1e-12
    for one, other in zip(short.audit, long.audit, strict=True):
        np.testing.assert_allclose(one.bias, other.bias, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(one.epsilon, other.epsilon, rtol=1e-10, atol=1e-14)


def test_behind_a_relu_float32_reads_one_tensor_less():
    reads = Explainer(net()).plan.reads
    assert "r" in reads
    assert "c" not in reads
    explanation = Explainer(net(), eps=1e-2).explain(x_for())
    wanted = Explainer(net(), eps=1e-2, dtype="float64").explain(x_for())
    assert relative(explanation.relevance, wanted.relevance) < 1e-4


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (body("c = Conv (x, w, b) r = Clip (c, zero, six)", POOL, HEAD), "y"),
        (body("c = Conv (x, w, b) r = LeakyRelu (c)", POOL, HEAD), "y"),
        (body("c = Conv (x, w, b) r0 = Relu (c) r = Add (r0, c)", POOL, HEAD), "y"),
        (
            body(
                "c = Conv (x, w, b) r = Relu (c) s = Softplus (r) m = GlobalAveragePool (s) y = Flatten (m)"
            ),
            "y",
        ),
        (NET, "r"),
        (NET, ("r", 3)),
        (NET, "c"),
        (NET, ("c", 3)),
        (body("c = Conv (x, w, b) y = Relu (c)"), "y"),
    ],
)
def test_where_the_shortcut_must_not_be_taken(text, target):
    steps = Explainer(net(text)).plan_for(target).steps
    assert all(step.record == step.layer.output and step.layer.signed for step in steps)


@pytest.mark.parametrize("start", ["output", "one"])
def test_relevance_that_starts_at_a_closed_relu_is_divided_by_z(start, monkeypatch):
    text = body("c = Conv (x, w, b) y = Relu (c)")
    found = Explainer(net(text), dtype="float64").explain(x_for(), target=("y", 5), start=start)
    monkeypatch.setattr("explainer.plan.make.behind_relu", lambda graph, steps, start: steps)
    wanted = Explainer(net(text), dtype="float64").explain(x_for(), target=("y", 5), start=start)
    np.testing.assert_array_equal(found.relevance, wanted.relevance)


def test_the_table_names_node_operator_layer_and_rule():
    text = str(Explainer(net()).plan)
    header, titles, _, *rows = text.splitlines()
    assert header == "relevance starts at 'y' and ends at 'x'"
    assert titles.split() == ["node", "operator", "recognised", "as", "rule", "note"]
    assert [row.split() for row in rows] == [
        ["y", "Gemm", "Gemm", "epsilon:1e-06"],
        ["f", "Flatten", "Flatten", "route"],
        ["p", "MaxPool", "MaxPool", "winner"],
        ["r", "Relu", "Relu", "pass"],
        ["c", "Conv", "Conv", "epsilon:1e-06"],
    ]


def test_all_complaints_come_at_once_with_counts_and_first_names():
    sines = " ".join(f"s{i} = com.microsoft.SampleOp (s{i - 1})" for i in range(1, 6))
    text = f"""g (float[N,2,6,6] x) => (float[N,2,6,6] y) {{
        off = com.microsoft.Trilu (x) unread = Tan (off)
        s0 = com.microsoft.Inverse (x) {sines} m = Mod <fmod = 1> (s5, s0) y = Relu (m)
    }}"""
    with pytest.raises(UnsupportedError) as caught:
        Explainer(net(text)).plan  # noqa: B018
    lines = str(caught.value).splitlines()
    assert "7 nodes on the way from 'y' to the input cannot be explained" in lines[0]
    assert (
        lines[1] == "  com.microsoft.Inverse x1 (this operator has no layer): 's0'"
    )  # in the order in which the model has them
    assert lines[2] == "  com.microsoft.SampleOp x5 (this operator has no layer): the first is 's1'"
    assert lines[3] == "  Mod x1 (this operator has no layer): 'm'"
    assert not any(
        "target=" in line for line in lines
    )  # nothing lies between the input and the first of them
    assert not any("com.microsoft.Trilu" in line or "Tan" in line for line in lines)


def test_complaints_come_before_any_number(monkeypatch):
    monkeypatch.setattr("explainer.model.session.Session.run", lambda *_: pytest.fail("the model was run"))
    text = "g (float[N,2,6,6] x) => (float[N,2,6,6] y) { y = com.microsoft.SampleOp (x) }"
    with pytest.raises(UnsupportedError):
        Explainer(net(text)).explain(x_for())


def test_kept_tensors_by_name_or_all():
    explanation = Explainer(net(), keep=["f", "x", "y", "f"]).explain(x_for())
    assert list(explanation.relevances) == ["f", "x", "y"]
    assert explanation.relevances["f"].shape == (2, 16)
    np.testing.assert_array_equal(explanation.relevances["x"], explanation.relevance)
    start = explanation.relevances["y"]
    np.testing.assert_allclose(start.max(1), explanation.start)
    everything = Explainer(net(), keep="all").explain(x_for())
    assert list(everything.relevances) == ["y", "f", "p", "r", "c", "x"]
    np.testing.assert_array_equal(everything.relevances["f"], explanation.relevances["f"])


def test_a_kept_tensor_sums_over_all_its_readers():
    text = body("c = Conv (x, w, b) a = Relu (c) e = Conv (a, t) y = Add (e, a)")
    explanation = Explainer(net(text), keep=["a", "e", "y"], dtype="float64", eps=1e-9).explain(x_for())
    kept, step = explanation.relevances, explanation.audit[0]
    assert step.node == "y"
    # What a receives directly, and by way of e.
    assert relative(step.R_in, kept["y"].reshape(2, -1).sum(1) - step.epsilon) < 1e-12
    direct = step.R_in - kept["e"].reshape(2, -1).sum(1)
    via = explanation.audit[1].R_in
    assert relative(kept["a"].reshape(2, -1).sum(1), direct + via) < 1e-10


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (["nothing_like_it"], "'nothing_like_it' is no tensor of this model"),
        (["off"], "'off' is not on the path"),
        (["ff"], "'ff' is no tensor.*did you mean 'f'"),
        (["w"], "'w' is a constant that nothing on the path adds or puts in a place; there are 'b'"),
        (["off", "zz"], "'off'(.|\n)*'zz'"),
    ],
)
def test_an_unknown_or_off_path_name_is_an_error_with_near_names(keep, message):
    text = NET.replace("}", "off = com.microsoft.SampleOp (f) }")
    with pytest.raises(TargetError, match=message):
        Explainer(net(text), keep=keep).plan  # noqa: B018


def test_a_target_that_depends_on_no_input_is_an_error():
    text = NET.replace("}", "k = Relu (v) }")
    with pytest.raises(TargetError, match="does not depend on the values"):
        Explainer(net(text)).plan_for("k")


def test_every_tensor_is_freed_after_its_last_reader():
    steps = Explainer(net(SHORTCUT["a residual sum"])).plan.steps
    alive = set().union(*(step.reads for step in steps))
    for index, step in enumerate(steps):
        assert step.reads <= alive
        alive -= set(step.frees)
        assert alive == set().union(*(later.reads for later in steps[index + 1 :]))


def test_activations_are_let_go_during_the_walk(monkeypatch):
    seen = {}

    def spy(plan, activations, *rest, **named):
        seen["relevance"] = real(plan, activations, *rest, **named)
        seen["left"] = dict(activations)
        return seen["relevance"]

    from explainer.walk import walker

    real = walker.backward
    monkeypatch.setattr(walker, "backward", spy)
    Explainer(net()).explain(x_for())
    assert set(seen["left"]) <= {"y"}
