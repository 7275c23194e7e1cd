"""Inputs that hold no samples: explained as a whole, by every method, compiled too."""

import numpy as np
import pytest
from building import parse, rng, run

import explainer
from explainer.errors import InputError
from explainer.model.graph import Graph
from explainer.model.unbatched import is_unbatched

W = rng(1).standard_normal((5, 3))
EDGES = """g (float[n,5] x, int64[2,e] edges) => (float[n,3] y) {
    from = Gather <axis = 0> (edges, zeroth) to = Gather <axis = 0> (edges, first)
    v = Gather <axis = 0> (x, from) u = Unsqueeze (to, last) s = Shape (v) t = Expand (u, s) nil = Sub (x, x)
    a = ScatterElements <axis = 0, reduction = "add"> (nil, t, v) y = MatMul (a, w) }"""
PLACES = {"zeroth": np.array(0), "first": np.array(1), "last": np.array([-1])}

FRAMES = """g (float[4,2,5] x) => (float[4] y) {
    c = Conv <kernel_shape = [3]> (x, k) f = Flatten (c) s = Unsqueeze (f, first)
    h = GRU <hidden_size = 2> (s, wr, r) y = ReduceSum <keepdims = 0> (h, rest) }"""
STEPS = {
    "k": rng(4).standard_normal((3, 2, 3)), "wr": rng(5).standard_normal((1, 6, 9)),
    "r": rng(6).standard_normal((1, 6, 2)), "first": np.array([1]), "rest": np.array([1, 2, 3]),
}  # fmt: skip

# Model, its constants, and what holds no samples in it.
WHOLE = {
    "a vector": ("g (float[5] x) => (float[3] y) { y = MatMul (x, w) }", {"w": W}, {"x"}),
    "a vector behind": ("g (float[5] x) => (float[3] y) { y = MatMul (v, x) }", {"v": W.T}, {"x"}),
    "a row of its own": (
        "g (float[5] x) => (float[1,3] y) { r = Unsqueeze (x, nil) y = Gemm (r, w) }",
        {"w": W, "nil": np.array([0])}, {"x"},
    ),
    "a picture that is flattened": (
        "g (float[2,4,4] x) => (float[1,3] y) { f = Reshape (x, one) y = Gemm (f, v) }",
        {"one": np.array([1, -1]), "v": rng(2).standard_normal((32, 3))}, {"x"},
    ),
    "a series": (
        "g (float[T] x) => (float y) { s = Mul (x, x) y = ReduceMean <keepdims = 0> (s) }", {}, {"x"},
    ),
    "steps": (
        """g (float[T,5] x) => (float[3] y) {
        s = MatMul (x, w) y = ReduceMax <keepdims = 0> (s, nil) }""", {"w": W, "nil": np.array([0])}, {"x"},
    ),
    "an Einsum": (
        "g (float[5] x) => (float[3] y) { y = Einsum <equation = 'i,ij->j'> (x, w) }".replace("'", '"'),
        {"w": W}, {"x"},
    ),
    "nodes": (
        "g (float[n,5] x, float[n,n] a) => (float[n,3] y) { m = MatMul (a, x) y = MatMul (m, w) }",
        {"w": W}, {"x", "a"},
    ),
    "a shape": (
        "g (float[N,4] x, int64[k] shape) => (float[N,2] y) { r = Reshape (x, shape) y = Relu (r) }",
        {}, {"shape"},
    ),
    "frames, which a convolution takes for samples": (FRAMES, STEPS, {"x"}),
    "a vector of which some are taken": (
        """g (float[5] x) => (float[M] y) {
        i = NonZero (x) t = Transpose (i) s = GatherND (x, t) y = Neg (s) }""", {}, {"x"},
    ),
    "a sound without a batch": (
        "g (float[5] x) => (float[1,4,4] y) { r = Reshape (x, one_one) y = Conv (r, k) }",
        {"one_one": np.array([1, 1, 5]), "k": rng(5).standard_normal((4, 1, 2))}, {"x"},
    ),
    "a vector cut short": ("g (float[5] x) => (float[4] y) { s = Slice (x, one1, six) y = Neg (s) }",
        {"one1": np.array([1]), "six": np.array([6])}, {"x"},
    ),
    "the odds of a vector": ("g (float[5] x) => (float[5] y) { s = Softmax (x) y = Neg (s) }", {}, {"x"}),
    "a vector of steps, added up": (
        "g (float[5] x) => (float[5] y) { y = CumSum (x, zeroth) }", {"zeroth": np.array(0)}, {"x"},
    ),
    "a fixed table of which some are taken": (
        "g (float[4,3] x) => (float[M] y) { i = NonZero (x) t = Transpose (i) y = GatherND (x, t) }",
        {}, {"x"},
    ),
    "nodes and edges": (EDGES, {"w": W, **PLACES}, {"x"}),
}  # fmt: skip
BATCHES = {
    "a table": ("g (float[N,5] x) => (float[N,3] y) { y = MatMul (x, w) }", {"w": W}),
    "a mean of the batch": (
        "g (float[N,5] x) => (float[3] y) { h = MatMul (x, w) y = ReduceMean <keepdims = 0> (h, nil) }",
        {"w": W, "nil": np.array([0])},
    ),
    "one sample that is flattened": (
        "g (float[1,2,4,4] x) => (float[1,3] y) { f = Reshape (x, one) y = Gemm (f, v) }",
        {"one": np.array([1, -1]), "v": rng(2).standard_normal((32, 3))},
    ),
    "the same, declared to be free": (
        "g (float[N,2,4,4] x) => (float[1,3] y) { f = Reshape (x, one) y = Gemm (f, v) }",
        {"one": np.array([1, -1]), "v": rng(2).standard_normal((32, 3))},
    ),
    "a Gram matrix": (
        """g (float[m,5] x) => (float[m,3] y) {
        t = Transpose (x) p = MatMul (x, t) q = MatMul (p, x) y = MatMul (q, w) }""", {"w": W},
    ),
    "frames, of a length that nobody says": (FRAMES.replace("[4", "[T"), STEPS),
    "a batch of which some are taken": (
        "g (float[N,3] x) => (float[M] y) { i = NonZero (x) t = Transpose (i) y = GatherND (x, t) }", {},
    ),
    "a batch of numbers, each a row": (
        "g (float[5] x) => (float[5,1] y) { r = Reshape (x, rows) y = Neg (r) }", {"rows": np.array([-1, 1])},
    ),
    "a batch of numbers": ("g (float[5] x) => (float[5] y) { y = Relu (x) }", {}),
    "a fixed batch that meets": (
        "g (float[4,3] x) => (float[4,3] y) { s = Softmax <axis = 0> (x) y = Neg (s) }", {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_what_holds_no_samples(name):
    text, constants, whole = WHOLE[name]
    graph = Graph.load(parse(text, **constants))
    assert {value.name for value in graph.inputs if is_unbatched(graph, value.name)} == whole


@pytest.mark.parametrize("name", BATCHES)
def test_what_holds_samples(name):
    text, constants = BATCHES[name]
    graph = Graph.load(parse(text, **constants))
    assert not any(is_unbatched(graph, value.name) for value in graph.inputs)


def given(model):
    shapes = {value.name: value.shape for value in Graph.load(model).inputs}
    return {
        name: np.array([[0, 1, 2, 3, 1], [1, 2, 3, 0, 3]])
        if name == "edges"
        else rng(3).standard_normal([size or 4 for size in shape]).astype(np.float32)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "a shape"])
def test_gradients_of_a_whole_input_are_differences(name):
    """By onnxruntime's own differences, in float32; the maps are shaped as the inputs are."""
    text, constants, _ = WHOLE[name]
    model = parse(text, **constants)
    feeds, index = given(model), 0 if "float y)" in text else 1
    model, h = explainer.Explainer(model, method="gradient"), 1e-2
    found = model.explain(feeds, target=index)
    assert len(found.score) == 1
    maps = found.relevance if isinstance(found.relevance, dict) else {"x": found.relevance}
    for key, R in maps.items():
        assert R.shape == feeds[key].shape
        place = np.unravel_index(np.abs(R).argmax(), R.shape)
        moved = [{**feeds, key: feeds[key].copy()} for _ in range(2)]
        for one, step in zip(moved, (h, -h), strict=True):
            one[key][place] += step
        high, low = (run(parse(text, **constants), one)[0].reshape(-1)[index] for one in moved)
        assert abs((high - low) / (2 * h) - R[place]) < 1e-2 * abs(R[place])


@pytest.mark.parametrize("name", [name for name in WHOLE if "nodes" not in name and name != "a shape"])
def test_a_whole_input_compiles(name):
    text, constants, _ = WHOLE[name]
    model = parse(text, **constants)
    feeds, fix = given(model), {}
    if "[T" in text:
        with pytest.raises(InputError, match=r"none of samples: it must be fixed; give fix={'T': ...}"):
            explainer.compile(model, target=0)
        fix = {"T": 4}
    compiled = explainer.compile(model, target=0, fix=fix)
    found = dict(zip([value.name for value in compiled.graph.output], run(compiled, feeds), strict=True))
    wanted = explainer.explain(model, feeds, target=0).relevance
    assert found["relevance"].shape == feeds["x"].shape
    np.testing.assert_allclose(found["relevance"], wanted, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="no input holds samples, and a file has more than one walk"):
        explainer.compile(model, method="integrated_gradients", target=0, fix=fix)


def test_a_whole_input_is_conserved_and_walked_alike_from_many_points():
    text, constants, _ = WHOLE["a row of its own"]
    model = parse(text, **constants)
    x = given(model)["x"]
    found = explainer.explain(model, x, target=1)
    np.testing.assert_allclose(found.conserved, 1, atol=1e-4)
    numpy, runtime = (
        explainer.explain(model, x, target=1, method="integrated_gradients", n_steps=50, engine=engine)
        for engine in ("numpy", "onnxruntime")
    )
    np.testing.assert_allclose(numpy.relevance, x * W[:, 1], rtol=1e-4)
    np.testing.assert_allclose(runtime.relevance, numpy.relevance, rtol=1e-4)


@pytest.mark.parametrize("size", ["N", "k"])
def test_an_output_that_is_handed_on_has_its_samples(size):
    """Nodes that only hand on are seen through, and the output's own name stands at none any more."""
    text = f"g (float[{size},5] x) => (float[{size},3] y) {{ h = MatMul (x, w) y = Identity (h) }}"
    found = explainer.explain(parse(text, w=W), rng(3).standard_normal((2, 5)).astype(np.float32), target=1)
    assert found.relevance.shape == (2, 5)


@pytest.mark.parametrize("method", ["lrp", "integrated_gradients", "occlusion"])
def test_several_targets_of_the_one_sample_have_a_map_each(method):
    text, constants, _ = WHOLE["nodes"]
    model = parse(text, **constants)
    feeds = given(model)
    both = explainer.explain(model, feeds, target=np.array([1, 5]), method=method)
    assert len(both.score) == 2
    for place, target in enumerate((1, 5)):
        one = explainer.explain(model, feeds, target=target, method=method)
        for name, R in one.relevance.items():
            np.testing.assert_allclose(both.relevance[name][place], R, rtol=1e-4, atol=1e-6)
    both.heatmap(1)


@pytest.mark.parametrize("method", ["lrp", "integrated_gradients", "occlusion"])
def test_of_frames_whose_number_is_said_each_score_has_its_own_map(method):
    model, x = (
        parse(FRAMES.replace("[4", "[T"), **STEPS),
        rng(3).standard_normal((6, 2, 5)).astype(np.float32),
    )
    found = explainer.explain(model, x, fix={"T": 6}, target="y[2]", method=method)
    assert found.relevance.shape == x.shape
    assert found.relevance[:3].any(axis=(1, 2)).all()
    assert not found.relevance[3:].any()  # what comes later
    remark = explainer.explain(model, x, target="y").remark()
    assert "one sequence is explained whole, where its size is said: fix={'T': 6}" in remark


THRESHOLD = {"least": np.float32(0)}
TAKEN = "g (float[5] x) => (float y) { m = Greater (x, least) c = Compress <axis = 0> (x, m)"


@pytest.mark.parametrize(
    "text",
    [
        f"{TAKEN} y = ReduceSum <keepdims = 0> (c) }}",
        "g (float[5] x) => (float[1] y) { u, i, v, n = Unique (x) m = Relu (u) y = ReduceSum (m) }",
    ],
    ids=["Compress", "Unique"],
)
def test_scores_of_a_vector_of_which_some_are_taken_are_of_all_of_it(text):
    x = np.array([0.5, -0.25, 1, 2, -3], np.float32)
    found = explainer.explain(parse(text, **THRESHOLD), x, method="occlusion", window=1)
    np.testing.assert_allclose(found.relevance, np.maximum(x, 0), atol=1e-6)


@pytest.mark.parametrize(
    "method", ["integrated_gradients", "deeplift", "smoothgrad", "gradient_shap", "occlusion"]
)
def test_a_place_in_a_list_is_another_thing_where_the_input_is_changed(method):
    model = parse(WHOLE["a vector of which some are taken"][0])
    with pytest.raises(InputError, match="'y' has as many values as NonZero 'i' makes of the input"):
        explainer.explain(model, np.array([1, 0, 2, 3, 4], np.float32), target=1, method=method)


@pytest.mark.parametrize("name", ["nodes", "nodes and edges"])
def test_occlusion_hides_one_node_at_a_time_where_it_is_asked_to(name):
    text, constants, _ = WHOLE[name]
    model, other = parse(text, **constants), "a" if name == "nodes" else "edges"
    feeds = given(model) | {"x": rng(4).standard_normal((4, 5)).astype(np.float32)}
    options = {"target": ("y", (1, 2)), "method": "occlusion", "window": 1, "hold": other}
    found = explainer.explain(model, feeds, **options).relevance["x"]
    for node in range(4):
        hidden = feeds | {"x": np.where(np.arange(4).reshape(4, 1) == node, 0, feeds["x"]).astype(np.float32)}
        loss = run(model, feeds)[0][1, 2] - run(model, hidden)[0][1, 2]
        np.testing.assert_allclose(found[node], np.full(5, loss), atol=1e-5)
