"""Walks from many points in onnxruntime: the numbers of NumPy's walk, and NumPy where it cannot be."""

import itertools
import threading

import numpy as np
import pytest
from asked import masks, scenes
from building import parse, relative, rng
from onnx import helper, numpy_helper
from residual import picture as residual_picture
from residual import residual_net
from twins import picture, twin, two_feeds, two_inputs

from explainer import Explainer, InputError, ModelError, NumericalError
from explainer.compiler import walker
from explainer.walk.backends import MANY

CLOSE = 1e-5
MANY_POINTS = {
    "integrated_gradients": {"n_steps": 11},
    "gradient_shap": {"n_samples": 7, "stdev": 0.1, "batch_size": 3},
    "smoothgrad": {"n_samples": 6, "batch_size": 3},
    "vargrad": {"n_samples": 6, "batch_size": 3},
}


@pytest.fixture
def traced(monkeypatch):
    """The walks that were traced, and how often each ran."""
    ran, numbers = [], itertools.count()

    class Counted(walker.TracedWalk):
        def __init__(self, *given):
            super().__init__(*given)
            self.number = next(numbers)

        def __call__(self, activations, R):
            ran.append((self.number, len(R)))
            return super().__call__(activations, R)

    monkeypatch.setattr(walker, "TracedWalk", Counted)
    return ran


def both(model, x, target="top", start="output", **how):
    """The maps by NumPy and by onnxruntime."""
    return [
        Explainer(model, engine=name, **how).explain(x, target, start).relevance
        for name in ("numpy", "onnxruntime")
    ]


@pytest.mark.parametrize("method", MANY_POINTS)
@pytest.mark.parametrize("samples", [1, 3])
def test_the_same_numbers(method, samples, traced):
    numpy, onnxruntime = both(residual_net(), residual_picture(samples), method=method, **MANY_POINTS[method])
    assert relative(onnxruntime, numpy) < (1e-4 if method == "vargrad" else CLOSE)
    assert len({walk for walk, _ in traced}) == 1 and len(traced) > 1


@pytest.mark.parametrize(
    "composite", ["epsilon", "epsilon_plus_flat", "epsilon_alpha2_beta1", "guided_backprop"]
)
def test_any_composite(composite, traced):
    how = {"composite": composite, "noise": "smoothgrad", "n_samples": 5}
    numpy, onnxruntime = both(
        residual_net(), residual_picture(2), eps=1e-2 if "eps" in composite else None, **how
    )
    assert relative(onnxruntime, numpy) < 1e-4
    assert traced


@pytest.mark.parametrize(
    ("target", "start"),
    [
        ([0, 3, 1], "output"),
        ([0, 3, 1], "probability"),
        ([0, 3, 1], "margin"),
        ("y[1, 2:4, 0]", "output"),
        ("y[1, 2, 0:2, 3]", "output"),
        ("y", "output"),
    ],
)
def test_any_target(target, start, traced):
    model, x = (masks(), scenes(3)) if isinstance(target, str) else (twin("relus").model, picture(3))
    numpy, onnxruntime = both(model, x, target, start, method="integrated_gradients", n_steps=5)
    np.testing.assert_allclose(onnxruntime, numpy, atol=CLOSE * np.abs(numpy).max())
    assert traced


def test_several_inputs():
    numpy, onnxruntime = both(two_inputs().model, two_feeds(), 1, method="integrated_gradients", n_steps=5)
    for name, value in numpy.items():
        assert relative(onnxruntime[name], value) < CLOSE


@pytest.mark.parametrize("batch", [1, 2])
def test_a_fixed_batch(batch, traced):
    numpy, onnxruntime = both(masks(batch), scenes(3), 7, method="integrated_gradients", n_steps=5)
    assert relative(onnxruntime, numpy) < CLOSE
    assert {samples for _, samples in traced} == {batch}


def test_half_precision_and_whole_numbers_on_the_way():
    text = """g (float16[N,2,4,4] x) => (float16[N,3] y) {
        c = Conv (x, w) r = Relu (c) s = Shape (r) n = Slice (s, zero, one) k = Concat <axis = 0> (n, rest)
        f = Reshape (r, k) y = Gemm (f, u) }"""
    weights = {
        "w": rng(1).standard_normal((3, 2, 3, 3)).astype(np.float16),
        "u": rng(2).standard_normal((12, 3)).astype(np.float16),
        "zero": np.array([0]),
        "one": np.array([1]),
        "rest": np.array([-1]),
    }
    x = rng(3).standard_normal((3, 2, 4, 4)).astype(np.float16)
    numpy, onnxruntime = both(parse(text, **weights), x, 1, method="integrated_gradients", n_steps=5)
    assert relative(onnxruntime, numpy) < CLOSE


def test_large_weights_are_fed(monkeypatch):
    monkeypatch.setattr(walker, "LARGEST", 16)
    numpy, onnxruntime = both(twin("chain").model, picture(2), 1, method="integrated_gradients", n_steps=5)
    assert relative(onnxruntime, numpy) < CLOSE


def test_who_walks(traced):
    """By the number of points, so that the same question has the same answer, to the bit."""
    model, x = twin("relus").model, picture(1)
    for n_steps, walks in ((MANY - 1, False), (MANY, True)):
        traced.clear()
        Explainer(model, method="integrated_gradients", n_steps=n_steps).explain(x, 1)
        assert bool(traced) == walks
    traced.clear()
    Explainer(model, method="integrated_gradients", n_steps=MANY // 2).explain(picture(2), 1)
    assert traced
    for how in ({"engine": "numpy"}, {"dtype": "float64"}):
        traced.clear()
        Explainer(model, method="integrated_gradients", n_steps=MANY, **how).explain(x, 1)
        assert not traced
    traced.clear()
    Explainer(model, engine="onnxruntime").explain(x, 1)  # one walk is audited
    Explainer(model, engine="onnxruntime", method="deeplift").explain(x, 1)
    assert not traced
    ex = Explainer(model, method="integrated_gradients", n_steps=MANY)
    first = ex.explain(x, 1).relevance
    np.testing.assert_array_equal(ex.explain(x, 1).relevance, first)


@pytest.mark.parametrize(("kept", "walks"), [(4, 2), (1, 3)])
def test_traced_once_for_every_shape_as_long_as_it_is_kept(kept, walks, traced, monkeypatch):
    monkeypatch.setattr(walker, "KEPT", kept)
    text = """g (float[N,2,H,W] x) => (float[N,3] y) {
        c = Conv (x, w) r = Relu (c) m = GlobalAveragePool (r) f = Flatten (m) y = Gemm (f, u) }"""
    model = parse(text, w=rng(1).standard_normal((4, 2, 2, 2)), u=rng(2).standard_normal((4, 3)))
    ex = Explainer(model, method="integrated_gradients", n_steps=5, engine="onnxruntime")
    slow = Explainer(model, method="integrated_gradients", n_steps=5, engine="numpy")
    for size in (6, 9, 6):
        x = rng(size).standard_normal((2, 2, size, size)).astype(np.float32)
        assert relative(ex.explain(x, 1).relevance, slow.explain(x, 1).relevance) < CLOSE
    assert len({walk for walk, _ in traced}) == walks


def test_one_sample_does_not_stand_for_many(traced):
    """A walk that was traced on a batch of one may spread its batch; one on a larger batch does not."""
    how = {"method": "integrated_gradients", "n_steps": 1}
    slow = Explainer(residual_net(), engine="numpy", **how)
    for sizes, walks in (((1, 3), 2), ((3, 1), 1)):
        traced.clear()
        ex = Explainer(residual_net(), engine="onnxruntime", **how)
        for samples in sizes:
            x = residual_picture(samples)
            assert relative(ex.explain(x, 1).relevance, slow.explain(x, 1).relevance) < CLOSE
        assert len({walk for walk, _ in traced}) == walks


@pytest.mark.parametrize("method", MANY_POINTS)
def test_one_number_for_all_samples(method, traced):
    """It has no axis at all in the file: a scalar, or several of them."""
    text = """g (float[N,3] x, float s, float t) => (float[N,2] y) {
        a = Mul (x, s) b = Add (a, t) y = Gemm (b, w) }"""
    feeds = {"x": rng(1).standard_normal((3, 3)), "s": np.array(1.5), "t": np.array(-0.5)}
    feeds = {name: value.astype(np.float32) for name, value in feeds.items()}
    model = parse(text, w=rng(0).standard_normal((3, 2)))
    for numpy, onnxruntime in zip(
        *(maps.items() for maps in both(model, feeds, 1, method=method, **MANY_POINTS[method])), strict=True
    ):
        np.testing.assert_allclose(onnxruntime[1], numpy[1], rtol=1e-4, atol=1e-6)
    assert traced


def test_where_it_cannot_be_numpy_walks(monkeypatch):
    def refuse(*values, **attributes):
        raise NotImplementedError("no such node")

    x, how = picture(2), {"method": "integrated_gradients", "n_steps": MANY}
    wanted = Explainer(twin("relus").model, engine="numpy", **how).explain(x, 1).relevance
    monkeypatch.setattr(walker, "backward", refuse)
    found = Explainer(twin("relus").model, **how).explain(x, 1).relevance
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ModelError, match="its walk cannot be run by onnxruntime: no such node"):
        Explainer(twin("relus").model, engine="onnxruntime", **how).explain(x, 1)


def scaled(R):
    return R * np.float32(1.001)


def one_pixel_off(R):
    return R * np.where(np.arange(R[0].size).reshape(R[0].shape) == R[0].size // 2, np.float32(1.02), 1)


WRONG = {"a sign": np.negative, "a factor": scaled, "a pixel of many": one_pixel_off}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("samples", [1, 2])
def test_a_wrong_walk_is_seen(wrong, samples, monkeypatch):
    """Right but for a little, and in the last sample alone: the first answer is compared, NumPy's taken."""
    real = walker.TracedWalk.__call__
    x, how = picture(samples), {"method": "integrated_gradients", "n_steps": MANY}
    wanted = Explainer(twin("relus").model, engine="numpy", **how).explain(x, 1).relevance

    def off(self, activations, R):
        maps = real(self, activations, R)
        return {name: np.concatenate([R[:-1], WRONG[wrong](R[-1:])]) for name, R in maps.items()}

    monkeypatch.setattr(walker.TracedWalk, "__call__", off)
    found = Explainer(twin("relus").model, **how).explain(x, 1).relevance
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ModelError, match="onnxruntime's walk is not NumPy's: the relevance of 'input'"):
        Explainer(twin("relus").model, engine="onnxruntime", **how).explain(x, 1)


@pytest.mark.parametrize("at", [1, 4, 9, 16])
def test_a_wrong_node_is_seen(at, monkeypatch):
    """Of the traced nodes that compute numbers the one at this place hands on 1.01 of what it should."""
    real, x = walker.TracedWalk._model, residual_picture(2)
    how = {"noise": "smoothgrad", "n_samples": 3, "engine": "onnxruntime"}

    def wrong(self, *given):
        proto = real(self, *given)
        nodes = [node for node in proto.graph.node if node.op_type in ("Mul", "Div", "Conv", "MatMul", "Add")]
        node = nodes[at % len(nodes)]
        before, node.output[0] = node.output[0], "right"
        scale = helper.make_node("Mul", ["right", "1.01"], [before])
        proto.graph.initializer.append(numpy_helper.from_array(np.float32(1.01), "1.01"))
        proto.graph.node.insert(list(proto.graph.node).index(node) + 1, scale)
        return proto

    Explainer(residual_net(), **how).explain(x, 1)
    monkeypatch.setattr(walker.TracedWalk, "_model", wrong)
    with pytest.raises(ModelError, match="onnxruntime's walk is not NumPy's"):
        Explainer(residual_net(), **how).explain(x, 1)


def test_numbers_that_are_none_are_reported_as_ever():
    """The score is finite, its gradient is 1e40."""
    text = "g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w) t = Relu (h) y = Gemm (t, v) }"
    model = parse(text, w=np.full((3, 4), 100.0), v=np.full((4, 2), 1e38))
    for name in ("numpy", "onnxruntime", "auto"):
        ex = Explainer(model, method="integrated_gradients", n_steps=MANY, engine=name)
        with pytest.raises(NumericalError, match=r"the relevance below Gemm '.*' is not finite"):
            ex.explain(np.full((1, 3), 1e-6), 0)


def test_threads_share_it():
    ex = Explainer(twin("relus").model, method="integrated_gradients", n_steps=MANY)
    slow = Explainer(twin("relus").model, method="integrated_gradients", n_steps=MANY, engine="numpy")
    pictures = [picture(1, seed=i) for i in range(5)]
    found = [None] * len(pictures)

    def work(i):
        found[i] = ex.explain(pictures[i], 1).relevance

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for value, x in zip(found, pictures, strict=True):
        assert relative(value, slow.explain(x, 1).relevance) < CLOSE


def test_names_that_are_none():
    with pytest.raises(InputError, match="engine is 'torch'; there is: auto, numpy, onnxruntime"):
        Explainer(twin("relus").model, engine="torch")
    with pytest.raises(InputError, match="engine 'onnxruntime' walks in float32"):
        Explainer(twin("relus").model, engine="onnxruntime", dtype="float64")
