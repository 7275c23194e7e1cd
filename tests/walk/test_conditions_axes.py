"""Which axis of a tensor the channels of a condition are counted along, for every rank and layout."""

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from compiled import run

import explainer
from explainer import Explainer, TargetError
from explainer.model.channels import channel_of
from explainer.model.graph import Graph

W = {
    "w": rng(1).standard_normal((5, 4)),
    "v": rng(2).standard_normal((4, 3)),
    "u": rng(3).standard_normal(4),
    "k3": rng(4).standard_normal((4, 5, 3)),
    "k": rng(5).standard_normal((4, 3, 3, 3)),
    "nil": np.array([0]),
    "one": np.array([1]),
    "two": np.array([2]),
    "places": np.array([1, 2]),
    "mean": np.float32(0.5),
}
DENSE = "h = MatMul (x, w) b = Relu (h)"
LAST, FIRST = "Transpose <perm = [0,2,3,1]>", "Transpose <perm = [0,3,1,2]>"
# Model, shape of x, the axis of b that has the channels, or None where nothing tells.
NETS = {
    "a vector": (f"g (float[5] x) => (float[3] y) {{ {DENSE} y = MatMul (b, v) }}", (5,), 0),
    "a vector of NonZero": (
        """g (float[5] x) => (float[M] y) {
        h = MatMul (x, w) b = Neg (h) i = NonZero (b) t = Transpose (i) y = GatherND (b, t) }""", (5,), 0,
    ),
    "a row of its own": (
        """g (float[5] x) => (float[1,3] y) {
        q = Unsqueeze (x, nil) h = MatMul (q, w) b = Relu (h) y = MatMul (b, v) }""",
        (5,), 1,
    ),
    "a batch": (f"g (float[N,5] x) => (float[N,3] y) {{ {DENSE} y = MatMul (b, v) }}", (3, 5), 1),
    "steps, one series": (
        f"""g (float[T,5] x) => (float[3] y) {{ {DENSE} z = MatMul (b, v)
        y = ReduceMean <keepdims = 0> (z, nil) }}""", (6, 5), 1,
    ),
    "tokens": (
        f"""g (float[N,6,5] x) => (float[N,3] y) {{ {DENSE} z = MatMul (b, v)
        y = ReduceMean <keepdims = 0> (z, one) }}""", (2, 6, 5), None,
    ),
    "a convolution over time": (
        """g (float[N,5,8] x) => (float[N,3] y) { h = Conv (x, k3) b = Relu (h)
        m = ReduceMean <keepdims = 0> (b, two) y = MatMul (m, v) }""", (2, 5, 8), 1,
    ),
    "a picture": (
        """g (float[N,3,6,6] x) => (float[N,4] y) { h = Conv (x, k) b = Relu (h) m = GlobalAveragePool (b)
        y = Flatten (m) }""", (2, 3, 6, 6), 1,
    ),
    "a picture, channels last": (
        f"""g (float[N,6,6,3] x) => (float[N,3] y) {{ q = {FIRST} (x) h = Conv (q, k) l = {LAST} (h)
        b = Relu (l) m = ReduceMean <keepdims = 0> (b, places) y = MatMul (m, v) }}""", (2, 6, 6, 3), 3,
    ),
    "before a convolution, channels last": (
        f"""g (float[N,6,6,3] x) => (float[N,4] y) {{ b = Sub (x, mean) q = {FIRST} (b) h = Conv (q, k)
        m = GlobalAveragePool (h) y = Flatten (m) }}""", (2, 6, 6, 3), 3,
    ),
}  # fmt: skip
TOLD = [name for name, (*_, axis) in NETS.items() if axis is not None]


def made(name: str) -> tuple[onnx.ModelProto, np.ndarray]:
    text, shape, _ = NETS[name]
    return parse(text, **W), rng(6).standard_normal(shape).astype(np.float32)


def exact(model) -> Explainer:
    return Explainer(model, dtype="float64", eps=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_the_axis(name):
    model, x = made(name)
    rank = exact(model).explain(x, 0, conditions={"b": {x.ndim - 1: slice(None)}}).relevances["b"].ndim
    assert channel_of(Graph.load(model), "b", rank) == NETS[name][2]


@pytest.mark.parametrize("name", TOLD)
def test_channels_are_counted_along_it_by_number_by_name_and_by_a_mask(name):
    model, x = made(name)
    axis, explained = NETS[name][2], exact(model)
    whole = explained.explain(x, 0, conditions={"b": slice(None)})
    mask = np.arange(whole.relevances["b"].shape[axis]) == 1
    found = [
        explained.explain(x, 0, conditions={"b": c})
        for c in (1, [1], "1", {axis: 1}, f"axis {axis}: 1", mask)
    ]
    wanted = np.moveaxis(np.zeros_like(whole.relevances["b"]), axis, 0)
    wanted[1] = np.moveaxis(whole.relevances["b"], axis, 0)[1]
    for one in found:
        np.testing.assert_allclose(one.relevances["b"], np.moveaxis(wanted, 0, axis), atol=1e-12)
        assert relative(one.relevance, found[0].relevance) < 1e-12
    size = len(mask)
    with pytest.raises(TargetError, match=rf"channel {size} is out of range, 0 to {size - 1}"):
        explained.explain(x, 0, conditions={"b": size})


@pytest.mark.parametrize("name", TOLD)
def test_maps_of_all_channels_add_up(name):
    model, x = made(name)
    if x.ndim == 4:  # many places take long, and are the same question
        x = x[:1]
    explained = exact(model)
    whole = explained.explain(x, 0, conditions={"b": slice(None)})
    count = whole.relevances["b"].shape[NETS[name][2]]
    parts = explained.explain_targets(x, [0], conditions=[{"b": place} for place in range(count)])
    assert relative(sum(part.relevance for part in parts), whole.relevance) < 1e-10


def test_where_nothing_tells_it_is_named():
    model, x = made("tokens")
    explained = exact(model)
    how = r"conditions=\{'b': 'axis 2: 1, 3'\} \(--condition 'b\[axis 2: 1, 3\]'\)"
    with pytest.raises(TargetError, match=rf"nothing tells which of axes 1 to 2 has its channels: .* {how}"):
        explained.explain(x, 0, conditions={"b": [1, 3]})
    with pytest.raises(TargetError, match="nothing tells which of axes 1 to 2"):
        explained.explain(x, 0, conditions={"b": np.array([True, False, True, True])})
    features = explained.explain(x, 0, conditions={"b": "axis 2: 1, 3"}).relevances["b"]
    assert features[..., [1, 3]].any() and not features[..., [0, 2]].any()
    both = explained.explain(x, 0, conditions={"b": {1: slice(0, 2), -1: [1, 3]}}).relevances["b"]
    np.testing.assert_array_equal(both[:, :2], features[:, :2])
    assert not both[:, 2:].any()
    with pytest.raises(TargetError, match="axis 0 is none of a sample's own, 1 to 2"):
        explained.explain(x, 0, conditions={"b": {0: 1}})
    with pytest.raises(TargetError, match="on axis 2 entry 4 is out of range, 0 to 3"):
        explained.explain(x, 0, conditions={"b": {2: 4}})
    with pytest.raises(TargetError, match=r"a dict of axis -> entries on it, \{2: \[3, 17\]\}"):
        explained.explain(x, 0, conditions={"b": {"time": 4}})


def test_one_number_per_sample_has_none():
    model = parse("g (float[N,5] x) => (float[N] y) { h = MatMul (x, w) b = MatMul (h, u) y = Neg (b) }", **W)
    with pytest.raises(TargetError, match="it is one number, and there is no axis of channels"):
        exact(model).explain(np.ones((2, 5), np.float32), 0, conditions={"b": 0})


@pytest.mark.parametrize("name", ["a vector", "tokens", "a picture, channels last"])
def test_compiled(name):
    model, x = made(name)
    condition = {"b": 1 if NETS[name][2] is not None else {2: 1}}
    compiled = explainer.compile(model, target=0, conditions=condition)
    wanted = explainer.explain(model, x, target=0, conditions=condition)
    found = run(compiled, x)
    assert relative(found["relevance"], wanted.relevance) < 1e-4
    assert relative(found["relevance/b"], wanted.relevances["b"]) < 1e-4


def test_concepts_are_of_the_axis_too():
    model, x = made("a picture, channels last")
    explained, x = exact(model), x[:1]
    found = explainer.concepts(explained, x, "b", target=0, top=2)
    ranked = explained.explain(x, 0, conditions={"b": slice(None)}).ranking("b", axis=3, top=2)
    for one, entry in zip(found, ranked, strict=True):
        wanted = explained.explain(x, 0, conditions={"b": {3: entry.channel}})
        np.testing.assert_array_equal(one.relevance, wanted.relevance)
    model, x = made("tokens")
    assert len(explainer.concepts(exact(model), x[:1], "b", target=0, top=3, axis=2)) == 3


def test_a_vector_has_a_ranking():
    model, x = made("a vector")
    found = exact(model).explain(x, 0, conditions={"b": slice(None)})
    np.testing.assert_array_equal(found.channels("b"), found.relevances["b"][None])
    assert len(found.ranking("b")) == 4
