"""Constants that are kept: what would be the bias's share is theirs, in the places where they lie."""

import pickle

import numpy as np
import pytest
from building import parse, relative, rng
from residual import picture, residual_net
from tokens import feeds_for, tokens
from vits import TOKENS, WIDTH, vit

import explainer
from explainer import Explainer, TargetError

EXACT = 1e-12
X = rng(3).standard_normal((2, 3, 12, 8)).astype(np.float32)


def walked(model, x, target=1, **how):
    return Explainer(model, dtype="float64", **how).explain(x, target)


def sums(found, column):
    return np.sum([getattr(step, column) for step in found.audit], axis=0)


def test_a_class_token_and_a_table_of_positions_have_relevance():
    found = walked(vit(), X, keep=["x0", "positions", "cls", "bd1", "dz"])
    R, eps = found.relevances, 1e-6
    assert R["positions"].shape == (2, TOKENS, WIDTH) and R["cls"].shape == (2, 1, WIDTH)
    graph = Explainer(vit()).graph
    (x0,) = graph.session(["x0"]).run({"x": X}).values()
    by_hand = graph.constant("positions") * R["x0"] / (x0 + np.where(x0 < 0, -eps, eps))
    assert relative(R["positions"], by_hand) < 1e-4  # of values that onnxruntime has in float32
    at_token = R["x0"][:, :1] - R["positions"][:, :1]
    np.testing.assert_allclose(R["cls"], at_token, atol=1e-5)


@pytest.mark.parametrize("composite", ["epsilon", "gamma", "zplus", "attnlrp", "cp_lrp"])
@pytest.mark.parametrize("keep", [["positions"], ["cls", "bd1", "patches_b", "dz", "head_b"]])
def test_what_is_kept_moves_out_of_the_bias_column(composite, keep):
    plain, found = walked(vit(), X, composite=composite), walked(vit(), X, composite=composite, keep=keep)
    for before, step in zip(plain.audit, found.audit, strict=True):
        assert not before.kept.any()
        amount = np.abs(before.R_out).max() + np.abs(before.bias).max()
        np.testing.assert_allclose(step.bias + step.kept, before.bias, rtol=0, atol=EXACT * amount)
        np.testing.assert_allclose(step.residual, before.residual, rtol=0, atol=EXACT * amount)
    kept = np.sum([found.relevances[name].reshape(2, -1).sum(1) for name in keep], axis=0)
    np.testing.assert_allclose(sums(found, "kept"), kept, rtol=1e-9)
    assert abs(kept).max() > 0.01
    assert "kept" in str(found.audit) and "kept" not in str(plain.audit)
    np.testing.assert_array_equal(found.relevance, plain.relevance)


def test_it_is_what_a_walk_that_ends_there_says():
    here = walked(vit(), X[:1], keep=["positions", "cls"])
    there = walked(vit(), X[:1], stop=["x", "positions", "cls"])
    for name, R in here.relevances.items():
        assert relative(R.sum(0), there.relevance[name].reshape(R.shape[1:])) < EXACT


def test_of_a_gradient_it_is_the_gradient():
    model, step = vit(), 2.0**-10
    found = walked(model, X, method="gradient", keep=["positions", "head_b", "cls"])
    for name, place in (("positions", (0, 3, 2)), ("head_b", (1,)), ("cls", (0, 0, 5))):
        scores = []
        for sign in (1, -1):
            other = vit()
            (tensor,) = [one for one in other.graph.initializer if one.name == name]
            value = np.array(Explainer(model).graph.constant(name))
            value[place] += sign * step
            tensor.raw_data = value.tobytes()
            scores.append(walked(other, X, method="gradient").score)
        R = found.relevances[name][(slice(None), *place[-found.relevances[name].ndim + 1 :])]
        np.testing.assert_allclose(R, (scores[0] - scores[1]) / (2 * step), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("kind", "table", "rows"), [("kinds", "kinds", "of"), ("words", "positions", "")])
def test_a_table_is_told_by_the_rows_that_were_looked_up(kind, table, rows):
    model, feeds = tokens(kind), feeds_for(kind)
    names = [table, rows] if rows else [table]
    found = Explainer(model, keep=names).explain(feeds)
    (width,) = found.relevances[table].shape[2:]
    assert found.relevances[table].shape == (*feeds["ids"].shape, width)
    if rows:
        np.testing.assert_array_equal(found.relevances[table], found.relevances[rows])
    np.testing.assert_allclose(sums(found, "kept"), found.relevances[table].sum((1, 2)), rtol=1e-4)


def test_of_the_words_own_table_the_rows_are_what_the_walk_ends_at():
    found = Explainer(tokens(), keep=["w"]).explain(feeds_for())
    np.testing.assert_array_equal(found.relevances["w"], found.relevance["e"])


SHARED = "a = MatMul (x, w) h = Add (a, c) r = Relu (h) d = MatMul (r, w) {} y = Add (d, c)"


def shared(between: str = ""):
    body = SHARED.format(between)
    return parse(
        f"g (float[N,3,4] x) => (float[N,3,4] y) {{ {body} }}", w=rng(1).standard_normal((4, 4)), c=np.ones(4)
    )


def test_a_constant_of_several_readers_has_the_sum_over_them():
    x, ask = rng(2).standard_normal((2, 3, 4)).astype(np.float32), "y[0, 1]"
    found = walked(shared(), x, ask, keep=["c"])
    plain = walked(shared(), x, ask)
    np.testing.assert_allclose(found.relevances["c"].sum((1, 2)), sums(plain, "bias"), rtol=1e-9)
    assert not sums(found, "bias").any() or abs(sums(found, "bias")).max() < EXACT


def test_readers_of_other_shapes_are_refused():
    body = """a = MatMul (x, w) h = Add (a, c) m = ReduceMean <keepdims = 0> (h, one) y = Add (m, c)"""
    model = parse(
        f"g (float[N,3,4] x) => (float[N,4] y) {{ {body} }}",
        w=rng(1).standard_normal((4, 4)), c=np.ones(4), one=np.array([1]),
    )  # fmt: skip
    with pytest.raises(TargetError, match=r"'c' is added to tensors of other shapes, \[1, 4\] and "):
        Explainer(model, keep=["c"]).explain(np.ones((1, 3, 4)))


def test_taken_away_and_chosen():
    body = "h = Sub (c, x) q = Where (mask, h, d) y = Sub (q, d)"
    model = parse(
        f"g (float[N,4] x) => (float[N,4] y) {{ {body} }}",
        c=np.arange(1.0, 5), d=np.array([3.0]), mask=np.array([True, False, True, True]),
    )  # fmt: skip
    x = rng(5).standard_normal((2, 4)).astype(np.float32)
    found = walked(model, x, "y[1]", keep=["c"], method="gradient")
    np.testing.assert_array_equal(found.relevances["c"], 0 * x)  # y[1] is d, from which d is taken away
    np.testing.assert_array_equal(
        walked(model, x, "y[2]", keep=["c"], method="gradient").relevances["c"], [[0, 0, 1, 0]] * 2
    )
    np.testing.assert_array_equal(
        walked(model, x, "y[1]", keep=["d"], method="gradient").relevances["d"], np.zeros((2, 4))
    )
    np.testing.assert_allclose(
        walked(model, x, "y[0]", keep=["d"], method="gradient").relevances["d"], [[-1, 0, 0, 0]] * 2
    )


def test_what_cannot_be_kept():
    with pytest.raises(TargetError, match=r"'wq0' is a constant that nothing on the path adds .*'dz'"):
        Explainer(vit(), keep=["wq0"]).explain(X)
    with pytest.raises(TargetError, match="'positons' is no tensor of this model; did you mean 'positions'"):
        Explainer(vit(), keep=["positons"]).explain(X)
    with pytest.raises(TargetError, match="condition: 'positions' is a constant, and has no channels"):
        Explainer(vit()).explain(X, conditions={"positions": 1})


def test_a_bias_that_would_be_merged_is_apart_where_it_is_kept():
    found = walked(residual_net(), picture(), keep=["b0", "ba"])
    assert "BatchNormalization" in {step.operator for step in found.audit}
    np.testing.assert_allclose(
        sums(found, "kept"), sum(R.reshape(2, -1).sum(1) for R in found.relevances.values()), rtol=1e-9
    )
    assert found.relevances["b0"].shape == (2, 4, 12, 12)


def test_each_of_several_constants_of_a_sum_and_a_border():
    body = "p = Pad (x, pads, v) h = Sum (c, p, d) y = Sub (h, e)"
    arrays = {"c": np.arange(6.0), "d": np.array([3.0]), "e": np.array([0.5]), "v": np.float32(2.5)}
    model = parse(f"g (float[N,4] x) => (float[N,6] y) {{ {body} }}", **arrays, pads=np.array([0, 1, 0, 1]))
    x = rng(5).standard_normal((2, 4)).astype(np.float32)
    found = walked(model, x, "y[0]", keep=[*"cdev"], eps=1e-12)
    # On the border x is not: 0 + 3 + 2.5 − 0.5
    for name, wanted in {"c": 0.0, "d": 3.0, "e": -0.5, "v": 2.5}.items():
        np.testing.assert_allclose(found.relevances[name].sum(1), [wanted] * 2, atol=1e-9, err_msg=name)
    assert not found.relevance.any() and abs(sums(found, "bias")).max() < 1e-9


def test_pickled_and_compiled_it_is_kept():
    ex = Explainer(vit(), keep=["positions"])
    again = pickle.loads(pickle.dumps(ex.plan))
    assert [step.kept for step in again.steps] == [step.kept for step in ex.plan.steps]
    compiled = explainer.compile(vit(), target=1, keep=["positions"])
    assert "relevance/positions" in [value.name for value in compiled.graph.output]
