"""A map that is empty, or that hardly any of the relevance is in, says so wherever it is shown."""

import json

import numpy as np
import pytest
from building import parse, rng
from command_line import run
from PIL import Image

import explainer
from explainer import Explainer, InputError, Preprocess
from explainer.drawing.colours import ColorMap
from explainer.drawing.panels import Look
from explainer.drawing.paper import Bar, Writing, wrapped
from explainer.results.remarks import percents

NET = """g (float[N,3,12,12] x) => (float[N,2] y) {{
    c = Conv <pads = [1, 1, 1, 1]> ({}, k, b) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p)
    y = MatMul (f, w) }}"""
PICTURE = Image.fromarray(rng(0).integers(1, 256, (12, 12, 3), dtype=np.uint8))
EMPTY = "the map is 0 everywhere"


def net(bias=0.0, weight=1.0, inner="x"):
    model = parse(
        NET.format(inner), k=rng(1).random((4, 3, 3, 3)), b=np.full(4, bias), w=np.full((4, 2), weight)
    )
    if inner != "x":
        model.graph.node.insert(
            0, parse(f"g (float[N] x) => (float[N] {inner}) {{ {inner} = Neg (x) }}").graph.node[0]
        )
    return model


def explained(model, **how):
    return Explainer(model, preprocess=Preprocess(scale=1 / 255), **how).explain(PICTURE, 1)


def test_a_map_that_the_biases_took_says_so_everywhere():
    found = explained(net(bias=3e4))
    remark = found.remark()
    assert remark == "less than 0.1 % of the relevance reaches the input: biases took more than 99.9 %"
    assert found.conserved[0] < 0.001
    assert remark in repr(found) and remark in str(found) and found.to_dict()["remarks"] == [remark]
    plain, noted = found.heatmap(caption=None), found.heatmap()
    assert noted.height > plain.height and noted.width == plain.width


@pytest.mark.slow
def test_a_map_of_far_more_than_the_score_says_so():
    least, most = -10.0, 0.0  # of the bias: where the score is a hundredth of what it is without
    for _ in range(60):
        middle = (least + most) / 2
        score = float(explained(net(bias=middle)).score[0])
        least, most = (middle, most) if score < 0.01 * float(explained(net()).score[0]) else (least, middle)
    found = explained(net(bias=most))
    assert found.conserved[0] > 10
    assert found.remark().startswith(
        f"{found.conserved[0]:.3g} times the target's relevance reaches the input"
    )
    assert explained(net(bias=1e-3)).remark() == ""


def test_a_map_that_holds_its_relevance_has_no_remark():
    found = explained(net())
    assert found.remark() == "" and found.to_dict()["remarks"] == [None]
    assert repr(found).count(";") == 0 and "sample 0:" not in str(found)


@pytest.mark.parametrize(
    ("model", "how", "why"),
    [
        (
            net(weight=-1.0),
            {"method": "grad_cam"},
            ": nothing positive speaks for the target; the option signed",
        ),
        (net(weight=-1.0), {"method": "grad_cam_plus_plus"}, ""),
        (net(inner="n"), {}, ": the relevance at the target is 0"),
        (net(inner="n"), {"method": "gradient"}, ""),
        (net(inner="n"), {"method": "integrated_gradients", "n_steps": 3}, ""),
        (net(inner="n"), {"method": "smoothgrad", "n_samples": 2}, ""),
        (net(inner="n"), {"method": "occlusion"}, ""),
        (net(inner="n"), {"method": "rise", "n_masks": 8}, ""),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_an_empty_map_says_so(model, how, why):
    found = explained(model, **how)
    assert not np.any(found.relevance)
    assert found.remark().startswith(EMPTY + why)
    found.heatmap()
    explainer.grid([found, found], scale="own")


ALMOST_CONSTANT = """g (float[N,3,16,16] x) => (float[N,1] y) {
    c = Conv <pads = [1, 1, 1, 1]> (x, k) p = GlobalAveragePool (c) f = Flatten (p) s = Softmax (f)
    a = Gemm (s, w) y = Add (a, b) }"""


@pytest.mark.parametrize(("method", "how"), [("occlusion", {}), ("rise", {"n_masks": 200})])
def test_a_map_of_the_scores_rounding_alone_says_so(method, how):
    """Shares of a Softmax add up to 1 but for rounding; with unequal weights the answer does move."""
    x = rng(5).standard_normal((1, 3, 16, 16)).astype(np.float32)
    for spread, is_empty in ((0, True), (1e-3, False)):
        weights = 1 + spread * np.arange(8.0)[:, None]
        model = parse(ALMOST_CONSTANT, k=rng(1).standard_normal((8, 3, 3, 3)), w=weights, b=np.array([0.37]))
        found = Explainer(model, method=method, **how).explain(x)
        assert np.any(found.relevance)
        assert found.remark().startswith(EMPTY + " as far as float32 tells") == is_empty
        assert is_empty or not found.remark()
        assert found.to_dict()["remarks"] == [found.remark() or None]


def test_the_bar_of_a_method_of_scores_counts_in_the_score():
    from explainer.results.remarks import whole_of

    found = explained(net(), method="occlusion")
    assert whole_of(found, 0) == (abs(float(found.score[0])), "score")
    assert whole_of(explained(net()), 0)[1] == whole_of(explained(net(), method="gradient"), 0)[1] == "total"
    assert Bar(ColorMap.of("bwr"), "all", 0.5, whole=200.0, whole_name="score").notes == ["% of the score"]
    with pytest.raises(InputError, match="whole_name is 'sum'"):
        explainer.render(np.ones((4, 4)), whole=1, whole_name="sum")


def test_what_is_signed_is_not_told_to_be():
    found = explained(net(weight=-1.0), method="grad_cam", signed=True)
    assert np.any(found.relevance) and found.remark() == ""


def test_conditions_take_their_share():
    model = net()
    model.graph.node[-1].input[1] = "v"
    model.graph.initializer.append(explainer_tensor("v", np.array([[0, 0.0], [1, 1], [1, 1], [1, 1]])))
    ex = Explainer(model, preprocess=Preprocess(scale=1 / 255))
    nothing = ex.explain(PICTURE, 1, conditions={"r": [0]})
    assert nothing.remark() == EMPTY + ": nothing passes the conditions"


def explainer_tensor(name, values):
    from onnx import numpy_helper

    return numpy_helper.from_array(values.astype(np.float32), name)


def test_each_sample_has_its_own():
    x = np.concatenate([np.zeros((1, 3, 12, 12)), np.ones((1, 3, 12, 12))]).astype(np.float32)
    found = Explainer(net()).explain(x, 1)
    assert found.remark(0).startswith(EMPTY) and found.remark(1) == ""
    assert "sample 0: the map" in str(found) and "sample 1:" not in str(found)


def test_the_map_of_one_input_of_several_is_named():
    model = parse(
        "g (float[N,4] a, float[N,4] b) => (float[N,4] y) { z = Mul (a, zero) y = Add (z, b) }",
        zero=np.float32(0),
    )
    found = Explainer(model).explain(dict.fromkeys("ab", np.ones((1, 4), np.float32)), 2)
    assert found.remark().startswith("the map of 'a' is 0 everywhere")


def test_the_command_line_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PICTURE.save("p.png")
    for name, model in (("biased.onnx", net(bias=3e4)), ("dead.onnx", net(inner="n"))):
        (tmp_path / name).write_bytes(model.SerializeToString())
        scale = ["--scale", "0.0039", "--target", "1"]
        words = "biases took" if name == "biased.onnx" else EMPTY
        full = run("explain", name, "p.png", "-o", "o.png", *scale)
        assert full.exit_code == 0 and "  note        " in full.output and words in full.output
        short = run("explain", name, "p.png", "-o", "out/", *scale)
        assert words in short.output
        told = run("explain", name, "p.png", "-o", "o.png", "--json", *scale)
        assert words in json.loads(told.stdout)["remark"]


def test_a_colour_bar_says_its_share_of_the_whole():
    bar = Bar(ColorMap.of("bwr"), "all", 0.5, whole=200.0)
    assert bar.share == "0.25%" and bar.notes == ["% of the total"]
    assert Bar(ColorMap.of("bwr"), "all", 3.0, whole=2.0).share == "150%"
    assert Bar(ColorMap.of("bwr"), "all", 0.0, whole=2.0).notes == []
    assert Bar(ColorMap.of("bwr"), "all", 1.0, pool=4).notes == ["sums of 4 x 4"]
    found = explained(net(bias=3e4))
    start, limit = float(found.start[0]), 1.0
    assert np.array_equal(found.heatmap(scale=limit), explainer.render(
        found.drawn[0], found.photos[0], scale=limit, whole=start, caption=found.remark()))  # fmt: skip
    with pytest.raises(InputError, match="whole is 0; expected a positive number"):
        explainer.render(np.ones((4, 4)), whole=0)
    with pytest.raises(InputError, match="caption: text, not 5"):
        explainer.render(np.ones((4, 4)), caption=5)


@pytest.mark.parametrize("pool", [1, 4])
@pytest.mark.parametrize("sign", ["all", "positive", "negative", "absolute_value"])
def test_labels_of_the_smallest_bar_do_not_overlap(sign, pool):
    """Every line of text has its own rows: between two there is one without ink."""
    writing = Writing(13)
    bar = Bar(ColorMap.of("fff,fff"), sign, 0.5, True, True, pool, 200.0)
    ink = (np.asarray(writing.bar(bar, 1))[:, 24:] < 100).all(axis=-1).any(axis=1)
    bands = int(np.sum(np.diff(ink.astype(int), prepend=0) == 1))
    lines = len(list(filter(None, bar.labels()))) + (2 if sign == "all" else 1) + len(bar.notes)
    assert bands == lines


def test_captions_are_wrapped_and_never_wider_than_the_picture():
    font = Writing(13).font
    text = "0.0676 % of the relevance reaches the input: biases took 99.9 % " * 3 + "x" * 90
    for width in (40, 96, 320):
        lines = wrapped(text, font, width)
        assert all(font.getlength(line) <= width for line in lines)
    assert " ".join(wrapped(text[:60], font, 96)) == text[:60].strip()
    assert wrapped("", font, 96) == []
    assert wrapped("word " * 200, font, 96)[-1].endswith("...")  # what is left out is said to be


@pytest.mark.parametrize(
    ("shares", "texts"),
    [
        ((0.0003, 0.9997), ["less than 0.1 %", "more than 99.9 %"]),
        ((0.05, 0.95), ["5.0 %", "95.0 %"]),
        ((1 / 3, 1 / 3, 1 / 3), ["33.4 %", "33.3 %", "33.3 %"]),
        ((0.0506, 0.9006, 0.0488), ["5.1 %", "90.0 %", "4.9 %"]),
        ((0.02, -0.34006, 1.32006), ["2.0 %", "-34.0 %", "132.0 %"]),
        ((1.0, 0.0), ["100 %", "0 %"]),
        ((0.02, 0.5), ["2.0 %", "50.0 %"]),  # something else took the rest
        ((float("nan"), 1.0), ["nan %", "100.0 %"]),
    ],
)
def test_shares_add_up_as_they_are_printed(shares, texts):
    assert percents(shares) == texts


def test_printed_shares_of_any_whole_add_up():
    for _ in range(200):
        amounts = rng(_).random(5) + 0.01
        texts = percents(list(amounts / amounts.sum()))
        assert sum(float(text.split()[0]) for text in texts) == pytest.approx(100, abs=1e-9)


@pytest.mark.parametrize("method", ["lrp", "integrated_gradients", "occlusion", "gradient_x_input"])
def test_of_several_inputs_the_share_of_each_is_said(method):
    model = parse(
        """g (float[N,3,4,4] a, float[N,1,4,4] b) => (float[N,1] y) {
            s = Sum (a, b) p = Mul (s, w) g = ReduceSum <keepdims=0> (p, axes) y = Reshape (g, shape)
        }""",
        w=rng(0).random((1, 1, 4, 4)) + 0.1,
        axes=np.array([1, 2, 3]),
        shape=np.array([-1, 1]),
    )
    a, b = np.ones((1, 3, 4, 4), np.float32), np.ones((1, 1, 4, 4), np.float32)
    how = {"window": 1, "stride": 1} if method == "occlusion" else {}
    found = Explainer(model, method=method, composite=None, **how).explain({"a": a, "b": b}, 0)
    # y = sum over 3 channels of (a + b) w: as much comes from a's three channels as from b's one.
    said = "the map is that of 'a', with 50.0 % of all amounts of relevance; 'b' has 50.0 %"
    assert found.remark() == said and said in repr(found)
    assert found.to_dict()["amounts"]["a"] == pytest.approx(found.to_dict()["amounts"]["b"])
    alone = Explainer(model, method=method, **how).explain({"a": a, "b": 0 * b}, 0)
    if method != "integrated_gradients":
        assert "'b' has 0 %" in alone.remark()


def test_many_inputs_are_said_in_one_line():
    names = [f"x{number}" for number in range(7)]
    inputs = ", ".join(f"float[N,2] {name}" for name in names)
    model = parse(f"g ({inputs}) => (float[N,2] y) {{ y = Sum ({', '.join(names)}) }}")
    feeds = {name: np.full((2, 2), 1 + place, np.float32) for place, name in enumerate(names)}
    remark = Explainer(model).explain(feeds, 0).remark(1)
    assert remark.startswith(
        "the map is that of 'x0', with 3.6 % of all amounts of relevance; 'x6' has 25.0 %"
    )
    assert remark.endswith("3 more have 32.1 %")


@pytest.mark.parametrize(("whole", "has_shares"), [(1.0, True), (0.992, True), (0.9, False), (1e-6, False)])
def test_amounts_beyond_the_whole_are_no_shares_of_it(whole, has_shares):
    look = Look()
    bar = look.bar(0.5, [np.array([[1.0, -0.25]])], whole, "score")
    assert bool(bar.share) == has_shares and (bar.notes == ["% of the score"]) == has_shares
    assert not look.bar(2 * whole, [np.array([[0.0, 0.1 * whole]])], whole).share  # a scale beyond it


def test_what_no_tangent_explains_is_an_intercepts():
    model = parse(
        "g (float[N,4] x) => (float[N,3] y) { s = Softmax (x) y = MatMul (s, w) }", w=np.ones((4, 3))
    )
    found = explainer.explain(model, np.float32([[1, 1, 1, 1.001]]), target=0, dtype="float64")
    assert found.remark().endswith("of the relevance reaches the input: intercepts took more than 99.9 %")
    shares = sum(step.bias + step.epsilon + step.intercept for step in found.audit)
    np.testing.assert_allclose(found.start, found.relevance.sum() + shares, rtol=1e-9)
