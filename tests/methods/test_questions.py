"""What every method must bear: targets of all kinds, models of all kinds, threads, somebody who waits."""

import threading

import numpy as np
import pytest
import torch
from building import parse, relative, rng
from twins import EXACT, picture, twin, two_feeds, two_inputs

import explainer
from explainer import Explainer, InputError

# Options that keep them short; each asks the model at many points, or at two, or at one.
METHODS = {
    "lrp": {},
    "gradient": {},
    "input_x_gradient": {},
    "integrated_gradients": {"n_steps": 5, "baseline": 0.1},
    "gradient_shap": {"n_samples": 3, "stdev": 0.1},
    "smoothgrad": {"n_samples": 3},
    "vargrad": {"n_samples": 3},
    "deeplift": {"baseline": 0.1},
    "grad_cam": {},
    "grad_cam_plus_plus": {},
    "occlusion": {"window": 3},
    "rise": {"n_masks": 6, "cells": 2},
}
ELSEWHERE = [
    name
    for name in METHODS
    if name not in ("lrp", "gradient", "input_x_gradient", "grad_cam", "grad_cam_plus_plus")
]
every_method = pytest.mark.parametrize("method", METHODS)

MASKS = """g (float[N,2,6,6] x) => (float[N,3,4,4] y) {
    c = Conv (x, w) r = Tanh (c) y = Conv (r, v) }"""


def masks(batch="N"):
    """A segmentation: a mask of 4 × 4 for each of three classes."""
    text = MASKS.replace("[N", f"[{batch}")
    return parse(text, w=rng(1).standard_normal((4, 2, 3, 3)), v=rng(2).standard_normal((3, 4, 1, 1)))


def scenes(samples=3):
    return rng(3, samples).standard_normal((samples, 2, 6, 6)).astype(np.float32)


def maps(model, method, x, target="top", start="output", against=None, **how):
    """By a method, its walks in float64 where there are any."""
    options = {**METHODS[method], **how}
    return Explainer(model, method=method, dtype="float64", **options).explain(x, target, start, against)


def of_masks(method, x, target, batch="N", **how):
    """The segmentation's last convolution makes the target, so another tensor must be named for Grad-CAM."""
    tensor = {"tensor": "r"} if "cam" in method else {}
    return maps(masks(batch), method, x, target, **tensor, **how)


@every_method
def test_a_region_is_the_sum_of_its_elements(method):
    if method in ("vargrad", "grad_cam", "grad_cam_plus_plus"):
        pytest.skip("a variance, a rectified map: not linear in the target")
    x = scenes(2)
    how = {"start": "one"} if method == "lrp" else {}
    region = of_masks(method, x, "y[1, 1:3, 2]", **how)
    parts = [of_masks(method, x, ("y", (1, row, 2)), **how).relevance for row in (1, 2)]
    tolerance = 1e-5 if method in ("occlusion", "rise") else EXACT
    assert relative(region.relevance, sum(parts)) < tolerance
    assert region.region == "y[1, 1:3, 2]" and region.target is None


@every_method
def test_a_region_of_one_sample_leaves_the_others_out(method):
    x = scenes(3)
    found = of_masks(method, x, "y[1, 2, 0:2, 3]").relevance
    alone = maps(masks(), method, x[1:2], "y[2, 0:2, 3]").relevance
    if method != "rise":  # a rest of rounding, divided by nothing
        assert np.abs(found[[0, 2]]).max() <= 1e-9
    assert relative(found[1], alone[0]) < 1e-4


@pytest.mark.parametrize(
    "method", ["gradient", "integrated_gradients", "deeplift", "smoothgrad", "occlusion"]
)
def test_a_region_of_one_sample_where_the_model_takes_one_at_a_time(method):
    x = scenes(3)
    wanted = of_masks(method, x, "y[1, 2, 0:2, 3]").relevance
    found = maps(masks(batch=1), method, x, "y[1, 2, 0:2, 3]").relevance
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@every_method
def test_a_whole_tensor(method):
    x = scenes(2)
    if method in ("vargrad", "grad_cam", "grad_cam_plus_plus"):
        assert np.isfinite(of_masks(method, x, "y").relevance).all()
        return
    how = {"start": "one"} if method == "lrp" else {}
    whole = of_masks(method, x, "y", **how).relevance
    everything = of_masks(method, x, "y[:, :, :]", **how).relevance
    assert relative(whole, everything) < (1e-5 if method in ("occlusion", "rise") else EXACT)


@every_method
def test_several_indices_of_one_sample(method):
    x = picture(1)
    found = maps(twin("relus").model, method, x, [0, 3, 4])
    assert len(found.relevance) == 3 and found.target.tolist() == [0, 3, 4]
    for i, target in enumerate([0, 3, 4]):
        alone = maps(twin("relus").model, method, x, target).relevance
        assert relative(found.relevance[i], alone[0]) < (1e-4 if method in ("occlusion", "rise") else EXACT)


@every_method
@pytest.mark.parametrize("start", ["margin", "probability"])
def test_margin_and_probability(method, start):
    """Those that are linear in what they explain: a margin is the difference of two maps."""
    x, model = picture(2), twin("relus").model
    found = maps(model, method, x, [1, 2], start=start, against=[3, 0] if start == "margin" else None)
    assert np.isfinite(found.relevance).all()
    with torch.no_grad():
        z = twin("relus").module(torch.from_numpy(x).double()).numpy()
    if start == "probability":
        wanted = (np.exp(z) / np.exp(z).sum(1, keepdims=True))[[0, 1], [1, 2]]
        np.testing.assert_allclose(found.score, wanted, rtol=1e-5)
        return
    np.testing.assert_allclose(found.score, z[[0, 1], [1, 2]] - z[[0, 1], [3, 0]], rtol=1e-4)
    if method not in ("vargrad", "grad_cam", "grad_cam_plus_plus", "lrp"):
        difference = maps(model, method, x, [1, 2]).relevance - maps(model, method, x, [3, 0]).relevance
        assert relative(found.relevance, difference) < (1e-4 if method in ("occlusion", "rise") else 1e-8)


@pytest.mark.parametrize("batch", [1, 2, 4])
@every_method
def test_a_model_with_a_fixed_batch(method, batch):
    x, target = scenes(3), [4, 20, 40]
    wanted = of_masks(method, x, target).relevance
    found = of_masks(method, x, target, batch).relevance
    assert relative(found, wanted) < (1e-4 if method in ("occlusion", "rise") else EXACT)


def test_deeplift_on_a_model_that_has_its_batch_of_one_inside():
    """Pairs of a sample and its reference can be no batch there: they are compared all the same."""
    text = """g (float[1,2,4] x) => (float[1,3] y) {
        r = Reshape (x, shape) h = Gemm (r, w) t = Tanh (h) y = Gemm (t, v) }"""
    weights = {
        "shape": np.array([1, 8]),
        "w": rng(1).standard_normal((8, 5)),
        "v": rng(2).standard_normal((5, 3)),
    }
    x = rng(3).standard_normal((3, 2, 4)).astype(np.float32)
    free = parse(text.replace("[1,", "[N,"), **{**weights, "shape": np.array([0, 8])})
    for dtype in ("float32", "float64"):
        how = {"method": "deeplift", "dtype": dtype, "baseline": 0.25}
        found = Explainer(parse(text, **weights), **how).explain(x, 1)
        wanted = Explainer(free, **how).explain(x, 1)
        assert relative(found.relevance, wanted.relevance) < (1e-5 if dtype == "float32" else EXACT)
        np.testing.assert_allclose(found.delta, 0, atol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("method", ["deeplift", "integrated_gradients", "smoothgrad"])
def test_a_batch_that_is_not_in_front_inside_the_model(method):
    """A recurrent model's features, (time, N, ...): a batch of pairs would be cut across time."""
    text = """g (float[N,3,4] x) => (float[N,3,2] y) {
        t = Transpose <perm = [1, 0, 2]> (x) h = MatMul (t, w) a = Tanh (h) o = MatMul (a, v)
        y = Transpose <perm = [1, 0, 2]> (o) }"""
    model = parse(text, w=rng(1).standard_normal((4, 5)), v=rng(2).standard_normal((5, 2)))
    x = rng(3).standard_normal((3, 3, 4)).astype(np.float32)
    together = maps(model, method, x, "y[1, 0]")
    for i in range(3):
        alone = maps(model, method, x[i : i + 1], "y[1, 0]")
        assert relative(together.relevance[i], alone.relevance[0]) < EXACT
    if method == "deeplift":
        np.testing.assert_allclose(together.delta, 0, atol=1e-12)


def test_a_model_that_declares_a_dynamic_batch_and_has_none():
    text = """g (float[N,2,4] x) => (float[N,3] y) {
        r = Reshape (x, shape) h = Gemm (r, w) t = Tanh (h) y = Gemm (t, v) }"""
    weights = {"w": rng(1).standard_normal((8, 5)), "v": rng(2).standard_normal((5, 3))}
    x = rng(3).standard_normal((3, 2, 4)).astype(np.float32)
    for method in ("integrated_gradients", "deeplift"):
        ex = Explainer(parse(text, shape=np.array([1, 8]), **weights), method=method, baseline=0.25)
        with pytest.warns(UserWarning, match="they are fed one by one"):
            found = ex.explain(x, 1).relevance
        free = Explainer(parse(text, shape=np.array([0, 8]), **weights), method=method, baseline=0.25)
        assert relative(found, free.explain(x, 1).relevance) < 1e-5


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift"])
def test_one_number_per_channel_where_channels_are_last(method):
    text = """g (float[N,3,5,2] x) => (float[N,3] y) {
        t = Transpose <perm = [0, 3, 1, 2]> (x) c = Conv (t, w) r = Tanh (c) m = GlobalAveragePool (r)
        f = Flatten (m) y = Gemm (f, u) }"""
    model = parse(text, w=rng(1).standard_normal((4, 2, 2, 2)), u=rng(2).standard_normal((4, 3)))
    last, x = explainer.Preprocess(size=(3, 5), layout="NHWC"), rng(3).standard_normal((2, 3, 5, 2))
    how = {"method": method, "dtype": "float64", "preprocess": last}
    found = Explainer(model, baseline=(0.5, -1.0), **how).explain(x, 1).relevance
    wanted = (
        Explainer(model, baseline=np.array([0.5, -1.0]).reshape(1, 1, 1, 2), **how).explain(x, 1).relevance
    )
    np.testing.assert_array_equal(found, wanted)
    for numbers in ((0.0,) * 3, (0.0,) * 5):
        with pytest.raises(InputError, match="numbers, input 'x' has 2 channels"):
            Explainer(model, baseline=numbers, **how).explain(x, 1)
    mean = Explainer(model, baseline="mean", **how).explain(x, 1).relevance
    own = x.astype(np.float32).astype(np.float64).mean((1, 2), keepdims=True)
    assert (
        relative(
            mean, Explainer(model, baseline=np.broadcast_to(own, x.shape), **how).explain(x, 1).relevance
        )
        < EXACT
    )


@every_method
def test_several_inputs(method):
    net, feeds = two_inputs(), two_feeds()
    if method in ("occlusion", "rise"):
        with pytest.raises(InputError, match=r"input 'facts' has shape .* and so no spatial axes"):
            maps(net.model, method, feeds, 1)
        return
    tensor = {"tensor": "t"} if "cam" in method else {}
    found = maps(net.model, method, feeds, 1, **tensor).relevance
    for i in range(3):
        alone = maps(net.model, method, {name: x[i : i + 1] for name, x in feeds.items()}, 1, **tensor)
        for name, value in alone.relevance.items():
            assert relative(found[name][i], value[0]) < EXACT


def test_an_input_that_the_target_does_not_depend_on_stays_as_it_is():
    text = """g (float[N,3] x, int64[N,2] ids, float[N,2] aside) => (float[N,2] y, float[N,2] other) {
        h = Gemm (x, w) y = Tanh (h) i = Cast <to = 1> (ids) other = Add (i, aside) }"""
    model = parse(text, w=rng(1).standard_normal((3, 2)))
    feeds = {"x": rng(2).standard_normal((2, 3)), "ids": np.array([[1, 2], [3, 4]]), "aside": np.ones((2, 2))}
    for method in ("integrated_gradients", "deeplift", "smoothgrad", "gradient"):
        found = maps(model, method, feeds, ("y", 1))
        assert set(found.relevance) == {"x"}


WHOLE = """g (uint8[N,2,4,4] u) => (float[N,3] y) {
    x = Cast <to = 1> (u) c = Conv (x, w) t = Relu (c) m = GlobalAveragePool (t) y = Flatten (m) }"""


@every_method
def test_whole_numbers(method):
    model = parse(WHOLE, w=rng(1).standard_normal((3, 2, 2, 2)))
    x = rng(2).integers(0, 255, (2, 2, 4, 4)).astype(np.uint8)
    if method in ELSEWHERE:
        with pytest.raises(
            InputError, match="input 'u' holds whole numbers: this method asks at points between"
        ):
            Explainer(model, method=method, **METHODS[method]).explain(x, 1)
        with pytest.raises(InputError, match="input 'u' holds whole numbers"):
            Explainer(model, noise="smoothgrad").explain(x, 1)
        return
    floats = parse(WHOLE.replace("uint8", "float"), w=rng(1).standard_normal((3, 2, 2, 2)))
    found = Explainer(model, method=method).explain(x, 1).relevance
    wanted = Explainer(floats, method=method).explain(x.astype(np.float32), 1).relevance
    assert relative(found, wanted) < 1e-5


@every_method
def test_half_precision(method):
    """Points, sums and attributions are float32; the model is asked in its own type."""
    text = """g (float16[N,2,6,6] x) => (float16[N,3] y) {
        c = Conv (x, w) r = Relu (c) m = GlobalAveragePool (r) f = Flatten (m) y = Gemm (f, u) }"""
    w, u = (
        rng(1).standard_normal((4, 2, 3, 3)).astype(np.float16),
        rng(2).standard_normal((4, 3)).astype(np.float16),
    )
    model = parse(text, w=w, u=u)
    single = parse(text.replace("float16", "float"), w=w.astype(np.float32), u=u.astype(np.float32))
    x = scenes(2).astype(np.float16)
    found = Explainer(model, method=method, **METHODS[method]).explain(x, 1)
    wanted = Explainer(single, method=method, **METHODS[method]).explain(x.astype(np.float32), 1)
    assert found.relevance.dtype == np.float32
    assert relative(found.relevance, wanted.relevance) < 2e-2


@every_method
def test_threads_share_an_explainer(method):
    ex = Explainer(twin("relus").model, method=method, **METHODS[method])
    pictures = [picture(2, seed=i) for i in range(6)]
    fresh = [Explainer(twin("relus").model, method=method, **METHODS[method]).explain(x, 1) for x in pictures]
    found = [None] * len(pictures)

    def work(i):
        found[i] = ex.explain(pictures[i], 1)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, alone in zip(found, fresh, strict=True):
        np.testing.assert_array_equal(ours.relevance, alone.relevance)


@pytest.mark.parametrize("method", ELSEWHERE)
def test_progress(method):
    seen = []
    how = {} if method == "deeplift" else {"batch_size": 4}
    ex = Explainer(twin("relus").model, method=method, **METHODS[method], **how)
    ex.explain(picture(2), 1, progress=lambda done, total: seen.append((done, total)))
    if method == "deeplift":  # one walk
        assert seen == []
        return
    done, totals = zip(*seen, strict=True)
    assert len(set(totals)) == 1 and done[-1] == totals[0]
    assert list(done) == sorted(set(done))


def test_progress_of_noise_around_a_method_of_many_points():
    seen = []
    ex = Explainer(
        twin("relus").model, method="integrated_gradients", n_steps=3, noise="smoothgrad", n_samples=4
    )
    ex.explain(picture(2), 1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@every_method
def test_inner_relevance_is_that_of_one_walk_alone(method):
    if method in ("lrp", "gradient"):
        found = Explainer(twin("relus").model, method=method, keep="all").explain(picture(), 1)
        assert len(found.relevances) > 3
        return
    with pytest.raises(
        InputError, match=r"keep: .* hands nothing to inner tensors; use a method of one walk"
    ):
        Explainer(twin("relus").model, method=method, keep="all", **METHODS[method])


@every_method
def test_what_an_explanation_says(method):
    net, x = twin("relus"), picture(2)
    found = Explainer(net.model, method=method, **METHODS[method]).explain(x)
    z = net.module(torch.from_numpy(x).double()).detach().numpy()
    assert found.target.tolist() == z.argmax(1).tolist()
    np.testing.assert_allclose(found.score, z.max(1), rtol=1e-4)
    np.testing.assert_allclose(next(iter(found.outputs.values())), z, rtol=1e-4)
    assert np.isnan(found.conserved).all() == (method != "lrp")
    assert (found.delta is not None) == (method in ("integrated_gradients", "deeplift"))
    assert found.method == method


def test_methods_by_name():
    with pytest.raises(InputError, match="no method 'integrated_gradient'; there is: integrated_gradients"):
        Explainer(twin("relus").model, method="integrated_gradient")
    with pytest.raises(InputError, match="no method None; there is: lrp, "):
        Explainer(twin("relus").model, method=None)
    with pytest.raises(InputError, match="method 'input_x_gradient' takes no n_steps; it takes no options"):
        Explainer(twin("relus").model, method="input_x_gradient", n_steps=3)


def test_a_model_that_cannot_be_walked_is_asked_under_noise_too():
    model = parse(
        "g (float[N,1,6,6] x) => (float[N,2] y) { s = Sin (x) f = Flatten (s) y = Gemm (f, w) }",
        w=rng(1).standard_normal((36, 2)),
    )
    how = {"method": "occlusion", "window": 3, "noise": "smoothgrad", "n_samples": 2}
    assert Explainer(model, **how).explain(np.ones((1, 1, 6, 6))).relevance.shape == (1, 1, 6, 6)
