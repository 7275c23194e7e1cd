"""What a Scan or a Loop goes along, a step at a time, holds no samples."""

import numpy as np
import pytest
from building import parse, rng, run

from explainer import Explainer
from explainer.model.axes import followed_samples
from explainer.model.graph import Graph
from explainer.model.mixing import mixing
from explainer.model.unbatched import is_unbatched

ADDED = "b (float[6] h, float[6] v) => (float[6] g) { s = Tanh (h) g = Add (s, v) }"
STEP = """b (int64 i, bool c, float[6] h) => (bool d, float[6] g) {
    d = Identity (c) v = Gather <axis = 0> (x, i) s = Tanh (h) g = Add (s, v) }"""
BEGUN = {"h0": np.zeros(6), "m": np.array(5), "go": np.array(True)}
WHOLE = {
    "a Scan": f"y = Scan <num_scan_inputs = 1, body = {ADDED}> (h0, x)",
    "a Loop": f"y = Loop <body = {STEP}> (m, go, h0)",
}
BATCHES = {
    "a Scan": "y = Scan <num_scan_inputs = 1, body = b (float[6] v) => (float[6] o) { o = Tanh (v) }> (x)",
    "a Loop": """y = Loop <body = b (int64 i, bool c) => (bool d, float[6] o) {
        d = Identity (c) v = Gather <axis = 0> (x, i) o = Tanh (v) }> (m, go)""",
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_steps_are_one_sample(name, method):
    model = parse(f"g (float[5,6] x) => (float[6] y) {{ {WHOLE[name]} }}", **BEGUN)
    x = rng(0).standard_normal((5, 6)).astype(np.float32)
    assert is_unbatched(Graph.load(model), "x")
    (right,) = run(model, {"x": x})
    made = Explainer(model, method=method, **({"n_masks": 16} if method == "rise" else {}))
    for target, score in ((2, right[2]), ("y", right.sum())):
        found = made.explain(x, target)
        assert found.relevance.shape == (5, 6)
        np.testing.assert_allclose(found.score, score, rtol=1e-5)
    if method == "occlusion":  # a value at a time, each of the five steps by itself
        alone = np.zeros_like(x)
        for place in np.ndindex(5, 6):
            hidden = x.copy()
            hidden[place] = 0
            alone[place] = right[2] - run(model, {"x": hidden})[0][2]
        one = made.explain(x, 2).relevance
        assert np.corrcoef(one[:, 2], alone[:, 2])[0, 1] > 0.9


@pytest.mark.parametrize("name", BATCHES)
def test_rows_that_do_not_meet_are_samples(name):
    graph = Graph.load(parse(f"g (float[5,6] x) => (float[5,6] y) {{ {BATCHES[name]} }}", **BEGUN))
    assert not is_unbatched(graph, "x")
    assert followed_samples(graph)["y"] == (0, None)


def test_samples_that_are_gone_along_meet():
    text = """g (float[N,6] x) => (float[N,6] y) {
        s, y = Scan <num_scan_inputs = 1, body = b (float[6] h, float[6] v) => (float[6] k, float[6] o) {
        k = Add (h, v) o = Identity (k) }> (h0, x) }"""
    meeting = mixing(Graph.load(parse(text, **BEGUN)))
    assert meeting is not None and meeting.is_sure and "Scan" in str(meeting)
