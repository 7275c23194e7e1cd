"""onnxruntime's own normalisations, in nets: a skip that is added has its share, and the sum is an output."""

import numpy as np
import onnx
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer, UnsupportedError

IMPORTS = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'
WEIGHTS = {name: rng(seed, 6).standard_normal(6).astype(np.float32) for seed, name in enumerate("wbc")}
DENSE = {name: rng(seed).standard_normal((6, 6)) for seed, name in enumerate(("k", "l"), start=5)}
X = rng(9).standard_normal((2, 4, 6)).astype(np.float32)
BODIES = {
    "com.microsoft.SkipLayerNormalization": (
        "y, m, d, t = com.microsoft.SkipLayerNormalization <epsilon = 0.1> (u, x, w, b, c)",
        "a = Add (u, x) t = Add (a, c) y = LayerNormalization <epsilon = 0.1> (t, w, b)",
    ),
    "com.microsoft.SkipSimplifiedLayerNormalization": (
        "y, m, d, t = com.microsoft.SkipSimplifiedLayerNormalization <epsilon = 0.1> (u, x, w, c)",
        "a = Add (u, x) t = Add (a, c) q = Mul (t, t) v = ReduceMean <axes = [-1]> (q) e = Add (v, tenth)"
        " s = Sqrt (e) n = Div (t, s) y = Mul (n, w)",
    ),
}
each = pytest.mark.parametrize("operator", BODIES)


def net(body: str, **more: np.ndarray) -> onnx.ModelProto:
    """A block whose next residual reads the sum."""
    nodes = f"u = MatMul (x, k) {body} g = MatMul (y, l) o = Add (g, t)"
    constants = {**WEIGHTS, **DENSE, "tenth": np.float32(0.1), **more}
    used = {name: value for name, value in constants.items() if f" {name})" in nodes or f" {name}," in nodes}
    return parse(f"{IMPORTS} g (float[N,4,6] x) => (float[N,4,6] o) {{ {nodes} }}", **used)


@each
@pytest.mark.parametrize(
    "how", [{}, {"method": "gradient"}, {"dialect": "attnlrp", "composite": "epsilon"}], ids=str
)
def test_the_map_is_that_of_the_sum_and_the_normalisation_apart(operator, how):
    fused, apart = (
        Explainer(net(body), dtype="float64", **({"eps": 1e-12} if not how else {}), **how).explain(
            X, target=(1, 2)
        )
        for body in BODIES[operator]
    )
    assert relative(fused.relevance, apart.relevance) < 1e-6
    np.testing.assert_allclose(fused.score, apart.score, rtol=1e-6)


@each
def test_it_conserves_without_biases_and_compiles(operator):
    bare = net(BODIES[operator][0], b=WEIGHTS["b"] * 0, c=WEIGHTS["c"] * 0)
    found = explainer.explain(bare, X, target=(1, 2), start="one", eps=1e-9, dtype="float64")
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    for step in explainer.explain(net(BODIES[operator][0]), X, target=(1, 2), dtype="float64").audit:
        assert abs(step.residual).max() < 1e-10 * max(1, abs(step.R_out).max())
    explainer.compile(net(BODIES[operator][0]))


@each
def test_its_mean_is_read_by_nobody(operator):
    model = net(BODIES[operator][0] + " h = Add (y, m)")
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("h", onnx.TensorProto.FLOAT, None))
    with pytest.raises(UnsupportedError, match="its mean or deviation is read"):
        Explainer(model).plan  # noqa: B018


@pytest.mark.parametrize("attributes", ["<epsilon = 0.1>", "", "<axis = -1, stash_type = 1>"])
def test_simplified_layer_normalization_is_an_rms_norm(attributes):
    eps = 0.1 if "0.1" in attributes else 1e-5
    graph = "g (float[N,4,6] x) => (float[N,4,6] o)"

    def made(body: str, **more: np.ndarray) -> onnx.ModelProto:
        text = f"{IMPORTS} {graph} {{ u = MatMul (x, k) {body} o = MatMul (y, l) }}"
        return parse(text, w=WEIGHTS["w"], **DENSE, **more)

    one = made(f"y = SimplifiedLayerNormalization {attributes} (u, w)")
    squares = "q = Mul (u, u) v = ReduceMean <axes = [-1]> (q) e = Add (v, eps) s = Sqrt (e)"
    other = made(f"{squares} n = Div (u, s) y = Mul (n, w)", eps=np.float32(eps))
    for how in ({}, {"method": "gradient"}):
        found, wanted = (Explainer(m, dtype="float64", **how).explain(X, target=(1, 2)) for m in (one, other))
        assert relative(found.relevance, wanted.relevance) < 1e-6
    explainer.compile(one)  # which ONNX's checker is shown as another domain's


@pytest.mark.parametrize("opset", [11, 16])
@pytest.mark.parametrize("operator", ["SimplifiedLayerNormalization", "LayerNormalization"])
def test_onnxruntime_has_them_in_older_opsets_too(operator, opset):
    """LayerNormalization is ONNX's own from opset 17 on; the defaults are the runtime's."""
    text = f"""<ir_version: 8, opset_import: ["": {opset}]> g (float[N,4,6] x) => (float[N,4,6] o)
        {{ u = MatMul (x, k) y = {operator} (u, w) o = MatMul (y, l) }}"""
    model = parse(text, w=WEIGHTS["w"], **DENSE)
    found = explainer.explain(model, X, target=(1, 2), start="one", eps=1e-9, dtype="float64")
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    explainer.compile(model)
    model.graph.node[1].input.append("w")
    model.graph.node[1].input.append("w")
    with pytest.raises(explainer.ModelError, match="it has 4 inputs, and takes"):
        Explainer(model)
