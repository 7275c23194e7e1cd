"""What no relevance passes is refused by name, with the reason, and with a tensor before it that works."""

import numpy as np
import onnx
import pytest
from building import parse, rng

import explainer
from explainer.errors import ExplainerError, TargetError, UnsupportedError

NET = (
    "g (float[N,3,6,6] x) => (float[N,4] y) {{ c = Conv <pads = [1, 1, 1, 1]> (x, w) {}"
    " p = GlobalAveragePool (m) f = Flatten (p) y = MatMul (f, v) }}"
)
END = "g (float[N,3,6,6] x) => ({}) {{ c = Conv (x, w) p = GlobalAveragePool (c) f = Flatten (p) {} }}"
BODY = (
    "<body = b (int64 i, bool go, float[a,b,c,d] s) => (bool on, float[a,b,c,d] r)"
    " { on = Identity (go) r = Relu (s) }>"
)
TREE = (
    "ai.onnx.ml.TreeEnsembleRegressor <n_targets = 1, nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2],"
    ' nodes_featureids = [0, 0, 0], nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"],'
    " nodes_values = [0.0, 0.0, 0.0], nodes_truenodeids = [1, 0, 0], nodes_falsenodeids = [2, 0, 0],"
    " target_treeids = [0, 0], target_nodeids = [1, 2], target_ids = [0, 0], target_weights = [1.0, 2.0]>"
)
# name -> (graph, what is said, what is offered first)
CASES = {
    "TopK": (NET.format("t, i = TopK <axis = 1> (c, k) m = Relu (t)"), "TopK x1 (it sorts by size", "c[top]"),
    "Unique": (NET.format("u, i = Unique <axis = 0> (c) m = Relu (u)"), "Unique x1 (it sorts", "c[top]"),
    "Hardmax": (NET.format("m = Hardmax <axis = 1> (c)"), "Hardmax x1 (it is 1 at the largest", "c[top]"),
    "RandomNormalLike": (
        NET.format("n = RandomNormalLike (c) m = Add (c, n)"),
        "RandomNormalLike x1 (it draws random numbers",
        "c",
    ),
    "Bernoulli": (
        NET.format("s = Sigmoid (c) n = Bernoulli (s) m = Mul (c, n)"),
        "Bernoulli x1 (it draws random numbers",
        "c",
    ),
    "Loop": (
        NET.format(f"m = Loop {BODY} (k, go, c)").replace("{{", "{").replace("}}", "}"),
        "Loop x1 (its body runs as often as data says",
        "",
    ),
    "ArgMax": (END.format("int64[N,1] y", "y = ArgMax <axis = 1> (f)"), "those of ArgMax 'y'", "f[top]"),
    "ArgMin": (END.format("int64[N,1] y", "y = ArgMin <axis = 1> (f)"), "those of ArgMin 'y'", "f[top]"),
    "NonZero": (END.format("int64[2,M] y", "y = NonZero (f)"), "those of NonZero 'y'", "f"),
    "Greater": (END.format("bool[N,4] y", "y = Greater (f, p0)"), "those of Greater 'y'", "f"),
    "Multinomial": (
        END.format("int32[N,1] y", "y = Multinomial <sample_size = 1> (f)"),
        "Multinomial x1 (it draws random numbers",
        "f",
    ),
    "a tree": (END.format("float[N,1] y", f"y = {TREE} (f)"), "Regressor x1 (trees ask whether", "f"),
}  # fmt: skip
X = rng(3).standard_normal((2, 3, 6, 6)).astype(np.float32)


def model_of(text: str) -> onnx.ModelProto:
    opsets = '"": 21, "ai.onnx.ml": 3'
    constants = {"w": rng(1).standard_normal((4, 3, 3, 3)), "v": rng(2).standard_normal((4, 4))}
    more = {"k": np.array([4]), "go": np.array(True), "p0": np.float32(0)}
    used = {n: a for n, a in more.items() if f" {n})" in text or f"{n}," in text}
    constants = {n: a for n, a in constants.items() if f", {n})" in text}
    return parse(f"<ir_version: 10, opset_import: [{opsets}]> {text}", **constants, **used)


@pytest.mark.parametrize("name", CASES)
def test_it_is_named_and_what_is_offered_works_as_it_is_written(name):
    text, said, first = CASES[name]
    model = model_of(text)
    with pytest.raises((TargetError, UnsupportedError)) as caught:
        explainer.explain(model, X)
    assert said in caught.value.text
    ways = caught.value.ways
    assert ways
    if first:
        assert ways[0].settings == {"target": first}
    for way in ways:
        assert eval(way.call, {"explainer": explainer, "model": model, "image": X})  # as pasted


@pytest.mark.parametrize("name", ["TopK", "ArgMax", "Greater", "a tree"])
def test_occlusion_answers_where_scores_do(name):
    with pytest.raises(ExplainerError) as caught:
        explainer.explain(model_of(CASES[name][0]), X)
    methods = [way.settings.get("method") for way in caught.value.ways]
    assert ("occlusion" in methods) == (name != "Greater")  # which has no score
