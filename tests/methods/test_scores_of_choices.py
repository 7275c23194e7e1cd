"""What can be asked for scores: no class's number; facts beside an index are facts, and no mask."""

import numpy as np
import pytest
from building import parse, rng

import explainer
from explainer import InputError

W = rng(1).standard_normal((4, 3))


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_a_class_number_is_no_score(method):
    text = """g (float[N,4] x) => (int64[N] label, float[N,3] p) {
        p = MatMul (x, w)
        label = ArgMax <axis = 1, keepdims = 0> (p)
    }"""
    x = rng(2).standard_normal((2, 4)).astype(np.float32)
    with pytest.raises(InputError, match=r"'label' is which class ArgMax 'label' chose") as caught:
        explainer.explain(parse(text, w=W), x, method=method)
    assert "target='p" in str(caught.value)
    explainer.explain(parse(text, w=W), x, method=method, target="p[top]")


def test_one_index_beside_a_number_is_no_text():
    text = """g (float[N,1] age, int64[N,1] job) => (float[N,3] y) {
        r = Gather (t, job) f = Flatten (r) c = Concat <axis = 1> (age, f) y = MatMul (c, w)
    }"""
    feeds = {"age": np.ones((2, 1), np.float32), "job": np.array([[1], [2]])}
    model = parse(text, t=rng(3).standard_normal((5, 3)), w=W)
    found = explainer.explain(model, feeds, method="occlusion", target=1).relevance
    assert np.abs(found["age"]).min() > 0 and np.abs(found["job"]).min() > 0


LISTS = {
    "Unique": "u = Unique (x) y = Relu (u)",
    "NonZero": "g = Greater (x, nil) i = NonZero (g) t = Transpose (i) y = GatherND (x, t)",
    "Compress": "s = ReduceSum <keepdims = 0> (x, one) g = Greater (s, nil) y = Compress <axis = 0> (x, g)",
}


@pytest.mark.parametrize("operator", LISTS)
@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_a_place_in_a_list_that_the_input_decides_is_no_score(operator, method):
    constants = {"nil": np.array(0.0), "one": np.array([1])}
    model = parse(f"g (float[N,5] x) => (float[] y) {{ {LISTS[operator]} }}", **constants)
    with pytest.raises(InputError, match=f"'y' has as many values as {operator} .* makes of the input"):
        explainer.explain(model, np.ones((1, 5), np.float32), method=method, target=0)
    if operator == "Unique":
        with pytest.raises(explainer.UnsupportedError) as caught:  # and so it is not recommended
            explainer.explain(model, np.ones((1, 5), np.float32))
        assert not caught.value.ways
    total = parse(
        f"g (float[N,5] x) => (float[1] z) {{ {LISTS[operator]} z = ReduceSum <keepdims = 0> (y) }}",
        **constants,
    )
    assert explainer.explain(total, np.ones((1, 5), np.float32), method=method, target=0).relevance.shape == (
        1,
        5,
    )
