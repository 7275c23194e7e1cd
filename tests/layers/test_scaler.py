"""scikit-learn's StandardScaler, as its converter writes it, in front of a multilayer perceptron."""

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer

OFFSET, SCALE = np.float32([1.25, 2.5, 0, -1.5]), np.float32([0.5, 1, 2, 1])
W, V = (rng(seed).standard_normal(shape).astype(np.float32) for seed, shape in ((1, (4, 5)), (2, (5, 3))))
NET = """<ir_version: 8, opset_import: ["": 18, "ai.onnx.ml": 3]>
g (TYPE[N,4] x) => (float[N,3] y) {
    s = ai.onnx.ml.Scaler <offset = [1.25,2.5,0.0,-1.5], scale = [0.5,1.0,2.0,1.0]> (x)
    h = MatMul (s, w)
    a = Relu (h)
    y = MatMul (a, v)
}"""


@pytest.mark.parametrize("kind", ["float", "double", "int64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_and_the_share_of_the_offsets(kind, dtype):
    model = parse(NET.replace("TYPE", kind), w=W, v=V)
    numpy_kind = {"float": "float32", "double": "float64"}.get(kind, kind)
    x = (rng(3).standard_normal((2, 4)) * 3).astype(numpy_kind)
    hidden = (x - OFFSET.astype(np.float64)) * SCALE @ W > 0
    slope = ((W * SCALE[:, None])[None] * hidden[:, None]) @ V[:, 1]
    gradient = Explainer(model, method="gradient", dtype=dtype).explain(x, target=1)
    np.testing.assert_allclose(gradient.relevance, slope, rtol=1e-5)
    found = Explainer(model, eps=1e-12, dtype=dtype).explain(x, target=1)
    np.testing.assert_allclose(found.relevance, x * slope, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.audit[-1].bias, -(slope * OFFSET).sum(axis=1), rtol=1e-3)
