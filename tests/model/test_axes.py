"""What the axes of an input are, read from what a graph does with them."""

import contextlib

import numpy as np
import pytest
from building import parse, rng

from explainer import ExplainerError, explain
from explainer.methods.asking import askable, beside_the_data
from explainer.model.axes import axes_of, sample_axes, tensor_axes
from explainer.model.graph import Graph
from explainer.model.told import Axes

K = rng(1).standard_normal((4, 3, 1, 1))
IMAGE = Axes((2, 3), 1)
LAST = Axes((1, 2), 3)


def graph(text: str, **constants) -> Graph:
    return Graph.load(parse(text, **constants))


def of(text: str, shape=None, layout="", **constants) -> Axes:
    read = graph(text, **constants)
    (value,) = read.inputs
    return axes_of(read, value.name, value.shape if shape is None else shape, layout)


@pytest.mark.parametrize(
    ("body", "shape", "axes"),
    [
        ("y = Conv (x, k)", "N,3,8,8", IMAGE),
        ("t = Transpose <perm=[0,3,1,2]> (x) y = Conv (t, k)", "N,8,8,3", LAST),
        # Keras: normalised before it is turned, and after
        ("a = Sub (x, m) b = Mul (a, s) t = Transpose <perm=[0,3,1,2]> (b) y = Conv (t, k)", "N,8,8,3", LAST),
        ("t = Transpose <perm=[0,3,1,2]> (x) a = Add (t, s) y = Conv (a, k)", "N,3,3,3", LAST),
        ("f = Cast <to=1> (x) p = Pad (f, pads) y = Conv (p, k)", "N,3,8,8", IMAGE),
        # colours swapped, a picture cut into four: the axes stay what they are
        ("g = Gather <axis=1> (x, bgr) y = Conv (g, k)", "N,3,8,8", IMAGE),
        ("y = GlobalAveragePool (x)", "N,7,8,8", IMAGE),
        ("y = InstanceNormalization (x, one, one)", "N,8,8,3", IMAGE),
        # turned twice
        (
            "a = Transpose <perm=[0,2,3,1]> (x) t = Transpose <perm=[0,3,1,2]> (a) y = Conv (t, k)",
            "N,3,8,8",
            IMAGE,
        ),
        # grey pictures and sounds get their channel inside
        ("u = Unsqueeze (x, first) y = GlobalMaxPool (u)", "N,8,9", Axes((1, 2), None)),
        ("u = Unsqueeze (x, first) y = GlobalMaxPool (u)", "N,80", Axes((1,), None)),
        ("t = Transpose <perm=[0,2,1]> (x) y = MaxPool <kernel_shape=[2]> (t)", "N,9,5", Axes((1,), 2)),
        ("y = MaxPool <kernel_shape=[2]> (x)", "N,5,9", Axes((2,), 1)),
        ("y = AveragePool <kernel_shape=[2,2,2]> (x)", "N,2,5,6,7", Axes((2, 3, 4), 1)),
        # a matrix product makes the last axis likely
        ("y = MatMul (x, w)", "N,7,5", Axes((1,), 2)),
        ("y = MatMul (x, w)", "N,6,7,5", LAST),
    ],
)
def test_operators_say_what_they_take_the_axes_for(body, shape, axes):
    constants = {
        "k": K,
        "m": np.ones(3),
        "s": np.float32(2),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "bgr": np.array([2, 1, 0]),
        "one": np.ones(8),
        "first": np.array([1]),
        "w": np.ones((5, 2)),
    }
    used = {name: value for name, value in constants.items() if f" {name})" in body or f", {name}," in body}
    assert of(f"g (float[{shape}] x) => (float[] y) {{ {body} }}", **used) == axes


LSTM = "h, last = LSTM <hidden_size=2> (t, W, R) y = Identity (last)"
STEPS = {"W": np.ones((1, 8, 3)), "R": np.ones((1, 8, 2))}


def test_the_time_of_a_recurrent_layer_is_a_place_and_no_channel():
    turned = f"g (float[N,6,3] x) => (float[] y) {{ t = Transpose <perm=[1,0,2]> (x) {LSTM} }}"
    assert of(turned, **STEPS) == Axes((1,), 2)
    assert of(f"g (float[6,N,3] x) => (float[] y) {{ t = Identity (x) {LSTM} }}", **STEPS) == Axes(
        (0,), 2, samples=1
    )
    alone = f"g (float[T,3] x) => (float[] y) {{ t = Unsqueeze (x, one) {LSTM} }}"
    assert of(alone, one=np.array([1]), **STEPS) == Axes((0,), 1, samples=None)


def test_indices_into_a_table_are_places_of_their_own():
    text = """g (int64[N,T] ids) => (float[] y) {
        e = Gather (table, ids) t = Transpose <perm=[0,2,1]> (e) y = Conv (t, w) }"""
    found = of(text, table=np.ones((30, 3)), w=np.ones((2, 3, 1)))
    assert found == Axes((1,), None, table=30) and found.tokens and found.are_places_alone
    assert of("g (float[N,T] x) => (float[] y) { y = Identity (x) }") == Axes(channel=1)


@pytest.mark.parametrize(
    ("shape", "layout", "axes"),
    [
        ((1, 3, 8, 9), "", IMAGE),
        ((1, 8, 9, 4), "", LAST),
        ((1, 5, 8, 9), "", None),
        ((1, 3, 8, 3), "", None),
        ((1, 2, 3, 4), "", None),  # nobody has pictures of two rows and four channels
        ((1, 5, 8, 9), "NCHW", IMAGE),
        ((1, 5, 8, 9), "NHWC", LAST),
        ((1, 6, 9), "NHWC", None),
        ((1, 6), "NHWC", Axes(channel=1)),
        ((4,), "", Axes()),
        ((), "", Axes(samples=None, beside=True)),
    ],
)
def test_sizes_tell_where_nothing_else_does_and_else_it_is_open(shape, layout, axes):
    named = ",".join(["N", *(f"d{axis}" for axis in range(1, len(shape)))][: len(shape)])
    declared = f"float[{named}] x" if shape else "float x"
    found = of(f"g ({declared}) => (float[] y) {{ y = Identity (x) }}", shape=shape, layout=layout)
    assert found == axes if axes else found.is_open


def test_names_of_axes_are_read():
    for names, axes in (
        ("batch, height, width, channels", LAST),
        ("batch, channels, height, width", IMAGE),
        ("batch, time, C", Axes((1,), 2)),
        ("batch, sequence_length, whatever", Axes((1,), 2)),
        ("batch, bands, time", Axes((2,), 1)),
    ):
        text = f"g (float[{names}] x) => (float[] y) {{ y = Relu (x) }}"
        assert of(text, shape=(1, 5, 5, 5)[: names.count(",") + 1]) == axes


def test_samples_need_not_come_first():
    text = """g (float[6,batch,3] t, float[1,batch,2] h0, float[2,batch,4] odd, int32[batch] n, int64 rate,
        float[batch,9] z) => (float[] y) {
        h, last = LSTM <hidden_size=2> (t, W, R, , n, h0) y = Identity (last) }"""
    read = graph(text, **STEPS)
    assert {name: axis for name, (_, axis) in sample_axes(read).items()} == {
        "t": 1, "h0": 1, "odd": 1, "n": 0, "rate": None, "z": 0,
    }  # fmt: skip
    shapes = {value.name: value.shape for value in read.inputs}
    axes = {name: axes_of(read, name, shape) for name, shape in shapes.items()}
    assert beside_the_data(read, axes, shapes) == ("h0", "odd", "n", "rate")


BERT = """g (int64[N,T] ids, int64[N,T] mask, int64[N,T] kinds, float[N,5] facts) => (float[] y) {
    a = Gather (words, ids) b = Gather (segments, kinds) s = Add (a, b) m = Cast <to=1> (mask)
    u = Unsqueeze (m, two) w = Mul (s, u) y = ReduceMean (w, one) }"""
TABLES = {"words": np.ones((30, 3)), "segments": np.ones((2, 3)), "one": np.array([1]), "two": np.array([2])}


def test_what_stands_beside_words_is_held():
    read = graph(BERT, **TABLES)
    shapes = {value.name: value.shape for value in read.inputs}
    axes = {name: axes_of(read, name, shape) for name, shape in shapes.items()}
    assert beside_the_data(read, axes, {**shapes, "facts": (1, 5)}) == ("mask", "kinds")
    # users and things in a shop: tables of their own, none beside the other
    shop = graph(
        """g (int64[N] user, int64[N] thing) => (float[] y) {
        a = Gather (t, user) b = Gather (u, thing) y = Mul (a, b) }""",
        t=np.ones((30, 3)), u=np.ones((20, 3)),
    )  # fmt: skip
    own = {name: axes_of(shop, name, (None,)) for name in ("user", "thing")}
    assert beside_the_data(shop, own, dict.fromkeys(own, (None,))) == ()


MASKED = """g (float[N,4,6] x, bool[N,4] mask) => (float[N,3] y) {{
    u = Unsqueeze (mask, last) {} p = ReduceMax <keepdims = 0> (w, one) y = MatMul (p, v) }}"""


def test_truth_values_that_only_decide_stand_beside_numbers():
    constants = {"last": np.array([-1]), "one": np.array([1]), "v": np.ones((6, 3)), "least": np.array(-9.0)}
    for body, beside in (
        ("w = Where (u, x, least)", ("mask",)),
        ("n = Not (u) w = Where (n, least, x)", ("mask",)),
        ("m = Cast <to=1> (u) w = Mul (x, m)", ()),  # a number like others
    ):
        read = graph(MASKED.format(body), **constants)
        shapes = {value.name: value.shape for value in read.inputs}
        axes = {name: axes_of(read, name, shape) for name, shape in shapes.items()}
        assert beside_the_data(read, axes, shapes) == beside
    alone = graph(
        "g (bool[N,5] x) => (float[] y) { y = Where (x, one, two) }", one=np.ones(1), two=np.ones(1)
    )
    assert beside_the_data(alone, {"x": axes_of(alone, "x", (None, 5))}, {"x": (None, 5)}) == ()


def test_inner_tensors_have_axes_too():
    read = graph(
        """g (float[N,8,8,3] x) => (float[] y) {
        t = Transpose <perm=[0,3,1,2]> (x) c = Conv (t, k) r = Relu (c)
        b = Transpose <perm=[0,2,3,1]> (r) f = Flatten (b) y = MatMul (f, w) }""",
        k=K, w=np.ones((256, 2)),
    )  # fmt: skip
    assert tensor_axes(read, "c", 4) == tensor_axes(read, "r", 4) == IMAGE
    assert tensor_axes(read, "b", 4) == LAST
    assert tensor_axes(read, "f", 2) is None


def test_what_scores_alone_can_ask():
    picture = "g (float[N,3,8,8] x, float s) => (float[] y) { c = Conv (x, k) y = Mul (c, s) }"
    both = ("occlusion", {}), ("rise", {})
    assert askable(graph(picture, k=K)) == askable(graph(BERT, **TABLES)) == both
    read = graph("g (float[N,5,16,8] x) => (float[] y) { y = Flatten (x) }")
    assert (
        askable(read) == (("occlusion", {"window": (1, 2, 1)}), ("rise", {"cells": (5, 8, 8)}))
        and askable(read, "NHWC") == both
    )
    assert not askable(graph("g (string[N] x) => (string[N] y) { y = Identity (x) }"))
    assert not askable(graph("g (float[4,3] x) => (float[] y) { y = Softmax <axis=0> (x) }"))
    assert askable(graph("g (float[N,3] x) => (float[] y) { y = Softmax <axis=0> (x) }")) == both


MISFITS = {
    "a scalar into an If": "s = ReduceSum <keepdims = 0> (x) a = Abs (s) y = Mul (x, a)",
    "a scalar convolved": "s = ReduceSum <keepdims = 0> (x) y = Conv (s, s)",
    "a scalar's rows": "s = ReduceSum <keepdims = 0> (x) y = Gemm (s, x)",
    "a vector pooled": "s = ReduceSum <keepdims = 0> (x, a1) y = GlobalAveragePool (s)",
    "a scalar normalised": "s = ReduceSum <keepdims = 0> (x) y = Softmax (s)",
    "a scalar flattened": "s = ReduceSum <keepdims = 0> (x) y = Flatten (s)",
    "a scalar gathered": "s = ReduceSum <keepdims = 0> (x) y = Gather (s, a1)",
    "rows of a vector": "s = ReduceSum <keepdims = 0> (x, a1) y = LSTM <hidden_size = 1> (s, x, x)",
}


@pytest.mark.parametrize("name", MISFITS)
def test_ranks_that_do_not_fit_are_answered_or_refused(name):
    model = parse(f"g (float[N,3] x) => (float[N,3] y) {{ {MISFITS[name]} }}", a1=np.array([1]))
    for method in ("lrp", "occlusion"):
        with contextlib.suppress(ExplainerError):
            assert explain(model, np.ones((1, 3), np.float32), method=method).relevance.shape == (1, 3)
