"""Resizing as exporters write it, in a net; what is refused of it."""

import numpy as np
import onnx
import onnxruntime
import pytest
from building import relative, rng

import explainer
from explainer.errors import UnsupportedError

# What follows a Relu is resized to sizes that are computed from its shape, as PyTorch exports it.
NET = """
    <ir_version: 8, opset_import: ["": 18]>
    g (float[N,3,8,8] x) => (float[N,2] y) {
        a = Conv <pads = [1, 1, 1, 1]> (x, w)
        r = Relu (a)
        s = Shape (r)
        b = Slice (s, zero, two)
        z = Concat <axis = 0> (b, size)
        u = RESIZE
        q = Pad <mode = "reflect"> (u, pads)
        d = SpaceToDepth <blocksize = 2> (q)
        m = Where (mask, d, other)
        p = GlobalAveragePool (m)
        f = Flatten (p)
        y = Gemm (f, v)
    }
"""


def net(resize: str, other: float = 0.0) -> onnx.ModelProto:
    model = onnx.parser.parse_model(NET.replace("RESIZE", resize))
    constants = {
        "w": rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32),
        "v": rng(2).standard_normal((16, 2)).astype(np.float32),
        "mask": rng(3).random((16, 7, 7)) > 0.3,
        "other": np.float32(other),
        "zero": np.array([0]),
        "two": np.array([2]),
        "size": np.array([12, 12]),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "roi": np.array([0, 0, 0.2, 0, 1, 1, 1.2, 1], np.float32),
    }
    tensors = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    model.graph.initializer.extend(tensors)
    return model


X = rng(4).standard_normal((2, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_relevance_comes_through_sizes_computed_from_shapes(mode):
    model = net(f'Resize <mode = "{mode}"> (r, , , z)')
    explanation = explainer.explain(model, X, dtype="float64", eps=1e-9)
    np.testing.assert_allclose(explanation.conserved, 1, atol=1e-6)


def test_a_constant_branch_takes_its_share():
    resize = 'Resize <mode = "linear"> (r, , , z)'
    given = {"target": 0, "dtype": "float64", "eps": 1e-9}
    alone, beside = (explainer.explain(net(resize, other), X, **given) for other in (0.0, 5.0))
    # What the constant adds to the score is no pixel's: the pixels have what they had without it.
    assert (abs(beside.score - alone.score) > 0.1).all()
    np.testing.assert_allclose(beside.relevance.sum((1, 2, 3)), alone.score, rtol=1e-5)


def test_resizing_compiles_for_any_batch(tmp_path):
    model = net('Resize <mode = "linear"> (r, , , z)')
    explainer.compile(model, tmp_path / "it.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "it.onnx")
    names = [value.name for value in session.get_outputs()]
    for x in (X, np.concatenate([X, X[:1]])):
        (found,) = session.run([next(n for n in names if "relevance" in n)], {"x": x})
        assert relative(found, explainer.explain(model, x).relevance) < 1e-4


@pytest.mark.parametrize(
    ("resize", "reason"),
    [
        (
            'Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize"> (r, roi, , z)',
            "roi reaches beyond",
        ),
    ],
)
def test_what_is_refused_says_so(resize, reason):
    with pytest.raises(UnsupportedError, match=reason):
        explainer.explain(net(resize), X)
