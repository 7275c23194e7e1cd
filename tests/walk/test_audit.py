"""Conservation: what is put on the target arrives at the input, or the audit says where it went."""

import numpy as np
import pytest
from building import parse, rng
from residual import picture, residual_net
from zero_biases import zero_biases

from explainer import Explainer, NumericalError
from explainer.walk.audit import Audit

SEEDS = range(5)


def explain(seed, dtype="float64", eps=1e-4, **options):
    return Explainer(residual_net(seed), dtype=dtype, eps=eps).explain(picture(3, seed), **options)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_every_step_adds_up(seed, eps):
    audit = explain(seed, eps=eps).audit
    assert len(audit) == 19
    for step in audit:
        size = np.abs(step.R_out) + np.abs(step.R_in) + np.abs(step.bias) + np.abs(step.epsilon)
        assert (np.abs(step.residual) <= 1e-10 * size).all(), step.node


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("start", ["output", "one"])
def test_what_is_not_conserved_is_in_the_audited_shares(seed, start):
    found = explain(seed, start=start)
    lost = sum(step.bias + step.epsilon for step in found.audit)
    np.testing.assert_allclose((1 - found.conserved) * found.start, lost, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_biases_all_of_it_arrives(seed):
    model = zero_biases(residual_net(seed))
    found = Explainer(model, dtype="float64", eps=1e-9).explain(picture(3, seed), start="one")
    np.testing.assert_allclose(found.relevance.sum((1, 2, 3)), 1, atol=1e-6)
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    assert all((step.bias == 0).all() for step in found.audit)
    # With them it does not: the test above can fail.
    assert np.abs(explain(seed, eps=1e-9, start="one").conserved - 1).min() > 1e-3


def test_the_audit_by_hand():
    # y = 2·3 + 4 = 10; R = 10, s = 10 / (10 + 2.5) = 0.8
    model = parse("g (float[N,1] x) => (float[N,1] y) { y = Gemm (x, w, b) }", w=[[2.0]], b=[4.0])
    found = Explainer(model, eps=2.5, dtype="float64").explain(np.array([[3.0]], np.float32))
    (step,) = found.audit
    assert (step.node, step.operator, step.rule) == ("y", "Gemm", "epsilon:2.5")
    shares = [step.R_out, step.R_in, step.bias, step.epsilon]
    np.testing.assert_allclose(np.ravel(shares), [10, 4.8, 3.2, 2], rtol=1e-14)
    np.testing.assert_allclose(found.conserved, [0.48], rtol=1e-14)


def test_constants_take_their_share_as_biases():
    text = "g (float[N,2] x) => (float[N,4] y) {{ {} }}"
    x = np.array([[3.0, 1.0]], np.float32)
    for body, constants, wanted in [
        ("y = Add (x, k)", {"k": [1.0, -2.0]}, 3 * 1 / 4 * 1 + 0),
        ("y = Sub (x, k)", {"k": [1.0, -2.0]}, 2 * -1 / 2),
        ("y = Sub (k, x)", {"k": [1.0, -2.0]}, 1 / -2 * -2),
    ]:
        found = Explainer(parse(text.format(body), **constants), eps=1e-12, dtype="float64")
        explanation = found.explain(x, target=("y", 0))
        assert np.isclose(explanation.audit[0].bias[0], {"y = Add (x, k)": 1.0}.get(body, wanted))
    border = "y = Pad (x, pads, k)"
    model = parse(text.format(border), pads=np.array([0, 1, 0, 1]), k=np.float32(7))
    step = Explainer(model).explain(x, target="y").audit[0]
    assert (step.R_out[0], step.R_in[0], step.bias[0]) == (18, 4, 14)


def test_float32_sums_are_close_and_shown():
    found = explain(0, dtype="float32", eps=1e-2)
    wanted = explain(0, eps=1e-2)
    for one, other in zip(found.audit, wanted.audit, strict=True):
        np.testing.assert_allclose(one.R_in, other.R_in, rtol=1e-2, atol=1e-3)
    text = str(found.audit)
    assert text.splitlines()[0].split() == ["node", "R", "out", "R", "in", "bias", "epsilon"]
    assert len(text.splitlines()) == 1 + len(found.audit)


def test_audits_of_batches_are_joined_and_cut():
    whole = explain(1).audit
    explainer = Explainer(residual_net(1), dtype="float64", eps=1e-4)
    x = picture(3, 1)
    parts = [explainer.explain(x[i : i + 1]).audit for i in range(3)]
    joined = Audit.join(parts)
    assert [step.node for step in joined] == [step.node for step in whole]
    for one, other in zip(joined, whole, strict=True):
        for name in ("R_out", "R_in", "bias", "epsilon"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-12)


def test_nothing_starts_is_no_number_but_no_warning():
    model = parse("g (float[N,2] x) => (float[N,2] y) { y = Relu (x) }")
    found = Explainer(model).explain(np.array([[-1.0, -2.0]], np.float32))
    assert np.isnan(found.conserved).all()
    assert not found.relevance.any()


def test_relevance_that_overflows_names_the_node():
    text = "g (float[N,1] x) => (float[N,1] y) { a = Gemm (x, w) y = Gemm (a, v) }"
    model = parse(text, w=[[1.0, -1.0]], v=[[1.0], [1.0]])  # y = 0, divided by ε alone
    x = np.array([[1e3]], np.float32)
    with pytest.raises(NumericalError, match=r"below Gemm 'y' is not finite \(rule epsilon:1e-38\)"):
        Explainer(model, eps=1e-38).explain(x, start="one")


def test_samples_that_stand_on_the_second_axis_are_told_apart():
    text = """g (float[N,6,4] x) => (float[N,3] y) {
        t = Transpose <perm = [1,0,2]> (x)
        h, last = LSTM <hidden_size = 4> (t, w, r, b)
        s = Squeeze (h, one)
        l = LayerNormalization <axis = -1> (s, scale)
        p = Softmax <axis = -1> (l)
        a = Add (p, four)
        m = ReduceMean <keepdims = 0> (a, zero)
        y = MatMul (m, v)
    }"""
    shapes = {"w": (1, 16, 4), "r": (1, 16, 4), "b": (1, 32), "scale": (4,), "four": (4,), "v": (4, 3)}
    drawn = {name: rng(3, *shape).standard_normal(shape) for name, shape in shapes.items()}
    model = parse(text, **drawn, one=np.array([1]), zero=np.array([0]))
    x = rng(4).standard_normal((2, 6, 4)).astype(np.float32)
    both = Explainer(model, dtype="float64").explain(x, target=1).audit
    for place in range(2):
        alone = Explainer(model, dtype="float64").explain(x[place : place + 1], target=1).audit
        for step, single in zip(both, alone, strict=True):
            for name in ("R_out", "R_in", "bias", "epsilon", "intercept"):
                mine, own = getattr(step, name)[place], getattr(single, name)[0]
                np.testing.assert_allclose(mine, own, rtol=1e-6, atol=1e-9, err_msg=f"{step.node} {name}")
