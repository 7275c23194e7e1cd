"""NaN and infinity are refused wherever they come from, and the message says what may be done about them."""

import numpy as np
import pytest
from building import parse, rng

import explainer
from explainer import ExplainerError, NumericalError, explain

TEXT = """g (float16[N,3,8,8] x) => (float16[N,3] y) { c = Conv(x, k) r = Relu(c) d = Conv(r, l)
    p = GlobalAveragePool(%s) f = Flatten(p) y = MatMul(f, w) }"""
X = (4 * rng(0).random((1, 3, 8, 8))).astype(np.float16)


def large(last: str):
    """A file in float16 whose second convolution is beyond its largest number."""
    weights = {
        "k": 100 * rng(1).standard_normal((4, 3, 3, 3)),
        "l": 100 * rng(2).standard_normal((4, 4, 3, 3)),
        "w": (1000 if last == "d" else 1) * rng(3).standard_normal((4, 3)),
    }
    return parse(TEXT % last, **{name: value.astype(np.float16) for name, value in weights.items()})


HOW = [
    {},
    {"method": "gradient"},
    {"method": "grad_cam", "tensor": "r"},
    {"method": "occlusion", "window": 4},
    {"method": "rise", "n_masks": 4},
    {"method": "integrated_gradients", "n_steps": 2},
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("how", HOW, ids=str)
def test_a_score_beyond_float16(how, dtype):
    """Occlusion and RISE gave maps of NaN."""
    with pytest.raises(NumericalError, match=r"NaN or infinity in .*float16, whose largest number is 65,504"):
        explain(large("d"), X, target=1, dtype=dtype, **how)


@pytest.mark.parametrize("target", ["d", "d[0]"])
@pytest.mark.parametrize("how", [{}, {"method": "occlusion", "window": 4}], ids=str)
def test_a_tensor_beyond_float16(how, target):
    with pytest.raises(NumericalError, match=r"'d'.*65,504"):
        explain(large("r"), X, target=target, **how)


def test_what_nobody_reads_may_be_beyond():
    assert np.isfinite(explain(large("r"), X, target=1).relevance).all()


def test_scores_of_float32():
    model = parse("g (float[N,3] x) => (float[N,3] y) { a = Log(x) y = Add(a, a) }")
    x = np.array([[-1.0, 1.0, 2.0]], np.float32)
    with pytest.raises(NumericalError, match=r"NaN or infinity in it; check the input's range"):
        explain(model, x, target=0, method="occlusion")


@pytest.mark.filterwarnings("error")
def test_a_model_that_is_not_finite_is_not_compiled():
    """It was said to differ from the original, by nan, beside NumPy's own warnings."""
    with pytest.raises(ExplainerError, match=r"own output 'y' has NaN or infinity.*65,504"):
        explainer.compile(large("d"), target=1)
