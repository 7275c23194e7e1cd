"""Inputs without samples of their own, and samples that meet: every method on a batch as on each alone."""

import numpy as np
import pytest
from building import parse

import explainer
from explainer.errors import InputError

rng = np.random.default_rng(0)
W, V = rng.standard_normal((6, 3)), rng.standard_normal((4, 3))
KERNEL = rng.standard_normal((3, 2, 3, 3))

# Each beside x, whose first axis is open: text, the constants, x's shape, what is given for the others.
SHARED = {
    "one of one axis": (
        "g (float[N,6] x, float[1] s) => (float[N,3] y) { a = MatMul (x, w) y = Mul (a, s) }",
        {"w": W}, (6,), {"s": [2.0]},
    ),
    "one of two axes": (
        "g (float[N,6] x, float[1,1] s) => (float[N,3] y) { a = MatMul (x, w) y = Mul (a, s) }",
        {"w": W}, (6,), {"s": [[2.0]]},
    ),
    "one number": (
        "g (float[N,6] x, float s) => (float[N,3] y) { a = MatMul (x, w) y = Mul (a, s) }",
        {"w": W}, (6,), {"s": 2.0},
    ),
    "one per feature": (
        "g (float[N,4] x, float[4] s) => (float[N,3] y) { a = Mul (x, s) y = MatMul (a, v) }",
        {"v": V}, (4,), {"s": [1.0, -2.0, 0.5, 3.0]},
    ),
    "one, and a whole number": (
        """g (float[N,6] x, float[1] s, int64[1] k) => (float[N,3] y) {
        a = MatMul (x, w) b = Cast <to = 1> (k) c = Mul (a, s) y = Add (c, b) }""",
        {"w": W}, (6,), {"s": [2.0], "k": [1]},
    ),
}  # fmt: skip
WALKS = ({}, {"composite": "gradient"}, {"dtype": "float64"}, {"method": "input_x_gradient"})
ELSEWHERE = (
    {"method": "integrated_gradients", "n_steps": 4},
    {"method": "integrated_gradients", "n_steps": 4, "engine": "numpy"},
    {"method": "deeplift"},
)
SCORES = ({"method": "occlusion"}, {"method": "rise", "n_masks": 16})


def maps(explanation):
    found = explanation.relevance
    return found if isinstance(found, dict) else {"x": found}


def assert_as_alone(model, x, others, how):
    whole = explainer.explain(model, {"x": x, **others}, target=1, **how)
    for place in range(len(x)):
        one = explainer.explain(model, {"x": x[place : place + 1], **others}, target=1, **how)
        assert maps(whole).keys() == maps(one).keys()
        for name, value in maps(one).items():
            assert np.array_equal(value.shape[1:], maps(whole)[name].shape[1:])
            np.testing.assert_allclose(maps(whole)[name][place], value[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(whole.score[place], one.score[0], rtol=1e-5)
        np.testing.assert_allclose(whole.conserved[place], one.conserved[0], rtol=1e-4)
    return whole


def made(name):
    text, constants, shape, given = SHARED[name]
    others = {key: np.array(value, np.int64 if key == "k" else np.float32) for key, value in given.items()}
    return parse(text, **constants), shape, others


@pytest.mark.parametrize("how", [*WALKS, *ELSEWHERE, *SCORES], ids=str)
@pytest.mark.parametrize("name", SHARED)
def test_what_all_samples_share(name, how):
    model, shape, others = made(name)
    for samples in (3, 4):  # 4 as the features are
        x = rng.standard_normal((samples, *shape)).astype(np.float32)
        whole = assert_as_alone(model, x, others, how)
        if how in SCORES:
            assert list(maps(whole)) == ["x"]  # held, and without a map
        else:
            assert len(maps(whole)["s"]) == samples


@pytest.mark.parametrize("name", SHARED)
def test_the_gradient_of_what_is_shared_is_each_samples_own(name):
    """By hand: y = a s, whose derivative by s is a."""
    model, shape, others = made(name)
    x = rng.standard_normal((3, *shape)).astype(np.float32)
    found = maps(explainer.explain(model, {"x": x, **others}, target=1, method="gradient"))["s"]
    wanted = x * V[:, 1] if name == "one per feature" else x @ W[:, 1]
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SHARED)
def test_what_is_shared_can_be_held_and_asked_for(name):
    model, shape, others = made(name)
    x = rng.standard_normal((3, *shape)).astype(np.float32)
    for how in SCORES:
        assert not np.any(maps(assert_as_alone(model, x, others, {**how, "hold": "s"}))["s"])
        # Occlusion of one sample's is that of no other, though they are asked at the same time.
        assert len(maps(assert_as_alone(model, x, others, {**how, "hold": ()}))["s"]) == 3
    explainer.explain(model, {"x": x, **others}, hold=["s"], method="integrated_gradients", target=1)


def test_a_normalisation_whose_scale_is_given():
    model = parse(
        """g (float[N,2,4,4] x, float[3] scale) => (float[N,3] y) { c = Conv (x, k)
        b = BatchNormalization (c, scale, one, nil, one) r = Relu (b)
        p = GlobalAveragePool (r) y = Flatten (p) }""",
        k=KERNEL, one=np.ones(3), nil=np.zeros(3),
    )  # fmt: skip
    x, scale = rng.standard_normal((3, 2, 4, 4)).astype(np.float32), np.array([1, 2, 3], np.float32)
    for how in SCORES:
        assert list(maps(assert_as_alone(model, x, {"scale": scale}, how))) == ["x"]


def test_numbers_of_samples_that_differ_are_named():
    model = parse("g (float[N,4] x, float[N,4] s) => (float[N,4] y) { y = Mul (x, s) }")
    given = {"x": np.ones((3, 4), np.float32), "s": np.ones((2, 4), np.float32)}
    with pytest.raises(
        InputError, match="different numbers of samples, 'x' 3, 's' 2; they must hold the same"
    ):
        explainer.explain(model, given)
    with pytest.raises(InputError, match="input 's' holds no samples"):
        explainer.explain(model, {**given, "s": np.ones((0, 4), np.float32)})


def test_a_file_hands_no_sample_what_others_have_for_a_shared_input():
    model, _, _ = made("one per feature")
    with pytest.raises(InputError, match="compile: input 's' is the same for all samples"):
        explainer.compile(model)
    model, _, _ = made("one of one axis")
    with pytest.warns(UserWarning, match="takes 1 sample at a time"):
        assert explainer.compile(model).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


def test_a_file_of_fixed_sizes_begins_with_as_many_as_its_output():
    model = parse("g (float[2,4] x, float[4] s) => (float[2,3] y) { a = Mul (x, s) y = MatMul (a, v) }", v=V)
    x, s = rng.standard_normal((2, 4)).astype(np.float32), np.ones(4, np.float32)
    wanted = explainer.explain(
        parse("g (float[N,4] x) => (float[N,3] y) { y = MatMul (x, v) }", v=V),
        x,
        target=1,
        method="occlusion",
    )
    found = explainer.explain(model, {"x": x, "s": s}, target=1, method="occlusion")
    np.testing.assert_allclose(maps(found)["x"], maps(wanted)["x"], rtol=1e-5)
    with pytest.raises(InputError, match="input 's' is the same for all samples"):
        explainer.explain(model, {"x": x, "s": s}, target=1)
    with pytest.raises(InputError, match="takes 2 samples at once and one 's' for all of them"):
        explainer.explain(model, {"x": x, "s": s}, target=1, method="occlusion", hold=())


MIXED = {
    "what is left of the mean": (
        """g (float[N,6] x) => (float[N,3] y) { h = MatMul (x, w) m = ReduceMean <keepdims = 1> (h, zero)
        q = Mul (m, half) y = Sub (h, q) }""",
        {"w": W, "zero": np.array([0]), "half": np.array(0.5)},
    ),
    "a Gram matrix": (
        """g (float[N,6] x) => (float[N,3] y) { t = Transpose <perm = [1, 0]> (x) g = MatMul (x, t)
        h = MatMul (g, x) y = MatMul (h, w) }""",
        {"w": 0.1 * W},
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", [*WALKS, *ELSEWHERE, *SCORES, {"keep": ["h"]}], ids=str)
@pytest.mark.parametrize("name", MIXED)
def test_samples_that_meet_are_explained_each_alone(name, how):
    text, constants = MIXED[name]
    model, x = parse(text, **constants), rng.standard_normal((3, 6)).astype(np.float32)
    explanation = assert_as_alone(model, x, {}, how)
    if not how:
        assert all(len(step.R_out) == 3 for step in explanation.audit)


def test_samples_that_meet_and_several_targets():
    text, constants = MIXED["a Gram matrix"]
    model = explainer.Explainer(parse(text, **constants))
    x = rng.standard_normal((3, 6)).astype(np.float32)
    for found, target in zip(
        model.explain_targets(x, [0, "top", np.array([2, 1, 0])]), (0, "top", None), strict=True
    ):
        for place in range(3):
            one = model.explain(x[place : place + 1], 2 - place if target is None else target)
            np.testing.assert_allclose(found.relevance[place], one.relevance[0], rtol=1e-4, atol=1e-5)


def test_nodes_of_a_graph_are_no_samples():
    """A row of an adjacency matrix passes alone nowhere: they are walked as they were given."""
    model = parse(
        "g (float[N,M] a, float[N,6] x) => (float[N,3] y) { h = MatMul (a, x) y = MatMul (h, w) }", w=W
    )
    a, x = rng.random((5, 5)).astype(np.float32), rng.standard_normal((5, 6)).astype(np.float32)
    found = explainer.explain(model, {"a": a, "x": x}, target=("y", (3, 1)), method="gradient")
    np.testing.assert_allclose(maps(found)["x"], np.outer(a[3], W[:, 1]), rtol=1e-4, atol=1e-5)
