"""Inputs that are held though nobody said so: text beside numbers, and truth values that only decide."""

import numpy as np
import pytest
from building import parse, rng, run

import explainer
from explainer.errors import InputError

TEXT = """g (string[N] kind, float[N,5] x) => (float[N,3] y) {
    i = ai.onnx.ml.LabelEncoder <keys_strings = ["a", "b", "c"], values_int64s = [0, 1, 2]> (kind)
    t = Gather (table, i) s = Mul (x, t) y = MatMul (s, w) }"""
CONSTANTS = {"table": rng(1).standard_normal((3, 5)), "w": rng(2).standard_normal((5, 3))}
MASKED = """g (float[N,4,6] x, bool[N,4] mask) => (float[N,3] y) {
    u = Unsqueeze (mask, last) w = Where (u, x, least)
    p = ReduceMax <keepdims = 0> (w, one) y = MatMul (p, v) }"""
MASKS = {
    "last": np.array([-1]),
    "one": np.array([1]),
    "least": np.array(-9.0),
    "v": CONSTANTS["w"][:1].repeat(6, 0),
}


def texts():
    return {
        "kind": np.array(["b", "c"]),
        "x": rng(3).standard_normal((2, 5)).astype(np.float32),
    }


def test_text_beside_numbers_is_held_by_every_method():
    """By hand: y = (x · t_kind) W."""
    model, feeds = parse(TEXT, **CONSTANTS), texts()
    slopes = CONSTANTS["table"][[1, 2]] * CONSTANTS["w"][:, 1]
    for how in (
        {},
        {"method": "gradient"},
        {"method": "integrated_gradients", "n_steps": 4},
        {"method": "occlusion"},
        {"method": "rise", "n_masks": 8},
        {"dtype": "float64"},
    ):
        for kind in (feeds["kind"], feeds["kind"].astype(object), feeds["kind"].tolist()):
            found = explainer.explain(model, {**feeds, "kind": kind}, target=1, **how)
            assert set(found.relevance) == {"x"}
            assert "'kind' is held as given" in found.remark(0)
        if how.get("method") != "rise":
            wanted = slopes if how.get("method") == "gradient" else slopes * feeds["x"]
            np.testing.assert_allclose(found.relevance["x"], wanted, rtol=1e-4, atol=1e-5)


def test_text_is_refused_where_numbers_are_wanted_and_numbers_where_text_is():
    model, feeds = parse(TEXT, **CONSTANTS), texts()
    with pytest.raises(InputError, match="input 'kind' holds text, and no array of numbers"):
        explainer.explain(model, {**feeds, "kind": np.arange(2)})
    with pytest.raises(InputError, match="input 'kind' holds text"):
        explainer.explain(model, {**feeds, "kind": np.array(["a", 1], dtype=object)})
    with pytest.raises(InputError, match="input 'x' wants numbers"):
        explainer.explain(model, {**feeds, "x": np.full((2, 5), "a")})
    with pytest.raises(InputError, match="different numbers of samples"):
        explainer.explain(model, {**feeds, "kind": ["a"] * 3})
    with pytest.raises(InputError, match="'kind' holds text, and none can be made up to prove a file on"):
        explainer.compile(model)
    alone = parse("g (string[N] s) => (string[N] y) { y = Identity (s) }")
    with pytest.raises(InputError, match="holds text"):
        explainer.Explainer(alone).check_target()


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_a_mask_that_only_decides_is_held_and_said_to_be(method):
    model = parse(MASKED, **MASKS)
    x, mask = rng(4).standard_normal((2, 4, 6)).astype(np.float32), rng(5).random((2, 4)) < 0.7
    feeds = {"x": x, "mask": mask}
    found = explainer.explain(model, feeds, target=1, method=method)
    assert set(found.relevance) == {"x"} and "'mask' is held as given" in found.remark(1)
    assert not found.relevance["x"][~mask].any() or method == "rise"
    both = explainer.explain(model, feeds, target=1, method=method, hold=())
    assert set(both.relevance) == {"x", "mask"} and "held" not in both.remark(0)


def test_what_a_mask_hides_loses_nothing():
    model = parse(MASKED, **MASKS)
    x, mask = rng(4).standard_normal((1, 4, 6)).astype(np.float32), np.array([[True, True, False, True]])
    found = explainer.explain(model, {"x": x, "mask": mask}, target=1, method="occlusion", window=1)
    for place in range(4):
        gone = x.copy()
        gone[0, place] = 0
        lost = [run(model, {"x": one, "mask": mask})[0][0, 1] for one in (x, gone)]
        np.testing.assert_allclose(found.relevance["x"][0, place], lost[0] - lost[1], atol=1e-5)


def test_a_series_is_no_state_that_could_be_held():
    cells = {
        "W": rng(1).standard_normal((1, 4, 3)),
        "R": rng(2).standard_normal((1, 4, 4)),
        "zero": np.array([0]),
    }
    text = """g (float[T,N,3] x, int32[N] n) => (float[N,4] y) {
        h, e = RNN <hidden_size = 4> (x, W, R, , n) y = Squeeze (e, zero) }"""
    feeds = {"x": np.ones((5, 2, 3), np.float32), "n": np.array([5, 3], np.int32)}
    with pytest.raises(InputError, match=r"samples on axis 1, .*; export the model with the samples first"):
        explainer.explain(parse(text, **cells), feeds, target=1)
