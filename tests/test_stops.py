"""A walk may end at any tensor: relevance, gradients and what methods change are that tensor's."""

import pickle

import numpy as np
import pytest
from building import parse, relative, rng, run
from residual import picture, residual_net
from tokens import constants, embedded, feeds_for, rows_for, tokens

import explainer
from explainer import Explainer, InputError, TargetError

INNER = ["r0", "p0", "c1", "s2", "c3", "m3"]


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus_flat", "alpha2_beta1", "gamma"])
@pytest.mark.parametrize("tensor", INNER)
def test_the_relevance_of_a_stop_is_what_a_walk_to_the_input_hands_to_it(tensor, composite):
    net, x = residual_net(), picture(2)
    how = {"composite": composite, "dtype": "float64"}
    whole = Explainer(net, keep=[tensor], **how).explain(x, 3)
    found = Explainer(net, stop=tensor, **how).explain(x, 3)
    assert list(found.relevance) == [tensor]
    assert relative(found.relevance[tensor], whole.relevances[tensor]) < 1e-9
    np.testing.assert_array_equal(found.score, whole.score)


def test_what_passes_one_stop_has_been_stopped_there():
    net, x = residual_net(), picture(1)
    found = Explainer(net, stop=["p0", "n2"], dtype="float64").explain(x, 3)
    assert list(found.relevance) == ["p0", "n2"]
    alone = Explainer(net, stop="n2", dtype="float64").explain(x, 3)
    whole = Explainer(net, keep=["p0"], dtype="float64").explain(x, 3)
    assert relative(found.relevance["n2"], alone.relevance["n2"]) < 1e-12
    assert relative(found.relevance["p0"], whole.relevances["p0"]) > 0.01  # the shortcut's part alone


@pytest.mark.parametrize("stop", [["r2"], ["n2", "p0"], ["c3"]])
@pytest.mark.parametrize(
    "how", [{}, {"method": "integrated_gradients", "n_steps": 4}, {"composite": "gamma"}]
)
def test_a_compiled_file_walks_to_inner_tensors(stop, how):
    net, x = residual_net(), picture(3)
    made = explainer.compile(net, target=1, stop=stop, **how)
    found = dict(zip([value.name for value in made.graph.output], run(made, {"x": x}), strict=True))
    wanted = Explainer(net, stop=stop, **how).explain(x, 1).relevance
    for name in stop:
        assert relative(found[f"relevance/{name}"], wanted[name]) < 1e-4


def test_what_is_held_before_a_stop_may_be_named():
    feeds = feeds_for()
    found = Explainer(tokens(), method="integrated_gradients", hold="mask", n_steps=4).explain(feeds)
    wanted = Explainer(tokens(), method="integrated_gradients", n_steps=4).explain(feeds)
    np.testing.assert_array_equal(found.relevance["e"], wanted.relevance["e"])
    assert explainer.compile(tokens(), method="integrated_gradients", hold="mask", n_steps=4)
    with pytest.raises(InputError, match=r"^hold: 'maks' is no input"):
        Explainer(tokens(), method="integrated_gradients", hold="maks").explain(feeds)


def test_methods_of_scores_change_the_words_and_a_stop_that_is_named():
    feeds = feeds_for(samples=1)
    words = Explainer(tokens(), method="occlusion", baseline=1).explain(feeds)
    assert words.relevance["ids"].shape == (1, 7) and words.remark() == "'mask' is held as given"
    rows = Explainer(tokens(), method="occlusion", stop="e", window=(1, 6)).explain(feeds)
    assert list(rows.relevance) == ["e"]
    y = run(tokens(), feeds)[0][0]
    without = rows_for("words", feeds)
    without["e"][0, 2] = 0
    target = int(rows.target[0])
    gap = y[target] - run(embedded(), without)[0][0, target]
    np.testing.assert_allclose(rows.relevance["e"][0, 2], gap, rtol=1e-4)


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ("e7", "stop: 'e7' is no tensor of this model; did you mean 'e'"),
        ("y", "stop: 'y' is on no path from 'r' to an input"),
        (["e", "s"], "stop: every path from 'r' to 'e' ends at another stop before"),
        ("one", "stop: 'one' is on no path"),
        (3, "stop: tensor names, not 3"),
    ],
)
def test_what_is_no_stop(stop, message):
    with pytest.raises(TargetError, match=rf"^{message}"):
        Explainer(tokens(), stop=stop).explain(feeds_for(), "r")
    with pytest.raises(TargetError, match=rf"^{message}"):
        explainer.compile(tokens(), stop=stop, target="r")


def test_a_target_before_the_stop():
    with pytest.raises(
        TargetError, match=r"^stop: 'r' is on no path from 'c' to an input; there are 'h', 's'"
    ):
        Explainer(tokens(), stop="r").explain(feeds_for(), "c")


def test_the_target_itself_may_be_the_stop():
    found = Explainer(tokens(), stop="p").explain(feeds_for(), "p")
    np.testing.assert_array_equal(found.relevance["p"], run_to("p"))


def run_to(name):
    return Explainer(tokens(), method="gradient").graph.session([name]).run(feeds_for())[name]


def test_tensors_inside_and_conditions():
    feeds = feeds_for()
    found = Explainer(tokens(), keep=["c"]).explain(feeds, conditions={"r": [1, 2]})
    assert {"c", "r"} == found.relevances.keys() and not found.relevances["r"][:, 0].any()
    with pytest.raises(TargetError, match=r"^keep: 'c' is no tensor of the part behind the stops"):
        Explainer(tokens(), keep=["c"], stop="r").explain(feeds)


def test_samples_that_are_not_in_front_are_walked_to_one_by_one():
    text = "g (float[N,4,3] x) => (float[N,2] y) { t = Transpose <perm = [1, 0, 2]> (x) u = Relu (t)"
    text += " v = Transpose <perm = [1, 0, 2]> (u) f = Flatten (v) y = Gemm (f, w) }"
    net, x = parse(text, w=rng(1).standard_normal((12, 2))), rng(2).standard_normal((3, 4, 3))
    found = Explainer(net, stop="u").explain(x, 1).relevance["u"]
    assert found.shape == (3, 4, 1, 3)
    wanted = Explainer(net, keep=["v"]).explain(x, 1).relevances["v"]
    np.testing.assert_allclose(found[:, :, 0], wanted, rtol=1e-6)
    with pytest.raises(InputError, match=r"^compile: stop 'u' does not begin with the samples"):
        explainer.compile(net, stop="u")


def test_a_fixed_batch_and_a_batch_of_parts():
    """Samples that a Reshape has taken apart: what a Swin transformer does with windows."""
    text = "g (float[{0},4,3] x) => (float[{0},2] y) {{ t = Reshape (x, pieces) u = Relu (t)"
    text += " v = Reshape (u, whole) y = Gemm (v, w) }}"
    sizes = {"pieces": np.array([-1, 3]), "whole": np.array([-1, 12])}
    for batch in ("N", "1", "2"):
        net, x = (
            parse(text.format(batch), w=rng(1).standard_normal((12, 2)), **sizes),
            rng(2).random((2, 4, 3)),
        )
        if batch == "2":
            with pytest.raises(InputError, match="takes 2 of them at once"):
                Explainer(net, stop="u").explain(x)
            continue
        found = Explainer(net, stop="u").explain(x, 1).relevance["u"]
        assert found.shape == (2, 4, 3)
        np.testing.assert_allclose(found, Explainer(net).explain(x, 1).relevance, rtol=1e-6)


def test_a_file_that_is_cut_stays_one(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(tokens().SerializeToString())
    for model in (path, path.read_bytes()):
        made = Explainer(model, stop=["r"])
        again = pickle.loads(pickle.dumps(made))
        np.testing.assert_array_equal(
            made.explain(feeds_for()).relevance["r"], again.explain(feeds_for()).relevance["r"]
        )
        plan = pickle.loads(pickle.dumps(made.plan))
        assert str(plan) == str(made.plan) and plan.graph.stops == ("r",)
        assert str(pickle.loads(pickle.dumps(Explainer(model).plan))) == str(Explainer(model).plan)


def test_the_rest_of_the_file_is_left_out():
    rest = Explainer(tokens("counted"), stop="r").plan.graph
    assert [value.name for value in rest.inputs] == ["r", "m3"]
    assert {node.operator for node in rest.nodes} == {"Mul", "ReduceMean", "Gemm"}
    assert not constants().keys() & rest.initializers.keys() - {"two", "g", "gb"}


def test_what_goes_past_the_stop_may_be_read_twice():
    text = "g (float[N,4] x) => (float[N,4] y) { r = Relu (x) h = MatMul (r, w) a = Add (h, r) b = Add (a, r)"
    net, x = parse(text + " y = MatMul (b, w) }", w=rng(1).standard_normal((4, 4))), rng(2).random((2, 4))
    made = Explainer(net, stop="h", dtype="float64")
    assert [value.name for value in made.plan.graph.inputs] == ["h", "r"]
    kept = Explainer(net, keep=["h"], dtype="float64").explain(x, 1).relevances["h"]
    assert relative(made.explain(x, 1).relevance["h"], kept) < 1e-12


def test_one_output_of_a_node_that_makes_another_output_of_the_model():
    text = "g (float[N,4] x) => (float[N,2] y, float[N,2] n) { a, b = Split <num_outputs = 2, axis = 1> (x)"
    net = parse(text + " r = Relu (a) y = MatMul (r, w) n = Neg (b) }", w=rng(1).random((2, 2)))
    x = rng(2).random((3, 4))
    found, kept = (Explainer(net, **how).explain(x, 1) for how in ({"stop": "a"}, {"keep": "a"}))
    np.testing.assert_allclose(found.relevance["a"], kept.relevances["a"], rtol=1e-5)
    np.testing.assert_array_equal(found.outputs["n"], kept.outputs["n"])


def test_a_stop_of_axes_that_nobody_knows_before_it_runs():
    """onnxruntime says of it what it says of a number alone: no sizes."""
    text = """g (float[N,4] x, int64[k] shape) => (float[N,4] y) {
        q = Relu (x) r = Reshape (q, shape) s = Neg (r) y = Reshape (s, back) }"""
    model = parse(text, back=np.array([-1, 4]))
    feeds = {"x": np.array([[1, 2, -3, 4]], np.float32), "shape": np.array([-1, 2, 2])}
    for stop in ("r", "s"):
        found = explainer.explain(model, feeds, target=1, stop=stop, method="gradient").relevance[stop]
        np.testing.assert_array_equal(found, [[[[0, -1 if stop == "r" else 1], [0, 0]]]])
