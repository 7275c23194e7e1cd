"""Occlusion and RISE on models of every kind, against onnxruntime asked one by one, parts hidden by hand."""

import warnings

import numpy as np
import pytest
from building import parse, rng, run
from perturbed import Problem

from explainer import Explainer, InputError, Preprocess, UnsupportedError, explain
from explainer.methods.rise import Rise

W = rng(1).standard_normal
K = W((4, 3, 3, 3))
HEAD = "p = GlobalAveragePool (r) f = Flatten (p) y = Gemm (f, w)"
IMAGE = f"c = Conv (t, k) r = Tanh (c) {HEAD} }}"
WEIGHTS = {"k": K, "w": W((4, 2))}


def numbers(*shape, seed=3):
    return rng(seed).standard_normal(shape).astype(np.float32)


def windows(shape, width, axes):
    """The masks of windows side by side along some axes of a sample, whole along the others."""
    masks = []
    for place in np.ndindex(*(shape[axis] // width for axis in axes)):
        mask = np.zeros(shape, bool)
        cut = [slice(None)] * len(shape)
        for axis, at in zip(axes, place, strict=True):
            cut[axis] = slice(at * width, (at + 1) * width)
        mask[tuple(cut)] = True
        masks.append(mask)
    return masks


def alone(feeds, i, turned):
    return {
        name: x if turned.get(name, 0) is None else x.take([i], turned.get(name, 0))
        for name, x in feeds.items()
    }


def by_hand(model, feeds, masks, hidden=None, index=1, turned=None):
    """What the score loses where a part is hidden, input by input; every question is one sample of its own.

    `turned` are the axes of samples that are not the first, None for inputs without.
    """
    turned, hidden = turned or {}, hidden or {}
    axes = {name: turned.get(name, 0) for name in feeds}
    samples = max((feeds[name].shape[axis] for name, axis in axes.items() if axis is not None), default=1)
    lost = {name: np.zeros((samples, *parts[0].shape)) for name, parts in masks.items()}
    for i in range(samples):
        one = alone(feeds, i, turned)
        score = run(model, one)[0].reshape(-1)[index]
        for name, parts in masks.items():
            for mask in parts:
                x = one[name].copy()
                view = x if axes[name] is None else np.moveaxis(x, axes[name], 0)[0]
                view[mask] = hidden.get(name, 0)
                lost[name][i][mask] += score - run(model, {**one, name: x})[0].reshape(-1)[index]
    return lost


IDS = rng(5).integers(1, 9, (3, 6))
BERT = """g (int64[N,T] ids, int64[N,T] mask, int64[N,T] kinds) => (float[N,2] y) {
    a = Gather (words, ids) b = Gather (segments, kinds) s = Add (a, b) m = Cast <to = 1> (mask)
    u = Unsqueeze (m, two) v = Mul (s, u) h = Tanh (v)
    q = ReduceMean <keepdims = 0> (h, one) y = MatMul (q, w) }"""
TABLES = {
    "words": W((9, 4)),
    "segments": W((2, 4)),
    "two": np.array([2]),
    "one": np.array([1]),
    "w": W((4, 2)),
}
RNN = "h, last = RNN <hidden_size = 4> (t, W, R) l = Squeeze (last, zero) y = MatMul (l, w)"
STEPS = {"W": W((1, 4, 3)), "R": W((1, 4, 4)), "zero": np.array([0]), "w": W((4, 2))}

# name: model, feeds, options, the masks of the parts, what they are hidden with, axes of samples
KINDS = {
    "picture beside a number for all": (
        f"g (float[N,3,6,6] t, float s) => (float[N,2] z) {{ {IMAGE[:-1]} z = Mul (y, s) }}", WEIGHTS,
        {"t": numbers(3, 3, 6, 6), "s": np.array(2, np.float32)},
        {"window": 3, "stride": 3}, {"t": windows((3, 6, 6), 3, (1, 2))}, {}, {"s": None},
    ),
    "picture beside facts": (
        f"g (float[N,3,6,6] t, float[N,2] s) => (float[N,2] z) {{ {IMAGE[:-1]} z = Mul (y, s) }}", WEIGHTS,
        {"t": numbers(2, 3, 6, 6), "s": numbers(2, 2)},
        {"window": {"t": 3}, "stride": {"t": 3}},
        {"t": windows((3, 6, 6), 3, (1, 2)), "s": windows((2,), 1, (0,))}, {}, {},
    ),
    "channels last": (
        f"g (float[N,6,6,3] x) => (float[N,2] y) {{ t = Transpose <perm = [0,3,1,2]> (x) {IMAGE}", WEIGHTS,
        {"x": numbers(2, 6, 6, 3)}, {"window": 3, "stride": 3}, {"x": windows((6, 6, 3), 3, (0, 1))}, {}, {},
    ),
    "channels last, normalised before they are turned": (
        f"""g (float[N,6,6,3] x) => (float[N,2] y) {{ a = Sub (x, m) b = Mul (a, m)
        t = Transpose <perm = [0,3,1,2]> (b) {IMAGE}""", {**WEIGHTS, "m": W(3)},
        {"x": numbers(2, 6, 6, 3)}, {"window": 3, "stride": 3}, {"x": windows((6, 6, 3), 3, (0, 1))}, {}, {},
    ),
    "a series of channels": (
        f"g (float[N,3,8] t) => (float[N,2] y) {{ {IMAGE}", {"k": W((4, 3, 3)), "w": W((4, 2))},
        {"t": numbers(2, 3, 8)}, {"window": 2, "stride": 2}, {"t": windows((3, 8), 2, (1,))}, {}, {},
    ),
    "a volume": (
        f"g (float[N,3,4,4,4] t) => (float[N,2] y) {{ {IMAGE}", {"k": W((4, 3, 3, 3, 3)), "w": W((4, 2))},
        {"t": numbers(2, 3, 4, 4, 4)}, {"window": 2, "stride": 2},
        {"t": windows((3, 4, 4, 4), 2, (1, 2, 3))}, {}, {},
    ),
    "a sound": (
        f"g (float[N,8] x) => (float[N,2] y) {{ t = Unsqueeze (x, one) {IMAGE}",
        {"k": W((4, 1, 3)), "w": W((4, 2)), "one": np.array([1])},
        {"x": numbers(2, 8)}, {"window": 2, "stride": 2}, {"x": windows((8,), 2, (0,))}, {}, {},
    ),
    "a table": (
        "g (float[N,5] x) => (float[N,2] y) { h = MatMul (x, v) r = Tanh (h) y = MatMul (r, w) }",
        {"v": W((5, 4)), "w": W((4, 2))}, {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "a table of whole numbers": (
        """g (int32[N,5] x) => (float[N,2] y) {
        c = Cast <to = 1> (x) h = MatMul (c, v) r = Tanh (h) y = MatMul (r, w) }""",
        {"v": W((5, 4)), "w": W((4, 2))}, {"x": rng(3).integers(-3, 4, (3, 5)).astype(np.int32)},
        {"baseline": 7}, {"x": windows((5,), 1, (0,))}, {"x": 7}, {},
    ),
    "a table of truths": (
        """g (bool[N,5] x) => (float[N,2] y) {
        c = Cast <to = 1> (x) h = MatMul (c, v) r = Tanh (h) y = MatMul (r, w) }""",
        {"v": W((5, 4)), "w": W((4, 2))}, {"x": rng(3).integers(0, 2, (3, 5)).astype(bool)},
        {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "pixels": (
        f"g (uint8[N,3,6,6] u) => (float[N,2] y) {{ t = Cast <to = 1> (u) {IMAGE}", {**WEIGHTS, "k": K / 255},
        {"u": rng(3).integers(0, 256, (2, 3, 6, 6)).astype(np.uint8)},
        {"window": 3, "stride": 3, "baseline": 128}, {"u": windows((3, 6, 6), 3, (1, 2))}, {"u": 128}, {},
    ),
    "words, their mask and their segments": (
        BERT, TABLES, {"ids": IDS, "mask": (IDS != 3).astype(np.int64), "kinds": (IDS > 4).astype(np.int64)},
        {"baseline": 8}, {"ids": windows((6,), 1, (0,))}, {"ids": 8}, {},
    ),
    "steps of a recurrent layer": (
        f"g (float[N,6,3] x) => (float[N,2] y) {{ t = Transpose <perm = [1,0,2]> (x) {RNN} }}", STEPS,
        {"x": numbers(2, 6, 3)}, {"window": 2, "stride": 2}, {"x": windows((6, 3), 2, (0,))}, {}, {},
    ),
    "steps that come before the samples": (
        f"g (float[6,N,3] t) => (float[N,2] y) {{ {RNN} }}", STEPS,
        {"t": numbers(6, 2, 3)}, {"window": 2, "stride": 2}, {"t": windows((6, 3), 2, (0,))}, {}, {"t": 1},
    ),
    "the state that a recurrent layer begins with": (
        f"g (float[N,6,3] x, float[1,N,4] s) => (float[N,2] y) {{ t = Transpose <perm = [1,0,2]> (x) {RNN} }}"
        .replace("(t, W, R)", "(t, W, R, , , s)"), STEPS,
        {"x": numbers(2, 6, 3), "s": numbers(1, 2, 4)},
        {"window": 2, "stride": 2}, {"x": windows((6, 3), 2, (0,))}, {}, {"s": 1},
    ),
    "one picture and no samples": (
        f"g (float[3,6,6] x) => (float[1,2] y) {{ t = Unsqueeze (x, zero) {IMAGE}",
        {**WEIGHTS, "zero": np.array([0])},
        {"x": numbers(3, 6, 6)}, {"window": 3, "stride": 3},
        {"x": windows((3, 6, 6), 3, (1, 2))}, {}, {"x": None},
    ),
    "training mode": (
        f"""g (float[N,3,6,6] x) => (float[N,2] y) {{
        t, a, b = BatchNormalization <training_mode = 1, momentum = 1.0> (x, one, nil, mean, var) {IMAGE}""",
        {**WEIGHTS, "one": np.ones(3), "nil": np.zeros(3), "mean": np.zeros(3), "var": np.ones(3)},
        {"x": numbers(3, 3, 6, 6)}, {"window": 3, "stride": 3}, {"x": windows((3, 6, 6), 3, (1, 2))}, {}, {},
    ),
    "a mean over the batch": (
        """g (float[N,5] x) => (float[N,2] y) {
        m = ReduceMean (x, nil) d = Mul (x, m) h = MatMul (d, v) y = Tanh (h) }""",
        {"v": W((5, 2)), "nil": np.array([0])},
        {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "one scale for the batch": (
        """g (float[N,5] x) => (float[N,2] y) {
        q, s, z = DynamicQuantizeLinear (x) d = DequantizeLinear (q, s, z)
        h = MatMul (d, v) y = Tanh (h) }""",
        {"v": W((5, 2))}, {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "a fixed batch": (
        f"g (float[2,3,6,6] t) => (float[2,2] y) {{ {IMAGE}", WEIGHTS,
        {"t": numbers(2, 3, 6, 6)}, {"window": 3, "stride": 3}, {"t": windows((3, 6, 6), 3, (1, 2))}, {}, {},
    ),
    "an output whose samples are not in front": (
        """g (float[N,5] x) => (float y) {
        h = MatMul (x, v) t = Transpose <perm = [1,0]> (h) y = Tanh (t) }""",
        {"v": W((5, 3))}, {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)


def of(kind):
    text, weights, feeds, options, masks, hidden, turned = KINDS[kind]
    text = text.replace("(float y)", "(float[] y)")
    return parse(text, **weights), feeds, options, masks, hidden, turned


def maps(explanation, feeds):
    R = explanation.relevance
    return R if isinstance(R, dict) else {next(iter(feeds)): R}


@every_kind
@pytest.mark.parametrize("batch_size", [1, 3, 6, 32])
def test_occlusion_is_what_onnxruntime_says_one_by_one(kind, batch_size):
    model, feeds, options, masks, hidden, turned = of(kind)
    by = model
    if kind == "a fixed batch":
        by = parse(KINDS[kind][0].replace("[2,", "[N,"), **KINDS[kind][1])
    wanted = by_hand(by, feeds, masks, hidden, turned=turned)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = explain(model, feeds, target=1, method="occlusion", batch_size=batch_size, **options)
    assert set(maps(found, feeds)) == set(masks)
    for name, R in maps(found, feeds).items():
        assert R.shape == np.shape(feeds[name]) and R.dtype == np.float32
        R = R[None] if turned.get(name, 0) is None else np.moveaxis(R, turned.get(name, 0), 0)
        scale = np.abs(wanted[name]).max()
        assert scale > 1e-4 and np.abs(R - wanted[name]).max() < 1e-4 * max(scale, 0.01)


@every_kind
def test_rise_does_not_depend_on_the_batch(kind):
    model, feeds, options, masks, _, _ = of(kind)
    how = {
        "method": "rise",
        "n_masks": 30,
        "seed": 4,
        **{k: v for k, v in options.items() if k == "baseline"},
    }
    alone = maps(explain(model, feeds, target=1, batch_size=1, **how), feeds)
    assert set(alone) == set(masks)
    for batch_size in (4, 32):
        found = maps(explain(model, feeds, target=1, batch_size=batch_size, **how), feeds)
        for name, R in found.items():
            assert R.shape == np.shape(feeds[name]) and np.abs(R).max() > 0
            assert np.abs(R - alone[name]).max() < 1e-4 * np.abs(alone[name]).max()


def test_rise_shows_or_hides_each_word():
    model, feeds, _, _, _, _ = of("words, their mask and their segments")
    n, p, seed = 25, 0.4, 3
    how = {"method": "rise", "n_masks": n, "p_keep": p, "seed": seed, "baseline": 8}
    found = explain(model, feeds, target=1, **how).relevance["ids"]
    for i in range(len(IDS)):
        shown = np.array([np.random.default_rng((seed, number)).random(6) < p for number in range(n)])
        asked = [{**alone(feeds, i, {}), "ids": np.where(mask, IDS[i : i + 1], 8)} for mask in shown]
        scores = np.array([run(model, one)[0][0, 1] for one in asked])
        wanted = (scores - scores.mean()) @ shown / (n * p)
        assert np.abs(found[i] - wanted).max() < 1e-5


def test_rise_rounds_what_lies_between_whole_numbers():
    pixels = rng(6).integers(0, 256, (1, 2, 6, 6)).astype(np.uint8)
    shown = []
    for x in (np.ones((1, 2, 6, 6)), pixels):
        problem = Problem(lambda feeds, rows: feeds["x"].sum((1, 2, 3)), x=x)
        found = Rise(5, 2, baseline=(1, 2) if x is pixels else 0.0)(problem)["x"]
        shown.append(problem.everything("x"))
    hidden = np.array([1, 2]).reshape(2, 1, 1)
    np.testing.assert_array_equal(shown[1], np.rint(pixels * shown[0] + hidden * (1 - shown[0])))
    assert shown[1].dtype == np.uint8 and found.dtype == np.float32


def test_groups_are_hidden_together():
    text, weights, feeds, _, _, _, _ = KINDS["channels last"]
    model = parse(text, **weights)
    groups = np.arange(36).reshape(6, 6) % 5
    masks = [np.repeat((groups == group)[..., None], 3, -1) for group in range(5)]
    wanted = by_hand(model, feeds, {"x": masks})["x"]
    for given in (groups, groups.tolist(), np.repeat(groups[..., None], 3, -1)):
        found = explain(model, feeds, target=1, method="occlusion", groups=given)
        assert np.abs(found.relevance - wanted).max() < 1e-5
        assert found.repeats == (np.ndim(given) == 2)
    with pytest.raises(
        InputError, match=r"groups: \(6,\); a sample of input 'x' is \(6, 6, 3\), or its places"
    ):
        explain(model, feeds, method="occlusion", groups=np.arange(6))
    rise = explain(model, feeds, target=1, method="rise", groups=groups, n_masks=9).relevance
    assert all(np.ptp(rise[0][mask]) == 0 for mask in masks)


def test_what_is_held_can_be_chosen():
    model, feeds, *_ = of("words, their mask and their segments")
    everything = explain(model, feeds, target=1, method="occlusion", hold=(), baseline={"ids": 8}).relevance
    wanted = by_hand(model, feeds, {"mask": windows((6,), 1, (0,)), "kinds": windows((6,), 1, (0,))})
    for name, lost in wanted.items():
        assert np.abs(everything[name] - lost).max() < 1e-5
    named = explain(model, feeds, target=1, method="occlusion", hold="mask, ids").relevance
    assert not named["ids"].any() and not named["mask"].any() and named["kinds"].any()
    with pytest.raises(InputError, match="hold: 'msk' is no input; the inputs are 'ids', 'mask', 'kinds'"):
        explain(model, feeds, method="occlusion", hold="msk")
    with pytest.raises(InputError, match="is held, and nothing is left to explain"):
        explain(model, feeds, method="occlusion", hold=["ids", "mask", "kinds"])


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_a_layout_that_nothing_tells_is_asked_for(method):
    model = parse(
        "g (float[N,5,6,6] x) => (float[N,2] y) { f = Flatten (x) y = MatMul (f, w) }", w=W((180, 2))
    )
    x = numbers(1, 5, 6, 6)
    with pytest.raises(
        InputError, match=r"input 'x' has shape \(1, 5, 6, 6\), and nothing tells which axis holds"
    ):
        explain(model, x, method=method)
    for noise in (None, "smoothgrad"):
        with pytest.raises(InputError, match=r"input 'x' has shape \(any, 5, 6, 6\), and nothing tells"):
            Explainer(model, method=method, noise=noise).check_target()
    Explainer(model, method=method, groups=np.zeros((5, 6, 6), int)).check_target()
    first = explain(model, x, method=method, preprocess=Preprocess()).relevance
    assert (np.ptp(first, axis=1) == 0).all()  # every channel has its place's amount
    last = explain(model, x, method=method, preprocess=Preprocess(layout="NHWC")).relevance
    assert (np.ptp(last, axis=3) == 0).all()
    with pytest.raises(InputError, match="nothing tells which axis"):
        explain(model, x, method=method, baseline="mean")
    if method == "occlusion":
        assert explain(model, x, method=method, window=(5, 2, 2)).relevance.shape == x.shape


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_float64_is_honoured_or_refused(method):
    text, weights, feeds, *_ = KINDS["channels last"]
    model = parse(text, **weights)
    how = {
        "method": method,
        "target": 1,
        **({"n_masks": 9} if method == "rise" else {"window": 3, "stride": 3}),
    }
    found = explain(model, feeds, dtype="float64", **how).relevance
    assert found.dtype == np.float64
    single = explain(model, feeds, **how).relevance
    assert 0 < np.abs(found - single).max() < 1e-5
    assert (explain(model, feeds, forward="numpy", **how).relevance != single).any()
    sine = parse("g (float[N,4] x) => (float[N,4] y) { y = Sin (x) }")
    with pytest.raises(UnsupportedError, match="run the model in NumPy, layer by layer; leave them out"):
        explain(sine, numbers(1, 4), method=method, dtype="float64")
    assert explain(sine, numbers(1, 4), method=method, target=1).relevance[0, 1] != 0


def test_whole_numbers_are_hidden_with_whole_numbers():
    model, feeds, _, _, _, _ = of("pixels")
    for baseline in (0.5, 256, -1):
        with pytest.raises(
            InputError, match=rf"baseline {baseline}: input 'u' holds uint8, and none that is"
        ):
            explain(model, feeds, method="occlusion", baseline=baseline)
    mean = explain(model, feeds, target=1, method="occlusion", window=6, baseline="mean").relevance
    own = np.rint(feeds["u"].mean((2, 3), keepdims=True)) * np.ones_like(feeds["u"])
    there = explain(model, feeds, target=1, method="occlusion", window=6, baseline=own).relevance
    np.testing.assert_array_equal(mean, there)
    bert, words, *_ = of("words, their mask and their segments")
    with pytest.raises(InputError, match=r"baseline 'mean': input 'ids', .*, holds indices"):
        explain(bert, words, method="occlusion", baseline="mean")
    for baseline in (9, -10):
        with pytest.raises(
            InputError, match=rf"baseline {baseline}: input 'ids' is looked up in a table of 9 rows"
        ):
            explain(bert, words, method="occlusion", baseline=baseline)
    assert explain(bert, words, method="rise", n_masks=3, baseline=-9).relevance["ids"].any()
    with pytest.raises(InputError, match=r"asks at points between them, which the model does not take"):
        explain(bert, words, method="occlusion", noise="smoothgrad")


def test_samples_that_meet_in_a_fixed_batch_are_refused():
    model = parse("g (float[4,3] x) => (float[4,3] y) { s = Softmax <axis = 0> (x) y = Neg (s) }")
    with pytest.raises(
        InputError, match=r"Softmax .* computes across the samples of a batch, and the file takes 4"
    ):
        explain(model, numbers(4, 3), target=1, method="occlusion")


def test_a_model_that_answers_otherwise_when_asked_again_is_refused():
    """At random; or onnxruntime updates running statistics in place, where it has merged equal constants."""
    shaky = parse("g (float[N,3] x) => (float[N,3] y) { n = RandomNormalLike (x) y = Add (x, n) }")
    text, weights, feeds, *_ = KINDS["training mode"]
    drifting = parse(text.replace(", momentum = 1.0", ""), **weights)
    for model, x in ((shaky, numbers(2, 3)), (drifting, feeds)):
        for method in ("occlusion", "rise"):
            with pytest.raises(InputError, match="asked again about the same input, the model answers"):
                explain(model, x, target=1, method=method)


def test_methods_of_many_points_do_not_mix_their_points():
    text, weights, feeds, _, _, _, _ = KINDS["a mean over the batch"]
    model, x = parse(text, **weights), feeds["x"]
    alone = [
        explain(model, x[i : i + 1], target=1, method="integrated_gradients", n_steps=5) for i in range(3)
    ]
    for batch_size in (1, 8):
        how = {"method": "integrated_gradients", "n_steps": 5, "batch_size": batch_size}
        found = explain(model, x, target=1, **how)
        for i, one in enumerate(alone):
            assert np.abs(found.relevance[i] - one.relevance[0]).max() < 1e-6


def test_walks_say_which_input_has_no_samples_in_front():
    model, feeds, _, _, _, _ = of("picture beside a number for all")
    with pytest.raises(InputError, match=r"input 's' is the same for all samples, (.|\n)*method='occlusion'"):
        explain(model, feeds, target=1)


def test_what_is_drawn_is_the_amount_of_a_place():
    for kind, places in (("channels last", (6, 6)), ("a series of channels", (8,)), ("a table", (5,))):
        model, feeds, options, _, _, _ = of(kind)
        found = explain(model, feeds, target=1, method="occlusion", **options)
        channel = {"channels last": 3, "a series of channels": 1}.get(kind)
        drawn = found.drawn if channel is None else found.drawn.sum(channel)
        R = found.relevance if channel is None else found.relevance.take(0, channel)
        assert drawn.shape[1:] == places and np.allclose(drawn, R)
        found.heatmap()
    model, feeds, options, _, _, _ = of("steps that come before the samples")
    explain(model, feeds, target=1, method="occlusion", **options).heatmap(1)
