"""Conditions: only relevance that passes through chosen channels of chosen tensors reaches the input."""

import numpy as np
import pytest
from building import parse, relative, rng
from residual import picture, residual_net

from explainer import Explainer, InputError, TargetError
from explainer.targets import Condition, Region

EPS = 1e-2
DENSE = """g (float[N,4] x) => (float[N,3] y) {
    z = Gemm (x, v, a) h = Relu (z) y = Gemm (h, w, b)
}"""
# y = r + t: `h` is read by the branch and by the shortcut.
BRANCH = """g (float[N,4] x) => (float[N,5] y) {
    h = Gemm (x, v, a) r = Gemm (h, u) t = Relu (h) s = Neg (t) k = Neg (s) y = Add (r, k)
}"""
PARTS = {"v": (4, 5), "a": (5,), "w": (5, 3), "b": (3,), "u": (5, 5)}
WEIGHTS = {name: rng(7, *shape).standard_normal(shape).astype(np.float32) for name, shape in PARTS.items()}
X = rng(8).standard_normal((3, 4)).astype(np.float32)
# What every path passes, and what some shortcut goes past.
PASSED_BY_ALL, IN_A_BRANCH = ("x", "n0", "r0", "p0", "r2", "h3"), ("n1", "r1", "n2")


def exact(model, **options) -> Explainer:
    return Explainer(model, dtype="float64", eps=EPS, **options)


def st(z: np.ndarray) -> np.ndarray:
    return z + np.where(z >= 0, EPS, -EPS)


def back(x: np.ndarray, weight: np.ndarray, R: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The epsilon rule of a dense layer, written out."""
    return x * ((R / st(z)) @ weight.T)


def dense(mask: np.ndarray, target: int) -> np.ndarray:
    """The conditional map of the dense net, by hand."""
    v, a, w, b = (WEIGHTS[name].astype(np.float64) for name in ("v", "a", "w", "b"))
    z = X @ v + a
    h = np.maximum(z, 0)
    y = h @ w + b
    R = np.where(np.arange(3) == target, y, 0)
    return back(X, v, back(h, w, R, y) * mask, z)


CHANNELS = {
    "one": (2, [2]),
    "the last": (-1, [4]),
    "several": ([0, 3], [0, 3]),
    "a tuple": ((0, 3), [0, 3]),
    "NumPy's": (np.array([0, 3]), [0, 3]),
    "a slice": (slice(1, 4), [1, 2, 3]),
    "both": ([slice(None, 2), 4], [0, 1, 4]),
    "text": ("1, 3:, -5", [0, 1, 3, 4]),
    "a mask": (np.array([True, False, False, True, False]), [0, 3]),
    "a range": (range(2, 5), [2, 3, 4]),
}


@pytest.mark.parametrize("form", CHANNELS)
@pytest.mark.parametrize("tensor", ["z", "h"])
def test_the_dense_net_by_hand(form, tensor):
    given, channels = CHANNELS[form]
    mask = np.isin(np.arange(5), channels)
    found = exact(parse(DENSE, **WEIGHTS)).explain(X, 1, conditions={tensor: given})
    assert relative(found.relevance, dense(mask, 1)) < 1e-14
    assert relative(found.relevance, dense(~mask, 1)) > 1e-2
    np.testing.assert_array_equal((found.relevances[tensor] != 0).any(0) & ~mask, False)


def test_a_mask_for_each_sample():
    mask = rng(9).random((3, 5)) < 0.5
    mask[1] = False
    explainer = exact(parse(DENSE, **WEIGHTS))
    found = explainer.explain(X, 2, conditions={"h": mask})
    assert relative(found.relevance, dense(mask, 2)) < 1e-14
    model = parse(DENSE, **WEIGHTS)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2
    # In batches of two, the last one padded, each sample still has its own.
    again = exact(model).explain(X, 2, conditions={"h": mask})
    assert relative(again.relevance, dense(mask, 2)) < 1e-14


def test_places_by_a_mask():
    explainer, x = exact(residual_net()), picture(2)
    place = np.zeros((4, 6, 6), dtype=bool)
    place[1, :3] = True
    rest = np.zeros((1, 4, 6, 6), dtype=bool)
    rest[0, 1, 3:] = True
    rows = (np.arange(6) < 3).reshape(1, 6, 1)
    upper, lower, whole, half = explainer.explain_targets(
        x, [3], conditions=[{"r2": place}, {"r2": rest}, {"r2": 1}, {"r2": rows}]
    )
    assert relative(upper.relevance + lower.relevance, whole.relevance) < 1e-12
    np.testing.assert_array_equal(half.relevances["r2"][:, 1], upper.relevances["r2"][:, 1])
    assert not half.relevances["r2"][:, :, 3:].any() and half.relevances["r2"][:, 0, :3].any()


def test_what_goes_past_the_tensor_does_not_arrive():
    """By hand, in a net where the conditioned tensor lies beside a shortcut."""
    v, a, u = (WEIGHTS[name].astype(np.float64) for name in ("v", "a", "u"))
    h = X @ v + a
    r, t = h @ u, np.maximum(h, 0)
    y = r + t
    R = np.where(np.arange(5) == 2, y, 0) / st(y)
    mask = np.isin(np.arange(5), [2, 4])

    def arrived(R_h: np.ndarray) -> np.ndarray:
        return back(X, v, R_h, h)

    through_r, past_r = back(h, u, r * R * mask, r), t * R
    explainer = exact(parse(BRANCH, **WEIGHTS))
    found = explainer.explain(X, 2, conditions={"r": [2, 4]})
    assert relative(found.relevance, arrived(through_r)) < 1e-12
    # The other branch has steps of its own behind the place where its relevance was set to 0.
    other = explainer.explain(X, 2, conditions={"t": [2]}).relevance
    leak = -t / st(-t)  # of Neg, a layer like any other
    assert relative(other, arrived(past_r * leak * leak)) < 1e-12
    both = explainer.explain(X, 2, conditions={"h": [2, 4]})
    summed = (back(h, u, r * R, r) + past_r * leak * leak) * mask
    assert relative(both.relevance, arrived(summed)) < 1e-12


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "epsilon_alpha2_beta1", "gradient"])
@pytest.mark.parametrize("tensor", PASSED_BY_ALL + IN_A_BRANCH)
def test_channels_add_up(composite, tensor):
    explainer, x = Explainer(residual_net(), composite=composite, dtype="float64", keep=tensor), picture(2)
    count = explainer.explain(x, 3).relevances[tensor].shape[1]
    chosen = [{tensor: channel} for channel in range(count)]
    *parts, whole = explainer.explain_targets(x, [3], conditions=[*chosen, {tensor: slice(None)}])
    assert relative(sum(part.relevance for part in parts), whole.relevance) < 1e-10
    unconditional = explainer.explain(x, 3)
    difference = relative(whole.relevance, unconditional.relevance)
    assert difference < 1e-10 if tensor in PASSED_BY_ALL else difference > 1e-2
    for name in ("score", "start"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(unconditional, name))


def test_one_tensor_after_the_other():
    """Layer by layer: the sum over the second's channels is the first's map."""
    explainer, x = exact(residual_net()), picture(2)
    first = {"r2": [0, 3]}
    conditions = [{"p0": channel} | first for channel in range(4)]
    *parts, whole = explainer.explain_targets(x, [1], conditions=[*conditions, first])
    assert relative(sum(part.relevance for part in parts), whole.relevance) < 1e-10
    np.testing.assert_array_equal(parts[0].relevances["r2"], whole.relevances["r2"])
    turned = explainer.explain(x, 1, conditions={"r2": [0, 3], "p0": 2})
    np.testing.assert_array_equal(turned.relevance, parts[2].relevance)


def test_names_of_one_tensor_choose_together():
    model = parse(DENSE.replace("y = Gemm (h,", "i = Identity (h) y = Gemm (i,"), **WEIGHTS)
    found = exact(model).explain(X, 1, conditions={"h": [0, 1, 2], "i": [2, 3, 0]})
    assert relative(found.relevance, dense(np.isin(np.arange(5), [0, 2]), 1)) < 1e-14


def test_the_target_and_the_input_can_be_chosen_from_too():
    explainer = exact(parse(DENSE, **WEIGHTS))
    whole = explainer.explain(X, "y")
    some = explainer.explain(X, "y", conditions={"y": [0, 2]})
    one = explainer.explain(X, 1)
    assert relative(some.relevance + one.relevance, whole.relevance) < 1e-14
    pixels = explainer.explain(X, 1, conditions={"x": [1, 3]}).relevance
    np.testing.assert_array_equal(pixels, one.relevance * [0, 1, 0, 1])


def test_one_of_several_inputs():
    text = "g (float[N,4] x, float[N,4] q) => (float[N,4] y) { y = Add (x, q) }"
    found = exact(parse(text)).explain({"x": X, "q": X * 2}, 1, conditions={"q": [1]})
    assert not found.relevance["x"].any()
    x = X[:, 1].astype(np.float64)
    assert relative(found.relevance["q"][:, 1], 2 * x * 3 * x / st(3 * x)) < 1e-12
    assert not found.relevance["q"][:, [0, 2, 3]].any()


@pytest.mark.parametrize("tensor", ["c1", "n1", "c0"])
def test_a_conditioned_tensor_is_not_merged_away(tensor):
    explainer, x = exact(residual_net()), picture(2)
    found = explainer.explain(x, 2, conditions={tensor: [0, 1]})
    kept = exact(residual_net(), keep=tensor).explain(x, 2, conditions={tensor: [0, 1]})
    np.testing.assert_array_equal(found.relevance, kept.relevance)
    assert found.relevances.keys() == {tensor}
    assert not found.relevances[tensor][:, 2:].any() and found.relevances[tensor][:, :2].any()
    assert "Conv+BatchNormalization" in str(explainer.plan)
    assert explainer.explain(x, 2).relevances == {}  # what was asked under conditions leaves no trace


def test_a_tensor_behind_an_identity_is_not_merged_away():
    text = """g (float[N,3,5,5] x) => (float[N,2,3,3] y) {
        c = Conv (x, w) i = Identity (c) y = BatchNormalization (i, g, b, m, v)
    }"""
    weights = {"w": rng(1).standard_normal((2, 3, 3, 3))} | {n: np.array([0.5, 2]) for n in "gbmv"}
    x = rng(2).standard_normal((1, 3, 5, 5)).astype(np.float32)
    for name in ("c", "i"):
        found = exact(parse(text, **weights)).explain(x, "y", conditions={name: 1})
        assert not found.relevances[name][:, 0].any() and found.relevances[name][:, 1].any()


@pytest.mark.parametrize("conditions", [{"r2": 1}, {"s2": 1}, {"n0": [0, 2]}, {"r1": 0, "r0": 3}])
def test_the_shortcut_behind_a_relu_changes_nothing(conditions, monkeypatch):
    x, keep = picture(2), ["r0", "c0"]
    short = exact(residual_net(), keep=keep).explain(x, 3, conditions=conditions)
    monkeypatch.setattr("explainer.plan.make.behind_relu", lambda graph, steps, start: steps)
    long = exact(residual_net(), keep=keep).explain(x, 3, conditions=conditions)
    assert relative(short.relevance, long.relevance) < 1e-11
    for name, R in long.relevances.items():
        assert relative(short.relevances[name], R) < 1e-11


@pytest.mark.parametrize("tensor", ["r2", "r1", "n1", "x", "y"])
@pytest.mark.parametrize("start", ["output", "margin", "sglrp"])
def test_the_audit_says_what_was_held_back(tensor, start):
    found = exact(residual_net()).explain(picture(3), 3, start, conditions={tensor: [1, 2]})
    (gate,) = [step for step in found.audit if step.operator == "Condition"]
    assert (gate.node, gate.rule) == (tensor, f"{tensor}[1, 2]")
    assert np.abs(gate.masked).min() > 0 and not gate.bias.any() and not gate.epsilon.any()
    np.testing.assert_allclose(gate.R_in, found.relevances[tensor].reshape(3, -1).sum(1), rtol=1e-12)
    for step in found.audit:
        size = sum(np.abs(getattr(step, name)) for name in ("R_out", "R_in", "bias", "epsilon", "masked"))
        assert (np.abs(step.residual) <= 1e-10 * size).all(), step.node
    lost = sum(step.bias + step.epsilon + step.masked for step in found.audit)
    arrived = found.relevance.reshape(3, -1).sum(1)
    np.testing.assert_allclose(found.start - arrived, lost, rtol=1e-9, atol=1e-10)
    assert "masked" in str(found.audit) and "masked" not in str(
        exact(residual_net()).explain(picture(1)).audit
    )
    assert found.conditions == (f"{tensor}[1, 2]",) == tuple(found.to_dict()["conditions"])


def test_many_conditions_share_one_forward_pass(runs):
    explainer, x = exact(residual_net()), picture(2)
    chosen = [{"r2": 0}, None, {"p0": 1, "r2": 2}, {"r1": [1]}]
    found = explainer.explain_targets(x, [3], conditions=chosen)
    assert runs == [2]
    for explanation, condition in zip(found, chosen, strict=True):
        alone = explainer.explain(x, 3, conditions=condition)
        assert relative(explanation.relevance, alone.relevance) < 1e-10
    pairs = explainer.explain_targets(x, [1, 4], conditions=[{"r2": 0}, {"r2": 3}])
    np.testing.assert_array_equal(pairs[1].relevance, explainer.explain(x, 4, conditions={"r2": 3}).relevance)
    both = explainer.explain_targets(x, [1, 4], conditions={"r2": 3})
    for explanation, target in zip(both, (1, 4), strict=True):
        wanted = explainer.explain(x, target, conditions={"r2": 3})
        np.testing.assert_array_equal(explanation.relevance, wanted.relevance)


def test_several_indices_of_one_sample_pass_the_same_channels():
    explainer, x = exact(residual_net()), picture(1)
    found = explainer.explain(
        x, [3, 0], conditions={"r2": np.array([[[[True]], [[False]], [[True]], [[False]]]])}
    )
    for place, target in enumerate((3, 0)):
        alone = explainer.explain(x, target, conditions={"r2": [0, 2]})
        np.testing.assert_array_equal(found.relevance[place], alone.relevance[0])


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (
            {"r2": 4},
            r"r2\[4\] does not fit 'r2', which is \[4, 6, 6\] per sample: channel 4 is out of range, 0 to 3",
        ),
        ({"r2": -5}, "channel -5 is out of range"),
        ({"r2": slice(4, None)}, r"r2\[4:\].*chooses nothing"),
        ({"r2": np.zeros(4, bool)}, "chooses nothing"),
        ({"r2": np.ones(3, bool)}, r"the mask is \[3\]"),
        ({"r2": np.ones((3, 4, 6, 6), bool)}, r"the mask is \[3, 4, 6, 6\]"),
        ({"r2": np.ones((4, 6), bool)}, r"the mask is \[4, 6\]"),
        ({"r2": []}, "'r2' takes a channel, several, a slice or a mask of bool"),
        ({"r2": 1.0}, "takes a channel"),
        ({"r2": True}, "takes a channel"),
        ({"r2": "red"}, r"r2\[3, 10:20\]"),
        ({"r2": "..., 3"}, "takes a channel"),
        ({"r2": np.ones((2, 2))}, "takes a channel"),
        ({"r9": 1}, "condition: 'r9' is no tensor of this model; did you mean 'r"),
        ({"off": 1}, "condition: 'off' is not on the path from target to input"),
        ({"c3": 1, "a3": 1}, "no path from target to input passes through all of 'c3', 'a3'"),
        ([{"r2": 1}], "for several explanations give a list of them to explain_targets"),
        ("r2[1]", "a dict of tensor name -> channels"),
    ],
)
def test_what_cannot_be_a_condition(conditions, message):
    model = residual_net()
    model.graph.node.extend(parse("g (float[N,5] y) => (float[N,5] off) { off = Relu (y) }").graph.node)
    with pytest.raises(TargetError, match=message):
        exact(model).explain(picture(2), 3, conditions=conditions)


def test_a_tensor_without_channels():
    model = parse("g (float[N] x) => (float[N] y) { y = Neg (x) }")
    x = np.array([1, 2], np.float32)
    with pytest.raises(TargetError, match="no axis of channels; give a mask"):
        exact(model).explain(x, "y", conditions={"x": 0})
    found = exact(model).explain(x, "y", conditions={"x": np.array([True, False])})
    assert found.relevance[0] and not found.relevance[1]


def test_nothing_runs_before_the_conditions_are_understood(runs):
    for conditions in ({"c3": 1, "a3": 1}, {"r9": 1}, {"r2": "red"}):
        with pytest.raises(TargetError):
            exact(residual_net()).explain(picture(2), 3, conditions=conditions)
    with pytest.raises(TargetError, match="conditions: 3 for 2 targets"):
        exact(residual_net()).explain_targets(picture(2), [1, 2], conditions=[{"r2": 1}] * 3)
    assert runs == []


@pytest.mark.parametrize("method", ["input_x_gradient", "grad_cam", "integrated_gradients", "occlusion"])
def test_methods_that_hand_nothing_to_inner_tensors_have_no_conditions(method):
    with pytest.raises(InputError, match=r"conditions: .* methods that are one walk do"):
        Explainer(residual_net(), method=method).explain(picture(1), 3, conditions={"r2": 1})


@pytest.mark.parametrize("chosen", [Condition, Region])
def test_a_part_of_a_part_of_a_batch(chosen):
    """A batch is cut, and what is cut may be cut again: the rows that are left are those of the whole."""
    mask = rng(1).random((6, 4)) < 0.5
    mask[:, 0] = True
    whole = chosen.of("h", mask)
    once, again = np.array([4, 2, 2, 5]), np.array([3, 0, 1])
    samples = (4,) if chosen is Condition else (4, "h")
    fewer = (3,) if chosen is Condition else (3, "h")
    part = whole.taking(once, 6)
    np.testing.assert_array_equal(part.mask((4, 4), *samples), mask[once])
    np.testing.assert_array_equal(part.taking(again, 4).mask((3, 4), *fewer), mask[once][again])
