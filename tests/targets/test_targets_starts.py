"""What is put on the target: every start beside its formula on a dense net, walked by hand."""

import numpy as np
import onnx
import oracle
import pytest
from building import parse, relative, rng

from explainer import Explainer, TargetError
from explainer.targets import Target, choose, resolve_target, score, seed
from explainer.walk.forward import LayersForward

EPS = 1e-2
W, B = rng(1).standard_normal((6, 3)), rng(2).standard_normal(6)
V, C = rng(3).standard_normal((5, 6)), rng(4).standard_normal(5)
# float32 is what the file holds.
W, B, V, C = (array.astype(np.float32).astype(np.float64) for array in (W, B, V, C))
BODY = "h = Gemm (x, w, b) a = Relu (h) z = Gemm (a, v, c)"


def net(end: str = "y = Identity (z)") -> onnx.ModelProto:
    return parse(f"g (float[N,3] x) => (float[N,5] y) {{ {BODY} {end} }}", w=W.T, b=B, v=V.T, c=C)


def x_for(samples: int = 3) -> np.ndarray:
    return rng(5).standard_normal((samples, 3)).astype(np.float32)


def logits(x: np.ndarray) -> np.ndarray:
    """(5,) of one sample."""
    return V @ np.maximum(W @ x + B, 0) + C


def walked(x: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Relevance of one sample's input, by the paper's formula, from R on the logits."""
    h = W @ x + B
    R = oracle.epsilon(V, C, np.maximum(h, 0), R, EPS).R_in
    return oracle.epsilon(W, B, x, R, EPS).R_in


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


def onehot(index: int) -> np.ndarray:
    return np.eye(5)[index]


def started(start: str, z: np.ndarray, t: int, other: int) -> np.ndarray:
    """R on the logits, each written out entry by entry."""
    p = softmax(z)
    R = np.zeros(5)
    for j in range(5):
        if start == "output":
            R[j] = z[t] if j == t else 0
        elif start == "one":
            R[j] = 1 if j == t else 0
        elif start == "probability":
            R[j] = p[t] if j == t else 0
        elif start == "margin":
            R[j] = z[t] if j == t else -z[other] if j == other else 0
        elif start == "sglrp":
            R[j] = p[t] * (1 - p[t]) if j == t else -p[t] * p[j]
        elif start == "clrp":
            R[j] = z[t] if j == t else -z[t] / 4
    return R


STARTS = ["output", "one", "probability", "margin", "sglrp", "clrp"]


@pytest.mark.parametrize("end", ["y = Identity (z)", "y = Softmax (z)", "y = LogSoftmax <axis = -1> (z)"])
@pytest.mark.parametrize("start", STARTS)
def test_every_start_is_its_formula_walked_by_hand(start, end):
    explainer = Explainer(net(end), dtype="float64", eps=EPS)
    options = {"against": 1} if start == "margin" else {}
    x = x_for()
    for targets in ([3, 3, 3], [4, 0, 2]):
        found = explainer.explain(x, targets if len(set(targets)) > 1 else 3, start, **options)
        for sample, t in enumerate(targets):
            R = started(start, logits(x[sample]), t, 1)
            wanted = walked(x[sample], R)
            wanted = np.maximum(wanted, 0) if start == "clrp" else wanted
            assert relative(found.relevance[sample], wanted) < 1e-6
            assert found.start[sample] == pytest.approx(R.sum(), abs=1e-6)
        assert found.kind == start
        assert found.target.tolist() == targets
        assert (found.against is None) == (start != "margin")


def test_logit_is_another_word_for_output():
    explainer = Explainer(net())
    found, wanted = (explainer.explain(x_for(), 2, start) for start in ("logit", "output"))
    np.testing.assert_array_equal(found.relevance, wanted.relevance)
    assert found.kind == "output"


def test_clrp_is_the_difference_of_two_walks_without_what_speaks_for_others():
    """As the paper has it: R for the target, R_contrast from z_t spread evenly over the others."""
    x = x_for()
    found = Explainer(net(), dtype="float64", eps=EPS, keep=["a"]).explain(x, 3, "clrp")
    for sample in range(3):
        z_t = logits(x[sample])[3]
        R = walked(x[sample], z_t * onehot(3))
        contrast = walked(x[sample], z_t * (1 - onehot(3)) / 4)
        assert relative(found.relevance[sample], np.maximum(0, R - contrast)) < 1e-6
    assert (R - contrast).min() < 0  # something was there to be cut off
    assert found.relevances["a"].min() == 0


def test_what_sums_to_zero_by_definition_conserves_no_number():
    model = parse("g (float[N,11] x) => (float[N,11] y) { y = Softmax (x) }")
    x = rng(10).standard_normal((20, 11)).astype(np.float32)
    for start in ("clrp", "sglrp"):
        found = Explainer(model).explain(x, "top", start)
        np.testing.assert_array_equal(found.start, 0)
        assert np.isnan(found.conserved).all()
        assert np.isfinite(found.score).all() and (found.score != 0).all()


def test_a_margins_map_is_that_of_one_less_that_of_the_other():
    explainer = Explainer(net(), dtype="float64", eps=EPS)
    for a, b in [(3, 1), ([0, 1, 2], 4), (2, [0, 1, 3]), ([0, 1, 2], [1, 2, 0])]:
        margin = explainer.explain(x_for(), a, "margin", against=b)
        first, second = explainer.explain(x_for(), a), explainer.explain(x_for(), b)
        assert relative(margin.relevance, first.relevance - second.relevance) < 1e-12
        np.testing.assert_allclose(margin.start, first.start - second.start, rtol=1e-12)
        np.testing.assert_array_equal(margin.against, second.target)


def test_a_margin_against_the_best_other_class():
    explainer = Explainer(net("y = Softmax (z)"), labels=["a", "b", "c", "d", "e"])
    order = np.argsort(-np.array([logits(x) for x in x_for()]), axis=1)
    best = explainer.explain(x_for(), "top", "margin")
    np.testing.assert_array_equal(best.target, order[:, 0])
    np.testing.assert_array_equal(best.against, order[:, 1])
    other = explainer.explain(x_for(), order[:, 2], "margin")
    np.testing.assert_array_equal(other.against, order[:, 0])
    assert (other.score < 0).all() and (best.score > 0).all()
    assert best.label(1) == "abcde"[order[1, 0]] and best.rival(1) == "abcde"[order[1, 1]]
    assert explainer.explain(x_for(), 2).rival() == ""


@pytest.mark.parametrize("against", ["dog", "Dog", ("y", 1), ("y", "dog"), {"y": 1}, "y[1]", np.array(1)])
def test_against_is_named_as_a_target_is(against):
    labels = ["cat", "dog", "fox", "owl", "emu"]
    explainer = Explainer(net(), labels=labels)
    found = explainer.explain(x_for(), "fox", "margin", against=against)
    np.testing.assert_array_equal(found.against, [1, 1, 1])
    wanted = explainer.explain(x_for(), 2, "margin", against=1)
    np.testing.assert_array_equal(found.relevance, wanted.relevance)


def test_a_sigmoids_probability_is_each_values_own():
    explainer = Explainer(net("y = Sigmoid (z)"), dtype="float64", eps=EPS)
    x = x_for()
    for start in ("probability", "sglrp"):
        found = explainer.explain(x, 2, start)
        for sample in range(3):
            p = 1 / (1 + np.exp(-logits(x[sample])[2]))
            value = p if start == "probability" else p * (1 - p)
            assert relative(found.relevance[sample], walked(x[sample], value * onehot(2))) < 1e-6
            assert found.score[sample] == pytest.approx(p, rel=1e-6)


def test_a_sure_prediction_keeps_the_digits_of_its_doubt():
    """1 − p is 1e-12 here: float32 cannot hold p and 1 − p in one number."""
    model = parse("g (float[N,3] x) => (float[N,3] y) { y = Identity (x) }")
    x = np.array([[27.6, 0.0, -3.0]], dtype=np.float32)
    found = Explainer(model, keep=["x"]).explain(x, 0, "sglrp")
    p = softmax(x[0].astype(np.float64))
    wanted = p[0] * np.array([p[1] + p[2], -p[1], -p[2]])
    np.testing.assert_allclose(found.relevance[0], wanted, rtol=1e-5)
    model = parse("g (float[N,2] x) => (float[N,2] y) { y = Sigmoid (x) }")
    found = Explainer(model).explain(np.array([[-200, 30]], dtype=np.float32), 1, "sglrp")
    np.testing.assert_allclose(found.relevance, [[0, np.exp(-30)]], rtol=1e-5)


FOUR = "r = Reshape (z, shape) y = {end}"
GRADIENTS = {
    "plain": (net("y = Identity (z)"), 3),
    "softmax": (net("y = Softmax (z)"), [3, 0, 1]),
    "sigmoid": (net("y = Sigmoid (z)"), "top"),
    "a region": (net("y = Softmax (z)"), ("y", np.s_[1:4])),
    "a region of one sample": (net("y = Softmax (z)"), ("y", np.s_[1, 2:])),
    "a whole tensor": (net(), "z"),
}
MASKS = "g (float[N,12] x) => (float[N,P,Q,R] y) {{ z = Reshape (x, shape) {end} }}"
SHAPE = np.array([0, 3, 2, 2])
for name, end in {
    "positions": "y = Softmax <axis = 1> (z)",
    "positions, moved": "s = Softmax <axis = 1> (z) y = Transpose <perm = [0, 3, 1, 2]> (s)",
}.items():
    for what, target in {"an index": 7, "a mask": ("y", rng(9).random((3, 2, 2)) < 0.4)}.items():
        if name == "positions" or what == "an index":
            GRADIENTS[f"{name}, {what}"] = parse(MASKS.format(end=end), shape=SHAPE), target
OLD = '<ir_version: 6, opset_import: ["": 11]> ' + MASKS.format(end="y = Softmax <axis = 2> (z)")
GRADIENTS["before opset 13"] = parse(OLD, shape=SHAPE), ("y", np.s_[1, :, 1])


@pytest.mark.parametrize("case", GRADIENTS)
@pytest.mark.parametrize("start", ["output", "one", "probability", "sglrp", "margin"])
def test_the_seed_is_the_gradient_of_the_score(case, start):
    """By finite differences of the score, in float64, for every value of the target tensor."""
    model, asked = GRADIENTS[case]
    explainer = Explainer(model, dtype="float64")
    options = {}
    if start == "margin":
        options["against"] = None if case == "a whole tensor" else ("y", np.s_[..., -1:])
    if case == "a whole tensor" and start not in ("output", "one"):
        with pytest.raises(TargetError, match="needs an index"):
            resolve_target(explainer.graph, asked, start=start)
        return
    target = resolve_target(explainer.graph, asked, start=start, **options)
    inner = explainer.graph.inputs[0].shape[1:]
    x = rng(6).standard_normal((3, *inner)).astype(np.float32)
    values = LayersForward(explainer.plan_for(asked), explainer.dtype)({"x": x}).seen
    chosen = choose(target, values, 3)
    found = seed(target, chosen, values, 3)
    z = values[target.anchor.tensor]
    assert found.shape == z.shape
    step = 1e-5
    for place in np.ndindex(z.shape):
        sides = []
        for sign in (1, -1):
            moved = z.copy()
            moved[place] += sign * step
            sides.append(score(target, chosen, {**values, target.anchor.tensor: moved}, 3))
        slope = (sides[0] - sides[1]) / (2 * step)
        wanted = np.zeros(3)
        wanted[place[0]] = found[place]
        np.testing.assert_allclose(slope, wanted, atol=1e-9)
    assert np.abs(found).max() > 0


def test_clrp_explains_no_number_that_has_a_gradient():
    target = Target(resolve_target(Explainer(net()).graph, 1).anchor, 1, "clrp")
    values = dict.fromkeys((target.anchor.tensor, target.anchor.output), np.ones((1, 5)))
    with pytest.raises(TargetError, match="'clrp' contrasts two walks"):
        seed(target, choose(target, values, 1), values, 1)


MAP = "g (float[N,3] x) => (float[N,2,3] y) { h = Gemm (x, w, b) y = Reshape (h, shape) }"


@pytest.mark.parametrize(
    ("model", "target", "start", "against", "message"),
    [
        ("net", 1, "two", None, "start: 'two' is none of output, one, probability, margin, clrp, sglrp"),
        ("net", 1, None, None, "start: None is none of output"),
        ("net", "z", "probability", None, "'probability' needs an index; a whole tensor starts from"),
        ("net", "z", "clrp", None, "'clrp' needs an index"),
        ("net", 1, "output", 2, "against: it belongs to start 'margin', not 'output'"),
        ("net", 1, "margin", 1, "against: it is the target itself, index 1"),
        ("net", 1, "margin", 5, "index 5 is out of range"),
        ("net", 1, "margin", [1, 2], "2 indices for 3 sample"),
        ("net", 1, "margin", "emu", "no class is called 'emu'"),
        ("net", 1, "margin", "a[1]", "against: it counts in 'a', the target in 'y'"),
        ("net", ("y", np.s_[1:3]), "margin", None, "no best other class for this target; name one"),
        ("net", ("y", np.s_[0:5]), "clrp", None, r"contrasts with other classes, and y\[0:5\] has them all"),
        ("map", 4, "margin", None, r"'y', \[2, 3\] per sample, has no best other class"),
        ("map", 4, "probability", None, r"\[2, 3\] per sample, ends in no Softmax and is not one value per"),
        ("map", 4, "sglrp", None, "no class axis"),
        ("map", 4, "clrp", None, "no class axis"),
    ],
)
def test_starts_that_cannot_be(model, target, start, against, message):
    model = net() if model == "net" else parse(MAP, w=W.T, b=B, shape=np.array([0, 2, 3]))
    with pytest.raises(TargetError, match=message):
        Explainer(model).explain(x_for(), target, start, against)


def test_a_class_axis_among_axes_of_one():
    text = f"g (float[N,3] x) => (float[N,1,5,1] y) {{ {BODY} y = Reshape (z, shape) }}"
    thin = parse(text, w=W.T, b=B, v=V.T, c=C, shape=np.array([0, 1, 5, 1]))
    for start in STARTS:
        found = Explainer(thin, dtype="float64").explain(x_for(), 3, start)
        wanted = Explainer(net(), dtype="float64").explain(x_for(), 3, start)
        assert relative(found.relevance, wanted.relevance) < 1e-12
