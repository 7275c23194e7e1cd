"""Occlusion and RISE on models of every kind, against onnxruntime asked one by one, parts hidden by hand."""

import warnings

import numpy as np
import onnx
import pytest
from building import parse, rng, run
from manykinds import IDS, KINDS, W, alone, by_hand, maps, numbers, of, windows
from perturbed import Problem

from explainer import Explainer, InputError, Preprocess, UnsupportedError, explain
from explainer.methods.rise import Rise

every_kind = pytest.mark.parametrize("kind", KINDS)


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
    sizes = {"occlusion": "window", "rise": "cells"}[method]
    with pytest.raises(InputError, match=f"; or {sizes}= with a number for each of its 3 axes, or groups="):
        explain(model, x, method=method)
    for given in ((5, 2, 2), {"x": [5, 2, 2]}):
        Explainer(model, method=method, options={sizes: given}).check_target()
        assert explain(model, x, method=method, options={sizes: given}).relevance.shape == x.shape


def test_cells_for_every_axis_of_a_picture_that_is_flattened_at_once():
    weights = W((48, 2))
    flat = "g (float[N{},6,8] x) => (float[N,2] y) {{ f = Flatten (x) y = MatMul (f, w) }}"
    bare, of_one = (parse(flat.format(channel), w=weights) for channel in ("", ",1"))
    x = numbers(2, 6, 8)
    how = {"method": "rise", "n_masks": 40}
    found = explain(bare, x, cells=(3, 4), **how)
    same = explain(of_one, x[:, None], cells=(3, 4), preprocess=Preprocess(), **how)
    np.testing.assert_allclose(found.relevance, same.relevance[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found.drawn, found.relevance)  # no place's amount stands in several channels
    even = explain(bare, x, cells=(1, 4), **how).relevance
    assert (np.ptp(even, axis=1) < 1e-6).all() and (np.ptp(even, axis=2) > 1e-3).all()


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
    sine = parse("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.SampleOp (x) }")
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
    fixed = onnx.ModelProto.FromString(model.SerializeToString())
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    with pytest.raises(InputError, match=r"input 's' is the same for all samples, (.|\n)*method='occlusion'"):
        explain(fixed, feeds, target=1)


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


@pytest.mark.parametrize(
    ("method", "option"), [("occlusion", "window"), ("occlusion", "stride"), ("rise", "cells")]
)
def test_what_groups_make_mean_nothing_is_refused_beside_them(method, option):
    model = parse("g (float[N,4] x) => (float[N,2] y) { y = MatMul (x, w) }", w=np.ones((4, 2)))
    with pytest.raises(InputError, match="give one or the other"):
        explain(model, np.ones((1, 4), np.float32), method=method, groups=[0, 0, 1, 1], **{option: 2})
