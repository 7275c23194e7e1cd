"""Places that are computed, or moved between, in nets: relevance goes with the values, none to the places."""

import numpy as np
import onnx
import onnxruntime
import pytest
from building import parse, relative, rng

import explainer
from explainer.errors import TargetError, UnsupportedError

KERNEL, HEAD = rng(1).standard_normal((4, 3, 3, 3)) / 5, rng(2).standard_normal((4, 3))
X = rng(3).standard_normal((2, 3, 6, 6)).astype(np.float32)
NET = """
    g (float[N,3,6,6] x) => (float[N,3] y) {{
        c = Conv <pads = [1, 1, 1, 1]> (x, k)
        {}
        p = GlobalAveragePool (m)
        f = Flatten (p)
        y = MatMul (f, w)
    }}
"""
AXES = {"places": np.array([2, 3])}
POOL = "<kernel_shape = [2, 2], strides = [2, 2]>"
# What is computed of the input, and tells places alone.
COMPUTED = {
    "the row of the largest mean": (
        "r = ReduceMean <keepdims = 0> (c, places) i = ArgMax <axis = 1, keepdims = 0> (r)"
        " u = Unsqueeze (i, one) v = Expand (u, four)"
        " e = Unsqueeze (v, tail) s = Expand (e, wide) m = GatherElements <axis = 1> (c, s)",
        {
            **AXES,
            "one": np.array([1]),
            "four": np.array([1, 4]),
            "tail": np.array([2, 3]),
            "wide": np.array([1, 1, 6, 6]),
        },
    ),
    "a maximum, put back where it was": (f"q, i = MaxPool {POOL} (c) m = MaxUnpool {POOL} (q, i)", {}),
    "overlapping maxima, put back": (
        "q, i = MaxPool <kernel_shape = [3, 3], strides = [1, 1]> (c)"
        " h = Mul (q, half) m = MaxUnpool <kernel_shape = [3, 3], strides = [1, 1]> (h, i)",
        {"half": np.float32(0.5)},
    ),
}


def net(middle: str, **constants: np.ndarray) -> onnx.ModelProto:
    return parse(NET.format(middle), k=KERNEL, w=HEAD, **constants)


@pytest.fixture(params=COMPUTED)
def model(request):
    middle, constants = COMPUTED[request.param]
    return net(middle, **constants)


def test_relevance_goes_with_the_values(model):
    explanation = explainer.explain(model, X, dtype="float64", eps=1e-9)
    np.testing.assert_allclose(explanation.conserved, 1, atol=1e-6)


def test_a_gradient_is_that_of_the_values(model):
    """Near x the places are the same: finite differences of the model itself."""
    given = {"method": "gradient", "dtype": "float64", "target": 1}
    found = explainer.explain(model, X, **given).relevance
    step, v = 2.0**-12, rng(5).standard_normal(X.shape).astype(np.float32)
    ahead, behind = (explainer.explain(model, X + h * v, **given).score for h in (step, -step))
    np.testing.assert_allclose((ahead - behind) / (2 * step), (found * v).sum((1, 2, 3)), rtol=1e-2)


def test_it_compiles_for_any_batch(model, tmp_path):
    explainer.compile(model, tmp_path / "it.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "it.onnx")
    (name,) = (value.name for value in session.get_outputs() if "relevance" in value.name)
    for x in (X, np.concatenate([X, X[:1] * 2])):
        (found,) = session.run([name], {"x": x})
        assert relative(found, explainer.explain(model, x).relevance) < 1e-4


def test_a_place_of_the_largest_is_a_parameter_of_a_gather(tmp_path):
    text = "g (float[N,5,4] x) => (float[N,4] y) {{ {} }}".format(
        "r = ReduceSum <keepdims = 0> (x, two) i = ArgMax <axis = 1, keepdims = 0> (r) u = Unsqueeze (i, one)"
        " t = GatherND <batch_dims = 1> (x, u) y = Relu (t)"
    )
    model = parse(text, two=np.array([2]), one=np.array([1]))
    x = rng(6).standard_normal((3, 5, 4)).astype(np.float32)
    explanation = explainer.explain(model, x, dtype="float64")
    winners = x.sum(2).argmax(1)
    assert [sorted(set(np.nonzero(map_)[0])) for map_ in explanation.relevance] == [[one] for one in winners]


def test_a_number_that_a_place_makes_is_the_intercepts():
    """Relevance of a tensor that is not constant is never a bias."""
    middle = (
        "r = ReduceMean <keepdims = 1> (c, places) i = ArgMax <axis = 1> (r) d = Cast <to = 1> (i)"
        " m = Add (c, d)"
    )
    audit = explainer.explain(net(middle, **AXES), X, audit=True, dtype="float64").audit
    (step,) = [step for step in audit if "Add" in str(step)]
    assert not np.any(step.bias)
    assert np.any(step.intercept)


def test_what_is_a_place_alone_is_refused_with_the_tensor_before():
    middle = "r = ReduceMean (c, places) i = ArgMax <axis = 1> (r) d = Cast <to = 1> (i) m = Mul (d, e)"
    with pytest.raises(TargetError, match="by places alone, those of ArgMax 'i'") as caught:
        explainer.explain(net(middle, e=np.ones((1, 4, 6, 6)), **AXES), X)
    ways = [way.call for way in caught.value.ways]
    assert any("target='r[top]'" in way for way in ways)


@pytest.mark.parametrize(
    ("middle", "reason"),
    [
        ("m = ScatterND <reduction = \"mul\"> (c, rows, c)", "reduction 'mul'"),
        ("m = ScatterND (c, twice, c)", "two updates in one place"),
        ("g = Tanh (c) q = Slice (g, zero, two, one) h = Transpose <perm = [0, 2, 3, 1]> (q)"
         " m = GridSample (c, h)", "grid is computed"),
        ("b = ReduceMean <keepdims = 0> (c, all) t = Greater (b, none) m = Compress <axis = 1> (c, t)",
         "condition is no constant"),
    ],
)  # fmt: skip
def test_what_is_refused_says_so(middle, reason):
    constants = {
        "rows": np.array([[0], [1]]),
        "twice": np.array([[1], [1]]),
        "zero": np.array([0]),
        "two": np.array([2]),
        "one": np.array([1]),
        "all": np.array([0, 2, 3]),
        "none": np.float32(0),
    }
    used = {
        name: value for name, value in constants.items() if f" {name})" in middle or f" {name}," in middle
    }
    with pytest.raises(UnsupportedError, match=reason):
        explainer.explain(net(middle, **used), X)
