"""Places that are fed beside what they choose, of each sample or of all: they compile for any batch."""

import numpy as np
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run

import explainer
from explainer import Explainer

X = "float[N,5,4] x"
ROW = "t = Tanh (x) a = Gather <axis = 1> (t, i) b = MatMul (a, w)"
# Inputs, the size of y, nodes; and what is fed.
NETS = {
    "rows for all": (f"{X}, int64[2] i", 6, f"{ROW} y = Flatten (b)", lambda n: np.array([1, -2])),
    "of 32 bits": (f"{X}, int32[2] i", 6, f"{ROW} y = Flatten (b)", lambda n: np.array([1, -2], np.int32)),
    "one row for all": (f"{X}, int64 i", 3, f"{ROW} y = Identity (b)", lambda n: np.array(3)),
    "places of two axes": (
        f"{X}, int64[2,3] i",
        30,
        "t = Tanh (x) m = MatMul (t, w) a = Gather <axis = 2> (m, i) y = Flatten (a)",
        lambda n: rng(1).integers(0, 3, (2, 3)),
    ),
    "a row of each": (
        f"{X}, int64[N,1] i",
        3,
        "t = Tanh (x) a = GatherND <batch_dims = 1> (t, i) y = MatMul (a, w)",
        lambda n: rng(1).integers(0, 5, (n, 1)),
    ),
    "places of each, fed first": (
        f"int64[N,5,4] i, {X}",
        15,
        "t = Tanh (x) a = GatherElements <axis = 1> (t, i) b = MatMul (a, w) y = Flatten (b)",
        lambda n: rng(1).integers(0, 5, (n, 5, 4)),
    ),
}
HOW = [{}, {"method": "gradient"}, {"method": "integrated_gradients", "n_steps": 3}]


@pytest.mark.parametrize("how", HOW, ids=lambda how: how.get("method", "lrp"))
@pytest.mark.parametrize("what", NETS)
def test_places_that_are_fed(what, how):
    inputs, size, nodes, places = NETS[what]
    text = f"g ({inputs}) => (float[N,{size}] y) {{ {nodes} }}"
    model = parse(text, w=rng(0).standard_normal((4, 3)))
    compiled = explainer.compile(model, target=1, **how)
    for samples in (1, 3):
        feeds = {"x": rng(3).standard_normal((samples, 5, 4)).astype(np.float32), "i": places(samples)}
        wanted = Explainer(model, **how).explain(feeds, 1).relevance["x"]
        assert relative(run(compiled, feeds)["relevance"], wanted) < CLOSE


def test_the_row_of_the_largest_token_is_one_for_any_batch():
    """As transformers' CLIP takes the place at which its text ends."""
    text = """g (int64[N,5] ids) => (float[N,3] y) { e = Gather (table, ids) t = Tanh (e)
        k = ArgMax <axis = 1> (ids) a = GatherND <batch_dims = 1> (t, k) y = MatMul (a, w) }"""
    model = parse(text, table=rng(2).standard_normal((20, 4)), w=rng(0).standard_normal((4, 3)))
    compiled = explainer.compile(model, target=1)
    for samples in (1, 3):
        ids = rng(samples).integers(0, 20, (samples, 5))
        (wanted,) = Explainer(model).explain(ids, 1).relevance.values()
        (name,) = [value.name for value in compiled.graph.output if value.name.startswith("relevance")]
        assert relative(run(compiled, ids)[name], wanted) < CLOSE
