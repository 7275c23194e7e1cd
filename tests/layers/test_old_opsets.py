"""Operators as older opsets have them: onnxruntime's numbers, the walk's identity, a true gradient."""

import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer

random = rng(11)
CONSTANTS = {
    **{"w": random.standard_normal((4, 3, 3, 3)), "b": random.standard_normal(4)},
    **{"scale": abs(random.standard_normal(4)) + 0.5, "mean": random.standard_normal(4) * 0.1},
    **{"variance": abs(random.standard_normal(4)) + 0.5, "channels": random.standard_normal((4, 1, 1))},
    **{"dense": random.standard_normal((4, 2)), "two_d": random.standard_normal(2)},
    **{"enlarged": np.array([1, 1, 2, 2], np.float32), "two": np.float32(2)},
    **{"shape": np.array([2, 4, 4, 4]), "back": np.array([2, 4, 16]), "twice": np.array([1, 2, 1, 1])},
    **{"chosen": np.array([2, 0]), "places": np.zeros((2, 1, 4, 4), np.int64)},
}
REDUCED = ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
# Opset -> what is made of h, (2, 4, 4, 4).
NODES = {
    7: [
        'y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (h)',
        'y = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]> (h)',
        'y = Pad <mode = "constant", pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 0.5> (h)',
        "y = Clip <min = 0.1, max = 0.6> (h)",
        "y = BatchNormalization <epsilon = 0.01, spatial = 1> (h, scale, b, mean, variance)",
        "y = Dropout <ratio = 0.3> (h)",
        "p = GlobalAveragePool (h) f = Flatten (p) y = Gemm (f, dense, two_d)",
        "y = PRelu (h, channels)",
        "y, other = Split <axis = 1, split = [1, 3]> (h)",
        "y = Tile (h, twice)",
        "y = Gather <axis = 1> (h, chosen)",
        "t = Transpose <perm = [0, 2, 3, 1]> (h) y = MatMul (t, dense)",
        "y = Pow (h, two)",
        "y = ThresholdedRelu (h)",
        "y = ThresholdedRelu <alpha = 0.3> (h)",
        "y = ImageScaler <scale = 0.5, bias = [0.1, 0.2, -0.3, 0.4]> (h)",
        "z = Relu (h) y = Mean (h, z)",
    ],
    8: [
        "y = Softmax <axis = 1> (h)",
        "p = GlobalAveragePool (h) y = Expand (p, shape)",
        "y = Sum (h, h)",
        "y = Max (h, channels)",
    ],
    9: [
        'y = Upsample <mode = "linear"> (h, enlarged)',
        "y = Slice <axes = [2], starts = [1], ends = [3]> (h)",
        "y = Slice <starts = [0, 1], ends = [10, -1]> (h)",
        "y = LogSoftmax <axis = 1> (h)",
        "y = BatchNormalization (h, scale, b, mean, variance)",
        "r = Flatten <axis = 2> (h) y = Reshape (r, back)",
        "y = Scatter <axis = 1> (h, places, updates)",
    ],
    10: [
        'y = Resize <mode = "linear"> (h, enlarged)',
        'y = Pad <mode = "reflect", pads = [0, 0, 1, 1, 0, 0, 1, 1]> (h)',
        "y = Dropout (h)",
    ],
    11: [
        "y = Softmax <axis = 2> (h)",
        "p = ReduceMean <axes = [2, 3], keepdims = 0> (h) y = Unsqueeze <axes = [2, 3]> (p)",
        *(f"y = Reduce{name} <axes = [2, 3], keepdims = 0> (h)" for name in REDUCED),
    ],
    12: ["p = GlobalAveragePool (h) y = Squeeze <axes = [2, 3]> (p)"],
}
CASES = [(opset, nodes) for opset, several in NODES.items() for nodes in several]
# In steps of 2⁻¹², so that what is moved by one is so in float32 too.
X = random.integers(-8000, 8000, (2, 3, 6, 6)).astype(np.float32) / 4096
UPDATES = random.standard_normal((2, 1, 4, 4))


def net(opset: int, nodes: str):
    """A convolution, the nodes, and the sum of all that comes out as the score."""
    constants = {**CONSTANTS, "updates": UPDATES}
    used = {name: value for name, value in constants.items() if name in nodes or name in ("w", "b")}
    total = "sq = Mul (y, y) row = Flatten <axis = 1> (sq) out = ReduceSum <axes = [1], keepdims = 1> (row)"
    text = f"""<ir_version: 8, opset_import: ["": {opset}]>
        g (float[2,3,6,6] x) => (float[2,1] out) {{ h = Conv (x, w, b) {nodes} {total} }}"""
    return parse(text, **used)


@pytest.mark.parametrize(("opset", "nodes"), CASES)
def test_the_numbers_are_onnxruntimes_and_relevance_and_gradient_are_right(opset, nodes):
    model = net(opset, nodes)
    found = Explainer(model, dtype="float64", eps=1e-9).explain(X, 0)  # in the layers' own bodies, compared
    for step in found.audit:
        assert np.all(np.abs(step.residual) < 1e-9 * (np.abs(step.R_out) + np.abs(step.R_in) + 1e-9)), step
    ex = Explainer(model, method="gradient", dtype="float64")
    step = rng(12).integers(-1, 2, X.shape).astype(np.float32) / 4096
    up, down = (ex.explain(X + sign * step, 0).score for sign in (1, -1))
    slope = (ex.explain(X, 0).relevance * step).sum((1, 2, 3))
    assert relative((up - down) / 2, slope) < 1e-4


def test_an_image_scaler_in_front_is_a_normalisation_in_the_file():
    """As in files that were converted from Core ML: a w² rule goes through it."""
    text = """<ir_version: 8, opset_import: ["": 7]>
        g (float[2,3,6,6] x) => (float[2,1] out) {
            i = ImageScaler <scale = 0.5, bias = [0.1, 0.2, -0.3]> (x) h = Conv (i, w, b) r = Relu (h)
            f = Flatten (r) out = ReduceSum <axes = [1], keepdims = 1> (f) }"""
    model = parse(text, w=CONSTANTS["w"], b=CONSTANTS["b"])
    (note,) = [row for row in Explainer(model, composite="wsquare").plan.steps if row.prepares]
    assert note.node.operator == "ImageScaler"
    assert np.isfinite(explainer.explain(model, X, target=0, composite="wsquare").relevance).all()
