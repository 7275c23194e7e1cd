"""Inputs at a value and open axes at a size, the same in every run."""

import pickle

import numpy as np
import onnx
import pytest
from building import parse, rng, run

import explainer
from explainer import Explainer, InputError, explain
from explainer.model.graph import Graph

TEXT = """g (float[N,T] x, float[M,1] by, int64 n, float[1] one) => (float[N,T] y) {
    f = Cast <to = 1> (n)  a = Mul (x, f)  b = Mul (a, one)  y = Mul (b, by)
}"""
X = np.ones((2, 3), np.float32)
FIX = {"n": 3, "one": 2, "by": [[5.0]]}


def test_what_is_fixed_is_no_input_any_more(tmp_path):
    onnx.save(parse(TEXT), tmp_path / "m.onnx")
    for model in (parse(TEXT), tmp_path / "m.onnx"):
        made = Explainer(model, fix=FIX)
        assert [value.name for value in made.graph.inputs] == ["x"]
        np.testing.assert_allclose(made.explain(X, "y").relevance, np.full((2, 3), 30), rtol=1e-5)
        again = pickle.loads(pickle.dumps(made))
        np.testing.assert_array_equal(again.explain(X, "y").relevance, made.explain(X, "y").relevance)
        assert [value.name for value in again.graph.inputs] == ["x"]
        assert explain(model, X, target="y", fix=FIX).relevance.sum() == pytest.approx(180, rel=1e-5)


def test_a_number_fills_an_input_whose_sizes_are_told():
    text = "g (float[N,2] x, float[M,1,2] state) => (float[M,N,2] y) { y = Add (x, state) }"
    graph = Graph.load(parse(text), fix={"state": 0.5, "M": 3})
    np.testing.assert_array_equal(run(graph.source.data, {"x": X[:, :2]})[0], np.full((3, 2, 2), 1.5))
    with pytest.raises(
        InputError,
        match=r"of shape \(\?, 1, 2\); the number 0.5 was given; say its open sizes too, fix=\{'M': ",
    ):
        Graph.load(parse(text), fix={"state": 0.5})


def test_an_axis_by_its_name_or_its_place():
    graph = Graph.load(parse(TEXT), fix={"N": 2, "x[1]": 3, "by[0]": 2})
    shapes = {value.name: value.shape for value in graph.inputs}
    assert shapes["x"] == (2, 3) and shapes["by"] == (2, 1)
    assert run(graph.source.data, {"x": X, "by": X[:, :1], "n": np.array(1), "one": X[0, :1]})[0].shape == (
        2,
        3,
    )


def test_a_name_that_is_no_word_is_no_name():
    model = parse("g (float[N,2] x) => (float[N,2] y) { y = Relu (x) }")
    for dim in (*model.graph.input[0].type.tensor_type.shape.dim,):
        dim.dim_param = "?"
    assert Graph.load(model).inputs[0].open == ("x[0]", "x[1]")
    assert Graph.load(model, fix={"x[1]": 4}).inputs[0].shape == (None, 4)
    with pytest.raises(InputError, match=r"no open axis '\?'; there is: 'x', 'x\[0\]', 'x\[1\]'"):
        Graph.load(model, fix={"?": 4})


@pytest.mark.parametrize(
    ("fix", "message"),
    [
        (3, "fix: a dict of inputs and axes by their names"),
        ({1: 2}, "fix: a dict of inputs and axes by their names"),
        ({"m": 2}, r"no input and no open axis 'm'"),
        ({"n": "x"}, r"fix: n: a number or an array of numbers, not 'x'"),
        ({"n": 1.5}, r"input 'n' is int64, of shape \(\)"),
        ({"n": [1, 2]}, r"input 'n' is int64, of shape \(\); an array \(2,\) was given"),
        ({"n": 2**70}, "fix: n"),
        ({"n": None}, "fix: n"),
        ({"by": np.ma.masked_array([1.0])}, "masked"),
        ({"N": 0}, "'N' is an axis; give its size"),
        ({"N": 1.5}, "'N' is an axis; give its size"),
        ({"N": [2, 3]}, "'N' is an axis; give its size"),
        ({"N": True}, "'N' is an axis; give its size"),
        ({"x": X, "by": X[:1, :1], "n": 1, "one": 1}, "every input is fixed"),
    ],
)
def test_what_cannot_be_fixed(fix, message):
    with pytest.raises(InputError, match=message):
        Explainer(parse(TEXT), fix=fix)


def test_a_fixed_input_is_not_given_again():
    with pytest.raises(InputError, match="'n'"):
        Explainer(parse(TEXT), fix=FIX).explain({"x": X, "n": np.array(3)}, "y")


def test_all_states_that_are_to_be_held_are_named_at_once():
    text = """g (float[N,T,2] x, float[1,M,3] h, float[1,M,3] c) => (float[T,1,N,3] y) {
        s = Transpose <perm = [1, 0, 2]> (x)
        y = LSTM <hidden_size = 3> (s, w, r, , , h, c) }"""
    model = parse(text, w=np.ones((1, 12, 2), np.float32), r=np.ones((1, 12, 3), np.float32))
    with pytest.raises(InputError, match=r"--fix h=0 --fix c=0 --fix M=SIZE\)"):
        Explainer(model).check_target("y")


@pytest.mark.parametrize("fix", [{}, {"s": 0}])
def test_a_state_of_another_size_than_the_samples_is_not_shared_by_them(fix):
    """Two states of one sample, beside one sample: the file that is made takes both."""
    text = """g (float[1,4] x, float[2,1,3] s) => (float[1,1,1,3] y) {
        t = Unsqueeze (x, first) h, c = Split <axis = 0, num_outputs = 2> (s)
        y = LSTM <hidden_size = 3> (t, w, r, , , h, c) }"""
    constants = {"w": rng(1).standard_normal((1, 12, 4)), "r": rng(2).standard_normal((1, 12, 3))}
    model = parse(text, first=np.array([0]), **constants)
    made = explainer.compile(model, target=("y", (0, 0, 1)), fix=fix)
    feeds = {"x": rng(3).standard_normal((1, 4)), "s": rng(4).standard_normal((2, 1, 3))}
    feeds = {name: x.astype(np.float32) for name, x in feeds.items() if name not in fix}
    found = Explainer(model, fix=fix).explain(feeds, target=("y", (0, 0, 1))) if fix else None
    answers = dict(zip([value.name for value in made.graph.output], run(made, feeds), strict=True))
    if found is not None:
        np.testing.assert_allclose(answers["relevance"], found.relevance, rtol=1e-4, atol=1e-6)
    else:
        assert np.isfinite(answers["relevance/x"]).all() and answers["relevance/x"].any()
