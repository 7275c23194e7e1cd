"""Every method on models that take what most do not: other batches, layouts, types, several inputs."""

import numpy as np
import pytest
from asked import ELSEWHERE, METHODS, every_method, maps, of_masks, scenes
from building import parse, relative, rng
from twins import EXACT, two_feeds, two_inputs

import explainer
from explainer import Explainer, InputError


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
    if method in ELSEWHERE and method not in ("occlusion", "rise"):
        with pytest.raises(
            InputError, match="input 'u' holds whole numbers: this method asks at points between"
        ):
            Explainer(model, method=method, **METHODS[method]).explain(x, 1)
        with pytest.raises(InputError, match="input 'u' holds whole numbers"):
            Explainer(model, noise="smoothgrad").explain(x, 1)
        return
    floats = parse(WHOLE.replace("uint8", "float"), w=rng(1).standard_normal((3, 2, 2, 2)))
    found = Explainer(model, method=method, **METHODS[method]).explain(x, 1).relevance
    wanted = Explainer(floats, method=method, **METHODS[method]).explain(x.astype(np.float32), 1).relevance
    assert found.dtype == np.float32
    if method != "rise":  # it rounds what lies between
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
