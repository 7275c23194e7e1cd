"""Quantised files: their maps are those of the same nets in real numbers, rounded at the same places."""

import numpy as np
import pytest
from building import parse
from quantising import dynamically, fused, random_feeds, rounding, statically, twin

import explainer


def weighted(text, seed=1, **shapes):
    """A model of this text, with seeded weights."""
    rng = np.random.default_rng(seed)
    return parse(
        text,
        **{name: rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:])) for name, shape in shapes.items()},
    )


def net():
    """Convolutions with a shortcut, pools and a dense layer."""
    return weighted(
        """
        <ir_version: 8, opset_import: ["": 17]>
        net (float[N,3,8,8] x) => (float[N,5] y) {
            a = Conv <pads=[1,1,1,1]> (x, w1, b1)
            r = Relu (a)
            m = MaxPool <kernel_shape=[2,2], strides=[2,2]> (r)
            c = Conv <pads=[1,1,1,1]> (m, w2, b2)
            s = Add (c, m)
            t = Relu (s)
            p = GlobalAveragePool (t)
            f = Flatten (p)
            y = Gemm <transB=1> (f, w3, b3)
        }
        """,
        w1=(6, 3, 3, 3),
        b1=(6,),
        w2=(6, 6, 3, 3),
        b2=(6,),
        w3=(5, 6),
        b3=(5,),
    )


FORMS = {
    "qdq": {},
    "qdq, int8 per channel": {"per_channel": True, "activation_type": "QInt8", "weight_type": "QInt8"},
    "qdq, uint16": {"activation_type": "QUInt16", "weight_type": "QInt8"},
    "qoperator": {"quant_format": "QOperator"},
    "qoperator per channel": {"quant_format": "QOperator", "per_channel": True},
}


def made(form, folder, model=None):
    from onnxruntime.quantization import QuantFormat, QuantType

    how = dict(FORMS[form])
    how["quant_format"] = QuantFormat[how.get("quant_format", "QDQ")]
    how |= {key: QuantType[value] for key, value in how.items() if isinstance(value, str)}
    return statically(model or net(), folder, **how)


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus_flat", "alpha2_beta1"])
def test_the_map_is_the_twin_s(form, composite, tmp_path):
    model = made(form, tmp_path)
    feeds = random_feeds(model, 1, seed=7)[0]
    other = twin(model)
    ours = explainer.Explainer(model, composite=composite, dtype="float64")
    theirs = explainer.Explainer(
        other, composite=composite, rules=rounding(other), dtype="float64", forward="onnxruntime"
    )
    mine, its = ours.explain(feeds, target=2), theirs.explain(feeds, target=2)
    assert mine.score == pytest.approx(its.score, rel=1e-6)
    assert relative(mine.relevance, its.relevance) < 1e-5


@pytest.mark.parametrize("form", FORMS)
def test_the_prediction_is_the_deployed_file_s(form, tmp_path):
    model = made(form, tmp_path)
    feeds = random_feeds(model, 1, seed=7)[0]
    explanation = explainer.explain(model, feeds)
    np.testing.assert_array_equal(explanation.outputs["y"], fused(model, feeds))
    assert explanation.target[0] == fused(model, feeds)[0].argmax()


@pytest.mark.parametrize("form", FORMS)
def test_it_compiles(form, tmp_path):
    explainer.compile(made(form, tmp_path), tmp_path / "compiled.onnx")


def test_scales_that_every_input_has_of_its_own(tmp_path):
    from onnxruntime.quantization import QuantType

    model = dynamically(
        net(), tmp_path, weight_type=QuantType.QUInt8
    )  # old onnxruntimes have no kernel of int8
    x = random_feeds(model, 1, seed=3)[0]
    plan = explainer.Explainer(model).plan
    assert [step.node.operator for step in plan.steps].count("QuantizeLinear") == 3
    a, b = (explainer.explain(model, x, target=1, dtype=dtype) for dtype in ("float32", "float64"))
    assert relative(a.relevance, b.relevance) < 1e-4
    near = explainer.explain(net(), x, target=1).relevance
    cosine = np.vdot(a.relevance, near) / np.linalg.norm(a.relevance) / np.linalg.norm(near)
    assert cosine > 0.98
    with pytest.warns(UserWarning, match="computes across the samples"):
        explainer.compile(model, tmp_path / "compiled.onnx")
