"""The walk checks itself: a step whose relevance is not accounted for stops it, and names the node."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from building import parse, rng
from residual import picture, residual_net

from explainer import CompositeError, Explainer, NumericalError
from explainer.layers import REGISTRY, Layer
from explainer.layers.affine import Gemm
from explainer.model.graph import Graph
from explainer.rules import Division, Epsilon, Handed, Relevance, Rule, Stabilized
from explainer.walk.auditor import Auditor

NET = """g (float[N,3] x) => (float[N,4] y) {
    h = Gemm <alpha = 1.0> (x, w, b)
    a = Relu (h)
    y = Gemm (a, v, c)
}"""

SMALL = {"w": (64, 64), "v": (64, 64), "u": (64, 3)}


def net(**other):
    weights = {"w": (3, 5), "b": (5,), "v": (5, 4), "c": (4,)}
    values = {name: rng(1).standard_normal(shape) for name, shape in weights.items()}
    return parse(NET, **{**values, **other})


def x_for(samples=2):
    return rng(2).standard_normal((samples, 3)).astype(np.float32)


@dataclass(frozen=True)
class Forgetful(Epsilon):
    """The ε rule, which does not say what it divided."""

    def __call__(self, layer, x, R):
        return replace(super().__call__(layer, x, R), account=())


@dataclass(frozen=True)
class OldForm(Stabilized):
    """A rule that returns an array, as rules did before they answered with values."""

    def __call__(self, layer, x, R):
        return x * layer.transpose(R.whole / (layer(x) + self.eps))


class WrongTranspose(Gemm):
    """A layer whose transpose is not that of its forward."""

    def transpose(self, s, at):
        return super().transpose(s, at) * 1.01


dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@dtypes
def test_a_rule_that_forgets_its_divisions_is_found_out(dtype):
    with pytest.raises(NumericalError, match=r"Gemm 'y'.*unaccounted for \(rule forgetful"):
        Explainer(net(), rules={"y": Forgetful()}, dtype=dtype).explain(x_for())


@dtypes
def test_a_layer_with_a_wrong_transpose_is_found_out(dtype, monkeypatch):
    monkeypatch.setitem(REGISTRY, "Gemm", WrongTranspose)
    with pytest.raises(NumericalError, match=r"Gemm 'y'.*layer WrongTranspose"):
        Explainer(net(), dtype=dtype).explain(x_for())


def test_a_file_that_is_not_run_as_it_was_read_is_found_out(monkeypatch):
    # Reading let a second set of weights through: the run has one, the walk the other.
    real = Graph.constant
    monkeypatch.setattr(Graph, "constant", lambda self, name: real(self, name) * (2 if name == "v" else 1))
    with pytest.raises(NumericalError, match=r"Gemm 'y'.*not run as it was read"):
        Explainer(net()).explain(x_for())


def test_where_samples_are_mixed_the_batch_is_what_adds_up():
    text = "g (float[3,3] x) => (float[3,3] y) { t = CumSum (x, zero) y = Neg (t) }"
    model = parse(text, zero=np.array(0))
    found = Explainer(model).explain(rng(3).standard_normal((3, 3)).astype(np.float32), target="y")
    moved = next(step for step in found.audit if step.operator == "CumSum")
    assert np.abs(moved.residual).max() > 0.1
    assert abs(moved.residual.sum()) < 1e-6


def test_without_audit_nothing_is_checked_and_nothing_noted():
    right = Explainer(net()).explain(x_for())
    found = Explainer(net(), audit=False).explain(x_for())
    np.testing.assert_array_equal(found.relevance, right.relevance)
    np.testing.assert_array_equal(found.conserved, right.conserved)
    assert len(right.audit) == 3
    assert len(found.audit) == 0
    Explainer(net(), rules={"y": Forgetful()}, audit=False).explain(x_for())


def test_without_audit_infinity_is_still_refused():
    model = parse("g (float[N,2] x) => (float[N,1] y) { y = Gemm (x, w) }", w=[[1.0], [-1.0]])
    x = np.array([[3.0, 3.0]], np.float32)
    for audit in (True, False):
        with pytest.raises(NumericalError, match="not finite"):
            Explainer(model, composite="zero", audit=audit).explain(x, start="one")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["Sigmoid", "Softplus", "Clip <min = 0.25, max = 2.0>"])
def test_relevance_of_0_on_a_z_of_0_is_no_division(activation, dtype):
    # A pruned unit: its z is 0, its activation is not, and nothing reads it.
    w, v = rng(9).standard_normal((3, 5)), rng(10).standard_normal((5, 2))
    w[:, 2], v[2] = 0, 0
    header = '<ir_version: 8, opset_import: ["": 9]> ' if "Clip" in activation else ""
    text = (
        f"g (float[N,3] x) => (float[N,2] y) {{ h = MatMul (x, w) s = {activation} (h) y = MatMul (s, v) }}"
    )
    found = Explainer(parse(header + text, w=w, v=v), composite="zero", dtype=dtype).explain(
        x_for(), target=0
    )
    np.testing.assert_allclose(found.conserved, 1, rtol=1e-4)


def test_one_sample_of_many_does_not_hide_among_the_others():
    step = Explainer(net()).plan.steps[1]
    R = Relevance(None, np.ones((400, 5)))
    share = np.ones((400, 1))
    share[7] = 0.5
    handed = Handed(None, R.whole * share)
    with pytest.raises(NumericalError, match="unaccounted for"):
        Auditor(400)(step, R, handed)


def test_a_rule_of_the_old_form_is_told_how_to_change():
    with pytest.raises(CompositeError, match=r"returned ndarray.*Handed\(x, c.*adding-a-rule"):
        Explainer(net(), rules={"y": OldForm()}).explain(x_for())


def test_gradient_rules_within_a_composite_of_relevance_are_not_held_to_it():
    Explainer(residual_net(), composite="excitation_backprop", dialect="zennit").explain(picture(1))
    Explainer(residual_net(), composite="deep_taylor", dialect="innvestigate").explain(picture(1))


@pytest.mark.parametrize(("precision", "off"), [(2, 2e-2), (4, 1e-3), (8, 1e-10)])
def test_how_much_may_be_missing_depends_on_the_numbers(precision, off):
    @dataclass(frozen=True)
    class Losing(Rule):
        share: float

        def __call__(self, layer, x, R):
            return Handed(None, R.whole * (1 - self.share))

    step = Explainer(net()).plan.steps[1]
    R = Relevance(None, abs(rng(4).standard_normal((2, 5))))
    for share, refused in ((off, True), (off / 100, False)):
        rule = Losing(share)
        auditor = Auditor(2, precision=precision)
        if refused:
            with pytest.raises(NumericalError, match="unaccounted for"):
                auditor(replace(step, rule=rule), R, rule(None, None, R))
        else:
            auditor(replace(step, rule=rule), R, rule(None, None, R))


def test_the_mean_of_many_alike_numbers_may_be_off_by_their_rounding():
    # A runtime that adds one by one rounds every sum of equal pixels to the same side.
    pool = parse("g (float[N,1,720,720] x) => (float[N,1,1,1] y) { y = GlobalAveragePool (x) }")
    step = Explainer(pool).plan.steps[0]
    x = np.full((1, 1, 720, 720), 1 / 518400)
    R = Relevance(None, np.ones((1, 1, 1, 1)))
    Auditor(1)(step, R, Handed(None, (1 - 8e-4) * x))
    with pytest.raises(NumericalError, match="unaccounted for"):
        Auditor(1)(step, R, Handed(None, 0.9 * x))


def test_relevance_below_the_least_normal_number_has_fewer_digits():
    small = np.float32(1.5e-15)
    weights = {name: rng(2).standard_normal(shape) * small for name, shape in SMALL.items()}
    model = parse(
        """g (float[N,64] x) => (float[N,3] y) {
            a = MatMul (x, w) b = Relu (a) c = MatMul (b, v) d = Relu (c) y = MatMul (d, u)
        }""",
        **weights,
    )
    found = Explainer(model, composite="lrp_zero").explain(rng(3).standard_normal((1, 64)), target=("y", 0))
    assert 0 < abs(found.score[0]) < 1e-41
    np.testing.assert_allclose(found.relevance.sum(), found.score[0], rtol=0.05)


def test_layers_in_a_plan_are_frozen():
    step = Explainer(net()).plan.steps[0]
    with pytest.raises(AttributeError, match="having"):
        step.layer.signed = False
    assert step.layer.having(signed=False).signed is False
    assert step.layer.signed is True
    bound = step.layer.bind(x_for(), None, {})
    assert not isinstance(bound, Layer)
    with pytest.raises(AttributeError):
        bound.x = 1


def test_relevance_is_multiplied_out_only_where_somebody_looks():
    value, factor = rng(5).standard_normal((2, 2, 3))
    R = Relevance(value, factor)
    np.testing.assert_array_equal(R.whole, value * factor)
    np.testing.assert_allclose(R.total(2), (value * factor).sum(1), rtol=1e-12)
    both = R + Relevance(value, factor)
    assert both.value is value  # two readers of one tensor: their factors add
    np.testing.assert_array_equal((R + Relevance(None, factor)).whole, value * factor + factor)
    # What is divided by the value itself is a share of 1 at most.
    z = Epsilon(0.5).stabilizer(Explainer(net()).plan.steps[0].layer.bind(None, None, {}))(value)
    np.testing.assert_allclose(R / z, factor * abs(value) / (abs(value) + 0.5), rtol=1e-12)
    np.testing.assert_allclose(R / z, R.whole / z.beneath(R.whole), rtol=1e-12)


def test_a_division_says_what_the_bias_and_epsilon_take():
    layer = Explainer(net(), dtype="float64").plan.steps[0].layer
    p = {"w": rng(1).standard_normal((5, 4)), "b": rng(6).standard_normal(4)}
    bound = layer.bind(rng(7).standard_normal((1, 5)), None, p)
    R = Relevance(None, rng(8).standard_normal((1, 4)))
    handed = Epsilon(0.1)(bound, bound.x, R)
    (division,) = handed.account
    assert isinstance(division, Division)
    bias, epsilon = (np.sum(share) for share in division.shares()[:2])
    assert abs(R.factor.sum() - handed.whole.sum() - bias - epsilon) < 1e-12
    assert min(abs(bias), abs(epsilon)) > 1e-3
